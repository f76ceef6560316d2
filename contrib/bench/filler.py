"""Signatures that nothing meets, so that a scan costs what it does with a site's database."""

import random

HASHES = 4
"""Hashes of whole files to one pattern of bytes, as databases are."""


def signatures(number: int, seed: int = 7) -> dict[str, str]:
    """So many patterns of 24 bytes, and `HASHES` times as many hashes: lines of clamd's, by file."""
    chance = random.Random(seed)  # noqa: S311 - the same each time
    patterns = [f"Filler.P{turn}:0:*:{chance.randbytes(24).hex()}" for turn in range(number)]
    hashes = [
        f"{chance.randbytes(16).hex()}:{chance.randint(500, 900_000)}:Filler.H{turn}"
        for turn in range(HASHES * number)
    ]
    return {"filler.ndb": "\n".join(patterns), "filler.hdb": "\n".join(hashes)}
