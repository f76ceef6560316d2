"""Kinds of content without a magic at a fixed place: told by structure, or by claim and name.

Loaded by kinds for the few parts that begin with NUL, "0", "$" or SUB, or are not ASCII there, or have
numbers where LZMA or Flash have them. Promises: looks at the head only; strict, so that nothing else is taken
for one of these. Sources: RFC 5652 3 and 5.1, X.690 8.1, MacBinary III, ARC's documentation of its headers,
the specification of the LZMA SDK.
"""

CMS = "application/pkcs7-mime"
SIGNATURE = "application/pkcs7-signature"
"""CMS with nothing in it but a signature: most signed mail has one, and there is nothing to open."""
APPLE = "application/applefile"
PGP = "application/pgp-encrypted"
ARC = "application/x-arc"
LZMA = "application/x-lzma"
SWF = "application/vnd.adobe.flash.movie"

_CMS_TYPES = (b"\6\x09*\x86H\x86\xf7\r\1\7", b"\6\x0b*\x86H\x86\xf7\r\1\x09\x10\1")
_CMS_SIGNED = _CMS_TYPES[0] + b"\2"
_CMS_NO_CONTENT = (b"\x30\x0b" + _CMS_TYPES[0] + b"\1", b"\x30\x80" + _CMS_TYPES[0] + b"\1\0\0")
_CMS_CLAIMS = (CMS.encode(), b"application/x-pkcs7-mime")
_CMS_NAMES = (b".p7m", b".p7s", b".p7c", b".p7z")
_PGP_NAMES = (b".gpg", b".pgp")
_BINARY3 = b"mBIN"
_ARC_METHODS = (*range(1, 12), *range(0x81, 0x8C), 0xFF)
_ARC_LARGEST = 1 << 30
_LZMA_PROPERTIES, _LZMA_SMALLEST, _LZMA_LARGEST = 9 * 5 * 5, 1 << 12, 1 << 38
_SWF_LARGEST = b"\x09"


def by_structure(head: bytes, claimed: bytes, names: tuple[bytes, ...]) -> str:
    """The kind of what begins with NUL, "0", "$" or SUB, if it is one of these; else ""."""
    if head[0] == 0x1A:
        return ARC if is_arc(head) else ""
    if head[0] == 0:
        return APPLE if _is_mac_binary(head) else ""
    if head.startswith(_CMS_TYPES, _inside(head, 0)) and head[:1] == b"0":
        return SIGNATURE if _is_signature(head) else CMS
    is_cms = claimed in _CMS_CLAIMS or any(name.lower().endswith(_CMS_NAMES) for name in names)
    return CMS if is_cms and head[1:2] >= b"\x80" else ""


def by_numbers(head: bytes) -> str:
    """The kind of what has numbers as LZMA's header or Flash's, if it is one of these; else ""."""
    if head[:3] in (b"FWS", b"CWS", b"ZWS"):
        return SWF if b"" < head[7:8] < _SWF_LARGEST else ""  # its size is less than 150 MB: no text
    return LZMA if is_lzma(head) else ""


def by_claim(claimed: bytes, names: tuple[bytes, ...]) -> str:
    """The kind of bytes that may be an OpenPGP packet, if they are said to be; else ""."""
    is_pgp = claimed == PGP.encode() or any(name.lower().endswith(_PGP_NAMES) for name in names)
    return PGP if is_pgp else ""


def is_arc(head: bytes) -> bool:
    """Whether it begins with the header of a member in an ARC archive, or in RISC OS's form of that."""
    name = head[2:15].partition(b"\0")
    if len(head) < 25 or head[0] != 0x1A or head[1] not in _ARC_METHODS or not name[1] or not name[0]:
        return False
    return min(name[0]) > 31 and int.from_bytes(head[15:19], "little") < _ARC_LARGEST


def is_lzma(head: bytes) -> bool:
    """Whether it begins with a header as LZMA's programs write it, and a stream, whose first byte is 0."""
    dictionary, size = int.from_bytes(head[1:5], "little"), int.from_bytes(head[5:13], "little")
    if len(head) < 14 or head[0] >= _LZMA_PROPERTIES or head[13] or dictionary < _LZMA_SMALLEST:
        return False
    if dictionary != 0xFFFFFFFF and dictionary // (dictionary & -dictionary) not in (1, 3):
        return False
    return size == (1 << 64) - 1 or 0 < size < _LZMA_LARGEST


def _is_signature(head: bytes) -> bool:
    """Whether CMS is signed and its content absent, as the exact place of that shows."""
    at = _inside(head, 0)
    outer = at + len(_CMS_SIGNED)
    inner = _inside(head, outer)
    if not head.startswith(_CMS_SIGNED, at) or head[outer : outer + 1] != b"\xa0":
        return False
    at = _inside(head, inner)
    fixed = head[at : at + 5]  # the version, and the set of algorithms
    if head[inner : inner + 1] != b"0" or len(fixed) < 5 or fixed[:2] != b"\2\1" or fixed[3] != 0x31:
        return False
    return fixed[4] < 0x80 and head.startswith(_CMS_NO_CONTENT, at + 5 + fixed[4])


def _inside(head: bytes, at: int) -> int:
    """Offset of the value of the BER element at `at`."""
    size = head[at + 1 : at + 2]
    return at + 2 + (size[0] & 0x7F if size and size[0] > 0x80 else 0)


def _is_mac_binary(head: bytes) -> bool:
    """Whether it begins with the header of MacBinary II or III."""
    if len(head) < 128 or not 0 < head[1] < 64 or head[74] or head[82]:
        return False
    name = head[2 : 2 + head[1]]
    return min(name) > 31 and (head[102:106] == _BINARY3 or {head[122], head[123]} <= {129, 130})
