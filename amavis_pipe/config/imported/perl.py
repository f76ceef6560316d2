"""The words of a settings file in Perl: text in, tokens out.

It promises to end after one look at each character, whatever the text is, and leaves all meaning to others.
It knows comments, POD, here documents and Perl's ways to quote; of regular expressions only their ends.
Source: perlop(1), "Quote and Quote-like Operators"; perldata(1).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

LONGEST = 4 << 20
"""Characters of all files together."""
_BRACKETS = {"(": ")", "[": "]", "{": "}", "<": ">"}
_QUOTES = {"q": 1, "qq": 1, "qw": 1, "qr": 1, "qx": 1, "m": 1, "s": 2, "tr": 2, "y": 2}
"""Words that quote, and how many parts they quote."""

_BLANK = re.compile(r"[ \t\r\f\v]+")
_COMMENT = re.compile(r"#[^\n]*")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:::[A-Za-z0-9_]+)*")
_VARIABLE = re.compile(r"[$@%&](?:[A-Za-z_][A-Za-z0-9_]*(?:::[A-Za-z0-9_]+)*|\{\^?[A-Za-z_][A-Za-z0-9_]*\})")
_NUMBER = re.compile(
    r"0[xX][0-9A-Fa-f_]+|0[bB][01_]+|[0-9][0-9_]*(?:\.(?!\.)[0-9_]*)?(?:[eE][+-]?[0-9]+)?|\.[0-9]+"
)
_HERE = re.compile(r"<<(~?)(?:'([^'\n]*)'|\"([^\"\n]*)\"|([A-Za-z_][A-Za-z0-9_]*))")
_OPERATOR = re.compile(
    r"=>|->|=~|!~|==|!=|<=>|<=|>=|\|\|=|//=|\.=|\+=|-=|\*=|\|\||&&|//|::|\.\.\.?|\*\*|\+\+|--|.", re.S
)
_FLAGS = re.compile(r"[a-z]*")
_POD_END = re.compile(r"^=cut[^\n]*\n?", re.M)


@dataclass(frozen=True)
class Token:
    """One word: what it is, what it says, the line on which it begins.

    kind    word, number, text ('…'), mixed ("…": variables stand for their values), words (qw), pattern (qr),
            scalar, array, hash, sub (their names without the sign), operator; odd: a quote that means
            nothing here
    flags   of a pattern
    """

    kind: str
    text: str
    line: int
    flags: str = ""


class UnclosedError(Exception):
    """A quote that nothing closes: nothing behind it can be told apart."""

    def __init__(self, line: int) -> None:
        super().__init__(f"the quote that begins in line {line} is never closed")
        self.line = line


def tokens(text: str) -> Iterator[Token]:
    """The tokens of a file, up to __END__; UnclosedError behind the last that can be told."""
    return _Reader(text).tokens()


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line = 1
        self._here: list[tuple[str, bool]] = []
        self._before = Token("operator", ";", 0)

    def tokens(self) -> Iterator[Token]:
        text, size = self._text, len(self._text)
        while self._at < size:
            char = text[self._at]
            if char == "\n":
                self._end_line()
            elif char in " \t\r\f\v":
                self._take(_BLANK)
            elif char == "#":
                self._take(_COMMENT)
            else:
                token = self._token(char)
                if token.kind == "word" and token.text in ("__END__", "__DATA__"):
                    return
                self._before = token
                yield token

    def _end_line(self) -> None:
        """Past the line end, the here documents that begin behind it, and POD."""
        self._at += 1
        self._line += 1
        waiting, self._here = self._here, []
        for end, indented in waiting:
            self._skip_here(end, indented)
        text = self._text
        if text.startswith("=", self._at) and text[self._at + 1 : self._at + 2].isalpha():
            cut = _POD_END.search(text, self._at)
            self._move(cut.end() if cut else len(text))

    def _skip_here(self, end: str, indented: bool) -> None:
        text = self._text
        start = self._line - 1
        while self._at < len(text):
            stop = text.find("\n", self._at)
            stop = len(text) if stop < 0 else stop
            line = text[self._at : stop].rstrip("\r")
            self._at = min(stop + 1, len(text))
            self._line += 1
            if (line.lstrip() if indented else line) == end:
                return
        raise UnclosedError(start)

    def _token(self, char: str) -> Token:
        if char in "'\"`":
            self._at += 1
            line = self._line
            return Token({"'": "text", '"': "mixed"}.get(char, "odd"), self._quoted(char), line)
        if char in "$@%&" and (variable := self._variable(char)):
            return variable
        if char.isdigit() or (char == "." and self._text[self._at + 1 : self._at + 2].isdigit()):
            return Token("number", self._take(_NUMBER), self._line)
        if char == "<" and self._before.kind == "operator" and (here := _HERE.match(self._text, self._at)):
            self._at = here.end()
            self._here.append((next(name for name in here.groups()[1:] if name is not None), bool(here[1])))
            return Token("odd", "a here document", self._line)
        if char.isascii() and (char.isalpha() or char == "_"):
            return self._word()
        return Token("operator", self._take(_OPERATOR), self._line)

    def _variable(self, char: str) -> Token | None:
        if char in "%&" and self._before.kind not in ("operator", "word"):
            return None  # what stands behind a value is an operator
        match = _VARIABLE.match(self._text, self._at)
        if match is None:
            return None
        self._at = match.end()
        kind = {"$": "scalar", "@": "array", "%": "hash", "&": "sub"}[char]
        return Token(kind, match[0][1:].strip("{}^"), self._line)

    def _word(self) -> Token:
        word, line = self._take(_WORD), self._line
        if word not in _QUOTES or self._before.text in ("->", "{") or not self._opens_quote():
            return Token("word", word, line)
        opening = self._text[self._at]
        self._at += 1
        first = self._quoted(opening)
        if _QUOTES[word] == 2:
            self._second(opening)
        flags = self._take(_FLAGS) if word in ("qr", "m", "s", "tr", "y") else ""
        kind = {"q": "text", "qq": "mixed", "qw": "words", "qr": "pattern"}.get(word, "odd")
        return Token(kind, first, line, flags)

    def _opens_quote(self) -> bool:
        """Whether a delimiter follows; then we stand on it."""
        at, text = self._at, self._text
        while text[at : at + 1].isspace():
            at += 1
        char = text[at : at + 1]
        spaced = at > self._at
        if not char or char in ",;)=" or char.isalnum() or char == "_" or (spaced and char == "#"):
            return False
        self._move(at)
        return True

    def _second(self, opening: str) -> None:
        if opening in _BRACKETS:
            if not self._opens_quote():
                raise UnclosedError(self._line)
            opening = self._text[self._at]
            self._at += 1
        self._quoted(opening)

    def _quoted(self, opening: str) -> str:
        """What stands up to the closing delimiter, as it is written; we stand behind that then."""
        text, start, first = self._text, self._at, self._line
        closing = _BRACKETS.get(opening, opening)
        depth, at, size = 1, start, len(text)
        while at < size:
            char = text[at]
            if char == "\\":
                at += 1
            elif char == closing:
                depth -= 1
                if not depth:
                    break
            elif char == opening:
                depth += 1
            at += 1
        else:
            at = size
        if at >= size:
            raise UnclosedError(first)
        self._move(at + 1)
        return text[start:at]

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        found = match[0] if match else self._text[self._at]
        self._at += len(found)
        return found

    def _move(self, to: int) -> None:
        self._line += self._text.count("\n", self._at, to)
        self._at = to
