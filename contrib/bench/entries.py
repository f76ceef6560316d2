#!/usr/bin/env python3
"""What a new mail leaves in the cache and in the journal: entries and bytes, by corpus.

    python3 contrib/bench/entries.py [MAILS]

Mails go through a private Postfix and this checkout with clamd, as side.py has them; the cache is
empty at first.
"""

import os
import sys
from itertools import islice
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

import corpus  # noqa: E402
import results  # noqa: E402
import servers  # noqa: E402
import side  # noqa: E402

from amavis_pipe.cache import BUCKET  # noqa: E402
from amavis_pipe.generation import contents  # noqa: E402

OURS = "amavis-pipe, smtp"


def left(state: Path) -> tuple[int, int, int]:
    """Entries in the current generation, their bytes without the index, and bytes of the journal."""
    fd = os.open(state / "cache/current", os.O_RDONLY)
    try:
        size, buckets = os.fstat(fd).st_size, int.from_bytes(os.pread(fd, 4, 20), "big")
        entries = contents(fd)[1]
    finally:
        os.close(fd)
    journal = sum(path.stat().st_size for path in (state / "journal").iterdir())
    return entries, size - BUCKET * (1 + buckets), journal


def main(mails: int) -> None:
    """Measure, print, keep."""
    rows = []
    with servers.servers([OURS]) as there:
        (state,) = there.states
        before = 0
        for kind in corpus.CORPORA:
            there.forget()
            side.pushed(there, OURS, list(islice(corpus.mails(kind, salt="entries"), mails)))
            entries, size, journal = left(state)
            rows.append([kind, entries / mails, size / mails, (journal - before) / mails])
            before = journal
    lines = [[kind, f"{n:.1f}", f"{size:,.0f}", f"{journal:,.0f}"] for kind, n, size, journal in rows]
    text = results.table(["corpus", "entries", "bytes", "journal, bytes"], lines)
    note = f"For each of {mails} mails, the cache empty before the first."
    results.write("entries", "contrib/bench/entries.py", [note, text], {"rows": rows})


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 40)
