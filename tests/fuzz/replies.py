"""Fuzzes the readers of scanners' replies.

What must hold for each input: nothing is raised, names are bounded and printable, and nothing is clean that is
not of the form that says so.
"""

import random

from scan.replies import COMMANDS, LINES

from amavis_pipe.config import rows
from amavis_pipe.model import Finding, ScannerTrouble
from amavis_pipe.scan import drweb, icap, reply, sssp
from amavis_pipe.scan.yara import Yara
from amavis_pipe.session import read_reply
from amavis_pipe.settings import Row
from amavis_pipe.spool import Blob
from fuzz.mutants import changed

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
WORDS = [
    b"OK",
    b"FOUND",
    b": ",
    b"\n",
    b"\r\n",
    b"\0",
    b" ",
    b"DONE OK 0000",
    b"VIRUS ",
    b"end\n",
    b"200",
    b"\xff",
    b"\x1b[1m",
]
JUDGES = {name: reply.Judge(KNOWN[name]) for name in [*COMMANDS, *LINES]}
SCANNER = Yara.__new__(Yara)
SCANNER.row = Row(rows.filled({"name": "yara", "via": "yara", "rules": b"/r"}, []))


def tame(findings: list[Finding]) -> None:
    for one in findings:
        assert one.name.isascii() and one.name.isprintable() and 0 < len(one.name) <= 1200, one.name


def fuzz(source: random.Random) -> None:
    """Have one reply read by all that read replies."""
    _judge(source, changed(source.choice(SEEDS), SEEDS, WORDS, source, 6))
    _judge_child(changed(source.choice(SEEDS), SEEDS, WORDS, source, 6))


def _judge(source: random.Random, data: bytes) -> None:
    judges = JUDGES
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


def _judge_child(said: bytes) -> None:
    try:
        answers = SCANNER._judged(said, [("1", Blob(b"")), ("2", Blob(b""))])
    except ScannerTrouble:
        return
    assert said.endswith(b"end\n"), said
    tame([one for several in answers.values() for one in several])
