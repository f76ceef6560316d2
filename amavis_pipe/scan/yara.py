"""YARA rules, by the module yara-x, in a process of ours that is locked in.

Rules come from the site and are compiled when they have changed (yara_rules.py). What they look at comes from
outside, and yara-x takes programs apart to see more of them: so a child looks, locked in as decoders are
(jail/child.py). What it says is a number and a rule's name for each hit, between a first and a last line; a
child that fails, or says anything else, has cleared nothing.
"""

import posix
import select
from _signal import SIGKILL
from time import monotonic

from amavis_pipe.model import Finding, SandboxTrouble, ScannerTrouble, Stamp
from amavis_pipe.scan.base import FOREVER, Answers, Base, Items
from amavis_pipe.scan.yara_rules import Rules
from amavis_pipe.settings import Row, Settings
from amavis_pipe.text import ascii_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from amavis_pipe.spool import Blob

GRADES = ("virus", "suspect", "note")
HITS = 20
"""Rules that are told of for one item, those of the worst grade first."""
NAME = 200
"""Bytes of a rule's name; the rest of a longer one is not told."""
LINE = NAME + 20
_NAME = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.")
_JAILED, _HALF_JAILED, _FAILED, _END = b"jailed", b"half jailed", b"failed ", b"end"


class Yara(Base):
    """A row with `rules`, a file or a folder."""

    def __init__(self, row: Row, settings: Settings) -> None:
        super().__init__(row, settings)
        self._mode = settings.sandbox
        self._memory = settings.limits.memory
        self._rules = Rules(row.name, row.more["rules"], settings.state)

    def stamp(self, until: float = FOREVER) -> Stamp:
        """From the files of rules and the module; empty if they can't be seen."""
        try:
            return Stamp(repr((self.row.largest, self._memory, self._rules.key())).encode(), True)
        except ScannerTrouble:
            return Stamp(b"", False)

    def ask(self, items: Items, until: float) -> Answers:
        """Each item's findings, a rule that matches being a virus unless it says otherwise.

        One that takes more than half of the memory that the child may have is *unchecked*.
        """
        rules = self._rules.compiled()
        self.version = f"yara-x {self._rules.release}, {self._rules.count} rules"
        small = [(path, blob) for path, blob in items if blob.size <= self._memory // 2]
        answers = {
            path: [Finding("unchecked", "limit:" + self.row.name, path, self.row.name)]
            for path, blob in items
            if blob.size > self._memory // 2
        }
        end = min(until, monotonic() + self.row.timeout)
        return answers | self._judged(self._said(small, rules, end), small)

    def _said(self, items: Items, rules: bytes, end: float) -> bytes:
        """All that a child says of the items; ScannerTrouble."""
        try:
            reading, writing = posix.pipe2(posix.O_CLOEXEC)
        except OSError as error:
            raise self.trouble(f"pipe: {error.strerror}") from None
        try:
            parent, pid = posix.getpid(), posix.fork()
        except OSError as error:
            posix.close(reading)
            posix.close(writing)
            raise self.trouble(f"fork: {error.strerror}") from None
        if not pid:
            try:
                self._look(items, rules, writing, parent)
            finally:
                posix._exit(1)
        posix.close(writing)
        try:
            return self._listen(reading, end, LINE * (HITS * len(items) + 5))
        finally:
            posix.close(reading)
            posix.kill(pid, SIGKILL)
            posix.waitpid(pid, 0)

    def _look(self, items: Items, rules: bytes, pipe: int, parent: int) -> None:
        """In the child: all it finds, told over the pipe."""
        from amavis_pipe.jail import child

        child.begin_anew()
        blobs: list[Blob | None] = [blob for _, blob in items]
        (pipe,) = child.keep_only([pipe], blobs)
        try:
            if posix.geteuid() == 0:
                child.become_nobody()
            child.die_with(parent)
            scanner = self._scanner(rules)
            mapped, data = child.used()
            child.limit(self._memory + data, self.row.timeout + 1, 0)
            child.limit_mapped(mapped + self._memory + max([blob.size for _, blob in items], default=0))
            child.keep_privileges_away()
            if len(posix.listdir("/proc/self/task")) > 1:
                raise SandboxTrouble("a thread of the library would stay outside")
            stands = child.lock(self._mode)
        except (SandboxTrouble, ScannerTrouble, OSError) as error:
            posix.write(pipe, _FAILED + str(error).encode("ascii", "replace")[: NAME // 2] + b"\n")
            return
        posix.write(pipe, (_JAILED if stands.landlock and stands.seccomp else _HALF_JAILED) + b"\n")
        for number, (_, blob) in enumerate(items):
            hits = [(_grade(rule), _named(rule)) for rule in scanner.scan(bytes(blob.view())).matching_rules]
            for grade, name in sorted(hits, key=lambda hit: GRADES.index(hit[0]))[:HITS]:
                posix.write(pipe, f"{number} {grade} {name}\n".encode())
        posix.write(pipe, _END + b"\n")

    def _scanner(self, rules: bytes) -> "Any":
        import io

        yara_x = self._rules.module()
        scanner = yara_x.Scanner(yara_x.Rules.deserialize_from(io.BytesIO(rules)))
        scanner.console_log(lambda _: None)
        return scanner

    def _listen(self, reading: int, end: float, most: int) -> bytes:
        """What the child says, `most` bytes."""
        events, said = select.poll(), b""
        events.register(reading, select.POLLIN)
        while True:
            left = end - monotonic()
            if left <= 0 or not events.poll(left * 1000):
                raise self.slow()
            piece = posix.read(reading, 1 << 16)
            if not piece:
                return said
            said += piece
            if len(said) > most:
                raise self.trouble("the process that looks at the parts finds no end of matches")

    def _judged(self, said: bytes, items: Items) -> Answers:
        first, *lines = said.split(b"\n")
        if first.startswith(_FAILED):
            raise self.trouble("the process that looks at the parts " + ascii_of(first, NAME))
        if first not in (_JAILED, _HALF_JAILED) or lines[-2:] != [_END, b""]:
            raise self.trouble("the process that looks at the parts died" + _shown(said))
        if first == _HALF_JAILED:
            from amavis_pipe import journal

            journal.log(journal.WARNING, f"{self.row.name}: sandbox incomplete, and sandbox = prefer")
        answers: Answers = {path: [] for path, _ in items}
        for line in lines[:-2]:
            number, _, hit = line.partition(b" ")
            grade, _, name = hit.decode("ascii", "replace").partition(" ")
            known = number.isdigit() and len(number) < 8 and int(number) < len(items) and grade in GRADES
            if not known or not 0 < len(name) <= NAME or not _NAME.issuperset(name.encode()):
                raise self.trouble("the process that looks at the parts says nonsense" + _shown(line))
            path = items[int(number)][0]
            answers[path].append(Finding(grade, "YARA." + name, path, self.row.name))
        return answers


def _grade(rule: "Any") -> str:
    """What a match of the rule means: as a tag or its meta data say, else a virus."""
    told = {*map(str, rule.tags), *(str(value) for name, value in rule.metadata if name == "grade")}
    return next((grade for grade in GRADES if grade in told), "virus")


def _named(rule: "Any") -> str:
    name = rule.identifier if rule.namespace == "default" else f"{rule.namespace}.{rule.identifier}"
    return str(name)[:NAME]


def _shown(said: bytes) -> str:
    return ": " + ascii_of(said[-200:], 200) if said else ""
