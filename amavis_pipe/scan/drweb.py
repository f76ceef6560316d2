"""Dr.Web's daemon by its own protocol: numbers of four bytes, the highest first; a connection for each part.

Asked: the command to scan, flags, the length of a path (0: the content follows), the content's size, content.
Answered: bits of what was found or went wrong, the number of viruses, and of each its length and a text that
ends with NUL, "infected with NAME".
"""

from amavis_pipe.model import Finding
from amavis_pipe.scan.base import NAMES, Answers, Items, found
from amavis_pipe.scan.channel import Channel, Daemon
from amavis_pipe.spool import Blob

SCAN = 1
FLAGS = 0x00280001
"""DONT_CHANGEMAIL, IS_MAIL, RETURN_VIRUSES."""
INFECTED = 0x000000E0
"""KNOWN_VIRUS, UNKNOWN_VIRUS, VIRUS_MODIFICATION."""
CLEAN = 0x00100000
_EVALUATION = 0x00010000
"""Said with an evaluation key."""
_SKIPPED = 0x00001000
"""Said besides of a part that is of no kind that can be infected."""
LONGEST = 4096


class DrWeb(Daemon):
    """A row with via = "drweb"."""

    def ask(self, items: Items, until: float) -> Answers:
        """Each item's findings, a connection for each."""
        if not items:
            self.asked(lambda channel: None, until)
        for path, blob in items:
            self.said[path] = self._one(path, blob, until)
        return self.said

    def _one(self, path: str, blob: Blob, until: float) -> list[Finding]:
        return self.asked(lambda channel: self.talk(channel, [(path, blob)]), until)[path]

    def talk(self, channel: Channel, items: Items) -> Answers:
        """The question about one item."""
        path, blob = items[0]
        channel.send(b"".join(number.to_bytes(4, "big") for number in (SCAN, FLAGS, 0, blob.size)))
        channel.send_all(blob.chunks())
        result, count = _number(channel), _number(channel)
        names = []
        for _ in range(min(count, NAMES)):
            size = _number(channel)
            if not 0 < size <= LONGEST:
                raise channel.trouble(f"tells of a name of {size} bytes")
            names.append(channel.take(size).partition(b"\0")[0])
        findings = judged(result, names, path, self.row.name)
        if findings is None:
            raise channel.trouble(f"failed: result {result:#010x}")
        return {path: findings}


def judged(result: int, names: list[bytes], path: str, scanner: str) -> list[Finding] | None:
    """[] for clean, findings, or None for a failure."""
    if result & INFECTED or names:
        plain = dict.fromkeys(name.removeprefix(b"infected with ").strip() for name in names or [b""])
        return [found(name, path, scanner) for name in plain]
    return [] if result & CLEAN and not result & ~(CLEAN | _EVALUATION | _SKIPPED) else None


def _number(channel: Channel) -> int:
    return int.from_bytes(channel.take(4), "big")
