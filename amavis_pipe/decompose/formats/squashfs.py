"""squashfs, cramfs and other file systems in one file: by 7zz."""

from amavis_pipe.decompose.api import Blob, Broken, Decoder, Sink
from amavis_pipe.decompose.seven_zip import by_7zz
from amavis_pipe.decompose.ways import SEVEN_ZIP, open_by

NEEDS = (SEVEN_ZIP,)


def unpack(blob: Blob, sink: Sink) -> None:
    """The files."""
    open_by(
        blob,
        sink,
        "squashfs",
        by_7zz("squashfs", "cramfs", "ext", "ntfs", "fat", "gpt", "mbr", "uefif", "uefic"),
    )


DECODER = Decoder(
    "squashfs",
    ("application/x-squashfs",),
    unpack,
    starts=(
        b"hsqs",
        b"sqsh",
        b"qshs",
        b"\x45\x3d\xcd\x28",
        b"\x28\xcd\x3d\x45",
        (3, b"NTFS    "),
        (54, b"FAT1"),
        (82, b"FAT32"),
        (1080, b"\x53\xef"),
    ),
    broken=(Broken,),
)
