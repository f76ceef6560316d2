"""What the fuzzers of autoit, pdf, onenote, sfx and sis share: samples changed at random, and the judgement of one.

`python tests/fuzz/mutants.py [SECONDS] [SEED]` runs them all in turn. What must hold for each input: nothing is
raised, the work takes PATIENCE seconds at most, every finding has a name that is known.
"""

import importlib
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[2]), str(HERE.parent), str(HERE.parents[1] / "decompose")]

from amavis_pipe.budget import Budget, Limits  # noqa: E402
from amavis_pipe.spool import Blob, Store  # noqa: E402
from amavis_pipe.walk import Decoder, Walk  # noqa: E402

LARGEST = 300_000
PATIENCE = 4.0
KNOWN = ("broken:", "encrypted:", "limit:", "undecoded:")
FORMATS = ("autoit", "onenote", "pdf", "sfx", "sis")


def changed(sample: bytes, others: Sequence[bytes], words: Sequence[bytes], source: random.Random) -> bytes:
    """The sample after some changes."""
    data = bytearray(sample)
    for _ in range(source.randint(1, 10)):
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


def judge(decoder: Decoder, data: bytes) -> None:
    """AssertionError if a container is not taken apart as it must be; what is in it stays closed."""
    walk = Walk(Budget.of(Limits(), len(data)), Store(b"/var/tmp"), lambda part: ())
    begun = time.process_time()
    walk.mail(Blob(data), decoder)
    took = time.process_time() - begun
    assert took < PATIENCE, f"took {took:.1f} s for {len(data)} bytes"
    unknown = [one.name for one in walk.findings if not one.name.startswith(KNOWN)]
    assert not unknown, unknown


def main() -> int:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    fuzzers = [importlib.import_module(name) for name in FORMATS]
    end, count = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        for fuzzer in fuzzers:
            state = f"{fuzzer.__name__} {seed}-{count}"
            try:
                fuzzer.fuzz(random.Random(state))
            except Exception as error:
                print(f"{state}: {error!r}", flush=True)
                raise
        count += 1
    print(f"{count:,} of each", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
