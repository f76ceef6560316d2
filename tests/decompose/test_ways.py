"""ways: what comes of several ways, each going well or not; members told apart in a program's output."""

from itertools import chain

import pytest

from amavis_pipe.budget import Budget, LimitHit, Limits
from amavis_pipe.decompose.cabextract import by_cabextract
from amavis_pipe.decompose.cabextract import read as read_cabextract
from amavis_pipe.decompose.seven_zip import by_7zz
from amavis_pipe.decompose.seven_zip import read as read_7zz
from amavis_pipe.decompose.streams import Broken
from amavis_pipe.decompose.unar import read as read_lsar
from amavis_pipe.decompose.ways import (
    DAMAGED,
    LOCKED,
    MISSING,
    SINGLY,
    UNKNOWN,
    WHOLE,
    Foreign,
    Member,
    Taker,
    listing,
    open_by,
    stream,
    take_all,
)
from amavis_pipe.jail.wire import KILLED
from amavis_pipe.jail.wire import MISSING as NO_PROGRAM
from amavis_pipe.model import SpoolTrouble
from amavis_pipe.spool import Blob, Store
from amavis_pipe.walk import Decoder, Walk


class Outside:
    """What the filter would give: passwords, and programs that say what they are told to."""

    def __init__(self, passwords=(), says=()) -> None:
        self._passwords = passwords
        self._says = list(says)
        self.asked = []

    def passwords(self):
        return iter(self._passwords)

    def is_tired(self) -> bool:
        return False

    def run(self, wanted, tick):
        self.asked.append((wanted.job, wanted.words))
        *chunks, status = self._says.pop(0)
        yield from chunks
        yield status


def opened(unpack, outside=None) -> Walk:
    """What is in a file that is opened by this."""
    decoder = Decoder("x", ("a/b",), unpack, broken=(Broken,))
    walk = Walk(
        Budget.of(Limits(), 1 << 20),
        Store(b"/var/tmp"),
        lambda part: [decoder] if part.path == "1" else [],
        outside=outside or Outside(),
    )
    walk.file(Blob(b"input"))
    return walk


def found(walk: Walk) -> list[tuple[bytes, bytes]]:
    return [(part.names[0] if part.names else b"", part.blob.head(99)) for part in walk.parts[1:]]


def way(went: str, *contents: bytes, asked: list | None = None):
    """A way that finds these contents, and goes so."""

    def one(blob, taker, password):
        if asked is not None:
            asked.append(password)
        for content in contents:
            taker.add([content], (b"name",))
        return went

    return one


OUTCOMES = [
    ([], "undecoded:x"),
    ([WHOLE], ""),
    ([DAMAGED], "broken:x"),
    ([UNKNOWN], "broken:x"),
    ([LOCKED], "encrypted:x"),
    ([MISSING], "undecoded:x"),
    ([DAMAGED, WHOLE], ""),
    ([UNKNOWN, WHOLE], ""),
    ([MISSING, WHOLE], ""),
    ([LOCKED, WHOLE], ""),
    ([DAMAGED, DAMAGED], "broken:x"),
    ([DAMAGED, MISSING], "broken:x"),
    ([MISSING, DAMAGED], "broken:x"),
    ([UNKNOWN, UNKNOWN], "broken:x"),
    ([UNKNOWN, MISSING], "undecoded:x"),
    ([MISSING, MISSING], "undecoded:x"),
    ([LOCKED, DAMAGED], "encrypted:x"),
    ([LOCKED, UNKNOWN], "encrypted:x"),
    ([LOCKED, MISSING], "encrypted:x"),
    ([DAMAGED, LOCKED], "encrypted:x"),
    ([MISSING, LOCKED], "encrypted:x"),
    ([WHOLE, LOCKED], ""),
]


@pytest.mark.parametrize(("went", "finding"), OUTCOMES, ids=lambda value: "-".join(value) or "none")
def test_what_is_said_of_ways_that_go(went, finding):
    walk = opened(lambda blob, sink: open_by(blob, sink, "x", *(way(one) for one in went)))
    assert [(one.name, one.part) for one in walk.findings] == ([(finding, "1")] if finding else [])


@pytest.mark.parametrize(
    ("went", "finding"),
    [
        ([WHOLE, WHOLE], ""),
        ([WHOLE, DAMAGED], "broken:x"),
        ([DAMAGED, WHOLE], ""),
        ([WHOLE, UNKNOWN], ""),
        ([WHOLE, LOCKED], "encrypted:x"),
        ([DAMAGED, UNKNOWN], "broken:x"),
    ],
)
def test_of_all_ways_what_any_finds_is_taken(went, finding):
    ways = [way(one, one.encode(), b"the same") for one in went]
    walk = opened(lambda blob, sink: open_by(blob, sink, "x", *ways, every=True))
    assert [one.name for one in walk.findings] == ([finding] if finding else [])
    contents = [content for _, content in found(walk)]
    assert contents.count(b"the same") == 1 and set(contents) == {
        b"the same",
        *(one.encode() for one in went),
    }


def test_after_a_way_that_finds_all_none_is_gone():
    asked = []
    opened(lambda blob, sink: open_by(blob, sink, "x", way(WHOLE, b"1"), way(WHOLE, b"2", asked=asked)))
    assert asked == []


def test_the_next_way_adds_only_what_is_new():
    walk = opened(
        lambda blob, sink: open_by(blob, sink, "x", way(DAMAGED, b"one", b"one"), way(WHOLE, b"one", b"two"))
    )
    assert [content for _, content in found(walk)] == [b"one", b"one", b"two"]
    assert [part.path for part in walk.parts] == ["1", "1.1", "1.2", "1.3"]


def test_so_does_the_first_if_something_was_found_before():
    def unpack(blob, sink):
        sink.add([b"one"], (b"name",))
        open_by(blob, sink, "x", way(WHOLE, b"one", b"two"), again=True)

    walk = opened(unpack)
    assert [content for _, content in found(walk)] == [b"one", b"two"]


def test_what_is_known_already_is_charged_too():
    walk = opened(lambda blob, sink: open_by(blob, sink, "x", way(DAMAGED, b"12345"), way(WHOLE, b"12345")))
    assert walk.budget.used == 10


def test_passwords_are_tried_until_one_is_right():
    asked = []

    def locked(blob, taker, password):
        asked.append(password)
        if password == b"right":
            taker.add([b"plain"], (b"name",))
            return WHOLE
        return LOCKED

    outside = Outside([b"wrong", b"right", b"other"])
    walk = opened(lambda blob, sink: open_by(blob, sink, "x", locked), outside)
    assert asked == [b"", b"wrong", b"right"] and found(walk) == [(b"name", b"plain")]
    assert [(one.grade, one.name) for one in walk.findings] == [("note", "decrypted:x")]


def test_without_the_right_one_it_is_encrypted():
    asked = []
    outside = Outside([b"a", b"b"])
    walk = opened(lambda blob, sink: open_by(blob, sink, "x", way(LOCKED, asked=asked)), outside)
    assert asked == [b"", b"a", b"b"] and [one.name for one in walk.findings] == ["encrypted:x"]


def test_a_locked_member_is_listed_once_by_its_name():
    def unpack(blob, sink):
        taker = Taker(sink)
        for name in (b"a", b"b", b"a", b""):
            taker.locked((name,))

    walk = opened(unpack)
    assert [(part.names, part.size, part.flags) for part in walk.parts[1:]] == [
        ((b"a",), 0, ("encrypted",)),
        ((b"b",), 0, ("encrypted",)),
    ]


@pytest.mark.parametrize("error", [ValueError("x"), KeyError(1), RecursionError(), OSError(5, "x")], ids=repr)
def test_what_a_foreign_library_raises_is_broken(error):
    with pytest.raises(Broken), Foreign():
        raise error


@pytest.mark.parametrize(
    "error",
    [MemoryError(), KeyboardInterrupt(), Broken("as it is"), LimitHit("quota"), SpoolTrouble("x")],
    ids=repr,
)
def test_what_is_not_its_fault_passes(error):
    with pytest.raises(type(error)) as caught, Foreign():
        raise error
    assert caught.value is error


def taken(members, *says, one: bool = True) -> tuple[str, list[tuple[bytes, bytes]], list[tuple]]:
    """How a listing's members are taken from what a program says, and then one by one; what was asked for."""
    went = []
    outside = Outside(says=says)

    def unpack(blob, sink):
        singly = (lambda member: sink.run("one", member.word)) if one else None
        went.append(take_all(Taker(sink), members, sink.run("all"), singly))

    walk = opened(unpack, outside)
    return went[0], found(walk), [asked for asked in outside.asked if asked[0] == "one"]


def members(*sizes: int) -> list[Member]:
    return [Member(b"%d" % number, size, b"word%d" % number) for number, size in enumerate(sizes)]


CUT = {
    "at-its-sizes": ((3, 5), [b"abcdefgh", 0], [b"abc", b"defgh"]),
    "across-pieces": ((3, 5), [b"a", b"bcd", b"efg", b"h", 0], [b"abc", b"defgh"]),
    "with-empty-ones": ((0, 3, 0), [b"abc", 0], [b"", b"abc", b""]),
    "of-nothing": ((0, 0), [0], [b"", b""]),
}


@pytest.mark.parametrize(("sizes", "says", "contents"), CUT.values(), ids=CUT)
def test_the_output_is_cut(sizes, says, contents):
    went, parts, asked = taken(members(*sizes), says)
    assert (went, asked) == (WHOLE, [])
    assert parts == [(b"%d" % number, content) for number, content in enumerate(contents)]


ONE_BY_ONE = {
    "too-little": ((3, 5), [b"abcde", 0]),
    "nothing": ((3, 5), [0]),
    "less-by-a-member": ((3, 5), [b"abc", 0]),
    "all-but-a-bad-end": ((3, 5), [b"abcdefgh", 2]),
    "killed": ((3, 5), [b"abcdefgh", KILLED]),
}


@pytest.mark.parametrize(("sizes", "says"), ONE_BY_ONE.values(), ids=ONE_BY_ONE)
def test_if_sizes_do_not_hold_each_is_asked_for_by_its_word(sizes, says):
    went, parts, asked = taken(members(*sizes), says, [b"abc", 0], [b"de", b"fgh", 0])
    assert went == WHOLE and asked == [("one", (b"word0",)), ("one", (b"word1",))]
    assert {(b"0", b"abc"), (b"1", b"defgh")} <= set(parts)


@pytest.mark.parametrize(("sizes", "says"), ONE_BY_ONE.values(), ids=ONE_BY_ONE)
def test_if_that_is_impossible_it_is_damaged(sizes, says):
    assert taken(members(*sizes), says, one=False)[0] == DAMAGED


@pytest.mark.parametrize(
    "says", [[b"abcdefgh!", 0], [b"abcdefgh", b"more", b"and more", 0]], ids=["one", "many"]
)
def test_if_there_is_more_than_they_have_one_by_one_it_is_damaged(says):
    went, parts, asked = taken(members(3, 5), says, [b"abc", 0], [b"defgh", 0])
    assert went == DAMAGED and len(asked) == 2 and parts == [(b"0", b"abc"), (b"1", b"defgh")]


def test_if_they_have_as_much_one_by_one_it_is_whole():
    went, parts, _ = taken(members(3, 5), [b"abcdefgh!", 0], [b"abc", 0], [b"defgh!", 0])
    assert went == WHOLE and (b"1", b"defgh!") in parts


def test_what_members_of_one_name_have_together_counts_once():
    both = [Member(b"a", 3, b"a"), Member(b"a", 5, b"a")]
    went, _, asked = taken(both, [b"abcdefgh", b"12345678", 0], [b"abcdefgh", 0])
    assert went == DAMAGED and len(asked) == 1


def test_without_sizes_they_are_not_even_asked_for_together():
    went, parts, _ = taken(members(3, -1), [b"abc", 0], [b"de", b"fgh", 0])
    assert went == WHOLE and parts == [(b"0", b"abc"), (b"1", b"defgh")]
    assert taken(members(3, -1), one=False)[0] == DAMAGED


@pytest.mark.parametrize("says", [[b"de", 2], [2], [0]], ids=["cut-off", "failed", "not-found"])
def test_if_one_of_them_fails_it_is_damaged_and_the_others_come(says):
    went, parts, _ = taken(members(3, 5, 2), [2], [b"abc", 0], says, [b"xy", 0])
    assert went == DAMAGED and (b"0", b"abc") in parts and (b"2", b"xy") in parts


def test_only_so_many_are_asked_for_one_by_one():
    went, _, asked = taken(members(*[1] * 100), [2], *[[b"x", 0]] * SINGLY)
    assert (went, len(asked)) == (DAMAGED, SINGLY)


SINGLE = {
    "whole": (3, [b"abc", 0], WHOLE, [b"abc"]),
    "longer": (3, [b"abcd", 0], WHOLE, [b"abcd"]),
    "shorter": (3, [b"ab", 0], DAMAGED, [b"ab"]),
    "unknown": (-1, [b"abcd", 0], WHOLE, [b"abcd"]),
    "a-bad-end": (3, [b"abc", 2], DAMAGED, [b"abc"]),
    "nothing": (3, [0], DAMAGED, [b""]),
    "failed": (3, [2], DAMAGED, []),
    "empty": (0, [0], WHOLE, [b""]),
    "no-program": (3, [NO_PROGRAM], MISSING, []),
}


@pytest.mark.parametrize(("size", "says", "how", "contents"), SINGLE.values(), ids=SINGLE)
def test_of_a_single_member_all_output_is_taken(size, says, how, contents):
    went, parts, asked = taken(members(size), says)
    if how == MISSING:
        assert went in (MISSING, DAMAGED)  # nothing came
    else:
        assert went == how
    assert [content for _, content in parts] == contents and asked == []


def test_a_program_that_is_not_there_is_missing():
    assert taken(members(3, 5), [NO_PROGRAM])[0] == MISSING


STREAMS = {
    "whole": ([b"ab", b"c", 0], [b"abc"], []),
    "empty": ([0], [b""], []),
    "cut-off": ([b"ab", 1], [b"ab"], ["broken:x"]),
    "failed": ([1], [], ["broken:x"]),
    "no-program": ([NO_PROGRAM], [], ["undecoded:x"]),
    "killed": ([b"ab", KILLED], [b"ab"], ["broken:x"]),
}


@pytest.mark.parametrize(("says", "contents", "findings"), STREAMS.values(), ids=STREAMS)
def test_a_program_s_only_file(says, contents, findings):
    walk = opened(
        lambda blob, sink: open_by(blob, sink, "x", stream("one", (b"name",))), Outside(says=[says])
    )
    assert [content for _, content in found(walk)] == contents
    assert [one.name for one in walk.findings] == findings


def test_a_listing_without_end_is_cut():
    def unpack(blob, sink):
        shown, is_all = listing(sink.run("list"))
        sink.add([b"%d %d" % (len(shown) >> 20, is_all)])

    assert found(opened(unpack, Outside(says=[[*[bytes(1 << 20)] * 9, 0]]))) == [(b"", b"5 0")]
    assert found(opened(unpack, Outside(says=[[bytes(1 << 20), 0]]))) == [(b"", b"1 1")]
    assert found(opened(unpack, Outside(says=[[bytes(1 << 20), KILLED]]))) == [(b"", b"1 0")]


def block(*lines: str) -> bytes:
    return "\n".join(lines).encode()


LISTS = {
    "7zz": (by_7zz("zip"), block("Type = zip", "", "----------", "Path = a", "Size = 1", "", "")),
    "cabextract": (by_cabextract, b"1 | x | a\n"),
}


@pytest.mark.parametrize(("way", "shown"), LISTS.values(), ids=LISTS)
@pytest.mark.parametrize(("rest", "went"), [(0, WHOLE), (5, DAMAGED)], ids=["whole", "cut"])
def test_what_a_listing_that_is_cut_tells_is_not_all(way, shown, rest, went):
    gone = []
    outside = Outside(says=[[shown, *[bytes(1 << 20)] * rest, 0], [b"x", 0]])
    opened(lambda blob, sink: gone.append(way(blob, Taker(sink), b"")), outside)
    assert gone == [went]


def test_a_listing_of_7zz_is_read():
    shown = (
        block(
            "7-Zip",
            "",
            "--",
            "Path = a.dmg",
            "Type = Dmg",
            "----",
            "Path = b",
            "--",
            "Path = b",
            "Type = HFS",
        )
        + b"\n\n----------\n"
        + b"\n\n".join(
            [
                block("Path = one", "Folder = -", "Size = 5", "Encrypted = -"),
                block("Path = folder", "Folder = +", "Size = 0"),
                block("Path = also", "Size = 0", "Attributes = D_ drwxr-xr-x"),
                block("Path = two", "Size = ", "Encrypted = +"),
                block("Size = ", "Packed Size = 7"),
                block("Path = one:more", "Alternate Stream = +", "Size = 3"),
                block("no member"),
            ]
        )
    )
    kinds, listed = read_7zz(shown)
    assert kinds == [b"Dmg", b"HFS"]
    assert [(one.name, one.size, one.locked) for one in listed] == [
        (b"one", 5, False),
        (b"two", -1, True),
        (b"", -1, False),
    ]
    assert read_7zz(shown.replace(b"\n", b"\r\n"))[0] == kinds


def test_a_comment_with_lines_like_a_listing_of_7zz_has_no_members():
    comment = block("Comment = ", "{", "hi", "----------", "Path = fake", "Size = 3", "}", "")
    shown = block("--", "Type = zip") + b"\n" + comment + b"\n----------\n" + block("Path = one", "Size = 5")
    for end in (b"\n", b"\r\n"):
        kinds, listed = read_7zz(shown.replace(b"\n", end))
        assert kinds == [b"zip"] and [one.name for one in listed] == [b"one"]


def test_a_number_that_is_none_of_bytes_is_not_read():
    nines = b"9" * 5000
    assert [one.size for one in read_7zz(b"\n----------\nPath = a\nSize = %b\n" % nines)[1]] == [-1]
    assert read_cabextract(b"%b | a | b\n" % nines) == []
    sizes = (b"1" + b"0" * 400, b"-5", b"7")
    entries = b",".join(b'{"XADFileName": "a", "XADFileSize": %b, "XADIndex": 0}' % size for size in sizes)
    assert [one.size for one in read_lsar(b'{"lsarContents": [%b]}' % entries)[0]] == [-1, -1, 7]


@pytest.mark.parametrize(
    "shown",
    [b"[]", b"5", b'{"lsarContents": 5}', b'{"lsarContents": {}}', b'{"lsarContents": [5]}', b"[" * 5000],
    ids=["a list", "a number", "no list", "a mapping", "no entries", "too deep"],
)
def test_what_is_no_listing_of_lsar_is_not_whole(shown):
    assert read_lsar(shown) == ([], False, False)


@pytest.mark.parametrize("shown", [b"", b"\n----------\n", b"noise\n\n\n", b"ERROR: file.bin\n"], ids=repr)
def test_no_listing_has_no_members(shown):
    assert read_7zz(shown) == ([b""], []) and read_cabextract(shown) == []
    assert read_lsar(shown) == ([], False, False)


def test_a_listing_of_lsar_is_read():
    shown = (
        b'{"lsarContents": [{"XADFileName": "one", "XADIndex": 0, "XADFileSize": 5},'
        b'{"XADFileName": "d", "XADIndex": 1, "XADIsDirectory": 1}, {"XADFileName": "r", "XADIndex": 2, "XADIsResourceFork": 1},'
        b'{"XADFileName": "l", "XADIndex": 3, "XADIsLink": 1}, {"XADFileName": "\\u00e4", "XADIndex": 4, "XADIsEncrypted": 1},'
        b'{"XADFileName": "odd", "XADIndex": "-o/tmp"}, {"XADFileName": "odd", "XADFileSize": 7}]'
    )
    listed, locked, whole = read_lsar(shown + b"}")
    assert [(one.name, one.size, one.word, one.locked) for one in listed] == [
        (b"one", 5, b"0", False),
        ("ä".encode(), -1, b"4", True),
    ]
    assert locked and whole
    assert read_lsar(shown + b', "lsarError": 1}')[2] is False
    assert read_lsar(shown) == ([], False, False)


def test_members_that_a_listing_has_too_many_of_are_told_of():
    rows = chain.from_iterable([b'{"XADIndex": 1, "XADFileSize": 1}', b","] for _ in range(5000))
    listed, _, whole = read_lsar(b'{"lsarContents": [' + b"".join(rows).rstrip(b",") + b"]}")
    assert len(listed) == 4096 and not whole


def test_a_listing_of_cabextract_is_read():
    shown = b" File size | Date       Time     | Name\n-----------+-----+---\n        12 | 01.01.1980 00:00:00 | a | b\n         0 | x |  \n"
    assert [(one.name, one.size) for one in read_cabextract(shown)] == [(b"a | b", 12), (b"", 0)]
