"""variants: each way in which readers decode a body, and one way only for a regular one."""

import base64
import binascii

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amavis_pipe.mime import coding, variants

DATA = bytes(range(256)) * 5
CODED = base64.encodebytes(DATA)


def decoded(body, *encodings):
    """What each way gives, in order."""
    return [b"".join(way(body, 0, len(body))) for way in variants.ways(list(encodings), body, 0, len(body))]


def test_a_regular_body_has_one_way():
    assert decoded(CODED, b"base64") == [DATA]
    text = b"a text = with a sign and \xfc and a line of a hundred letters " + b"x" * 100 + b"\n"
    assert decoded(binascii.b2a_qp(text), b"quoted-printable") == [text]


FIRST, SECOND = base64.b64encode(DATA[:100]), base64.b64encode(DATA[100:])
BASE64 = {
    "padding in the middle": (FIRST + b"\n" + SECOND + b"\n", DATA),
    "up to the padding": (FIRST + b"\nAAAA\n", DATA[:100]),
    "padding that is ignored": (base64.b64encode(DATA[:99]) + b"====" + base64.b64encode(DATA[99:]), DATA),
    "junk": (CODED.replace(b"\n", b"!\n*"), DATA),
    "a line of junk": (CODED[:77] + b"--a b c!\n" + CODED[77:], DATA),
    "a delimiter that is none": (CODED[:77] + b"--decoy\n" + CODED[77:], DATA),
    "a letter more in each line": (CODED.replace(b"\n", b"A\n"), DATA),
    "letters for URLs": (base64.urlsafe_b64encode(DATA) + b"\n", DATA),
}


@pytest.mark.parametrize(("body", "expect"), BASE64.values(), ids=BASE64)
def test_some_way_gives_what_a_reader_sees(body, expect):
    assert any(data[: len(expect)] == expect for data in decoded(body, b"base64"))


QUOTED = {
    "a blank before the line end": (b"=41= \n=42", b"AB"),
    "CR alone behind a soft break": (b"=41=\r=42", b"AB"),
    "CR CR LF behind a soft break": (b"=41=\r\r\n=42", b"AB"),
    "NULs between": (b"=\x0041=\0\n=4\x002", b"AB"),
}


@pytest.mark.parametrize(("body", "expect"), QUOTED.values(), ids=QUOTED)
def test_some_way_gives_what_a_reader_sees_in_quoted_printable(body, expect):
    assert expect in decoded(body, b"quoted-printable")


@pytest.mark.parametrize(
    ("body", "expect"),
    [
        (CODED, True),
        (b"\n \n" + CODED, True),
        (b"QUJDREVGR0hJSktM\n", True),
        (b"hello\n", False),
        (b"two words " * 9, False),
    ],
)
def test_base64_that_nobody_names_is_told_by_its_first_line(body, expect):
    assert variants.looks_like_base64(body, 0, len(body)) is expect
    assert bool(decoded(body)) is expect


@given(st.binary(max_size=400), st.sampled_from([b"base64", b"quoted-printable", b"x-uuencode"]))
def test_no_body_is_too_odd_and_none_grows(body, encoding):
    for data in decoded(body, encoding):
        assert len(data) <= len(body)


@pytest.mark.parametrize("encoding", [b"base64", b"quoted-printable"])
def test_a_large_odd_body_is_decoded_in_pieces(encoding):
    line = b"=41 = \n" if encoding == b"quoted-printable" else CODED[:76] + b"!\n"
    body = line * 20_000
    for way in variants.ways([encoding], body, 0, len(body)):
        assert max(map(len, way(body, 0, len(body)))) <= coding.CHUNK + (1 << 20)
