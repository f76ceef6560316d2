"""What kind of content some bytes are, by how they begin: cheap enough for every part of every mail.

Formats that a decoder opens declare their own beginnings (Decoder.starts); they come in as `starts`
and are looked at first. The table here names what needs no decoder, and containers that none opens
yet, so that these are graded *unchecked* and not taken for plain data.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from amavis_pipe.spool import Blob

    Starts = Iterable[tuple[int, bytes, str]]
    Ends = Iterable[tuple[bytes, str]]
    Opened = dict[str, tuple[str, ...]]

HEAD = 4096
"""Bytes of a part that detect() wants to see."""

MAIL = "message/rfc822"
PLAIN = "text/plain"
OCTETS = "application/octet-stream"
EMPTY = "application/x-empty"
PDF = "application/pdf"

STARTS = (
    (0, b"%PDF-", "application/pdf"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF8", "image/gif"),
    (0, b"II*\0", "image/tiff"),
    (0, b"MM\0*", "image/tiff"),
    (0, b"MZ", "application/x-dosexec"),
    (0, b"\x7fELF", "application/x-executable"),
    (0, b"L\0\0\0\1\x14\2\0", "application/x-ms-shortcut"),
    (0, b"\xca\xfe\xba\xbe", "application/java-vm"),  # and Mach-O for several machines
    (0, b"\xfe\xed\xfa\xce", "application/x-mach-binary"),
    (0, b"\xfe\xed\xfa\xcf", "application/x-mach-binary"),
    (0, b"\xce\xfa\xed\xfe", "application/x-mach-binary"),
    (0, b"\xcf\xfa\xed\xfe", "application/x-mach-binary"),
    (0, b"dex\n03", "application/x-dex"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
    (0, b"RIFF", "application/x-riff"),
    (0, b"OggS", "application/ogg"),
    (0, b"fLaC", "audio/flac"),
    (0, b"ID3", "audio/mpeg"),
    (4, b"ftyp", "video/mp4"),
    (0, b"\x1aE\xdf\xa3", "video/x-matroska"),
    (0, b"\0\0\1\0", "image/x-icon"),
    (0, b"8BPS", "image/vnd.adobe.photoshop"),
    (0, b"\xd7\xcd\xc6\x9a", "image/wmf"),
    (40, b" EMF", "image/emf"),
    (0, b"\0\1\0\0\0", "font/ttf"),
    (0, b"OTTO", "font/otf"),
    (0, b"wOF", "font/woff"),
    (0, b"%!PS", "application/postscript"),
    (0, b"SQLite format 3\0", "application/vnd.sqlite3"),
    (0, b"{\\rt", "text/rtf"),
    (0, b"ActiveMime", "application/x-mso"),
    (0, b"<?mso-application", "text/xml"),
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
    (0, b"\x1f\xa0", "application/x-compress"),
    (0, b"\x1f\x1e", "application/x-pack"),
    (0, b"SZDD\x88\xf0\x27\x33", "application/x-ms-compress-szdd"),
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
    "application/x-pack": "pack",
    "application/x-ms-compress-szdd": "szdd",
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
    "application/onenote": "onenote",
    "application/x-sis": "sis",
    "application/x-mso": "activemime",
    "application/x-autoit": "autoit",
}
"""Kinds that hold other files, and the short name of their format (`undecoded:rar`)."""

FAR = (
    (32769, b"CD001", "application/x-iso9660-image"),
    (32769, b"BEA01", "application/x-iso9660-image"),
    (32769, b"NSR0", "application/x-iso9660-image"),
    (-512, b"koly\0\0\0\4", "application/x-apple-diskimage"),
    (-512, b"conectix", "application/x-vhd"),
)
"""What gives a kind away far from the beginning, or from the end: (offset, bytes, kind)."""
_FAR_SIZE = 1024
_OPEN = (OCTETS, PLAIN)
_PDF_MARK, _PDF_REACH = b"%PDF-1.", 1024
_ANYWHERE = (b"Rar!\x1a\7", b"7z\xbc\xaf\x27\x1c", b"MSCF\0\0\0\0")
_CAB = "application/vnd.ms-cab-compressed"
_LOOKED_INTO = ("application/zip", "application/x-dosexec", "application/x-executable", MAIL)
"""Kinds whose own readers find what is at an offset."""
_ZIP_END, _ZIP_TAIL = b"PK\5\6", (1 << 16) + 22
_REACH, _LOOK = 2 << 20, 1 << 18
"""Bytes of a file in which unpackers look for a beginning; bytes that are searched together."""

_UNMARKED = b"\0$0\x1a"
"""How content begins that only unmarked can tell."""
_LZMA_SIZE = (b"\0\0\0\0", b"\xff\xff\xff\0")
"""How the size in a header of LZMA ends, with the byte behind it."""
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
    if head[1:3] == b"WS" or head[10:14] in _LZMA_SIZE:
        from amavis_pipe.unmarked import by_numbers

        kind = by_numbers(head)
        if kind:
            return kind
    if claimed in (b"message/rfc822", b"message/global", b"message/news") or _is_mail(head, names):
        return MAIL
    return (_unmarked(head, claimed, names) if head[0] > 0x7F else "") or _plain(head)


class Formats:
    """The formats there are, as decompose.registry collects them from what they declare.

    starts  beginnings that give a kind away
    ends    endings of names that do where the content doesn't: (ending, kind)
    opened  the modules that open each kind
    """

    __slots__ = ("ends", "opened", "starts")

    def __init__(self, starts: "Starts" = (), ends: "Ends" = (), opened: "Opened | None" = None) -> None:
        self.starts = starts
        self.ends = ends
        self.opened: Opened = opened or {}

    def kind_of(self, blob: "Blob", claimed: bytes = b"", names: tuple[bytes, ...] = ()) -> str:
        """The kind of a part: by its beginning, by what stands far from that, or by its name."""
        head = blob.head(HEAD)
        kind = detect(head, claimed, names, self.starts)
        if kind in _OPEN and _PDF_MARK in head[:_PDF_REACH]:
            return PDF  # readers look that far (ISO 32000-1 Annex H.3.4.1, note 13)
        if blob.size >= _FAR_SIZE and kind not in CONTAINERS:
            kind = _far(blob, kind)
        return _named(names, self.ends) or kind if kind == OCTETS and names else kind

    def is_disguised(self, blob: "Blob", kind: str) -> bool:
        """Whether there may be an archive somewhere in what is of another kind, or none.

        What unpackers look for: the end of a zip near the end, the beginning of others not too far from the
        beginning. In what is opened as a container anyway only a zip that ends just where that does counts:
        any other is a member. A RAR counts also in documents, and behind a cabinet.
        """
        if kind in _LOOKED_INTO:
            return False
        tail = blob.at(max(0, blob.size - _ZIP_TAIL), _ZIP_TAIL)
        end = tail.rfind(_ZIP_END)
        if kind != OCTETS and (kind in CONTAINERS or kind in self.opened):
            closes = end >= 0 and end + 22 + int.from_bytes(tail[end + 20 : end + 22], "little") == len(tail)
            return closes or (
                (kind not in CONTAINERS or kind == _CAB) and _has_beginning(blob, _ANYWHERE[:1])
            )
        return end >= 0 or _has_beginning(blob, _ANYWHERE)


def _has_beginning(blob: "Blob", magics: tuple[bytes, ...]) -> bool:
    for start in range(0, min(blob.size, _REACH), _LOOK):
        piece = blob.at(max(0, start - 8), _LOOK + 8)
        if any(magic in piece for magic in magics):
            return True
    return False


def _far(blob: "Blob", kind: str) -> str:
    for offset, magic, other in FAR:
        at = offset if offset >= 0 else blob.size + offset
        if at + len(magic) <= blob.size and blob.at(at, len(magic)) == magic:
            return other
    return kind


def _named(names: tuple[bytes, ...], ends: "Ends") -> str:
    for name in names:
        lower = name.lower()
        for end, kind in ends:
            if lower.endswith(end):
                return kind
    return ""


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
