"""Images of virtual disks (vhd, vhdx, vmdk, vdi, qcow): by 7zz."""

from amavis_pipe.decompose.api import Blob, Broken, Decoder, Sink
from amavis_pipe.decompose.seven_zip import by_7zz
from amavis_pipe.decompose.ways import SEVEN_ZIP, open_by

NEEDS = (SEVEN_ZIP,)


def unpack(blob: Blob, sink: Sink) -> None:
    """The files."""
    open_by(
        blob, sink, "vhd", by_7zz("vhd", "vhdx", "vmdk", "vdi", "qcow", "gpt", "mbr", "fat", "ntfs", "ext")
    )


DECODER = Decoder(
    "vhd",
    ("application/x-vhd",),
    unpack,
    starts=(
        b"conectix",
        b"vhdxfile",
        b"KDMV",
        b"# Disk DescriptorFile",
        (64, b"\x7f\x10\xda\xbe"),
        b"QFI\xfb",
    ),
    broken=(Broken,),
    ends=(b".vhd", b".vhdx", b".vmdk"),
)
