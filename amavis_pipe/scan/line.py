"""Daemons that are told a file's name and answer by lines, as a row's `ask` and patterns describe them.

One question for each part. Lines that mean neither clean nor infected are passed over, up to the row's time
and a bound: a daemon that says only such is a failure. Where the row says how an answer ends, all of it is
judged together; else its first line that means something, and nothing may be said beyond it.
"""

from amavis_pipe.cache import Cache
from amavis_pipe.scan.base import Answers, Items
from amavis_pipe.scan.channel import Channel, Daemon
from amavis_pipe.scan.files import Folder
from amavis_pipe.scan.reply import FILE, Hit, Judge
from amavis_pipe.settings import Row, Settings

LINES = 100
"""Lines of one answer at most."""


class Line(Daemon):
    """A row with `ask`."""

    def __init__(self, row: Row, settings: Settings, cache: Cache | None) -> None:
        super().__init__(row, settings, cache)
        self._judge = Judge(row.more)
        self._end = Judge({"clean": row.more["end"]}) if row.more.get("end") else None
        self._greeting = Judge({"clean": row.more["greeting"]}) if row.more.get("greeting") else None

    def talk(self, channel: Channel, items: Items) -> Answers:
        """Ask for each file; the first line that says something of it is the answer."""
        self._greet(channel)
        with Folder(self.row, self.work, items) as folder:
            for name, path in folder.names.items():
                channel.begin()
                file = folder.parts + b"/" + name
                channel.send(self.row.more["ask"].encode().replace(b"{file}", file))
                hits = self._answer(channel, name)
                self.said[path] = [self._judge.finding(hit.name, path, self.row.name) for hit in hits]
        if self.row.more.get("bye"):
            channel.send(self.row.more["bye"].encode())
        return self.said

    def _greet(self, channel: Channel) -> None:
        if self._greeting is not None:
            line = channel.line()
            if self._greeting.read(-1, line) is None:
                raise channel.trouble("odd greeting", line)

    def _answer(self, channel: Channel, name: bytes) -> list[Hit]:
        """What is said of the file with this name."""
        lines: list[bytes] = []
        for _ in range(LINES):
            lines.append(channel.line())
            if set(FILE.findall(lines[-1])) - {name}:
                raise channel.trouble("answers for another file", lines[-1])
            if self._end is None or self._end.read(-1, lines[-1]) is not None:
                hits = self._judged(lines)
                if hits is not None:
                    channel.quiet()
                    return hits
                if self._end is not None:
                    break
        raise channel.trouble("says neither clean nor infected", lines[-1])

    def _judged(self, lines: list[bytes]) -> list[Hit] | None:
        """What these lines mean together: infected if one does, clean if one does and none infected."""
        hits: list[Hit] | None = None
        for line in lines:
            said = self._judge.read(-1, line)
            if said is not None:
                hits = (hits or []) + said
        return hits
