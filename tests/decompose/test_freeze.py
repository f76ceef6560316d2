"""freeze: real samples of both versions, names, and streams that lie."""

import hashlib
import random
from pathlib import Path

import pytest
from built.freeze import freeze

SAMPLES = Path(__file__).with_name("samples") / "freeze"
SUMS = [line.split()[:3] for line in (SAMPLES / "sha256.txt").read_text().splitlines()]
TEXT = b"the quick brown fox jumps over the lazy dog; " * 3


@pytest.mark.parametrize(("digest", "size", "name"), SUMS, ids=[name for _, _, name in SUMS])
def test_the_samples_come_out(digest, size, name, take):
    """big_*: so many symbols that the tree is built anew."""
    result = take((SAMPLES / name).read_bytes(), name.encode())
    part = result.parts["1.1"]
    assert (part.sha256, part.size, part.names) == (digest, int(size), (name[:-2].encode(),))
    assert result.findings == []


@pytest.mark.parametrize("old", [True, False], ids=["1", "2"])
@pytest.mark.parametrize(
    "data", [b"", b"a", TEXT, bytes(range(256)) * 300], ids=["none", "one", "text", "much"]
)
def test_both_versions_come_out(old, data, take):
    assert take(freeze(data, old)).content() == [(b"", data)]


def test_the_tree_may_be_built_anew_several_times(take):
    data = random.Random(5).randbytes(120_000)
    result = take(freeze(data))
    assert result.parts["1.1"].sha256 == hashlib.sha256(data).hexdigest() and result.findings == []


def test_without_the_mark_of_the_end_it_is_broken(take):
    result = take(freeze(TEXT, ended=False))
    assert result.content()[0][1][: len(TEXT)] == TEXT and result.findings == [("broken:freeze", "1")]


def test_what_stands_behind_the_end_is_padding(take):
    result = take(freeze(TEXT) + b"behind")
    assert result.content() == [(b"", TEXT)] and result.findings == []


@pytest.mark.parametrize("table", [b"\0\x80\0", b"\0\0\x40", b"\xff\x7f\x3f", b"\0\0\0", b"\1"],
                         ids=["reserved bit", "reserved bits", "too many", "too few", "short"])  # fmt: skip
def test_a_table_that_is_none_is_broken(table, take):
    result = take(b"\x1f\x9f" + table + freeze(TEXT)[5:] * (len(table) > 1))
    assert result.content() == [] and result.findings == [("broken:freeze", "1")]
