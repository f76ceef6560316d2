"""Files that are made to harm whoever opens them, built in code."""

import bz2
import importlib
import io
import lzma
import struct
import subprocess
import tarfile
import zlib
from functools import lru_cache

import archives
from built import (
    _bits,
    ar,
    arj,
    cab,
    cpio,
    dmg,
    iso,
    lha,
    lz4,
    lzip,
    rar,
    sevenzip,
    squashfs,
    stuffit,
    vhd,
    xar,
    zstd,
)

GIB = 1 << 30
ZEROS = 64 << 20
"""Bytes that one piece of a bomb gives."""
TIMES = 10 * GIB // ZEROS


def gzip_bomb() -> bytes:
    return archives.gzipped(bytes(ZEROS)) * TIMES


def bzip2_bomb() -> bytes:
    return bz2.compress(bytes(ZEROS)) * TIMES


def xz_bomb() -> bytes:
    return lzma.compress(bytes(ZEROS), preset=0) * TIMES


def lzip_bomb() -> bytes:
    return lzip.member(bytes(ZEROS)) * TIMES


def lzma_bomb() -> bytes:
    """A GiB only: one stream can't be made of pieces, and packing takes its time."""
    packer, piece = lzma.LZMACompressor(lzma.FORMAT_ALONE, preset=0), bytes(16 << 20)
    return b"".join([*(packer.compress(piece) for _ in range(GIB // len(piece))), packer.flush()])


def compress_bomb() -> bytes:
    """As compress writes zeros: each code one more than that before, until there is no room in the table."""
    first, end = 257, 1 << 16
    codes = [0, *range(first, end)]
    codes += [end - 1] * (10 * GIB // (end - first))
    return b"\x1f\x9d\x90" + _bits.grouped(codes, first, 16)


def zstd_bomb() -> bytes:
    return zstd.zeros(10 * GIB)


def lz4_block(size: int) -> bytes:
    """A block of zeros: a literal, one match, literals at the end."""
    rest = size - 1 - 4 - 15 - 5
    block = b"\x1f\0\1\0" + b"\xff" * (rest // 255) + bytes((rest % 255,)) + b"\x50" + bytes(5)
    return len(block).to_bytes(4, "little") + block


def lz4_bomb() -> bytes:
    return lz4.FRAME + b"\x60\x70\x73" + lz4_block(4 << 20) * (10 * GIB // (4 << 20)) + bytes(4)


def lz4_legacy_bomb() -> bytes:
    return lz4.MAGIC + lz4_block(8 << 20) * (10 * GIB // (8 << 20))


def brotli_bomb() -> bytes:
    brotli = importlib.import_module("brotli")
    packer, piece = brotli.Compressor(quality=1), bytes(16 << 20)
    return b"".join([*(packer.process(piece) for _ in range(10 * GIB // len(piece))), packer.finish()])


def lzop_bomb() -> bytes:
    return _piped("lzop", "-c") * (2 * GIB // ZEROS)


def lrzip_bomb() -> bytes:
    return _piped("lrzip", "-q", "-l", "-o", "-", "-")


@lru_cache
def _piped(*program: str) -> bytes:
    return subprocess.run(program, input=bytes(ZEROS), check=True, capture_output=True).stdout


def zips_in_zips(levels: int = 5, wide: int = 16) -> bytes:
    """As 42.zip: at the end of each branch one file of zeros."""
    data = archives.zipped({"0": bytes(4 << 20)})
    for _ in range(levels):
        data = archives.zipped({f"{number}.zip": data for number in range(wide)})
    return data


def overlapping(count: int = 2000, size: int = 1 << 20) -> bytes:
    """A zip in which each file's compressed bytes begin with the next one's header, quoted, and all that follows it.

    Source: D. Fifield, A better zip bomb, 2019.
    """
    kernel, content = archives.deflated(bytes(size)), bytes(size)
    body, places, length = kernel, [], size
    crc = zlib.crc32(content)
    header = archives.local(b"%06d" % count, b"", 8, crc=crc, size=len(kernel))
    names = [(b"%06d" % count, crc, len(kernel), size)]
    body = header + kernel
    places.append(len(body))
    for number in reversed(range(count)):
        if count - number < 16:
            content = header + content
            crc = zlib.crc32(content)
        length += len(header)
        body = struct.pack("<BHH", 0, len(header), len(header) ^ 0xFFFF) + body
        name = b"%06d" % number
        header = archives.local(name, b"", 8, crc=crc, size=len(body))
        names.append((name, crc, len(body), length))
        body = header + body
        places.append(len(body))
    directory = b"".join(
        struct.pack("<4s6H3I", b"PK\1\2", 20, 20, 0, 8, 0, 0, crc, packed, size)
        + struct.pack("<5H2I", len(name), 0, 0, 0, 0, 0, len(body) - place)
        + name
        for (name, crc, packed, size), place in zip(reversed(names), reversed(places), strict=True)
    )
    return archives.ended(body, directory, len(names))


def deep(build, levels: int = 300) -> bytes:
    """A container in itself, ever again."""
    data = b"core"
    for _ in range(levels):
        data = build(data)
    return data


def many(name: str, count: int = 100_000) -> bytes:
    """As many members, of few bytes each."""
    if name == "tar":
        return archives.tarred({f"{number}": b"x" for number in range(count)}, tarfile.USTAR_FORMAT)
    if name == "zip":
        return archives.zipped({f"{number}": b"x" for number in range(count)})
    if name == "7z":
        return sevenzip.seven(*((f"{number}", b"") for number in range(count)))
    if name == "cpio":
        return cpio.cpio(*(cpio.entry(b"%d" % number, b"x") for number in range(count)))
    if name == "ar":
        return ar.ar(*((b"%d/" % number, b"x") for number in range(count)))
    if name == "cab":
        return cab.cab(*((b"%d" % number, b"x") for number in range(60_000)))
    if name == "arj":
        return arj.arj(*(arj.member(b"%d" % number, b"x") for number in range(count)))
    if name == "lha":
        return lha.lha(*(lha.member(b"%d" % number, b"x") for number in range(count)))
    if name == "rar":
        return rar.rar5(*(rar.file5(b"%d" % number, b"x") for number in range(count)))
    if name == "stuffit":
        return stuffit.sit(*(stuffit.entry(b"%d" % number, b"x") for number in range(60_000)))
    if name == "xar":
        return xar.xar(*(xar.file(number, str(number), 20, b"x") for number in range(20_000)), heap=b"x")
    raise ValueError(name)


def image_of_zeros() -> bytes:
    """A disk image of which a run of zeros, 1 TiB, is told in 40 bytes."""
    return dmg.dmg(bytes(512), kind=2, sectors=1 << 31)


def sparse_tar() -> bytes:
    """A file of 1 TiB in GNU tar's old form, nearly all of it a hole."""
    head = bytearray(archives.tarred({"hole": b""}, tarfile.GNU_FORMAT)[:512])
    head[156:157] = b"S"
    head[124:136] = b"%011o\0" % 512
    head[386:398], head[398:410] = b"\x80" + ((1 << 40) - 512).to_bytes(11, "big"), b"%011o\0" % 512
    head[482:483] = b"\0"
    head[483:495] = b"\x80" + (1 << 40).to_bytes(11, "big")
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head) + b"x" * 512 + bytes(1024)


def fat_loop() -> bytes:
    """A file of 4 GiB whose clusters run in a circle, and a folder that is its own."""
    image = bytearray(squashfs.fat(b"FILE", b"x" * 512 * 8))
    sectors = int.from_bytes(image[22:24], "little")
    for copy in range(2):
        at = 512 * (1 + copy * sectors)
        image[at + 3 : at + 6] = (2 | 2 << 12).to_bytes(3, "little")
    root = 512 * (1 + 2 * sectors)
    image[root + 28 : root + 32] = b"\xff\xff\xff\xff"
    image[root + 32 : root + 64] = b"FOLDER     " + struct.pack("<B14xHI", 0x10, 2, 0)
    return bytes(image)


def iso_loop() -> bytes:
    """A folder that is in itself, by another name, and a file that is all of the disc."""
    return iso.iso(iso.record(b"A", 20, 2048, 2), iso.record(b"B.;1", 0, 21 * 2048), data=b"x")


def cab_loop() -> bytes:
    """A folder whose blocks begin with the cabinet itself, and are as many as can be."""
    return cab.cab((b"file", b"x" * 30000), blocks=0xFFFF, at=0)


def xar_overlapping() -> bytes:
    """A thousand files that are the same megabyte."""
    data = bytes(1 << 20)
    return xar.xar(*(xar.file(number, f"{number}", 20, data) for number in range(1000)), heap=data)


def xar_nested() -> bytes:
    """Folders in folders, too many for a stack."""
    count = 200_000
    folder = '<file id="1"><type>directory</type><name>a</name>'
    return xar.xar(folder * count + "</file>" * count)


def seven_bomb(members: int = 1) -> bytes:
    """128 MiB of zeros by LZMA2, in one folder."""
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 20}]
    content = bytes(ZEROS)
    packed = lzma.compress(content, lzma.FORMAT_RAW, filters=filters)[:-1] * 2 + b"\0"
    pieces = [bytes(2 * ZEROS // members)] * members
    return sevenzip.seven(
        *((f"{number}", piece) for number, piece in enumerate(pieces)), coder=b"\x21\x21\1\x10", packed=packed
    )


def cab_bomb() -> bytes:
    """2 GiB of zeros by MSZIP, each block of 32 KiB begun anew."""
    piece = b"CK" + archives.deflated(bytes(cab.BLOCK))
    sizes = struct.pack("<HH", len(piece), cab.BLOCK)
    block = struct.pack("<I", cab.check(sizes, cab.check(piece))) + sizes + piece
    count, size = 0xFFFF, 0x7FFF0000
    name = struct.pack("<IIHHHH", size, 0, 0, 0x21, 0, 0x20) + b"file\0"
    start = 44 + len(name)
    head = struct.pack("<4s5I2B5H", b"MSCF", 0, start + count * len(block), 0, 44, 0, 3, 1, 1, 1, 0, 0, 0)
    return head + struct.pack("<IHH", start, count, 1) + name + block * count


def iso_overlapping() -> bytes:
    """Forty files that are the same two megabytes."""
    data = bytes(2 << 20)
    return iso.iso(*(iso.record(b"%d.;1" % number, 21, len(data)) for number in range(40)), data=data)


def wide_xz() -> bytes:
    """A stream that wants a dictionary of 4 GiB, and to which any would do."""
    packed = bytearray(lzma.compress(b"plain", preset=0))
    packed[16] = 40
    packed[20:24] = struct.pack("<I", zlib.crc32(packed[12:20]))
    return bytes(packed)


def wide_7z() -> bytes:
    """The same in a 7z."""
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 16}]
    packed = lzma.compress(b"plain", lzma.FORMAT_RAW, filters=filters)
    return sevenzip.seven(("file", b"plain"), coder=b"\x21\x21\1\x28", packed=packed)


def wide_zstd() -> bytes:
    """The same with a window of 2 GiB."""
    return zstd.MAGIC + b"\0\xa8" + zstd.block(0, 5, True) + b"plain"


def seven_of_one() -> bytes:
    """A 7z that says it has 2^40 files."""
    head = b"\1\5" + sevenzip.number(1 << 40) + b"\x11" + sevenzip.number(3) + b"\0a\0\0"
    start = struct.pack("<QQI", 0, len(head), zlib.crc32(head))
    return sevenzip.MAGIC + struct.pack("<I", zlib.crc32(start)) + start + head


def tar_of(*infos: tuple[str, bytes, str, bytes]) -> bytes:
    """A tar of name, type, where it links to, content."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT, errors="surrogateescape") as archive:
        for name, kind, target, data in infos:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size = kind, target, len(data)
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


def linked_tar(outside: str) -> bytes:
    """A link to a folder outside, then a file by way of it; links to files, devices, a pipe."""
    return tar_of(
        ("link", tarfile.SYMTYPE, outside, b""),
        ("link/written", tarfile.REGTYPE, "", b"through a link"),
        ("hard", tarfile.LNKTYPE, outside + "/there", b""),
        ("hard", tarfile.REGTYPE, "", b"over a link"),
        ("soft", tarfile.SYMTYPE, outside + "/there", b""),
        ("soft", tarfile.REGTYPE, "", b"over a soft link"),
        ("device", tarfile.CHRTYPE, "", b""),
        ("disk", tarfile.BLKTYPE, "", b""),
        ("pipe", tarfile.FIFOTYPE, "", b""),
    )


def linked_cpio(outside: str) -> bytes:
    return cpio.cpio(
        cpio.entry(b"link", outside.encode(), cpio.LINK),
        cpio.entry(b"link/written", b"through a link"),
        cpio.entry(b"hard", b"", node=7, links=2),
        cpio.entry(b"hard", b"over a link", node=7, links=2),
        cpio.entry(b"device", b"", cpio.DEVICE),
        cpio.entry(b"pipe", b"", cpio.PIPE),
    )


def linked_zip(outside: str) -> bytes:
    """As Info-ZIP stores a link: its target is the content, its rights tell what it is."""
    first, second = (
        archives.local(b"link", outside.encode()),
        archives.local(b"link/written", b"through a link"),
    )
    directory = bytearray(archives.central(b"link", outside.encode(), 0))
    directory[5], directory[38:42] = 3, struct.pack("<I", 0o120777 << 16)
    return archives.ended(
        first + second, bytes(directory) + archives.central(b"link/written", b"through a link", len(first)), 2
    )


def linked_rar(outside: str) -> bytes:
    """RAR 4 keeps a link's target as its content."""
    return rar.rar4(
        rar.file4(b"link", outside.encode(), mode=0o120777), rar.file4(b"link/written", b"through a link")
    )


def vhd_of_nothing() -> bytes:
    return vhd.vhd(bytes(512))


NAMES = {
    "up": b"../../../../../../tmp/amavis-pipe-test-escape",
    "up-by-backslashes": b"..\\..\\..\\tmp\\amavis-pipe-test-escape",
    "absolute": b"/tmp/amavis-pipe-test-escape",
    "drive": b"C:\\amavis-pipe-test-escape",
    "option": b"-rf",
    "long-option": b"--help",
    "output-option": b"-o/tmp/amavis-pipe-test-escape",
    "list": b"@/etc/passwd",
    "wild": b"*",
    "bang": b"!file",
    "shell": b"$(touch /tmp/amavis-pipe-test-escape);`id`|&<>'\"",
    "percent": b"%s%n%x",
    "line": b"a\nb",
    "listing": b"a\n\nPath = other\nSize = 5\n",
    "bell": b"a\x07\x1b[2J",
    "not-utf-8": b"a\xff\xfe",
    "dots": b"..",
    "blank": b" ",
}
"""Names that mean something to somebody."""
LONG = b"n" * 60_000


def named(format_: str, names: list[bytes]) -> tuple[bytes, list[bytes]]:
    """A container with a file for each of these names, and the contents of all of them."""
    contents = [b"content of %d" % number for number in range(len(names))]
    pairs = list(zip(names, contents, strict=True))
    return NAMED[format_](pairs), contents


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _named_iso(pairs: list[tuple[bytes, bytes]]) -> bytes:
    data = b"".join(content.ljust(iso.SECTOR, b"\0") for _, content in pairs)
    return iso.iso(
        *(iso.record(name[:200], 21 + at, len(content)) for at, (name, content) in enumerate(pairs)),
        data=data,
    )


def _named_xar(pairs: list[tuple[bytes, bytes]]) -> bytes:
    from xml.sax.saxutils import escape

    files, heap = [], b""
    for number, (name, content) in enumerate(pairs):
        shown = escape(name.decode("latin-1")).replace("\x07", "").replace("\x1b", "")
        files.append(xar.file(number, shown, 20 + len(heap), content))
        heap += content
    return xar.xar(*files, heap=heap)


def _ar(pairs: list[tuple[bytes, bytes]]) -> bytes:
    """Long names stand in a member of their own, as GNU has it."""
    table = b"".join(name.replace(b"\n", b" ") + b"/\n" for name, _ in pairs)
    members, at = [(b"//", table)], 0
    for name, data in pairs:
        members.append((b"/%d" % at, data))
        at += len(name) + 2
    return ar.ar(*members)


def _zip(pairs: list[tuple[bytes, bytes]]) -> bytes:
    body, directory = b"", b""
    for name, data in pairs:
        directory += archives.central(name, data, len(body))
        body += archives.local(name, data)
    return archives.ended(body, directory, len(pairs))


NAMED = {
    "ar": _ar,
    "arj": lambda pairs: arj.arj(*(arj.member(name[:2000], data) for name, data in pairs)),
    "cab": lambda pairs: cab.cab(*((name[:255], data) for name, data in pairs)),
    "cpio": lambda pairs: cpio.cpio(*(cpio.entry(name, data) for name, data in pairs)),
    "iso": _named_iso,
    "lha": lambda pairs: lha.lha(*(lha.member(name[:200], data) for name, data in pairs)),
    "rar4": lambda pairs: rar.rar4(*(rar.file4(name, data) for name, data in pairs)),
    "rar5": lambda pairs: rar.rar5(*(rar.file5(name, data) for name, data in pairs)),
    "7z": lambda pairs: sevenzip.seven(*((_text(name), data) for name, data in pairs)),
    "stuffit": lambda pairs: stuffit.sit(*(stuffit.entry(name[:31], data) for name, data in pairs)),
    "tar": lambda pairs: archives.tarred({_text(name): data for name, data in pairs}),
    "xar": _named_xar,
    "zip": _zip,
}
