"""wire: what is written is read back; nothing makes reading raise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amavis_pipe.jail.wire import (
    KILLED,
    LINE,
    MISSING,
    End,
    Failed,
    Jailed,
    Listed,
    Opening,
    Stop,
    Wanted,
    done,
    read,
    read_done,
    write,
)
from amavis_pipe.model import Finding, Part

paths = st.lists(st.integers(1, 9999), min_size=1, max_size=14).map(lambda steps: ".".join(map(str, steps)))
words = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,20}", fullmatch=True)
kinds = st.from_regex(r"[a-z0-9.+-]{1,30}/[a-z0-9.+-]{1,30}", fullmatch=True)
parts = st.builds(
    Part,
    path=paths,
    names=st.lists(st.binary(min_size=1, max_size=120), max_size=8).map(tuple),
    claimed=st.binary(max_size=127),
    kind=kinds,
    size=st.integers(0, 1 << 40),
    decoder=words,
    flags=st.lists(words, max_size=4).map(tuple),
)
events = st.one_of(
    st.builds(Jailed, st.integers(0, 99), st.booleans()),
    st.builds(Opening, paths, words),
    st.builds(Listed, parts, st.integers(-1, 1 << 40)),
    st.builds(Finding, st.just("unchecked"), words.map(lambda word: "broken:" + word), paths),
    st.builds(Failed, st.sampled_from(["sandbox", "spool"]), st.text(max_size=100)),
    st.builds(
        Wanted,
        words,
        st.lists(paths, min_size=1, max_size=9).map(tuple),
        st.lists(st.binary(max_size=99), min_size=1, max_size=9).map(tuple),
    ),
    st.builds(Stop),
    st.builds(End),
)


def shown(value):
    """A value with slots, and those in it, as plain data."""
    slots = getattr(type(value), "__slots__", None)
    return value if slots is None else {name: shown(getattr(value, name)) for name in slots}


@given(events)
def test_what_is_written_is_read_back(event):
    line = write(event)
    assert line.endswith(b"\n") and line.count(b"\n") == 1 and len(line) <= LINE
    assert shown(read(line[:-1])) == shown(event)


@pytest.mark.parametrize("status", [0, 1, 255, MISSING, KILLED])
def test_the_end_of_a_helper_is_read_back(status):
    assert read_done(done(status)) == status


@pytest.mark.parametrize("line", [b"", b"\n", b"-1\n", b"noise", b"123456\n", b"\xd9\xa1\n"], ids=repr)
def test_any_other_answer_is_that_it_was_ended(line):
    assert read_done(line) == KILLED


@given(
    st.one_of(
        st.binary(max_size=300),
        st.lists(
            st.sampled_from(
                LINES := [
                    b"part",
                    b"1",
                    b"1.2",
                    b"a/b",
                    b"-",
                    b"0",
                    b"00",
                    b"7",
                    b"open",
                    b"end",
                    b"found",
                    b"broken:zip",
                    b"zz",
                    b"61",
                    b"jailed",
                    b"failed",
                    b"spool",
                    b"",
                    b"\xff",
                    b"9" * 30,
                    b",",
                    b"61,62",
                    b"..",
                    b"/",
                ]
            ),
            max_size=10,
        ).map(b" ".join),
    )
)
def test_no_bytes_make_reading_raise(line):
    event = read(line)
    assert event is None or isinstance(event, (Jailed, Opening, Listed, Finding, Failed, End))


@given(
    st.builds(
        Part,
        path=paths,
        kind=st.text(max_size=200),
        names=st.lists(st.binary(max_size=5000), max_size=20).map(tuple),
        claimed=st.binary(max_size=500),
        size=st.integers(0, 9),
        decoder=words,
    )
)
def test_any_kind_and_any_names_are_bent_into_the_form(part):
    line = write(Listed(part, 0))
    event = read(line[:-1])
    assert len(line) <= LINE and isinstance(event, Listed)


def test_of_a_long_name_the_end_is_told():
    event = read(
        write(Listed(Part("1", (b"a" * 5000 + b".exe",), kind="a/b", size=0, decoder="zip"), 0))[:-1]
    )
    assert event.part.names[0].endswith(b"aaa.exe")


GOOD = ["part", "1.2", "text/plain", "5", "4096", "zip", "-", "-", "61"]
BAD = {
    "no-path": (1, ""), "path-of-letters": (1, "a.b"), "path-with-zero": (1, "1.0"), "path-with-empty-step": (1, "1..2"),
    "endless-path": (1, ".".join("1" * 300)), "no-slash": (2, "text"), "two-slashes": (2, "text/plain/x"), "capitals": (2, "Text/plain"),
    "html": (2, "text/<b>"), "negative-size": (3, "-1"), "size-with-sign": (3, "+5"), "size-with-zeros": (3, "05"), "huge-size": (3, "9" * 16),
    "offset-of-letters": (4, "x"), "empty-decoder": (5, ""), "decoder-with-slash": (5, "a/b"), "claimed-not-hex": (6, "xy"),
    "claimed-half-a-byte": (6, "abc"), "five-flags": (7, "a,b,c,d,e"), "flag-with-line-end": (7, "a\r"), "names-not-hex": (8, "61,zz"),
    "too-many-names": (8, ",".join(["61"] * 49)), "capital-hex": (8, "AB"),
}  # fmt: skip


@pytest.mark.parametrize(("at", "word"), BAD.values(), ids=BAD)
def test_a_word_out_of_form_spoils_the_line(at, word):
    assert read(" ".join(GOOD).encode()) is not None
    assert read(" ".join([*GOOD[:at], word, *GOOD[at + 1 :]]).encode()) is None


LINES = {
    "unknown-word": b"hello", "nothing": b"", "word-too-many": b"end now", "word-too-few": b"open 1.2", "finding-of-another-grade": b"found virus:x",
    "finding-without-reason": b"found zip 1", "finding-of-a-made-up-reason": b"found clean:zip 1", "trouble-of-a-made-up-kind": b"failed mail -",
    "seccomp-maybe": b"jailed 7 2", "tab-between": b"open\t1 zip", "too-long": b"failed spool " + b"61" * LINE,
}  # fmt: skip


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_other_lines_are_none(line):
    assert read(line) is None


@pytest.mark.parametrize(("jailed", "text"), [(Jailed(7, True), "Landlock 7, seccomp"), (Jailed(0, True), "seccomp"),
                                              (Jailed(3, False), "Landlock 3"), (Jailed(0, False), "none")],
                         ids=["both", "seccomp", "landlock", "none"])  # fmt: skip
def test_a_sandbox_is_shown_by_its_locks(jailed, text):
    assert str(jailed) == text
