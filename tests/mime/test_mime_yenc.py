"""mime.yenc: yEnc blocks in text."""

import random

import pytest
from alone import dissected
from hypothesis import given
from hypothesis import strategies as st

from amavis_pipe.mime import hints, yenc
from amavis_pipe.mime.lines import runs


def lines(data: bytes, width: int = 128) -> bytes:
    """yEnc data lines."""
    out, line = [], b""
    for byte in data:
        char = byte + 42 & 255
        line += bytes((char,)) if char not in b"\0\r\n=" else bytes((61, char + 64 & 255))
        if len(line) >= width:
            out.append(line + b"\n")
            line = b""
    return b"".join(out) + (line + b"\n" if line else b"")


def encoded(data: bytes, name: bytes = b"a.bin", size: int | None = None, width: int = 128) -> bytes:
    size = len(data) if size is None else size
    return b"=ybegin line=%d size=%d name=%s\n%s=yend size=%d crc32=00000000\n" % (
        width, size, name, lines(data, width), size,
    )  # fmt: skip


def piece(data: bytes, number: int, begin: int, total: int = 300) -> bytes:
    return b"=ybegin part=%d line=128 size=%d name=a.bin\n=ypart begin=%d end=%d\n%s=yend size=%d\n" % (
        number, total, begin, begin + len(data) - 1, lines(data), len(data),
    )  # fmt: skip


def files(text: bytes) -> list[tuple[bytes, bytes]]:
    return [(block.name, b"".join(yenc.contents(text, block))) for block in yenc.blocks(text)]


DATA = bytes(range(256)) + b"text"
ONE = encoded(DATA)

TEXTS = {
    "at the start": (ONE, [(b"a.bin", DATA)]),
    "after text": (b"Hello,\n\n" + ONE + b"Bye\n", [(b"a.bin", DATA)]),
    "CRLF": (ONE.replace(b"\n", b"\r\n"), [(b"a.bin", DATA)]),
    "CR": (b"Hello\r" + ONE.replace(b"\n", b"\r"), [(b"a.bin", DATA)]),
    "two": (ONE + b"and\n" + encoded(b"xyz", b"b c"), [(b"a.bin", DATA), (b"b c", b"xyz")]),
    "no end line": (ONE.partition(b"=yend")[0], [(b"a.bin", DATA)]),
    "no end line, another begins": (
        ONE.partition(b"=yend")[0] + encoded(b"xyz"), [(b"a.bin", DATA), (b"a.bin", b"xyz")],
    ),
    "wrong size": (encoded(DATA, size=7), [(b"a.bin", DATA)]),
    "huge size": (encoded(DATA, size=10**40), [(b"a.bin", DATA)]),
    "no fields": (b"=ybegin \n" + lines(b"abc"), [(b"", b"abc")]),
    "name in quotes": (encoded(b"x", b'"a.exe" '), [(b"a.exe", b"x")]),
    "everything escaped": (b"=ybegin name=a\n=" + b"=".join(bytes((b + 106 & 255,)) for b in b"abc") + b"\n",
                           [(b"a", b"abc")]),
    "escape at the very end": (b"=ybegin name=a\n" + lines(b"abc") + b"=", [(b"a", b"abc")]),
    "second of two parts": (piece(b"def", 2, 4), [(b"a.bin", b"def")]),
    "prose": (b"=ybeginning\n x =ybegin name=x\n", []),
    "nothing": (b"", []),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), TEXTS.values(), ids=TEXTS)
def test_a_text_gives_its_yencoded_files(text, expected):
    assert files(text) == expected
    assert not expected or "yenc" in hints.found(text, len(text))


@given(st.binary(max_size=600), st.integers(2, 200))
def test_what_was_yencoded_comes_back(data, width):
    assert files(b"Hello\n" + encoded(data, width=width)) == [(b"a.bin", data)]


def test_a_body_said_to_be_in_yenc_is_decoded_within_its_bounds():
    text = b"head\n\n" + ONE + b"\n" + encoded(b"other")
    assert b"".join(yenc.decode(text, 6, 6 + len(ONE))) == DATA
    assert b"".join(yenc.decode(text, 0, 5)) == b"head\n"


def test_an_escape_across_chunks_is_one_escape(monkeypatch):
    data = random.Random(5).randbytes(20_000) + b"\x13" * 5000
    text = encoded(data, width=10**6)
    for chunk in (7, 64, 1000):
        monkeypatch.setattr(yenc, "runs", lambda *place, step=chunk: runs(*place, step))
        assert files(text) == [(b"a.bin", data)]


@given(
    st.lists(
        st.sampled_from(
            [
                b"=ybegin",
                b" part=1",
                b"\n",
                b"=ypart ",
                b"begin=5",
                b" end=",
                b"=yend",
                b" name=x",
                b"=",
                b"\r",
                b"size=9",
                b"\0",
            ]
        )
    )
)
def test_no_text_is_too_odd_to_be_searched(pieces):
    assert isinstance(files(b"".join(pieces)), list)


def test_parts_of_one_file_also_come_as_one():
    text = piece(b"def", 2, 4) + b"\n" + piece(b"abc", 1, 1)
    assert dissected(text, yenc.DECODER) == [(b"a.bin", b"def"), (b"a.bin", b"abc"), (b"a.bin", b"abcdef")]


def test_stuffed_dots_are_read_both_ways_when_the_size_is_not_met():
    data = b"\x04" * 10  # dots
    stuffed = encoded(data).replace(b"\n.", b"\n..")
    assert dissected(encoded(data), yenc.DECODER) == [(b"a.bin", data)]
    assert dissected(stuffed, yenc.DECODER) == [(b"a.bin", data + b"\x04"), (b"a.bin", data)]


@pytest.mark.parametrize("line", [b"=ybegin name=x\n", b"=ybegin \n=ypart \n", b"=", b"\n==", b"=yend\n"])
def test_a_hundred_thousand_odd_lines_take_linear_time(line):
    text = b"=ybegin name=x\n" + line * 100_000
    for block in yenc.blocks(text):
        for _ in yenc.contents(text, block):
            pass
