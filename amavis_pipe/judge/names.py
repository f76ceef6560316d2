"""Names of parts as rules compare them. Pure.

Names lie: every candidate counts, in every form that Windows or a reader may make of it: less its path, dots
and blanks at the end, an alternate stream (`::$DATA`), what stands behind a NUL, and characters that show
nothing. A name that a decoder made up doesn't count.
"""

from amavis_pipe.judge.glob import folded
from amavis_pipe.text import ascii_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from amavis_pipe.model import Part

NAMES = 64
"""Candidate names of a part that are looked at: the first and the last."""
NAME = 1024
"""Bytes of each, the last ones."""

_MADE_UP = ("pdf", (b"script.js",))
"""A decoder that gives a name to what has none, and that name."""
_TRAILING = " \t\r\n\v\f\xa0"
_OVERRIDES = "\u202a\u202b\u202d\u202e\u2066\u2067\u2068"
"""Characters that have what follows them shown in another direction."""
_FILLING = _TRAILING + "._-\u200b\u200e\u200f\ufeff"
_SHOWN = 80


def names_of(part: "Part", longest: int = NAME) -> tuple[str, ...]:
    """All forms of all candidate names that count, without case; of each name the `longest` last bytes."""
    names = part.names
    if not names or (part.decoder, names) == _MADE_UP:
        return ()
    if len(names) > NAMES:
        names = (*names[: NAMES // 2], *names[-NAMES // 2 :])
    forms: dict[str, None] = {}
    for name in names:
        text = folded(_end(name, longest))
        if name.find(b"\0") >= 0:
            forms.update(dict.fromkeys(_forms(folded(_end(name.partition(b"\0")[0], longest)))))
        forms.update(dict.fromkeys(_forms(text)))
        if not text.isprintable():
            forms.update(dict.fromkeys(_forms(text.partition("\0")[0])))
            forms.update(dict.fromkeys(_forms("".join(filter(str.isprintable, text)))))
    forms.pop("", None)
    return tuple(forms)


def _end(name: bytes, longest: int) -> bytes:
    """The last bytes of a name, less the blanks and dots that would push its extension out of them."""
    return name if len(name) <= longest else name.rstrip(b" .\t\r\n\v\f\xa0")[-longest:]


def _forms(text: str) -> "Iterator[str]":
    """The name as it is; its last step; each without a stream's name; all of them as Windows stores them."""
    text = text.replace("\\", "/")
    base = text.rstrip("/" + _TRAILING).rpartition("/")[2]
    for form in (base, text):
        yield form
        yield form.lstrip(_TRAILING).rstrip(_TRAILING + ".")
        if form.find(":") > 1:
            yield form.partition(":")[0].lstrip(_TRAILING).rstrip(_TRAILING + ".")


def is_double(name: str, documents: tuple[str, ...], programs: tuple[str, ...]) -> bool:
    """Whether the name looks like that of a document, and has an extension of a program."""
    if not name.endswith(programs):
        return False
    if any(char in name for char in _OVERRIDES):
        return True
    return name.rpartition(".")[0].rstrip(_FILLING).endswith(documents)


def shown(name: str) -> str:
    """A name in printable ASCII; of a long one the beginning and the end, where the extension is."""
    data = name.encode("utf-8", "surrogateescape")
    if len(data) <= _SHOWN:
        return ascii_of(data)
    return ascii_of(data[: _SHOWN // 2], _SHOWN // 2) + "..." + ascii_of(data[-24:])
