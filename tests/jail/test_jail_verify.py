"""verify: whatever a child says, the account is of parts that are where they may be, within the budget."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amavis_pipe.budget import Budget
from amavis_pipe.jail.verify import Account
from amavis_pipe.model import Part
from amavis_pipe.spool import PAGE

ROOM = 10 * PAGE


def account(lines: list[str], quota: int = ROOM, files: int = 4) -> Account:
    told = Account([Part("1"), Part("2")], Budget(quota, files, 3, 0.0), 99, lambda: ROOM)
    told.read("".join(line + "\n" for line in lines).encode())
    return told


START = ["jailed 7 1", "open 1 zip"]


def part(path: str = "1.1", size: int = 5, offset: object = 0, flags: str = "-") -> str:
    return f"part {path} text/plain {size} {offset} zip - {flags} 61"


def test_an_honest_account_is_taken_whole():
    told = account(
        [
            *START,
            part(),
            "open 1.1 gzip",
            part("1.1.1", 7, PAGE),
            part("1.1.2", 0, "-", "structure"),
            "found broken:gzip 1.1",
            "end",
        ]
    )
    assert told.sound and told.complete
    assert [(one.path, one.size) for one in told.parts] == [("1.1", 5), ("1.1.1", 7), ("1.1.2", 0)]
    assert told.parts[1].blob is not None and (told.parts[1].blob.fd, told.parts[1].blob.offset) == (99, PAGE)
    assert told.parts[2].blob is None
    assert [(one.name, one.part) for one in told.findings] == [("broken:gzip", "1.1")]
    assert told.opened == {"1", "1.1"}


def test_an_empty_part_may_share_its_place_with_the_next():
    assert account([*START, part("1.1", 0, 0), part("1.2", 5, 0), "end"]).sound


LIES = {
    "a-part-before-the-sandbox-stands": [part()],
    "a-part-before-anything-is-opened": ["jailed 7 1", part()],
    "two-sandboxes": ["jailed 7 1", "jailed 7 1"],
    "the-mail's-own-part": [*START, part("1")],
    "a-part-of-nothing-known": [*START, part("3.1")],
    "a-part-twice": [*START, part(), part("1.1", 5, PAGE)],
    "a-part-too-deep": [*START, part(), part("1.1.1", 1, PAGE), part("1.1.1.1", 1, 2 * PAGE)],
    "too-many-parts": [*START, *(part(f"1.{n}", 0) for n in range(1, 7))],
    "a-slice-not-at-a-page": [*START, part(offset=1)],
    "a-slice-past-the-end": [*START, part(size=PAGE + 1, offset=9 * PAGE)],
    "a-slice-over-another": [*START, part(size=PAGE + 1), part("1.2", 1, PAGE)],
    "a-slice-before-another": [*START, part(offset=PAGE), part("1.2", 1, 0)],
    "bytes-without-a-place": [*START, part(offset="-")],
    "structure-with-a-place": [*START, part(flags="structure")],
    "a-finding-on-nothing-known": [*START, "found broken:zip 7"],
    "a-decoder-on-nothing-known": ["jailed 7 1", "open 7 zip"],
    "findings-without-end": [*START, *["found broken:zip 1"] * 30],
    "something-after-the-end": [*START, "end", part()],
    "something-after-trouble": ["failed spool -", "jailed 7 1"],
    "a-program-before-anything-is-opened": ["jailed 7 1", "run lsar 1 -"],
    "a-program-for-nothing-known": [*START, "run lsar 7 -"],
    "a-program-for-something-not-known-besides": [*START, "run lsar-volumes 1,7 -"],
    "a-program-for-what-has-no-bytes": [*START, "run lsar 2 -"],
    "a-second-program-before-the-first-is-run": [*START, part(), "run lsar 1.1 -", "run lsar 1.1 -"],
    "a-program-before-the-sandbox-stands": ["run lsar 1 -"],
    "a-stop-before-anything-is-opened": ["jailed 7 1", "stop"],
    "noise": [*START, "%s%s%s"],
    "an-end-before-the-sandbox-stands": ["end"],
}


@pytest.mark.parametrize("lines", LIES.values(), ids=LIES)
def test_a_lie_ends_the_reading(lines):
    told = account([*lines, "found limit:quota 1"])
    assert not told.sound
    assert "limit:quota" not in [one.name for one in told.findings]


def test_a_program_is_given_just_the_bytes_of_the_parts_told():
    told = account([*START, part(), part("1.2", 7, PAGE), "run lsar-volumes 1.2,1.1 78,-"])
    wanted, blobs = told.take_wanted()
    assert (wanted.job, wanted.words) == ("lsar-volumes", (b"x", b""))
    assert [(blob.fd, blob.offset, blob.size) for blob in blobs] == [(99, PAGE, 7), (99, 0, 5)]
    assert told.sound and told.take_wanted() is None


def test_more_bytes_than_are_left_are_not_believed():
    told = account([*START, part("1.1", 60), part("1.2", 60, PAGE)], quota=100)
    assert not told.sound and [one.path for one in told.parts] == ["1.1"]


def test_a_line_cut_off_does_not_count():
    told = Account([Part("1")], Budget(9, 9, 9, 0.0), 99, lambda: ROOM)
    told.read(b"jailed 7 1\nopen 1 zip\nend")
    assert told.sound and not told.complete


lines = st.one_of(
    st.sampled_from(
        ["jailed 7 1", "open 1 zip", "open 1.1 zip", "end", "failed spool -", "found broken:zip 1", "junk"]
    ),
    st.builds(
        part,
        st.sampled_from(["1", "1.1", "1.2", "2.1", "1.1.1", "1.1.1.1", "3"]),
        st.integers(0, 3 * PAGE),
        st.sampled_from([0, 1, PAGE, 2 * PAGE, 3 * PAGE, 9 * PAGE, 10 * PAGE, "-"]),
        st.sampled_from(["-", "structure", "partial"]),
    ),
)


@given(st.lists(lines, max_size=12))
def test_whatever_is_said_the_parts_lie_apart_in_the_arena_and_in_the_budget(said):
    told = account([*START, *said], quota=4 * PAGE, files=3)
    assert len(told.parts) <= 3 and sum(one.size for one in told.parts if one.blob) <= 4 * PAGE
    end = 0
    for one in told.parts:
        if one.blob is not None:
            assert end <= one.blob.offset and one.blob.offset % PAGE == 0
            end = one.blob.offset + one.blob.size
            assert end <= ROOM
    assert len({one.path for one in told.parts} | {"1", "2"}) == len(told.parts) + 2
