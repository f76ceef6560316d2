"""Outside bytes made safe to show."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amavis_pipe.text import ascii_of, readable


@pytest.mark.parametrize(
    ("data", "expect"),
    [
        (b"", ""),
        (b"plain ~", "plain ~"),
        (b"a\r\nb\0", "a\\x0d\\x0ab\\x00"),
        (b"back\\slash", "back\\x5cslash"),
        ("\u00e9".encode(), "\\xc3\\xa9"),
        (b"\x1b[2J", "\\x1b[2J"),
    ],
    ids=["empty", "plain", "controls", "backslash", "utf-8", "terminal"],
)
def test_ascii_of_escapes_all_that_is_not_printable_ascii(data, expect):
    assert ascii_of(data) == expect


@given(st.binary(max_size=200))
def test_ascii_of_can_be_undone_and_never_leaves_printable_ascii(data):
    text = ascii_of(data, 200)
    assert all(" " <= char <= "~" for char in text)
    assert text.encode().decode("unicode_escape").encode("latin-1") == data


@pytest.mark.parametrize("function", [ascii_of, readable])
def test_what_is_longer_than_wanted_is_cut_with_three_dots(function):
    assert function(b"abcdef", 3) == "abc..."
    assert function(b"abc", 3) == "abc"


@pytest.mark.parametrize(
    ("data", "expect"),
    [
        ("n\u00e4me \u65e5\u672c.txt".encode(), "n\u00e4me \u65e5\u672c.txt"),
        (b"a\xffb", "a\\xffb"),
        ("a\u202etxt.exe".encode(), "a\\u202etxt.exe"),
        (b"a\nb\x1b", "a\\x0ab\\x1b"),
        ("\u200b\ufeff\U000e0041".encode(), "\\u200b\\ufeff\\U000e0041"),
    ],
    ids=["utf-8", "not utf-8", "right to left", "controls", "invisible"],
)
def test_readable_shows_letters_and_escapes_what_deceives(data, expect):
    assert readable(data) == expect


@given(st.binary(max_size=300))
def test_readable_is_always_printable(data):
    assert readable(data).isprintable()
