"""Shell patterns for names: `*` any text, `?` one character, `[a-z]` one of these, `[!a-z]` one of no such.

Promises: case makes no difference, in ASCII as in all that Unicode knows, as far as both sides are UTF-8; a
byte that isn't is a character of its own, and matches itself. The text is gone through once, whatever the
pattern: what stands between two stars is looked for where the last one was found, and nothing is tried again.
Leaves out: other forms of one character (NFC, NFD). `/` and a dot at the beginning are characters like any
other.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    One = str | tuple[bool, tuple[tuple[str, str], ...]] | None
    """A character; one of some ranges, or of no such if the first is true; None: any."""
    Piece = str | tuple[One, ...]
    Pattern = tuple[Piece, ...]
    """What stands between the stars; as a text where it holds neither `?` nor sets."""

PATTERN_MAX = 256
"""Characters of a pattern; a longer one matches nothing."""
TEXT_MAX = 4096
"""Bytes of a text that are looked at: the last ones, where an extension is."""


def matches(pattern: bytes, text: bytes) -> bool:
    """Whether the whole text is as the pattern says."""
    wanted = folded(pattern)
    return len(wanted) <= PATTERN_MAX and fits(parsed(wanted), folded(text))


def folded(data: bytes) -> str:
    """The text for comparing: without case, at most the last TEXT_MAX bytes of it."""
    data = data[-TEXT_MAX:]
    if data.isascii():
        return data.lower().decode("ascii")
    return data.decode("utf-8", "surrogateescape").casefold()


def parsed(pattern: str) -> "Pattern":
    """A folded pattern in the form for fits(), which can be marshalled."""
    if "[" not in pattern and "?" not in pattern:
        return tuple(pattern.split("*"))
    pieces: list[list[One]] = [[]]
    at = 0
    while at < len(pattern):
        char = pattern[at]
        stop = _set_end(pattern, at) if char == "[" else -1
        if char == "*":
            pieces.append([])
        elif stop > 0:
            pieces[-1].append(_set(pattern[at + 1 : stop]))
            at = stop
        else:
            pieces[-1].append(None if char == "?" else char)
        at += 1
    return tuple(_as_text(piece) for piece in pieces)


def fits(pattern: "Pattern", text: str) -> bool:
    """Whether the whole of a folded text is as the pattern says."""
    first, last = pattern[0], pattern[-1]
    if len(pattern) == 1:
        return len(first) == len(text) and _is_at(first, text, 0)
    at, end = len(first), len(text) - len(last)
    if at > end or not _is_at(last, text, end) or not _is_at(first, text, 0):
        return False
    for piece in pattern[1:-1]:
        found = _find(piece, text, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True


def _is_at(piece: "Piece", text: str, at: int) -> bool:
    if isinstance(piece, str):
        return text.startswith(piece, at)
    for number, one in enumerate(piece, at):
        if (
            one is not None
            and one != text[number]
            and (isinstance(one, str) or not _is_in(one, text[number]))
        ):
            return False
    return True


def _find(piece: "Piece", text: str, start: int, end: int) -> int:
    """Where in text[start:end] the piece is first, or -1: the first is as good as any later one."""
    if isinstance(piece, str):
        return text.find(piece, start, end)
    return next((at for at in range(start, end - len(piece) + 1) if _is_at(piece, text, at)), -1)


def _is_in(ranges: "tuple[bool, tuple[tuple[str, str], ...]]", char: str) -> bool:
    return any(low <= char <= high for low, high in ranges[1]) != ranges[0]


def _as_text(piece: "list[One]") -> "Piece":
    texts = [one for one in piece if isinstance(one, str)]
    return "".join(texts) if len(texts) == len(piece) else tuple(piece)


def _set_end(pattern: str, start: int) -> int:
    """Where the set that begins at `start` ends; -1 if it never does: then its bracket is a character."""
    at = start + 1 + (pattern[start + 1 : start + 2] == "!")
    return pattern.find("]", at + 1)  # one that stands first is a member


def _set(text: str) -> "One":
    negated = text.startswith("!")
    text = text[negated:]
    ranges, at = [], 0
    while at < len(text):
        if text[at + 1 : at + 2] == "-" and at + 2 < len(text):
            ranges.append((text[at], text[at + 2]))
            at += 3
        else:
            ranges.append((text[at], text[at]))
            at += 1
    return negated, tuple(ranges)
