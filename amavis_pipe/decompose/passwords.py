"""What may be the password of an archive that came by mail: the site's list, then words of the mail itself.

Whoever sends an encrypted archive to be opened has to tell the password, mostly in the same mail: behind a
word for it, in quotes, or as a word with a digit in it. Those come first. A password is tried as it stands
and without what punctuation is around it.
"""

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from amavis_pipe.jail.sandbox import Clues

TEXT = 64 << 10
"""Bytes of each text that are looked at."""
TEXTS = 16
LONGEST, SHORTEST = 64, 3
USUAL = (b"infected", b"password", b"virus", b"1234", b"12345", b"123456", b"123")
"""What samples and careless people use."""
_NEAR = 8
"""So many words behind a word for "password" come first."""
_ASKS = re.compile(
    rb"(?i)pass(?:w|phrase|code|\b|:)|\bpwd?\b|\bpin\b|kennwort|pa\xc3\x9fwort|mot de passe|contrase|senha|"
    rb"has\xc5\x82o|haslo|lozinka|parol|\xd0\xbf\xd0\xb0\xd1\x80\xd0\xbe\xd0\xbb|"
    rb"\xe5\xaf\x86\xe7\xa0\x81|\xe3\x83\x91\xe3\x82\xb9\xe3\x83\xaf\xe3\x83\xbc\xe3\x83\x89|wachtwoord|\bkey\b|\bcode\b"
)
_QUOTED = re.compile(rb"[\"'`\xab\xbb]([^\"'`\r\n\xab\xbb]{3,64})[\"'`\xab\xbb]")
_WORD = re.compile(rb"\S{1,80}")
_TAG = re.compile(rb"<[^<>]{0,2000}>")
_AROUND = b".,;:!?\"'`()[]{}<>*_|=-"


def candidates(clues: "Clues") -> "Iterator[bytes]":
    """Passwords, likely ones first, each once, no more than `clues.tries`."""
    seen: set[bytes] = set()
    for word in _all(clues):
        if len(seen) >= clues.tries:
            return
        if word not in seen and b"\0" not in word:
            seen.add(word)
            yield word


def _all(clues: "Clues") -> "Iterator[bytes]":
    yield from clues.known
    texts = [_subject(clues.head), *_texts(clues)]
    for likely in (_asked_for, _quoted, _with_digit):
        for text in texts:
            yield from likely(text)
    yield from USUAL
    for text in texts:
        yield from _words(text)


def _subject(head: bytes) -> bytes:
    """The mail's subject, decoded."""
    from amavis_pipe.mime import header
    from amavis_pipe.mime.words import encoded_words

    for field in header.read(head, 0, len(head)).fields:
        if field.name == b"subject":
            return encoded_words(field.value[:1024])
    return b""


def _texts(clues: "Clues") -> "Iterator[bytes]":
    for part in clues.texts[:TEXTS]:
        if part.blob is None:
            continue
        text = part.blob.head(TEXT)
        if part.kind == "text/html":
            from html import unescape

            text = unescape(_TAG.sub(b" ", text).decode("utf-8", "surrogateescape")).encode(
                "utf-8", "replace"
            )
        yield text


def _asked_for(text: bytes) -> "Iterator[bytes]":
    """The words behind a word for it."""
    for found in list(_ASKS.finditer(text))[:_NEAR]:
        line = text[found.end() : found.end() + 400]
        first = True
        for word in _WORD.findall(line)[:_NEAR]:
            if first and not word.strip(_AROUND):
                continue
            first = False
            yield from _forms(word)


def _quoted(text: bytes) -> "Iterator[bytes]":
    yield from _QUOTED.findall(text)


def _with_digit(text: bytes) -> "Iterator[bytes]":
    for word in _WORD.findall(text):
        if any(byte in b"0123456789" for byte in word):
            yield from _forms(word)


def _words(text: bytes) -> "Iterator[bytes]":
    for word in _WORD.findall(text):
        yield from _forms(word)


def _forms(word: bytes) -> "Iterator[bytes]":
    """The word as it stands and without punctuation, if it is of a likely length."""
    for form in (word.strip(_AROUND), word, word.rstrip(b".,;:!?")):
        if SHORTEST <= len(form) <= LONGEST:
            yield form
