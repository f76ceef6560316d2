"""Reads what scanners say: bytes in, a judgement out; no I/O.

Whatever is not known to mean clean or infected is a failure, None here: nothing unknown is clean.
"""

import re

from amavis_pipe.model import Finding
from amavis_pipe.scan.base import NAMES, UNNAMED, found

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


MORE = b"more-than-%d-names" % NAMES
"""Stands for the names that were not read any more."""
LINE = 1000
"""Bytes of a line that patterns are shown: names from outside may make it long, and them slow."""
FILE = re.compile(rb"\bp\d{6}\b")
"""How parts are called that a scanner is shown as files."""


class Hit:
    """A name that a scanner told, as bytes of its reply; of which file, b"" if that can't be said."""

    __slots__ = ("file", "name")

    def __init__(self, name: bytes, file: bytes = b"") -> None:
        self.name = name
        self.file = file

    def __repr__(self) -> str:
        return f"Hit({self.name!r}, {self.file!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Hit) and (self.name, self.file) == (other.name, other.file)

    def __hash__(self) -> int:
        return hash((self.name, self.file))


class Judge:
    """What a row says of its scanner's replies.

    `clean` and `infected` are exit statuses or a pattern, `virus` a pattern whose first group to match is the
    name, `suspect` one of names that mean a mere suspicion, `unchecked` that it
    did not look; "" where there is none.
    """

    def __init__(self, fields: "dict[str, Any]") -> None:
        self._clean = _Condition(fields.get("clean", ()))
        self._infected = _Condition(fields.get("infected", ()))
        self._virus = _pattern(fields.get("virus"))
        self._suspect = _pattern(fields.get("suspect"))
        self._unchecked = _pattern(fields.get("unchecked"))

    def read(self, status: int, output: bytes) -> list[Hit] | None:
        """[] for clean, what was found, or None for a failure.

        `status` is an exit status, or -1 where there is none (a daemon, or a program that a signal ended).
        """
        output = b"\n".join([line[:LINE] for line in output.split(b"\n")])
        if self._infected.holds(status, output):
            return self._hits(output) or [Hit(UNNAMED.encode())]
        return [] if self._clean.holds(status, output) else None

    def _hits(self, output: bytes) -> list[Hit]:
        hits: dict[Hit, None] = {}
        for match in self._virus.finditer(output) if self._virus else ():
            name = next(
                (group for group in match.groups() if group), match[0] if not match.re.groups else b""
            )
            hits[Hit(name.strip() or UNNAMED.encode(), _file_of(match, output))] = None
            if len(hits) >= NAMES:
                hits[Hit(MORE)] = None
                break
        return list(hits)

    def finding(self, name: bytes, path: str, scanner: str) -> "Finding":
        """A name, as found in a part by this scanner; or that it did not look, if it means that."""
        if self._unchecked is not None and self._unchecked.search(name):
            why = "encrypted:" if b"ncrypted" in name else "limit:"
            return Finding("unchecked", why + scanner, path, scanner)
        return found(
            name, path, scanner, self._suspect is not None and self._suspect.search(name) is not None
        )


class _Condition:
    """A set of exit statuses, or a pattern."""

    def __init__(self, wanted: "tuple[int, ...] | str") -> None:
        self._statuses = () if isinstance(wanted, str) else wanted
        self._pattern = _pattern(wanted) if isinstance(wanted, str) else None

    def holds(self, status: int, output: bytes) -> bool:
        return status in self._statuses or (self._pattern is not None and bool(self._pattern.search(output)))


def _pattern(text: str | None) -> re.Pattern[bytes] | None:
    return re.compile(text.encode()) if text else None


def _file_of(match: re.Match[bytes], output: bytes) -> bytes:
    """The file that the line, or the lines, with this match name; b"" for none, or several."""
    start = output.rfind(b"\n", 0, match.start()) + 1
    end = output.find(b"\n", match.end())
    names = set(FILE.findall(output[start : end if end >= 0 else len(output)]))
    return names.pop() if len(names) == 1 else b""
