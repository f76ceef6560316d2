"""A program as a scanner: it is shown a folder of parts, and judged by its exit status and what it prints.

No shell; standard input is empty; its output is bounded, and so is its time: at the end it and all it started
are killed. It runs with the rights of the filter, as its vendor means it to.
"""

from time import monotonic

from amavis_pipe.scan.base import Answers, Base, Items, found
from amavis_pipe.scan.files import Folder
from amavis_pipe.scan.reply import Judge
from amavis_pipe.scan.run import Flood, Slow, installed, run
from amavis_pipe.settings import Row, Settings
from amavis_pipe.text import ascii_of, readable

SHOWN = 200
RUNS = 5
"""Runs for one mail at most: after a mere suspicion the other parts are shown to it again."""
_VERSION_SECONDS = 10.0


class Command(Base):
    """A row with `run`."""

    def __init__(self, row: Row, settings: Settings) -> None:
        super().__init__(row, settings)
        self._path = settings.path
        self._judge = Judge(row.more)
        self._thorough = bool(settings.allow)  # what was found may be excused: then the rest counts

    def engine(self) -> list[bytes] | None:
        """The program's file."""
        program = self.program()
        return [program] if program else None

    def program(self) -> bytes:
        """The program's path; b"" if it is not installed."""
        return installed(self.row.more.get("programs", ()), self._path)

    def ask(self, items: Items, until: float) -> Answers:
        """Each part's findings; under "" those of which it does not say where they are."""
        if not items:
            self.version = self._version()
            return {}
        answers: Answers = {}
        for _ in range(RUNS):
            said = self._once(items, until)
            answers |= said
            items = [item for item in items if item[0] not in said]
            virus = any(found.grade == "virus" for several in said.values() for found in several)
            if not items or "" in said or (virus and not self._thorough):
                return answers
        if self._thorough:
            return answers
        raise self.trouble(f"suspects something in each of {RUNS} runs")

    def _once(self, items: Items, until: float) -> Answers:
        """What one run says, which need not be of every item if it is not clean."""
        with Folder(self.row, self.work, items) as folder:
            line = self._line(folder)
            status, output = self._run(line, folder.own, min(until, monotonic() + self.row.timeout))
        hits = self._judge.read(status, output)
        if hits is None or (status < 0 and not hits):
            how = f"exit status {status}" if status >= 0 else "ended by a signal"
            raise self.trouble(f"{how}, {_shown(output)}")
        if not hits:
            return {path: [] for path in folder.names.values()}
        answers: Answers = {}
        for hit in hits:
            if hit.file in folder.names:
                path = folder.names[hit.file]
                finding = self._judge.finding(hit.name, path, self.row.name)
            else:  # of what else it has cleared we know nothing then
                path, finding = "", found(hit.name, "", self.row.name)
            answers.setdefault(path, []).append(finding)
        return answers

    def _line(self, folder: Folder) -> list[bytes]:
        line = [self._installed()]
        for word in self.row.more["run"][1:]:
            if word == "{files}":
                line += folder.files()
            else:
                filled = word.encode().replace(b"{dir}", folder.parts)
                line.append(filled.replace(b"{tmp}", folder.own))
        return line

    def _version(self) -> str:
        """What it prints of itself, the first line; "" if the row doesn't say how to ask, or it fails."""
        line = [self._installed()]
        if not self.row.more.get("version"):
            return ""
        line += [word.encode() for word in self.row.more["version"]]
        status, output = self._run(line, b"/", monotonic() + _VERSION_SECONDS)
        return "" if status else ascii_of(output.lstrip().partition(b"\n")[0].rstrip(), SHOWN)

    def _installed(self) -> bytes:
        program = self.program()
        if not program:
            raise self.trouble(f"{' or '.join(self.row.more['programs'])}: not found in {self._path}")
        return program

    def _run(self, line: list[bytes], folder: bytes, end: float) -> tuple[int, bytes]:
        """Exit status, -1 for death by a signal, and output; ScannerTrouble if there is no end to either."""
        environment = {"PATH": self._path.encode(), "LC_ALL": b"C", "HOME": folder, "TMPDIR": folder}
        try:
            return run(line, environment, end)
        except Slow:
            raise self.slow() from None
        except Flood as flood:
            raise self.trouble(f"output without end: {_shown(flood.output)}") from None
        except OSError as error:
            raise self.trouble(f"{readable(line[0])}: {error.strerror}") from None


def _shown(output: bytes) -> str:
    return "no output" if not output.strip() else ascii_of(output.strip()[-SHOWN:], SHOWN)
