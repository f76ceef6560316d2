"""walk: parts are charged, kept, numbered and opened; what could not be looked at is said."""

import hashlib

import pytest

from amavis_pipe.budget import Budget, LimitHit, Limits
from amavis_pipe.kinds import Formats
from amavis_pipe.model import Part
from amavis_pipe.spool import Blob, Store
from amavis_pipe.walk import Decoder, Sink, Walk, in_order


class Torn(Exception):
    """What our decoder raises on bad input."""


def decoder(unpack, name: str = "test") -> Decoder:
    return Decoder(name, ("text/x-test",), unpack, broken=(Torn,))


@pytest.fixture
def take(tmp_path):
    """A function: the Walk of an empty mail that `unpack` takes apart, and then the openers."""

    def take(unpack, openers=lambda part: (), limits: Limits | None = None, **options) -> Walk:
        budget = Budget.of(limits or Limits(), 0)
        walk = Walk(budget, Store(str(tmp_path).encode()), openers, **options)
        walk.mail(Blob(b""), decoder(unpack))
        return walk

    return take


def found(walk: Walk) -> list[tuple[str, str, str]]:
    return [(finding.grade, finding.name, finding.part) for finding in walk.findings]


def listed(walk: Walk) -> list[tuple[str, bytes, tuple[str, ...]]]:
    return [(part.path, part.blob.head(1 << 20) if part.blob else b"", part.flags) for part in walk.parts]


def test_a_member_is_kept_with_all_that_is_known_of_it(take):
    def unpack(blob, out):
        out.add([b"Hel", b"lo"], (b"a.txt", b"b"), b"text/plain", ("x",))

    walk = take(unpack)
    (part,) = walk.parts
    assert (part.path, part.names, part.claimed, part.kind) == (
        "1",
        (b"a.txt", b"b"),
        b"text/plain",
        "text/plain",
    )
    assert (part.size, part.decoder, part.flags) == (5, "test", ("x",))
    assert part.sha256 == hashlib.sha256(b"Hello").hexdigest()
    assert walk.budget.used == 5
    assert found(walk) == []


def test_without_hashing_no_part_is_hashed(take):
    assert take(lambda blob, out: out.add([b"x"]), hashing=False).parts[0].sha256 == ""


def test_limits_are_charged_per_chunk_and_what_came_before_is_kept(take):
    taken = []

    def endless():
        while True:
            taken.append(1)
            yield b"x" * 1000

    walk = take(
        lambda blob, out: out.add(endless()), limits=Limits(min_quota=10_500, min_factor=0, max_factor=0)
    )
    assert len(taken) == 11
    assert listed(walk) == [("1", b"x" * 10_000, ("partial",))]
    assert found(walk) == [("unchecked", "limit:quota", "")]
    assert walk.budget.hit == ["quota"]


def test_a_member_of_which_nothing_came_is_not_listed(take):
    walk = take(
        lambda blob, out: out.add([b"x" * 11]), limits=Limits(min_quota=10, min_factor=0, max_factor=0)
    )
    assert listed(walk) == []
    assert found(walk) == [("unchecked", "limit:quota", "")]


def test_an_empty_member_is_listed(take):
    walk = take(lambda blob, out: out.add([]))
    assert [(part.path, part.kind, part.size) for part in walk.parts] == [("1", "application/x-empty", 0)]


def test_broken_input_keeps_what_came_before_and_is_said(take):
    def torn():
        yield b"some"
        raise Torn

    def unpack(blob, out):
        out.add([b"whole"])
        out.add(torn(), flags=("x",))
        out.add([b"never"])

    walk = take(unpack)
    assert listed(walk) == [("1", b"whole", ()), ("2", b"some", ("x", "partial"))]
    assert found(walk) == [("unchecked", "broken:test", "")]


def test_an_error_that_a_decoder_does_not_declare_is_a_bug_and_is_not_caught(take):
    with pytest.raises(ZeroDivisionError):
        take(lambda blob, out: 1 // 0)


def test_after_a_limit_nothing_more_is_opened_but_all_stays_listed(take):
    opened = []

    def unpack(blob, out):
        out.add([b"a"])
        out.add([b"b"])
        out.add([b"c"])

    walk = take(unpack, lambda part: opened.append(part.path) or (), Limits(files=2))
    assert listed(walk) == [("1", b"a", ()), ("2", b"b", ())]
    assert opened == []
    assert found(walk) == [("unchecked", "limit:files", "")]


def test_time_that_is_over_stops_the_walk(take):
    walk = take(lambda blob, out: out.tick(), limits=Limits(seconds=-1))
    assert found(walk) == [("unchecked", "limit:seconds", "")]


def test_what_comes_out_is_opened_in_turn(take):
    def halves(blob, out):
        data = blob.head(100)
        for half in (data[: len(data) // 2], data[len(data) // 2 :]):
            out.add([half])

    walk = take(
        lambda blob, out: out.add([b"abcd"]),
        lambda part: (decoder(halves, "half"),) if part.size > 1 else (),
    )
    assert [(part.path, part.blob.head(9), part.decoder) for part in in_order(walk.parts)] == [
        ("1", b"abcd", "test"),
        ("1.1", b"ab", "half"),
        ("1.1.1", b"a", "half"),
        ("1.1.2", b"b", "half"),
        ("1.2", b"cd", "half"),
        ("1.2.1", b"c", "half"),
        ("1.2.2", b"d", "half"),
    ]
    assert walk.members == {"": 1, "1": 2, "1.1": 2, "1.2": 2}


def test_depth_stops_a_branch_only(take):
    def same(blob, out):
        out.add([blob.head(100)])

    walk = take(
        lambda blob, out: (out.add([b"deep"]), out.add([b"flat"])),
        lambda part: (decoder(same),) if part.blob.head(4) == b"deep" or part.path == "2" else (),
        Limits(depth=3),
    )
    assert [part.path for part in in_order(walk.parts)] == ["1", "1.1", "1.1.1", "2", "2.1"]
    assert found(walk) == [("unchecked", "limit:depth", "1.1.1")]


def test_a_second_decoder_of_a_part_numbers_on(take):
    def one(blob, out):
        out.add([b"x"])

    def broken(blob, out):
        out.add([b"y"])
        raise Torn

    walk = take(
        lambda blob, out: out.add([b"both"]),
        lambda part: (decoder(broken, "b"), decoder(one, "a")) if part.path == "1" else (),
    )
    assert [(part.path, part.decoder) for part in in_order(walk.parts)] == [
        ("1", "test"),
        ("1.1", "b"),
        ("1.2", "a"),
    ]
    assert found(walk) == [("unchecked", "broken:b", "1")]


def test_a_group_is_a_node_without_bytes_whose_members_lie_below_it(take):
    def unpack(blob, out):
        inner = out.group("multipart/mixed", 99)
        inner.add([b"a"])
        inner.group("multipart/related", 1).add([b"b"])
        out.add([b"c"])

    walk = take(unpack)
    assert listed(walk) == [
        ("1", b"", ("structure",)),
        ("1.1", b"a", ()),
        ("1.2", b"", ("structure",)),
        ("1.2.1", b"b", ()),
        ("2", b"c", ()),
    ]
    assert [(part.kind, part.size, part.sha256) for part in walk.parts if part.blob is None] == [
        ("multipart/mixed", 99, ""),
        ("multipart/related", 1, ""),
    ]
    assert walk.budget.used == 3


def test_groups_count_as_parts_and_as_levels(take):
    def unpack(blob, out):
        out.group("multipart/mixed", 1).group("multipart/mixed", 1).add([b"x"])

    walk = take(unpack, limits=Limits(depth=2, files=10))
    assert found(walk) == [("unchecked", "limit:depth", "")]
    assert (len(walk.parts), walk.budget.files) == (2, 8)


def test_a_container_that_nothing_opens_is_said_to_be_undecoded(take):
    walk = take(lambda blob, out: (out.add([b"Rar!\x1a\7..."]), out.add([b"plain"])))
    assert found(walk) == [("unchecked", "undecoded:rar", "1")]


def test_what_needs_the_sandbox_is_deferred_and_opened_later(take):
    walk = take(
        lambda blob, out: (out.add([b"PK\3\4"]), out.add([b"x"])),
        formats=Formats(opened={"application/zip": ("zip",)}),
        sandboxed=True,
    )
    assert [part.path for part in walk.deferred] == ["1"]
    assert found(walk) == []


def test_known_parts_are_opened_but_not_listed_again(tmp_path):
    def unpack(blob, out):
        out.add([blob.head(9) + b"!"])

    walk = Walk(
        Budget.of(Limits(), 0),
        Store(str(tmp_path).encode()),
        lambda part: (decoder(unpack),) if "." not in part.path else (),
    )
    walk.open([Part("3", blob=Blob(b"a")), Part("4", blob=Blob(b"b"))])
    assert listed(walk) == [("3.1", b"a!", ()), ("4.1", b"b!", ())]


def test_the_same_thing_is_said_once(take):
    def unpack(blob, out):
        out.unchecked("encrypted:zip")
        out.unchecked("encrypted:zip")
        out.unchecked("broken:zip")

    assert found(take(unpack)) == [("unchecked", "encrypted:zip", ""), ("unchecked", "broken:zip", "")]


def test_a_decoder_cannot_go_on_after_a_limit_by_catching_it(take):
    caught = []

    def stubborn(blob, out: Sink):
        for _ in range(5):
            try:
                out.add([b"x" * 60])
            except LimitHit as limit:
                caught.append(limit.name)

    walk = take(stubborn, limits=Limits(min_quota=100, min_factor=0, max_factor=0))
    assert caught == ["quota"] * 4
    assert len(walk.parts) == 1
    assert walk.budget.hit == ["quota"]


def test_parts_are_sorted_by_position():
    paths = ["1.10", "2", "1.2", "1", "10", "1.2.1"]
    assert [part.path for part in in_order(Part(path) for path in paths)] == [
        "1",
        "1.2",
        "1.2.1",
        "1.10",
        "2",
        "10",
    ]
