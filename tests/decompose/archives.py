"""Containers built in code, one builder for each format: the samples of test_formats.py, and more."""

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of these members."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return file.getvalue()


class _Pipe(io.BytesIO):
    """What can't be sought, so that zipfile writes data descriptors."""

    def seekable(self) -> bool:
        return False

    def tell(self) -> int:
        raise OSError

    def seek(self, offset: int, whence: int = 0) -> int:
        raise OSError


def streamed_zip(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip whose sizes stand behind the content."""
    file = _Pipe()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return file.getvalue()


def local(
    name: bytes, data: bytes, method: int = 0, flags: int = 0, crc: int | None = None, size: int | None = None
) -> bytes:
    """One member as it stands in a zip, by hand: `data` is what is stored."""
    check = zlib.crc32(data) if crc is None else crc
    packed = len(data) if size is None else size
    return (
        struct.pack("<4s5H3I2H", b"PK\3\4", 20, flags, method, 0, 0, check, packed, packed, len(name), 0)
        + name
        + data
    )


def central(
    name: bytes, data: bytes, at: int, method: int = 0, flags: int = 0, crc: int | None = None
) -> bytes:
    """The directory's entry of a member, by hand."""
    check = zlib.crc32(data) if crc is None else crc
    head = struct.pack("<4s6H3I", b"PK\1\2", 20, 20, flags, method, 0, 0, check, len(data), len(data))
    return head + struct.pack("<5H2I", len(name), 0, 0, 0, 0, 0, at) + name


def ended(body: bytes, directory: bytes, count: int = 1) -> bytes:
    """A zip of members and directory."""
    return (
        body
        + directory
        + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, count, count, len(directory), len(body), 0)
    )


def deflated(data: bytes) -> bytes:
    """Raw deflate."""
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def tarred(
    members: dict[str, bytes], dialect: int = tarfile.PAX_FORMAT, extra: tuple[tarfile.TarInfo, ...] = ()
) -> bytes:
    """A tar of these members, after those in `extra`, which have no content."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=dialect, errors="surrogateescape") as archive:
        for info in extra:
            archive.addfile(info)
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


def gzipped(data: bytes, name: bytes = b"") -> bytes:
    """A gzip member, with a name in its header if one is given."""
    packed = gzip.compress(data, mtime=0)
    return packed[:3] + b"\x08" + packed[4:10] + name + b"\0" + packed[10:] if name else packed


SAMPLES = {
    "bzip2": bz2.compress,
    "gzip": gzip.compress,
    "tar": lambda data: tarred({"file": data}),
    "xz": lzma.compress,
    "zip": lambda data: zipped({"file": data}),
}
"""For each file in formats/, what packs one file; test_formats.py fails for a format without."""
