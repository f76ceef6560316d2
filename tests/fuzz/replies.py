"""Fuzzes the readers of scanners' replies: `python tests/fuzz/replies.py [SECONDS] [SEED]`.

What must hold for each input: nothing is raised, names are bounded and printable, and nothing is clean that is
not of the form that says so.
"""

import random
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[2]), str(HERE.parents[1])]

from scan.replies import COMMANDS, LINES  # noqa: E402

from amavis_pipe.config import rows  # noqa: E402
from amavis_pipe.model import Finding  # noqa: E402
from amavis_pipe.scan import drweb, icap, reply, sssp  # noqa: E402
from amavis_pipe.scan.yara import Yara  # noqa: E402
from amavis_pipe.session import read_reply  # noqa: E402
from amavis_pipe.settings import Row  # noqa: E402
from amavis_pipe.spool import Blob  # noqa: E402

KNOWN = rows.known()
SEEDS = [
    *(text.encode() for replies in COMMANDS.values() for _, text in replies),
    *(piece for pieces in LINES.values() for piece in pieces),
    b"VIRUS EICAR-AV-Test 1\nOK 0203 1\nDONE OK 0203 Virus found during virus scan",
    b"DONE OK 0000 The function call succeeded",
    b"ICAP/1.0 200 OK\nISTag: x\nX-Infection-Found: Type=0; Resolution=2; Threat=A.B;",
    b"ICAP/1.0 204 None\nX-Violations-Found: 1\n\ta\n\tName\n\t1\n\t2",
    b"fd[9]: OK",
    b"stream: Eicar FOUND",
    b"INSTREAM size limit exceeded. ERROR",
    b"0 virus one.rule\n1 note two\nend\n",
]


def changed(source: random.Random) -> bytes:
    """A reply after some changes."""
    data = bytearray(source.choice(SEEDS))
    for _ in range(source.randint(0, 6)):
        at = source.randrange(len(data) + 1)
        kind = source.randrange(5)
        if kind == 0 and data:
            data[at % len(data)] = source.randrange(256)
        elif kind == 1:
            del data[at : at + source.randint(1, 9)]
        elif kind == 2:
            other = source.choice(SEEDS)
            start = source.randrange(len(other) + 1)
            data[at:at] = other[start : start + source.randint(0, 40)]
        elif kind == 3:
            data[at:at] = bytes(data[at : at + 20]) * source.choice((1, 3, 400))
        else:
            data[at:at] = bytes([source.randrange(256)])
    return bytes(data)


def tame(findings: list[Finding]) -> None:
    for one in findings:
        assert one.name.isascii() and one.name.isprintable() and 0 < len(one.name) <= 1200, one.name


def fuzz(source: random.Random, judges: dict[str, reply.Judge]) -> None:
    data = changed(source)
    name = source.choice(list(judges))
    status = source.choice((-1, 0, 1, 2, 3, 13, 50, 199))
    hits = judges[name].read(status, data)
    if hits == []:
        clean = KNOWN[name]["clean"]
        assert isinstance(clean, str) or status in clean, (name, status, data)
    tame([judges[name].finding(hit.name, "1", name) for hit in hits or ()])
    lines = data.split(b"\n")
    found = sssp.read_answer(lines, "1", "s")
    assert found != [] or lines[-1].startswith(b"DONE OK 0000"), data
    tame(found or [])
    told = icap.read_head(lines)
    if told is not None:
        found = icap.judged(*told, False, "1", "s")
        assert found != [], data
        tame(found or [])
        assert icap.judged(*told, True, "1", "s") != [] or told[0] in (200, 204), data
    answer = read_reply("clamd", "1", data)
    assert answer != [] or (data.partition(b": ")[2] or data) == b"OK", data
    tame(answer or [])
    result = source.getrandbits(32) & source.getrandbits(32)
    assert drweb.judged(result, [], "1", "s") != [] or result & drweb.CLEAN


def fuzz_child(source: random.Random, scanner: Yara) -> None:
    from amavis_pipe.model import ScannerTrouble

    said = changed(source)
    try:
        answers = scanner._judged(said, [("1", Blob(b"")), ("2", Blob(b""))])
    except ScannerTrouble:
        return
    assert said.endswith(b"end\n"), said
    tame([one for several in answers.values() for one in several])


def main() -> int:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    judges = {name: reply.Judge(KNOWN[name]) for name in [*COMMANDS, *LINES]}
    scanner = Yara.__new__(Yara)
    scanner.row = Row(rows.filled({"name": "yara", "via": "yara", "rules": b"/r"}, []))
    end, count = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        source = random.Random(f"{seed}-{count}")
        try:
            fuzz(source, judges)
            fuzz_child(source, scanner)
        except Exception as error:
            print(f"{seed}-{count}: {error!r}", flush=True)
            raise
        count += 1
    print(f"{count:,} replies", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
