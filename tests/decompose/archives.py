"""Containers built in code, one builder for each format: the samples of test_formats.py, and more."""

import bz2
import gzip
import importlib
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path


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


def attribute(number: int, data: bytes, level: int = 2, size: int | None = None) -> bytes:
    """One attribute of a TNEF file."""
    size = len(data) if size is None else size
    return struct.pack("<BHHI", level, number, 0, size) + data + struct.pack("<H", sum(data) & 0xFFFF)


def tnef(*attributes: bytes) -> bytes:
    """A TNEF file of these."""
    return b"\x78\x9f\x3e\x22\1\0" + b"".join(attributes)


def attached(data: bytes, name: bytes = b"file", more: bytes = b"") -> bytes:
    """An attachment's attributes in the usual order: its name comes after its data."""
    return attribute(0x9002, bytes(14)) + attribute(0x800F, data) + attribute(0x8010, name + b"\0") + more


P7, SMIME = b"*\x86H\x86\xf7\r\1\7", b"*\x86H\x86\xf7\r\1\x09\x10\1"
"""The object identifiers of PKCS #7 and S/MIME, to be gone on with."""


def der(tag: int, *values: bytes) -> bytes:
    """One element in DER."""
    value = b"".join(values)
    size = len(value)
    if size < 128:
        return bytes((tag, size)) + value
    digits = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 128 + len(digits))) + digits + value


def ber(tag: int, *values: bytes) -> bytes:
    """One element of indefinite length."""
    return bytes((tag, 128)) + b"".join(values) + b"\0\0"


def typed(oid: bytes, content: bytes | None, form=der) -> bytes:
    """A ContentInfo, or the wrapped one in it."""
    return form(0x30, der(6, oid), *([] if content is None else [form(0xA0, content)]))


SHA256 = der(0x31, der(0x30, der(6, b"`\x86H\1e\3\4\2\1"), b"\5\0"))


def signed(content: bytes | None, form=der, more: bytes = b"") -> bytes:
    """CMS SignedData around an element, usually an OCTET STRING; None: detached."""
    return typed(P7 + b"\2", form(0x30, b"\2\1\1", SHA256, typed(P7 + b"\1", content, form), more), form)


def packet(tag: int, body: bytes) -> bytes:
    """One OpenPGP packet in the new format, of definite length."""
    return bytes((0xC0 | tag, 255)) + len(body).to_bytes(4, "big") + body


def literal(data: bytes, name: bytes = b"") -> bytes:
    """The body of a literal data packet."""
    return b"b" + bytes((len(name),)) + name + bytes(4) + data


MARKER = b"\xa8\3PGP"


def apple(*entries: tuple[int, bytes], magic: int = 0x00051600) -> bytes:
    """An AppleSingle or AppleDouble file of these entries: number, content."""
    table, body = b"", b""
    for number, data in entries:
        table += struct.pack(">III", number, 26 + 12 * len(entries) + len(body), len(data))
        body += data
    return struct.pack(">II16xH", magic, 0x00020000, len(entries)) + table + body


def mac_binary(data: bytes, resource: bytes = b"", name: bytes = b"file", second: bytes = b"") -> bytes:
    """A MacBinary II file."""
    head = bytearray(128)
    head[1 : 2 + len(name)] = bytes((len(name),)) + name
    head[65:73] = b"TEXTtest"
    head[83:91] = struct.pack(">II", len(data), len(resource))
    head[120:124] = struct.pack(">HBB", len(second), 129, 129)
    return bytes(head) + b"".join(piece + bytes(-len(piece) % 128) for piece in (second, data, resource))


SAMPLES = {
    "applefile": lambda data: apple((1, data)),
    "bzip2": bz2.compress,
    "cms": lambda data: signed(der(4, data)),
    "gzip": gzip.compress,
    "openpgp": lambda data: MARKER + packet(11, literal(data)),
    "tar": lambda data: tarred({"file": data}),
    "tnef": lambda data: tnef(attached(data)),
    "xz": lzma.compress,
    "zip": lambda data: zipped({"file": data}),
}
"""For each of these files in formats/, what packs one file."""
BUILT = {
    file.stem: importlib.import_module("built." + file.stem)
    for file in sorted(Path(__file__).with_name("built").glob("[a-z]*.py"))
}
"""Modules that build files of one format. What they may have:

pack    as in SAMPLES; None: not built in code, there is a
SAMPLE  file of the format, which holds files with these
NAMES   at their names' ends
CALLED  a name that a file of this format has to have to be known by
TOOL    the program that pack needs
"""
PACKERS = {**SAMPLES, **{name: module.pack for name, module in BUILT.items()}}
"""The same for every file in formats/: also those with a builder of their own, built/NAME.py."""
