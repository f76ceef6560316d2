"""Sophos SAVDI by its own protocol, SSSP 1.0 (Sophos Simple Scanning Protocol): each part goes as a stream.

The daemon greets with `OK SSSP/1.0`; a request is acknowledged by `ACC`, or refused by `REJ`; the answer
ends with an empty line, before it stands `DONE OK code text` or `DONE FAIL code text`.
"""

from amavis_pipe.model import Finding
from amavis_pipe.scan.base import Answers, Items, found
from amavis_pipe.scan.channel import Channel, Daemon
from amavis_pipe.spool import Blob

LINES = 1000
_CLEAN = b"0000"
_VIRUS = b"0203"
_UNCHECKED = {b"0212": "encrypted:", b"0214": "broken:"}
"""Codes of SAVI that mean that the part could not be looked into: it is encrypted, it is damaged."""


class Sssp(Daemon):
    """A row with via = "sssp"."""

    def talk(self, channel: Channel, items: Items) -> Answers:
        """One session for all parts."""
        greeting = channel.line()
        if not greeting.startswith(b"OK SSSP/1."):
            raise channel.trouble("odd greeting", greeting)
        channel.send(b"SSSP/1.0\r\n")
        _accepted(channel)
        self.version = self._engine(channel)
        for path, blob in items:
            self.said[path] = self._scanned(channel, path, blob)
        channel.send(b"BYE\r\n")
        return self.said

    def _engine(self, channel: Channel) -> str:
        """What it says of its engine and its signatures; "" if it doesn't answer such questions."""
        channel.begin()
        channel.send(b"SSSP/1.0 QUERY SERVER\r\n")
        if not channel.line().startswith(b"ACC"):
            return ""
        told = dict(line.partition(b":")[::2] for line in _block(channel))
        words = [told.get(key, b"").strip().decode("ascii", "replace") for key in (b"version", b"savversion")]
        return " ".join(word for word in words if word.isprintable())[:200].strip()

    def _scanned(self, channel: Channel, path: str, blob: Blob) -> list[Finding]:
        channel.begin()
        channel.send(b"SSSP/1.0 SCANDATA %d\r\n" % blob.size)
        _accepted(channel)
        channel.send_all(blob.chunks())
        findings = read_answer(_block(channel), path, self.row.name)
        if findings is None:
            raise channel.trouble("failed on part " + (path or "mail"))
        return findings


def read_answer(lines: list[bytes], path: str, scanner: str) -> list[Finding] | None:
    """[] for clean, findings, or None for a failure; `lines` are those before the empty one."""
    names = [line.split(b" ")[1] for line in lines if line.startswith(b"VIRUS ")]
    done = lines[-1].split(b" ", 3) if lines else []
    if len(done) < 3 or done[0] != b"DONE":
        return None
    if names or done[2] == _VIRUS:
        return [found(name, path, scanner) for name in dict.fromkeys(names or [b""])]
    if done[1] == b"OK" and done[2] == _CLEAN:
        return []
    if done[2] in _UNCHECKED:
        return [Finding("unchecked", _UNCHECKED[done[2]] + scanner, path, scanner)]
    return None


def _accepted(channel: Channel) -> None:
    line = channel.line()
    if not line.startswith(b"ACC"):
        raise channel.trouble("does not accept", line)


def _block(channel: Channel) -> list[bytes]:
    """The lines up to an empty one."""
    lines: list[bytes] = []
    while True:
        line = channel.line()
        if not line:
            return lines
        lines.append(line)
        if len(lines) > LINES:
            raise channel.trouble("answers without end")
