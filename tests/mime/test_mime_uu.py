"""mime.uu: uuencoded files in text."""

import binascii

import pytest
from alone import dissected
from hypothesis import given
from hypothesis import strategies as st

from amavis_pipe.mime import hints, uu
from amavis_pipe.spool import Blob


def encoded(data: bytes, name: bytes = b"a.bin", end: bytes = b"`\nend\n") -> bytes:
    lines = [binascii.b2a_uu(data[at : at + 45], backtick=True) for at in range(0, len(data), 45)]
    return b"begin 644 " + name + b"\n" + b"".join(lines) + end


def files(text: bytes) -> list[tuple[bytes, bytes]]:
    return [
        (block.name, b"".join(uu.contents(text, block, stop)))
        for block, stop in uu.blocks(text, 0, len(text))
    ]


XX = b"+-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def xxencoded(data: bytes, name: bytes = b"a.bin", end: bytes = b"+\nend\n") -> bytes:
    lines = [binascii.b2a_uu(data[at : at + 45]).rstrip(b"\n") for at in range(0, len(data), 45)]
    uu_to_xx = bytes.maketrans(bytes(range(32, 96)), XX)
    return b"begin 644 " + name + b"\n" + b"".join(line.translate(uu_to_xx) + b"\n" for line in lines) + end


DATA = bytes(range(256))
ONE = encoded(DATA)

TEXTS = {
    "at the start": (ONE, [(b"a.bin", DATA)]),
    "after text": (b"Hello,\n\n" + ONE + b"Bye\n", [(b"a.bin", DATA)]),
    "CRLF": (b"Hello\r\n" + ONE.replace(b"\n", b"\r\n"), [(b"a.bin", DATA)]),
    "blanks for zeros": (ONE.replace(b"`", b" "), [(b"a.bin", DATA)]),
    "blanks at line ends lost": (
        encoded(b"abc" + bytes(6)).replace(b"`", b" ").replace(b"        \n", b"\n"),
        [(b"a.bin", b"abc" + bytes(6))],
    ),
    "two": (ONE + b"and\n" + encoded(b"xyz", b"b"), [(b"a.bin", DATA), (b"b", b"xyz")]),
    "no end line": (encoded(DATA, end=b""), [(b"a.bin", DATA)]),
    "no end line, another begins": (
        encoded(DATA, end=b"") + encoded(b"xyz", b"b"),
        [(b"a.bin", DATA), (b"b", b"xyz")],
    ),
    "cut in a line": (encoded(b"abcdef", end=b"")[:-4], [(b"a.bin", b"abcd\0\0")]),
    "name with blanks": (encoded(b"x", b"a b.txt"), [(b"a b.txt", b"x")]),
    "no name": (encoded(b"x", b""), [(b"", b"x")]),
    "four digits": (encoded(b"x").replace(b"644", b"0644"), [(b"a.bin", b"x")]),
    "two blanks": (encoded(b"x").replace(b"n 6", b"n  6"), [(b"a.bin", b"x")]),
    "checksum at line ends": (encoded(b"abc").replace(b"8V-C\n", b"8V-Cx\n"), [(b"a.bin", b"abc")]),
    "bad lines inside": (
        encoded(b"abc", end=b"") + b"\n\xff\xff\nprose in lower case\n" + encoded(b"def")[16:],
        [(b"a.bin", b"abcdef")],
    ),
    "text behind the end": (ONE + b"#86)C\n", [(b"a.bin", DATA)]),
    "base64 form": (b"begin-base64 644 a.txt\nYWJj\nZGVm\n====\nYWJj\n", [(b"a.txt", b"abcdef")]),
    "base64 form, empty": (b"begin-base64 644 a.txt\n====\n", [(b"a.txt", b"")]),
    "empty": (b"begin 644 a\n`\nend\n", [(b"a", b"")]),
    "short mode, and data": (ONE.replace(b"644", b"7"), [(b"a.bin", DATA)]),
    "long mode, and data": (ONE.replace(b"644", b"0100644"), [(b"a.bin", DATA)]),
    "mode that is not octal, and data": (ONE.replace(b"644", b"999"), [(b"a.bin", DATA)]),
    "mode that is none, and data": (ONE.replace(b"644", b"6,44"), [(b"a.bin", DATA)]),
    "tabs": (ONE.replace(b"begin 644 ", b"begin\t0644\t"), [(b"a.bin", DATA)]),
    "mode with zero, name with blanks": (
        ONE.replace(b"644 a.bin", b"0644  my file.exe "),
        [(b"my file.exe", DATA)],
    ),
    "CR": (b"Hello\r" + ONE.replace(b"\n", b"\r"), [(b"a.bin", DATA)]),
    "indented": (b"Hello\n" + ONE.replace(b"\n", b"\n  ").join((b"  ", b"\n")), [(b"a.bin", DATA)]),
    "only the begin line indented": (b"\n \t" + ONE, [(b"a.bin", DATA)]),
    "quoted": (b"> Hello\n> " + ONE.replace(b"\n", b"\n> "), [(b"a.bin", DATA)]),
    "quoted twice, CRLF": (b">> " + ONE.replace(b"\n", b"\r\n>> "), [(b"a.bin", DATA)]),
    "xxencoded": (xxencoded(DATA), [(b"a.bin", DATA)]),
    "xxencoded, short": (xxencoded(b"abcd"), [(b"a.bin", b"abcd")]),
    "xxencoded, no end, CRLF": (xxencoded(DATA, end=b"").replace(b"\n", b"\r\n"), [(b"a.bin", DATA)]),
    "xxencoded, then uuencoded": (xxencoded(DATA) + ONE, [(b"a.bin", DATA)] * 2),
    "base64 form, CR": (b"begin-base64 644 a\rYWJj\rZGVm\r====\rYWJj\r", [(b"a", b"abcdef")]),
    "base64 form, no end": (b"begin-base64 644 a\nYWJj\nZGVm\n", [(b"a", b"abcdef")]),
    "without a mode": (ONE.replace(b"644 a.bin", b" a.bin"), []),
    "prose": (b"begin\nbegin at the beginning\nbegin 12 x\nbegin 888 x\nbeginning 644 x\n", []),
    "not at a line start": (b"x " + ONE, []),
    "nothing": (b"", []),
}


@pytest.mark.parametrize(("text", "expected"), TEXTS.values(), ids=TEXTS)
def test_a_text_gives_its_uuencoded_files(text, expected):
    assert files(text) == expected
    assert uu.has_uu(Blob(text)) is bool(expected)
    assert not expected or "uu" in hints.found(text, len(text))


@given(st.binary(min_size=1, max_size=400))
def test_what_was_xxencoded_comes_back(data):
    got = dissected(b"Hello\n" + xxencoded(data) + b"Bye\n", uu.DECODER)
    assert (b"a.bin", data) in got


@pytest.mark.parametrize("text", [ONE, xxencoded(DATA)], ids=["uuencoded", "xxencoded"])
def test_of_a_body_said_to_be_uuencoded_no_begin_line_is_needed(text):
    body = text.partition(b"\n")[2]
    assert b"".join(uu.decode(b"\n" + body, 1, 1 + len(body))) == DATA
    assert b"".join(uu.decode(b"Hello\nand bye\n", 0, 14)) == b"Hello\nand bye\n"


def test_a_begin_line_amid_a_file_is_also_left_out():
    lines = ONE.splitlines(keepends=True)
    amid = b"".join([*lines[:3], lines[0], *lines[3:], ONE])
    assert dissected(amid, uu.DECODER) == [
        (b"a.bin", DATA[:90]),
        (b"a.bin", DATA[90:]),
        (b"a.bin", DATA),
        (b"a.bin", DATA),
    ]


def test_lines_of_both_alphabets_are_read_both_ways():
    mixed = xxencoded(b"abc" * 9, end=b"") + encoded(DATA[:90])[16:]
    contents = [data for _, data in dissected(mixed, uu.DECODER)]
    assert len(contents) == 2 and DATA[:90] in contents[0] + contents[1]


@given(st.binary(max_size=400), st.integers(8, 200))
def test_what_was_uuencoded_comes_back_in_chunks_of_any_size(data, chunk):
    text = b"Hello\n" + encoded(data) + b"Bye\n"
    assert b"".join(uu.decode(text, 0, len(text), max(chunk, 64))) == data


@given(
    st.lists(
        st.sampled_from(
            [b"begin", b" 644 x", b"\n", b"-base64", b"end", b"#86)C", b"M", b"`", b"\xff", b"\r"]
        )
    )
)
def test_no_text_is_too_odd_to_be_searched(pieces):
    assert isinstance(files(b"".join(pieces)), list)


@pytest.mark.parametrize(
    "line",
    [
        b"begin 644 x\n",
        b"begin x\n",
        b"begin\n",
        b"begin 644 " + b"x" * 5000 + b"\n",
        b"begin-base64 644 x\n",
        b"\nbegin",
    ],
    ids=lambda line: repr(line[:20]),
)
def test_ten_thousand_begin_lines_are_searched_in_linear_work(counted, line):
    text = counted(line * 10_000)
    for block, stop in uu.blocks(text, 0, len(text)):
        list(uu.contents(text, block, stop))
    assert text.work <= 6 * len(text)


def test_a_line_longer_than_a_chunk_is_no_data_but_the_lines_after_it_are():
    text = b"begin 644 a\n" + b"M" * 5000 + b"\n" + encoded(b"abc")[16:]
    block = uu.find(text, 0, len(text))
    assert block is not None
    assert b"".join(uu.contents(text, block, len(text), 512)) == b"abc"
