"""ARC: every method, RISC OS's form, headers that lie."""

import random

import pytest
from built.arc import arc

SOME = random.Random(4)
DATA = {
    "text": b"".join(b"line %d of some text\n" % SOME.randrange(500) for _ in range(3000)),
    "bytes": SOME.randbytes(20_000),
    "runs": b"".join(bytes((SOME.choice(b"ab\x90"),)) * SOME.randrange(600) for _ in range(200)),
    "one": b"x",
}


@pytest.mark.parametrize("method", range(1, 10))
@pytest.mark.parametrize("data", DATA.values(), ids=DATA)
def test_every_method_comes_out(method, data, take):
    result = take(arc((b"FILE.ONE", data), (b"two", b"2"), method=method))
    assert result.content() == [(b"FILE.ONE", data), (b"two", b"2")] and result.findings == []


def test_as_risc_os_has_them_they_come_out(take):
    result = take(arc((b"one", DATA["text"]), (b"two", b"2"), method=8, risc=True))
    assert result.content() == [(b"one", DATA["text"]), (b"two", b"2")] and result.findings == []


@pytest.mark.parametrize("method", [10, 11], ids=["crushed", "distilled"])
def test_pak_s_methods_are_undecoded(method, take):
    result = take(arc((b"one", b"x"), method=method))
    assert result.parts == {} and result.findings == [("undecoded:arc", "1")]


def test_a_wrong_checksum_costs_no_byte(take):
    result = take(arc((b"one", b"text"), crc=0))
    assert result.content() == [(b"one", b"text")] and result.findings == [("broken:arc", "1")]


def test_what_stands_behind_the_end_is_padding(take):
    assert take(arc((b"one", b"text")) + b"\x1a" * 100).findings == []


def test_what_stands_between_members_hides_none(take):
    result = take(arc((b"one", b"text"), ended=False) + b"junk\x1a\x1a" + arc((b"two", b"2")))
    assert result.content() == [(b"one", b"text"), (b"two", b"2")] and result.findings == [
        ("broken:arc", "1")
    ]


def test_without_the_end_it_is_broken(take):
    result = take(arc((b"one", b"text"), ended=False))
    assert result.content() == [(b"one", b"text")] and result.findings == [("broken:arc", "1")]
