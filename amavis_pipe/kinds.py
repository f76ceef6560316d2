"""What kind of content some bytes are, by how they begin: cheap enough for every part of every mail.

Formats that a decoder opens declare their own beginnings (Decoder.starts); they come in as `starts`
and are looked at first. The table here names what needs no decoder, and containers that none opens
yet, so that these are graded *unchecked* and not taken for plain data.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    Starts = Iterable[tuple[int, bytes, str]]

HEAD = 4096
"""Bytes of a part that detect() wants to see."""

MAIL = "message/rfc822"
PLAIN = "text/plain"
OCTETS = "application/octet-stream"
EMPTY = "application/x-empty"

STARTS = (
    (0, b"%PDF-", "application/pdf"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF8", "image/gif"),
    (0, b"II*\0", "image/tiff"),
    (0, b"MM\0*", "image/tiff"),
    (0, b"MZ", "application/x-dosexec"),
    (0, b"\x7fELF", "application/x-executable"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
    (0, b"{\\rtf", "text/rtf"),
    (0, b"PK\3\4", "application/zip"),
    (0, b"PK\5\6", "application/zip"),
    (0, b"\x1f\x8b", "application/gzip"),
    (0, b"BZh", "application/x-bzip2"),
    (0, b"\xfd7zXZ\0", "application/x-xz"),
    (257, b"ustar", "application/x-tar"),
    (0, b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (0, b"Rar!\x1a\7", "application/vnd.rar"),
    (0, b"RE\x7e\x5e", "application/vnd.rar"),
    (0, b"\x60\xea", "application/x-arj"),
    (0, b"MSCF", "application/vnd.ms-cab-compressed"),
    (0, b"\x1f\x9d", "application/x-compress"),
    (0, b"\x1f\x9e", "application/x-freeze"),
    (0, b"\x1f\x9f", "application/x-freeze"),
    (0, b"\x28\xb5\x2f\xfd", "application/zstd"),
    (0, b"\x04\x22\x4d\x18", "application/x-lz4"),
    (0, b"LZIP", "application/lzip"),
    (0, b"\x89LZO\0\r\n\x1a\n", "application/x-lzop"),
    (20, b"\xdc\xa7\xc4\xfd", "application/x-zoo"),
    (7, b"**ACE**", "application/x-ace"),
    (0, b"ALZ\1", "application/x-alz"),
    (2, b"-lh", "application/x-lzh"),
    (2, b"-lz", "application/x-lzh"),
    (0, b"0707", "application/x-cpio"),
    (0, b"\xed\xab\xee\xdb", "application/x-rpm"),
    (0, b"!<arch>\n", "application/x-archive"),
    (0, b"xar!", "application/x-xar"),
    (0, b"MSWIM\0\0\0", "application/x-ms-wim"),
    (0, b"\x78\x9f\x3e\x22", "application/ms-tnef"),
    (0, b"ITSF", "application/vnd.ms-htmlhelp"),
    (0, b"\x30\x80\6\x09*\x86H\x86\xf7\r\1\7", "application/pkcs7-mime"),
    (0, b"\xa8\x03PGP", "application/pgp-encrypted"),
    (0, b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d\xae\xb1\x53\x78\xd0\x29\x96\xd3", "application/onenote"),
    (8, b"\x19\4\0\x10", "application/x-sis"),
    (0, b"\xa3\x48\x4b\xbe\x98\x6c\x4a\xa9\x99\x4c\x53\x0a\x86\xd6\x48\x7d", "application/x-autoit"),
    (0, b"\0\5\x16\0", "application/applefile"),
    (0, b"\0\5\x16\7", "application/applefile"),
)

CONTAINERS = {
    "application/zip": "zip",
    "application/gzip": "gzip",
    "application/x-bzip2": "bzip2",
    "application/x-xz": "xz",
    "application/x-tar": "tar",
    "application/x-7z-compressed": "7z",
    "application/vnd.rar": "rar",
    "application/x-arj": "arj",
    "application/vnd.ms-cab-compressed": "cab",
    "application/x-compress": "compress",
    "application/x-freeze": "freeze",
    "application/zstd": "zstd",
    "application/x-lz4": "lz4",
    "application/lzip": "lzip",
    "application/x-lzop": "lzop",
    "application/x-zoo": "zoo",
    "application/x-ace": "ace",
    "application/x-alz": "alz",
    "application/x-lzh": "lha",
    "application/x-cpio": "cpio",
    "application/x-rpm": "rpm",
    "application/x-archive": "ar",
    "application/x-xar": "xar",
    "application/x-ms-wim": "wim",
    "application/ms-tnef": "tnef",
    "application/vnd.ms-htmlhelp": "chm",
    "application/pkcs7-mime": "cms",
    "application/pgp-encrypted": "openpgp",
    "application/applefile": "applefile",
    "application/pdf": "pdf",
    "application/onenote": "onenote",
    "application/x-sis": "sis",
    "application/x-autoit": "autoit",
    "application/x-dosexec": "sfx",
    "application/x-executable": "sfx",
}
"""Kinds that hold other files, and the short name of their format (`undecoded:rar`)."""

_UNMARKED = b"\0$0"
"""How content begins that only unmarked can tell."""
_WIDE_TEXT = (b"\xff\xfe", b"\xfe\xff")
"""Byte order marks of UTF-16, one of which begins that of UTF-32, too."""
_PGP = b"application/pgp-encrypted"
_YENC = b"=ybegin "
_HTML = (b"<!doctype html", b"<html", b"<head", b"<body", b"<script", b"<table", b"<div", b"<meta")
_MAIL = (
    b"received:",
    b"return-path:",
    b"delivered-to:",
    b"mime-version:",
    b"message-id:",
    b"x-mozilla-status:",
    b"from:",
    b"subject:",
    b"date:",
)
_NOT_TEXT = bytes(set(range(32)) - set(b"\t\n\v\f\r\b\x1b"))


def detect(head: bytes, claimed: bytes = b"", names: tuple[bytes, ...] = (), starts: "Starts" = ()) -> str:
    """The kind of a part that begins with `head` (its first HEAD bytes), as a media type.

    `claimed` and `names` decide only what the bytes leave open: whether a text is a mail, and whether
    bytes that may be CMS or OpenPGP, which have no magic, are.
    """
    if not head:
        return EMPTY
    kind = _unmarked(head, claimed, names) if head[0] in _UNMARKED else ""
    if kind:
        return kind
    for table in (starts, STARTS):
        for offset, magic, kind in table:
            if head.startswith(magic, offset):
                return kind
    if claimed in (b"message/rfc822", b"message/global", b"message/news") or _is_mail(head, names):
        return MAIL
    return (_unmarked(head, claimed, names) if head[0] > 0x7F else "") or _plain(head)


def _unmarked(head: bytes, claimed: bytes, names: tuple[bytes, ...]) -> str:
    """The kind of what has no magic at a fixed place, or "": hardly any part comes that far."""
    if head[0] > 0x7F and not names and claimed != _PGP:
        return ""  # a text that begins with a letter that is not in ASCII
    from amavis_pipe import unmarked

    return (
        unmarked.by_claim(claimed, names) if head[0] > 0x7F else unmarked.by_structure(head, claimed, names)
    )


def _plain(head: bytes) -> str:
    """The kind of what is no known format: some text, or none."""
    if head.translate(None, _NOT_TEXT) == head:
        start = head[:64].lstrip().lower()
        return "text/html" if start.startswith(_HTML) else PLAIN
    # texts, too, if not of printable characters alone
    return PLAIN if head.startswith(_WIDE_TEXT) or _YENC in head else OCTETS


def _is_mail(head: bytes, names: tuple[bytes, ...]) -> bool:
    """Whether a file without a claimed type reads as a mail: by two known fields, or one and a name."""
    lines = head[:2048].lower().split(b"\n")[:12]
    known = sum(1 for line in lines if line.startswith(_MAIL))
    if not known or not lines[0].startswith(_MAIL):
        return False
    return known > 1 or any(name.lower().endswith((b".eml", b".mht", b".mhtml")) for name in names)
