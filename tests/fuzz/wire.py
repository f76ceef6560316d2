"""Fuzzes what the filter believes of its sandboxed child: one that is taken over writes what it likes.

What must hold: nothing but the machine's troubles is raised; every part hangs on one that was given or told
before, its bytes lie in the arena after all others, all are within the budget; every name told is printable;
a child that didn't say that all is done, or said what it may not, leaves a finding that the mail is
*unchecked*; no given part stays without a look or a word.
"""

import os
import random
from functools import cache

from amavis_pipe.budget import Budget
from amavis_pipe.jail import sandbox, wire
from amavis_pipe.jail.verify import Account
from amavis_pipe.model import Part, SandboxTrouble, SpoolTrouble
from amavis_pipe.spool import PAGE, unnamed
from fuzz.mutants import changed

ROOM = 16 * PAGE
FILES, DEPTH = 20, 5
HONEST = b"""jailed 7 1
open 1 zip
part 1.1 text/plain 5 0 zip - - 61
part 1.2 application/zip 4097 4096 zip 746578742f706c61696e partial,encrypted 61,6262
open 1.2 sevenzip
run seven.list 1.2 -
stop
part 1.2.1 multipart/mixed 0 - zip - structure -
part 1.2.1.1 image/png 9 12288 mime - - 6e616d652e706e67
found broken:zip 1.2
open 2 rar
found encrypted:rar 2
found limit:files 2
end
"""
PLAIN = b"jailed 7 1\nopen 1 zip\npart 1.1 text/plain 5 0 zip - - 61\nopen 2 rar\nend\n"
"""In which nothing is found."""
SAMPLES = [
    PLAIN,
    HONEST,
    b"failed spool 6e6f20726f6f6d\n",
    b"jailed 7 1\nfailed sandbox 6e6f\n",
    b"jailed 0 0\nopen 1 zip\nend\n",
]
WORDS = [
    *HONEST.split(b"\n"), *HONEST.split(), b"\n", b" ", b"-", b",", b"\0", b"\xff", b"0", b"-1", b"4096", b"99999999999999",
    b"1.1.1.1.1.1", b"999999999", b"\r\n", b"structure", b"crash:zip", b"clean", b"\n\n", b"end\n", b"jailed 7 1\n",
]  # fmt: skip


@cache
def arena() -> int:
    """A file of ROOM bytes."""
    fd = unnamed(b"/var/tmp")
    os.truncate(fd, ROOM)
    return fd


def fuzz(source: random.Random) -> None:
    """Have one account read and settled."""
    said = (
        changed(source.choice(SAMPLES), SAMPLES, WORDS, source, 4)
        if source.randrange(8)
        else source.randbytes(300)
    )
    given = [Part("1", size=9, kind="application/zip"), Part("2", size=9, kind="application/x-rar")]
    budget = Budget(source.choice((ROOM, 5000, 0)), FILES, DEPTH, 0.0)
    before = budget.quota
    account = Account(given, budget, arena(), lambda: ROOM)
    at = 0
    while at < len(said) and account.sound:
        step = source.choice((1, 7, 100, 5000))
        account.read(said[at : at + step])
        at += step
        if source.randrange(4) == 0 and account.wanted is not None:
            account.take_wanted()
    try:
        sandbox._settle(account, given, budget, "")
    except (SandboxTrouble, SpoolTrouble):
        return
    assert budget.used <= before and budget.files >= 0, (budget.used, budget.files)
    _check_parts(account.parts)
    _check_findings(account, given)


def _check_parts(parts: list[Part]) -> None:
    known, end = {"1", "2"}, 0
    for part in parts:
        assert part.path.rpartition(".")[0] in known and part.path not in known, part.path
        assert part.path.count(".") < DEPTH and 0 <= part.size <= ROOM
        known.add(part.path)
        for word in (part.kind, part.decoder, *part.flags):
            assert word.isascii() and word.isprintable() and len(word) < 200, word
        assert len(part.names) <= wire.MOST and sum(map(len, part.names)) <= wire.LINE
        if part.blob is not None:
            assert part.blob.offset >= end and part.blob.offset + part.size <= ROOM
            end = part.blob.offset + part.size
            assert part.sha256 == part.blob.sha256()
    assert len(parts) <= FILES


def _check_findings(account: Account, given: list[Part]) -> None:
    for one in account.findings:
        assert one.name.isascii() and one.name.isprintable() and len(one.name) < 100, one.name
        assert one.grade == wire._GRADES[one.name.partition(":")[0]], one.grade
    is_whole = account.sound and account.complete
    broke_off = any(one.name.startswith(("crash:", "limit:")) for one in account.findings)
    assert is_whole or broke_off, "a child that broke off, and nothing tells of it"
    told = {one.part for one in account.findings} | account.opened
    assert all(part.path in told for part in given), "a part that nobody looked at"
