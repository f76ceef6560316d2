"""mime.mbox: several mails in one text."""

import time

import pytest
from alone import dissected, walked

from amavis_pipe.mime import hints, mbox

FROM = b"From a@example.org Mon Jan  1 00:00:00 2024\n"
ONE, TWO = b"Subject: 1\n\nhello\n", b"From: x\nSubject: 2\n\nFrom here on: text\n"

TEXTS = {
    "two": (FROM + ONE + FROM + TWO, [ONE, TWO]),
    "one": (FROM + ONE, [ONE]),
    "empty lines": (b"\n\n" + FROM + ONE + b"\n" + FROM + TWO, [ONE + b"\n", TWO]),
    "CRLF": ((FROM + ONE + FROM + TWO).replace(b"\n", b"\r\n"), [one.replace(b"\n", b"\r\n") for one in (ONE, TWO)]),
    "quoted field": (FROM + b">From x\nSubject: 1\n\nhello\n", []),
    "a letter": (b"From what I see: all is well\nFrom here: more\nand more\n", []),
    "mail in a text": (b"Hello\n\n" + FROM + ONE, []),
    "nothing": (b"", []),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), TEXTS.values(), ids=TEXTS)
def test_an_mbox_gives_its_mails(text, expected):
    walk = walked(text, mbox.DECODER)
    assert [b"".join(part.blob.chunks()) for part in walk.parts] == expected
    assert all(part.claimed == b"message/rfc822" for part in walk.parts)
    assert not expected or "mbox" in hints.found(text, len(text))


@pytest.mark.parametrize("line", [b"From ", b"From x\n", FROM, FROM + b"a:\n", b"\n"])
def test_a_megabyte_of_it_takes_little_time(line):
    before = time.process_time()
    walk = walked(FROM + b"a: b\n" + line * (1_000_000 // len(line)), mbox.DECODER)
    assert {found.name for found in walk.findings} <= {"limit:files"}
    assert time.process_time() - before < 5


def test_names_are_not_taken_from_the_text():
    assert dissected(FROM + ONE, mbox.DECODER) == [(b"", ONE)]
