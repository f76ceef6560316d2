#!/usr/bin/env python3
"""Curves: what grows with what, and what does not. Tables and charts go to contrib/bench/results.

    python3 contrib/bench/scale.py [WHAT…]

cache    10,000 to a million entries: lookups, puts, a prune, the place on disk
journal  as many records: appending, folding, finding (some ten minutes, 2 GB below /var/tmp)
crowd    1 to 32 processes at one cache and one journal
filters  1 to 32 filters at once
sizes    mails of 1 KB to 100 MB: CPU and memory
parts    1 to 1,490 parts

All of them unless told otherwise. CPU time and instructions, since a machine is seldom quiet; what is
compared was measured in turn, in one run.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import scale_mails
import scale_stores

CURVES = {
    "cache": scale_stores.cache,
    "crowd": scale_stores.crowd,
    "filters": scale_mails.filters,
    "sizes": scale_mails.sizes,
    "parts": scale_mails.parts,
    "journal": scale_stores.journal,
}


def main(words: list[str]) -> None:
    """Measure what was asked for."""
    unknown = [word for word in words if word not in CURVES]
    if unknown:
        raise SystemExit(f"{unknown[0]}: wants some of {', '.join(CURVES)}")
    for word in words or CURVES:
        CURVES[word]()


if __name__ == "__main__":
    main(sys.argv[1:])
