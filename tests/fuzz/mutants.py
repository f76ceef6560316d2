"""What fuzzers share: samples changed at random, and the judgement of a decoder.

What must hold for each container: nothing is raised, the work takes PATIENCE seconds at most, every finding has
a name that is known, what comes out is within the budget.
"""

import random
import time
from collections.abc import Sequence
from typing import Any

from amavis_pipe.budget import Budget, Limits
from amavis_pipe.spool import Blob, Store
from amavis_pipe.walk import Decoder, Walk

LARGEST = 300_000
PATIENCE = 4.0
KNOWN = ("broken:", "encrypted:", "limit:", "undecoded:")
ODD: list[Any] = [
    None, True, False, 0, -1, 1.5, -0.0, 1e308, 1 << 31, 1 << 63, 10**400, "", "a", "\0", "\ud800", "\udcff", "a\nb",
    "\x1b[2J", "\u202e", "[bold]", "{0}%s", "é" * 2000, "a" * 5000, "2026-11-25T07:00:00Z", "0000-00-00T00:00:00Z",
    [], {}, [[]], [None], [{}], {"": {}}, ["a", 1], {"a": "b"},
]  # fmt: skip
"""Values that nobody expects."""


def changed(
    sample: bytes, others: Sequence[bytes], words: Sequence[bytes], source: random.Random, most: int = 10
) -> bytes:
    """The sample after some changes, at most so many."""
    data = bytearray(sample)
    for _ in range(source.randint(1, most)):
        at = source.randrange(len(data) + 1)
        kind = source.randrange(7)
        if kind == 0 and data:
            data[at % len(data)] = source.randrange(256)
        elif kind == 1:
            data[at:at] = source.choice(words)
        elif kind == 2:
            del data[at : at + source.choice((1, 4, 30, 500))]
        elif kind == 3:
            other = source.choice(others)
            start = source.randrange(len(other) + 1)
            data[at:at] = other[start : start + source.randint(1, 2000)]
        elif kind == 4:
            data[at:at] = bytes(data[at : at + source.randint(1, 300)]) * source.choice((1, 2, 500))
        elif kind == 5:
            size = source.choice((1, 2, 4, 8))
            value = source.choice((0, 1, 2, 255, 1 << 15, (1 << 8 * size) - 1, source.randrange(1 << 20)))
            data[at : at + size] = (value % (1 << 8 * size)).to_bytes(size, "little")
        else:
            word = source.choice(words)
            data = bytearray(bytes(data).replace(word, source.choice(words), 3))
    return bytes(data[:LARGEST])


def bent(value: Any, source: random.Random, odds: int = 12) -> Any:
    """A value of lists, mappings and plain values with some of them replaced by ODD ones, left out or doubled."""
    if source.randrange(odds) == 0:
        return source.choice(ODD)
    if isinstance(value, dict):
        return {
            (str(source.choice(ODD)) if source.randrange(40) == 0 else key): bent(one, source, odds)
            for key, one in value.items()
            if source.randrange(30)
        }
    if isinstance(value, list):
        return [bent(one, source, odds) for one in value for _ in range(source.choice((1, 1, 1, 1, 0, 2)))]
    return value


def judge(decoder: Decoder, data: bytes) -> None:
    """AssertionError if a container is not taken apart as it must be; what is in it stays closed."""
    budget = Budget.of(Limits(), len(data))
    walk = Walk(budget, Store(b"/var/tmp"), lambda part: ())
    begun = time.process_time()
    walk.mail(Blob(data), decoder)
    took = time.process_time() - begun
    assert took < PATIENCE, f"took {took:.1f} s for {len(data)} bytes"
    unknown = [one.name for one in walk.findings if not one.name.startswith(KNOWN)]
    assert not unknown, unknown
    assert budget.used <= budget.quota + (1 << 20), f"{budget.used} bytes of {budget.quota}"
