"""YARA rules, by the module yara-x, in a process of ours that is locked in.

Rules come from the site and are compiled when they have changed; the result is kept below the state folder.
What they look at comes from outside, and yara-x takes programs apart to see more of them: so a child looks,
locked in as decoders are (jail/child.py). What it says is a number and a rule's name for each hit, and a last
line; a child that fails, or says anything else, has cleared nothing.
"""

import posix
import select
import sys
from _blake2 import blake2b
from _signal import SIGKILL
from _stat import S_ISDIR
from time import monotonic

from amavis_pipe.model import Finding, SandboxTrouble, Stamp
from amavis_pipe.scan.base import FOREVER, Answers, Base, Items
from amavis_pipe.settings import Row, Settings, identity, keep, trusted
from amavis_pipe.text import ascii_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LARGEST = 1 << 28
"""Bytes of compiled rules."""
RULES = 5000
"""Files of rules."""
SAID = 1 << 20
"""Bytes that the child may say."""
GRADES = ("virus", "suspect", "note")
_ENDINGS = (".yar", ".yara")
_NAME = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.")
_END = b"end"
_INFO = ("yara_x-", ".dist-info")


class Yara(Base):
    """A row with `rules`, a file or a folder."""

    def __init__(self, row: Row, settings: Settings) -> None:
        super().__init__(row, settings)
        self._state = settings.state
        self._mode = settings.sandbox
        self._memory = settings.limits.memory
        self._rules = row.more["rules"].decode()
        self._folder, self._release = _module()

    def stamp(self, until: float = FOREVER) -> Stamp:
        """From the files of rules and the module."""
        files = self._files()
        if not files:
            return Stamp(b"", False)
        return Stamp(repr((self.row.largest, self._key(files))).encode(), True)

    def ask(self, items: Items, until: float) -> Answers:
        """Each item's findings, a rule that matches being a virus unless it says otherwise."""
        rules = self._compiled()
        if not items:
            return {}
        end = min(until, monotonic() + self.row.timeout)
        reading, writing = posix.pipe2(posix.O_CLOEXEC)
        parent, pid = posix.getpid(), posix.fork()
        if not pid:
            try:
                self._look(items, rules, writing, parent)
            finally:
                posix._exit(1)
        posix.close(writing)
        try:
            said = self._listen(reading, end)
        finally:
            posix.close(reading)
            posix.kill(pid, SIGKILL)
            posix.waitpid(pid, 0)
        return self._judged(said, items)

    def _look(self, items: Items, rules: bytes, pipe: int, parent: int) -> None:
        """In the child: all it finds, told over the pipe."""
        import io

        from amavis_pipe.jail import child

        child.begin_anew()
        blobs = [blob for _, blob in items]
        (pipe,) = child.keep_only([pipe], list(blobs))
        try:
            if posix.geteuid() == 0:
                child.become_nobody()
            child.die_with(parent)
            child.limit(self._memory + len(rules), self.row.timeout + 1, 0)
            child.keep_privileges_away()
            yara_x = _imported(self._folder)
            scanner = yara_x.Scanner(yara_x.Rules.deserialize_from(io.BytesIO(rules)))
            scanner.console_log(lambda _: None)
            child.lock(self._mode)
        except (SandboxTrouble, OSError) as error:
            posix.write(pipe, b"failed " + str(error).encode("ascii", "replace")[:500] + b"\n")
            return
        for number, blob in enumerate(blobs):
            for rule in scanner.scan(bytes(blob.view())).matching_rules:
                name = (
                    rule.identifier if rule.namespace == "default" else f"{rule.namespace}.{rule.identifier}"
                )
                posix.write(pipe, f"{number} {_grade(rule)} {name}\n".encode())
        posix.write(pipe, _END + b"\n")

    def _listen(self, reading: int, end: float) -> bytes:
        """All that the child says."""
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
            if len(said) > SAID:
                raise self.trouble("finds no end of matches")

    def _judged(self, said: bytes, items: Items) -> Answers:
        *lines, last, rest = [b"", *said.split(b"\n")]
        if last != _END or rest:
            raise self.trouble("the process that looks at the parts died" + _shown(said))
        answers: Answers = {path: [] for path, _ in items}
        for line in lines[1:]:
            number, _, hit = line.partition(b" ")
            grade, _, name = hit.decode("ascii", "replace").partition(" ")
            known = number.isdigit() and len(number) < 8 and int(number) < len(items) and grade in GRADES
            if not known or not 0 < len(name) <= 200 or not _NAME.issuperset(name.encode()):
                raise self.trouble("the process that looks at the parts says nonsense" + _shown(line))
            path = items[int(number)][0]
            answers[path].append(Finding(grade, "YARA." + name, path, self.row.name))
        return answers

    def _files(self) -> list[str]:
        """The files of rules, in order."""
        return sorted(_rules(self._rules, 8, top=True))[:RULES]

    def _key(self, files: list[str]) -> bytes:
        return repr(
            (self._folder, self._release, [(path, identity(path.encode())) for path in files])
        ).encode()

    def _compiled(self) -> bytes:
        """The rules as yara-x keeps them, from the state folder or compiled anew."""
        files = self._files()
        if not files:
            raise self.trouble(f"no rules: {self._rules}")
        if not self._folder:
            raise self.trouble("wants the module yara-x: pip install 'amavis-pipe[yara]'")
        self.version = f"yara-x {self._release}, {len(files)} files of rules"
        key = blake2b(self._key(files), digest_size=32).digest()
        place = self._state + b"/rules-" + blake2b(self.row.name.encode(), digest_size=8).hexdigest().encode()
        known = trusted(place, LARGEST)
        if known is not None and known[:32] == key and known[32:64] == _digest(known[64:]):
            return known[64:]
        rules = self._built(files)
        keep(place, key + _digest(rules) + rules)
        return rules

    def _built(self, files: list[str]) -> bytes:
        import io

        yara_x = _imported(self._folder)
        compiler = yara_x.Compiler()
        compiler.enable_includes(False)  # what they bring in would not be among the files that are watched
        for path in files:
            try:
                with open(path, encoding="utf-8") as file:
                    compiler.add_source(file.read(), origin=path)
            except (OSError, UnicodeDecodeError, yara_x.CompileError) as error:
                text = " ".join(str(error).split())
                raise self.trouble(f"{path}: {ascii_of(text.encode(), 300)}") from None
        packed = io.BytesIO()
        compiler.build().serialize_into(packed)
        return packed.getvalue()


def _module() -> tuple[str, str]:
    """The folder in which the module is, and its version; "" if it is not there.

    Asked of the folders themselves: importlib.metadata costs more than a scan.
    """
    from amavis_pipe.jail.programs import site_folders

    for folder in site_folders():
        if identity(f"{folder}/yara_x/__init__.py".encode()):
            start, end = _INFO
            infos = [name for name in posix.listdir(folder) if name.startswith(start) and name.endswith(end)]
            return folder, max(infos, default="").removeprefix(start).removesuffix(end)
    return "", ""


def _rules(path: str, depth: int, top: bool = False) -> list[str]:
    """The file at a path, or the files of rules in a folder there."""
    try:
        if S_ISDIR(posix.stat(path).st_mode):
            names = posix.listdir(path) if depth else []
            return [file for name in names for file in _rules(f"{path}/{name}", depth - 1)]
    except OSError:
        return []
    return [path] if top or path.endswith(_ENDINGS) else []


def _imported(folder: str) -> "Any":
    """The module yara_x; the filter's interpreter does not look where modules are installed."""
    if folder not in sys.path:
        sys.path.append(folder)
    return __import__("yara_x")


def _digest(data: bytes) -> bytes:
    return blake2b(data, digest_size=32).digest()


def _grade(rule: "Any") -> str:
    """What a match of the rule means: as a tag or its meta data say, else a virus."""
    told = {*map(str, rule.tags), *(str(value) for name, value in rule.metadata if name == "grade")}
    return next((grade for grade in GRADES if grade in told), "virus")


def _shown(said: bytes) -> str:
    return ": " + ascii_of(said[-200:], 200) if said else ""
