"""Outlook messages (.msg, [MS-OXMSG]): which streams hold texts and attachments, and their names.

Promises: the attachment is known by its property alone, at any depth, in a tree or not. Sources: [MS-OXMSG]
2.2-2.4, [MS-OXPROPS] (numbers of properties).
"""

from amavis_pipe.decompose import lzfu, vba

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from amavis_pipe.decompose.cfb import Compound, Entry
    from amavis_pipe.walk import Sink

PREFIX = "__substg1.0_"
_DATA, _BODY, _HTML, _RTF = "3701", "1000", "1013", "1009"
_CLAIMED = {_DATA: b"", _BODY: b"text/plain", _HTML: b"text/html", _RTF: b"text/rtf"}
_NAMING = ("3707", "3704", "3001", "370C")
"""Long and short file name, display name, and where it was."""
_WIDE, _NARROW, _BINARY = "001F", "001E", "0102"
_TYPES = (_WIDE, _NARROW, _BINARY)
_NAME = 1024


def is_text(entry: "Entry") -> bool:
    """Whether it is a property that holds a text."""
    return entry.name[16:20].upper() in (_WIDE, _NARROW)


def put(file: "Compound", entry: "Entry", siblings: "dict[str, Entry]", sink: "Sink") -> bool:
    """Add what the stream holds if it is a body or an attachment; whether it is."""
    tag = entry.name[len(PREFIX) :].upper()
    number, kind = tag[:4], tag[4:8]
    if number not in _CLAIMED or kind not in _TYPES:
        return False
    chunks: Iterator[bytes] = file.stream(entry).chunks()
    if kind == _WIDE:
        chunks = vba.as_text(chunks, "utf-16-le")
    elif number == _RTF:
        chunks = lzfu.expanded(chunks)
    names = _names(file, siblings) if number == _DATA else ()
    sink.add(chunks, names, _CLAIMED[number])
    return True


def _names(file: "Compound", siblings: "dict[str, Entry]") -> tuple[bytes, ...]:
    found = []
    for number in _NAMING:
        for kind in (_WIDE, _NARROW):
            entry = siblings.get((PREFIX + number + kind).casefold())
            if entry is not None:
                raw = file.stream(entry).read(0, 2 * _NAME)
                text = raw.decode("utf-16-le", "replace").encode() if kind == _WIDE else raw
                found.append(text.partition(b"\0")[0][:_NAME])
    return tuple(dict.fromkeys(name for name in found if name))
