"""Daemons that are told a file's name and answer by lines, as a row's `ask` and patterns describe them.

One question for each part; lines that mean neither clean nor infected are passed over, up to the row's time
and a bound: a daemon that says only such is a failure.
"""

from amavis_pipe.cache import Cache
from amavis_pipe.scan.base import Answers, Items
from amavis_pipe.scan.channel import Channel, Daemon
from amavis_pipe.scan.files import Folder
from amavis_pipe.scan.reply import Hit, Judge
from amavis_pipe.settings import Row, Settings

LINES = 100
"""Lines of one answer at most."""


class Line(Daemon):
    """A row with `ask`."""

    def __init__(self, row: Row, settings: Settings, cache: Cache | None) -> None:
        super().__init__(row, settings, cache)
        self._judge = Judge(row.more)
        self._greeting = Judge({"clean": row.more["greeting"]}) if row.more.get("greeting") else None

    def talk(self, channel: Channel, items: Items) -> Answers:
        """Ask for each file; the first line that says something of it is the answer."""
        self._greet(channel)
        answers: Answers = {}
        with Folder(self.row, self.work, items) as folder:
            for name, path in folder.names.items():
                channel.begin()
                file = folder.parts + b"/" + name
                channel.send(self.row.more["ask"].encode().replace(b"{file}", file))
                hits = self._answer(channel)
                answers[path] = [self._judge.finding(hit.name, path, self.row.name) for hit in hits]
        if self.row.more.get("bye"):
            channel.send(self.row.more["bye"].encode())
        return answers

    def _greet(self, channel: Channel) -> None:
        if self._greeting is not None:
            line = channel.line()
            if self._greeting.read(-1, line) is None:
                raise channel.trouble("odd greeting", line)

    def _answer(self, channel: Channel) -> list[Hit]:
        line = b""
        for _ in range(LINES):
            line = channel.line()
            hits = self._judge.read(-1, line)
            if hits is not None:
                return hits
        raise channel.trouble("says neither clean nor infected", line)
