"""mime.coding: the transfer encodings."""

import base64
import binascii

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from amavis_pipe.mime import coding

QP = b"quoted-printable"


def decoded(data: bytes, encoding: bytes, chunk: int = coding.CHUNK) -> bytes:
    return b"".join(coding.decode(data, 0, len(data), encoding, chunk))


BASE64 = {
    "one line": (b"YWJj", b"abc"),
    "lines": (b"YWJj\nZGVm\n", b"abcdef"),
    "CRLF": (b"YWJj\r\nZGVm\r\n", b"abcdef"),
    "odd line lengths": (b"Y\nWJjZ\nGV\nm", b"abcdef"),
    "one pad": (b"YWI=", b"ab"),
    "two pads": (b"YQ==", b"a"),
    "pads on lines of their own": (b"YQ\n=\n=\n", b"a"),
    "no padding, two left": (b"YWJjYQ", b"abca"),
    "no padding, three left": (b"YWJjYWI", b"abcab"),
    "no padding, one left": (b"YWJjY", b"abc"),
    "padding in the middle": (b"YQ==\nYWI=\nYWJj", b"aababc"),
    "too many pads": (b"YQ====YWJj", b"aabc"),
    "pad at a whole quad": (b"YWJj=ZGVm", b"abcdef"),
    "pad after one character": (b"Y=WJj", b"abc"),
    "junk": (b"Y!W\0J\xffj -_ Z.G.V.m", b"abcdef"),
    "text behind a blank line": (b"YWJj\n\n--\n", b"abc"),
    "pads only": (b"====", b""),
    "nothing": (b"", b""),
}


@pytest.mark.parametrize(("data", "plain"), BASE64.values(), ids=BASE64)
def test_base64_gives_what_its_quads_hold(data, plain):
    assert decoded(data, b"base64") == plain


QUOTED = {
    "escapes": (b"a=3Db=C3=A9", "a=bé".encode()),
    "lower case": (b"=c3=a9", "é".encode()),
    "soft break": (b"a=\nb", b"ab"),
    "soft break, CRLF": (b"a=\r\nb", b"ab"),
    "soft break with blanks": (b"a= \t\nb", b"ab"),
    "soft break with blanks, CRLF": (b"a= \r\nb", b"ab"),
    "soft break, bare CR": (b"a=\rb\nc", b"ab\nc"),
    "soft break at the end": (b"a=", b"a"),
    "soft break with blanks at the end": (b"a=  ", b"a"),
    "hard breaks": (b"a\nb\r\nc\n", b"a\nb\r\nc\n"),
    "no hex digits": (b"a=zzb=4", b"a=zzb=4"),
    "equals signs": (b"a==41=====42", b"a=A====B"),
    "equals signs before a soft break": (b"a==\nb", b"a=b"),
    "8-bit": (b"\xe9=E9", b"\xe9\xe9"),
    "underscore": (b"a_b", b"a_b"),
    "nothing": (b"", b""),
}


@pytest.mark.parametrize(("data", "plain"), QUOTED.values(), ids=QUOTED)
def test_quoted_printable_gives_what_its_escapes_stand_for(data, plain):
    assert decoded(data, QP) == plain


@pytest.mark.parametrize("encoding", [b"", b"7bit", b"8bit", b"binary", b"x-unknown", b"base 64"])
def test_other_encodings_change_nothing(encoding):
    assert decoded(b"a=3D\r\nYWJj\0\xff", encoding) == b"a=3D\r\nYWJj\0\xff"


@pytest.mark.parametrize("encoding", coding.UU)
def test_uuencode_is_a_transfer_encoding_too(encoding):
    body = b"text\nbegin 644 a.txt\n" + binascii.b2a_uu(b"abc") + b"`\nend\n"
    assert decoded(body, encoding) == b"abc"
    assert decoded(b"no such block\n", encoding) == b"no such block\n"


@given(
    st.binary(max_size=300), st.integers(1, 80), st.sampled_from([b"\n", b"\r\n", b" "]), st.integers(1, 200)
)
def test_base64_of_any_line_length_comes_back(data, width, ending, chunk):
    text = base64.b64encode(data)
    lines = ending.join(text[at : at + width] for at in range(0, len(text), width))
    assert decoded(lines, b"base64", chunk) == data
    assert decoded(lines.replace(b"=", b""), b"base64", chunk) == data


@given(
    st.binary(max_size=300),
    st.integers(1, 30),
    st.sampled_from([b"=\n", b"=\r\n", b"= \t\n"]),
    st.integers(1, 200),
)
def test_quoted_printable_of_any_line_length_comes_back(data, width, soft, chunk):
    units = [bytes([code]) if chr(code).isalnum() and code < 127 else b"=%02X" % code for code in data]
    lines = soft.join(b"".join(units[at : at + width]) for at in range(0, len(units), width))
    assert decoded(lines, QP, chunk) == data


@given(st.text("AQa1=\n -_é", max_size=80).map(str.encode), st.integers(1, 40))
@example(b"AA=\nA", 3)
def test_base64_is_the_same_in_chunks_of_any_size(data, chunk):
    assert decoded(data, b"base64", chunk) == decoded(data, b"base64")


@given(st.text("=4D \t\r\nxé", max_size=80).map(str.encode), st.integers(1, 40))
@example(b"=\r \n= \n", 1)
@example(b"=\t=4", 1)
def test_quoted_printable_is_the_same_in_chunks_of_any_size(data, chunk):
    assert decoded(data, QP, chunk) == decoded(data, QP)


@pytest.mark.parametrize("blanks", [0, coding.SOFT_BLANKS, coding.SOFT_BLANKS + 1, 3000])
@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b""], ids=["LF", "CRLF", "end"])
def test_a_soft_break_with_very_many_blanks_is_the_same_in_chunks(blanks, ending):
    data = b"a=" + b" " * blanks + ending + b"b" * len(ending)
    whole = decoded(data, QP)
    assert (b"=" in whole) is (blanks > coding.SOFT_BLANKS)
    for chunk in (1, 7, 100, 511, 515, 1000):
        assert decoded(data, QP, chunk) == whole


@given(st.binary(max_size=200), st.sampled_from([b"base64", QP, b"x-uuencode", b"7bit"]), st.integers(1, 64))
def test_no_body_is_too_odd_to_be_decoded(data, encoding, chunk):
    assert isinstance(decoded(data, encoding, chunk), bytes)


@pytest.mark.parametrize("encoding", [b"base64", QP, b"x-uuencode", b"7bit"])
@pytest.mark.parametrize(
    "piece",
    [
        b"A" * 76 + b"\n",
        b"A",
        b"=",
        b"A=",
        b"= ",
        b" ",
        b"\n",
        b"=\r",
        b"AAA=\n",
        b"begin 644 x\n",
        b"M" * 61 + b"\n",
    ],
    ids=repr,
)
def test_a_large_body_is_read_once_and_held_in_pieces(counted, encoding, piece):
    data = counted(piece * (400_000 // len(piece)))
    largest = max(map(len, coding.decode(data, 0, len(data), encoding, 1 << 14)), default=0)
    assert largest <= 2 << 14
    assert data.work <= 6 * len(data) + (1 << 14)
