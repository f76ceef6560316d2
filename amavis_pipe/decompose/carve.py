"""Archives within other files: behind a program, a picture, or anything else that needs no end.

Found by how they begin, in one pass, and believed only if what follows fits, by checksum wherever the
format has one: what unpacks itself, or is two things at once, is common, chance is not. Where an
archive ends is told by those that say so. Sources: APPNOTE.TXT 4.3, the technical notes of RAR, 7zFormat.txt,
[MS-CAB] 2, ARJ's and ACE's technical information, LHA header levels 0 to 2, RFC 1952, [MS-CFB] 2.2.
"""

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from amavis_pipe.spool import View

MOST = 256
"""Archives that are told of at most."""
_NSIS = b"\xef\xbe\xad\xdeNullsoftInst"

ZIP, RAR, SEVEN, ARJ, LHA, CAB = (
    "application/zip",
    "application/vnd.rar",
    "application/x-7z-compressed",
    "application/x-arj",
    "application/x-lzh",
    "application/vnd.ms-cab-compressed",
)
ACE, ZOO, GZIP, XZ, BZIP2, TAR, OLE = (
    "application/x-ace",
    "application/x-zoo",
    "application/gzip",
    "application/x-xz",
    "application/x-bzip2",
    "application/x-tar",
    "application/x-ole-storage",
)
SUFFIXES = {
    ZIP: b".zip",
    RAR: b".rar",
    SEVEN: b".7z",
    ARJ: b".arj",
    LHA: b".lzh",
    CAB: b".cab",
    ACE: b".ace",
    ZOO: b".zoo",
    GZIP: b".gz",
    XZ: b".xz",
    BZIP2: b".bz2",
    TAR: b".tar",
    OLE: b".msi",
}
_BEGIN = re.compile(
    rb"P(?=(K\x03\x04))|R(?=(ar!\x1a\x07[\x00\x01]))|R(?=(E~\^))|7(?=(z\xbc\xaf\x27\x1c\x00))|"
    rb"\x60(?=(\xea.[\x00-\x0a][\x1e-\x60]))|-(?=((?:lh[0-9a-ex]|lz[s2-8]|pm[0-2s])-))|"
    rb"M(?=(SCF\x00{4}.{4}\x00{4}.{4}\x00{4}.\x01))|\*(?=(\*ACE\*\*))|\xdc(?=(\xa7\xc4\xfd))|"
    rb"\x1f(?=(\x8b\x08[\x00-\x1f].{4}[\x00\x02\x04][\x00-\x0d\xff]))|\xfd(?=(7zXZ\x00\x00))|"
    rb"B(?=(Zh[1-9]1AY&SY))|u(?=(star[ \x00]))|\xd0(?=(\xcf\x11\xe0\xa1\xb1\x1a\xe1))",
    re.DOTALL,
)
"""Of each just the first byte is taken, so that nothing hides in what only looks like a beginning."""


def found(
    view: "View",
    size: int,
    tick: "Callable[[], None] | None" = None,
    wanted: "Callable[[int, str], bool] | None" = None,
) -> tuple[list[tuple[int, str]], bool]:
    """Where archives begin in the first `size` bytes, and their kinds, in order; and whether that is all.

    Not one at 0, and only those that are `wanted`. `tick` is called now and then, and may raise. MOST are
    told at most, and of zips that follow each other just the first, as extent() gives them all.
    """
    told: list[tuple[int, str]] = []
    zipped, hits, last = 0, 0, view.rfind(b"PK\5\6", 0, size)
    for match in _BEGIN.finditer(view, 0, size):
        hits += 1
        if tick and not hits & 63:
            tick()
        check, back, kind = _CHECKS[(match.lastindex or 1) - 1]
        at = match.start() - back
        if at <= 0 or (kind == ZIP and not zipped <= at < last) or not check(view, at, size):
            continue
        if wanted is not None and not wanted(at, kind):
            continue
        if kind == ZIP:
            zipped = extent(view, size, at, kind)
        told.append((at, kind))
        if len(told) == MOST:
            return sorted(told), False
    return sorted(told), True


def extent(view: "View", size: int, at: int, kind: str) -> int:
    """Where the archive of this kind at `at` ends, by what it says; `size` if it doesn't say."""
    end = size
    if kind == ZIP:
        last = view.rfind(b"PK\5\6", at, size)
        end = last + 22 + _number(view[last + 20 : last + 22])
    elif kind == CAB:
        end = at + _number(view[at + 8 : at + 12])
    elif kind == SEVEN:
        end = at + 32 + _number(view[at + 12 : at + 20]) + _number(view[at + 20 : at + 28])
    return end if at < end <= size else size


def is_nsis(view: "View") -> bool:
    """Whether an installer made by NSIS is in it: its first header, on a boundary of a sector."""
    at = view.find(_NSIS)
    while at >= 0:
        if at >= 4 and not (at - 4) % 512 and not view[at - 3] | view[at - 2] | view[at - 1]:
            return True
        at = view.find(_NSIS, at + 1)
    return False


def _is_zip(view: "View", at: int, size: int) -> bool:
    """A member that can be; that there is an end of the archive behind is seen to before."""
    head = view[at + 4 : at + 30]
    if len(head) < 26 or head[0] > 63 or _number(head[4:6]) not in _ZIP_METHODS:
        return False
    name = view[at + 30 : at + 30 + min(1024, _number(head[22:24]))]
    return bool(name) and b"\0" not in name


_ZIP_METHODS = {0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 12, 14, 16, 18, 19, 93, 94, 95, 96, 97, 98, 99}


def _is_rar(view: "View", at: int, size: int) -> bool:
    """The first block's checksum is right; what older ones lack of one, their sizes make up for."""
    from zlib import crc32

    if view[at + 6] == 0:
        head = view[at + 7 : at + 14]
        body = view[at + 9 : at + 7 + max(7, min(_number(head[5:7]), 1 << 12))]
        return head[2:3] == b"\x73" and crc32(body) & 0xFFFF == _number(head[:2])
    head = view[at + 8 : at + 16]
    length = shift = 0
    for used, byte in enumerate(head[4:7], 1):
        length, shift = length | (byte & 127) << shift, shift + 7
        if byte < 128:
            body = view[at + 12 : at + 12 + used + min(length, 1 << 12)]
            return crc32(body) == _number(head[:4])
    return False


def _is_old_rar(view: "View", at: int, size: int) -> bool:
    main = _number(view[at + 4 : at + 6])
    entry = view[at + main : at + main + 22]
    if not 7 <= main <= 512 or len(entry) < 22:
        return False
    packed, head, name = _number(entry[:4]), _number(entry[10:12]), entry[19]
    return head >= 21 + name > 21 and head < 512 and at + main + head + packed <= size and entry[20] < 6


def _is_7z(view: "View", at: int, size: int) -> bool:
    from zlib import crc32

    head = view[at + 8 : at + 32]
    return len(head) == 24 and crc32(head[4:]) == _number(head[:4])


def _is_arj(view: "View", at: int, size: int) -> bool:
    from zlib import crc32

    length = _number(view[at + 2 : at + 4])
    body = view[at + 4 : at + 8 + length]
    if not 30 <= length <= 2600 or len(body) < length + 4 or body[6] != 2:
        return False
    return crc32(body[:length]) == _number(body[length:])


def _is_lha(view: "View", at: int, size: int) -> bool:
    head = view[at : at + 24]
    if len(head) < 22 or head[20] > 2:
        return False
    if head[20] == 2:
        return _is_lha2(view[at : at + min(_number(head[:2]), 1 << 12)])
    body = view[at + 2 : at + 2 + head[0]]
    name = head[21]
    return head[0] >= 22 and len(body) == head[0] and name <= head[0] - 20 and sum(body) & 255 == head[1]


def _is_lha2(head: bytes) -> bool:
    """By the checksum in its first extension."""
    from amavis_pipe.decompose.crc16 import crc16

    at = 24
    while at + 5 <= len(head):
        length = _number(head[at : at + 2])
        if length < 3:
            return False
        if head[at + 2] == 0:
            return crc16(head[: at + 3] + b"\0\0" + head[at + 5 :]) == _number(head[at + 3 : at + 5])
        at += length
    return False


def _is_cab(view: "View", at: int, size: int) -> bool:
    head = view[at : at + 36]
    if len(head) < 36:
        return False
    total, files = _number(head[8:12]), _number(head[16:20])
    return 36 <= files < total and _number(head[26:28]) > 0 and _number(head[28:30]) > 0


def _is_ace(view: "View", at: int, size: int) -> bool:
    from zlib import crc32

    length = _number(view[at + 2 : at + 4])
    body = view[at + 4 : at + 4 + min(length, 1 << 12)]
    return len(body) >= 10 and body[0] == 0 and ~crc32(body) & 0xFFFF == _number(view[at : at + 2])


def _is_zoo(view: "View", at: int, size: int) -> bool:
    start, minus = _number(view[at + 24 : at + 28]), _number(view[at + 28 : at + 32])
    return 0 < start < size - at and start + minus & 0xFFFFFFFF == 0


def _is_gzip(view: "View", at: int, size: int) -> bool:
    """Its beginning gives something."""
    from zlib import decompressobj, error

    stream = decompressobj(31)
    try:
        out = stream.decompress(view[at : at + 1024], 1024)
    except error:
        return False
    return len(out) >= 32 or (stream.eof and len(out) > 0)


def _is_xz(view: "View", at: int, size: int) -> bool:
    from zlib import crc32

    head = view[at + 6 : at + 12]
    return len(head) == 6 and crc32(head[:2]) == _number(head[2:])


def _is_tar(view: "View", at: int, size: int) -> bool:
    block = view[at : at + 512]
    try:
        told = int(block[148:156].strip(b" \0") or b"0", 8)
    except ValueError:
        return False
    return len(block) == 512 and sum(block) - sum(block[148:156]) + 8 * 32 == told


def _is_ole(view: "View", at: int, size: int) -> bool:
    head = view[at + 24 : at + 34]
    return (
        head[2:4] in (b"\3\0", b"\4\0") and head[4:6] == b"\xfe\xff" and head[6:8] in (b"\x09\0", b"\x0c\0")
    )


def _is_there(view: "View", at: int, size: int) -> bool:
    """What begins with so much has nothing more to check."""
    return True


def _number(raw: bytes) -> int:
    return int.from_bytes(raw, "little")


_CHECKS: "tuple[tuple[Callable[[View, int, int], bool], int, str], ...]" = (
    (_is_zip, 0, ZIP),
    (_is_rar, 0, RAR),
    (_is_old_rar, 0, RAR),
    (_is_7z, 0, SEVEN),
    (_is_arj, 0, ARJ),
    (_is_lha, 2, LHA),
    (_is_cab, 0, CAB),
    (_is_ace, 7, ACE),
    (_is_zoo, 20, ZOO),
    (_is_gzip, 0, GZIP),
    (_is_xz, 0, XZ),
    (_is_there, 0, BZIP2),
    (_is_tar, 257, TAR),
    (_is_ole, 0, OLE),
)
"""As the groups of _BEGIN: what else must hold, how far in it stands, the kind."""
assert len(_CHECKS) == _BEGIN.groups
