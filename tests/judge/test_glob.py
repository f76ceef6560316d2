"""judge.glob: shell patterns without case, in one pass."""

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amavis_pipe.judge import glob

TABLE = {
    "itself": ("a.exe", "a.exe", True),
    "other case": ("A.exe", "a.EXE", True),
    "other case beyond ASCII": ("GRÖSSE*", "größe.txt", True),
    "extension": ("*.exe", "a.b.exe", True),
    "extension alone": ("*.exe", ".exe", True),
    "not at the end": ("*.exe", "a.exe.txt", False),
    "nothing": ("", "", True),
    "nothing wanted": ("", "a", False),
    "all": ("*", "", True),
    "two stars": ("**", "abc", True),
    "one character": ("a?c", "abc", True),
    "one character of two bytes": ("a?c", "aüc", True),
    "one is not none": ("a?c", "ac", False),
    "question marks alone": ("???", "abc", True),
    "set": ("[abc].x", "B.x", True),
    "range": ("[a-c].x", "d.x", False),
    "range in capitals": ("[A-C].x", "b.x", True),
    "not of a set": ("[!a-c].x", "d.x", True),
    "not of a set, but is": ("[!a-c].x", "c.x", False),
    "star in a set": ("a[*]", "a*", True),
    "star in a set is no star": ("a[*]", "abc", False),
    "bracket in a set": ("[]]", "]", True),
    "bracket not in a set": ("[!]]", "]", False),
    "hyphen at the end": ("[a-]", "-", True),
    "open bracket": ("[a", "[a", True),
    "open bracket with !": ("[!", "[!", True),
    "slash is any": ("a*c", "a/b/c", True),
    "set without a bracket": ("[!]]", "a", True),
    "set without a bracket, and one more": ("[!]]", "a]", False),
    "the last piece is not the middle": ("*ab*b", "ab", False),
    "a set that fills the text": ("*[ab]x*", "bx", True),
    "pieces may not overlap": ("ab*ba", "aba", False),
    "the same piece twice": ("*ab*ab*", "ab", False),
    "middle": ("*a*b*", "xaxbx", True),
    "a set in the middle": ("*[ab]x*", "..bx.", True),
    "a set at the end": ("*.[ce]xe", "a.exe", True),
}


@pytest.mark.parametrize(("pattern", "text", "fits"), TABLE.values(), ids=TABLE)
def test_patterns_are_those_of_a_shell(pattern, text, fits):
    assert glob.matches(pattern.encode(), text.encode()) is fits


def test_a_byte_that_is_no_utf8_is_a_character_that_matches_itself():
    assert glob.matches(b"a?c", b"a\xffc")
    assert glob.matches(b"a\xff*", b"a\xffc")
    assert not glob.matches(b"a\xfe*", b"a\xffc")


PIECES = st.sampled_from(["a", "b", "c", ".", "*", "?", "[ab]", "[!a]", "[a-b]", "[!b-c]", "[.]"])


@given(st.lists(PIECES, max_size=12).map("".join), st.text("abc.", max_size=16))
def test_it_agrees_with_the_standard_library(pattern, text):
    assert glob.matches(pattern.encode(), text.encode()) is fnmatchcase(text, pattern)


@given(st.text(max_size=40))
def test_a_text_without_special_characters_matches_itself_alone(text):
    data = text.encode("utf-8", "surrogatepass")
    if not set(text) & set("*?["):
        assert glob.matches(data, data)
        assert not glob.matches(data, data + b"x")


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_nothing_is_too_odd_to_be_compared(pattern, text):
    assert glob.matches(pattern, text) in (True, False)


@pytest.mark.parametrize("pattern", ["*[a]" * 60 + "b", "*?a" * 80 + "*c", "*[!b]a" * 40])
def test_no_place_is_tried_twice(pattern, monkeypatch):
    tries = []
    is_at = glob._is_at
    monkeypatch.setattr(glob, "_is_at", lambda *rest: tries.append(1) or is_at(*rest))
    text = "a" * glob.TEXT_MAX
    glob.fits(glob.parsed(pattern), text)
    assert len(tries) <= len(text) + pattern.count("*") + 2


def test_patterns_and_texts_are_bounded():
    assert not glob.matches(b"a" * 300, b"a" * 300)
    assert len(glob.folded(b"x" * 99_999 + b".exe")) == glob.TEXT_MAX
    assert glob.matches(b"*.exe", b"x" * 99_999 + b".exe")
