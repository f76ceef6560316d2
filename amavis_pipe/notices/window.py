"""Reads the journal from where the last digest ended: each record once, however late it was appended.

A position is a number of bytes in each day's file, for the journal only grows. Whatever stands after the last
line end may still be being written, and is left for the next digest. Records of mail in which nothing was
found are passed over without being parsed. Lines that a crash tore are counted.
"""

import json
import os
import re
import stat
from collections.abc import Iterator
from typing import Any

Record = dict[str, Any]
Position = dict[str, int]

LONGEST = 16 << 20
"""Bytes of a record that is parsed."""
_FILE = re.compile(r"\d{4}-\d\d-\d\d\.jsonl")
_CLEAN = (b'"verdict": "clean"', b'"verdict": null')
"""In a string the quotes would be escaped."""
_BEGIN = b'{"schema": '


class Window:
    """The records between two positions.

    begin    names of files that are new count from 0, files older than all that it names are over
    end      where reading has come to; given, it is where reading stops
    damaged  lines that could not be read
    """

    def __init__(self, folder: bytes, begin: Position, oldest: str, end: Position | None = None) -> None:
        self._folder = folder
        self._begin = begin
        self._oldest = min(begin, default=oldest + ".jsonl")
        self._stop = end
        self.end: Position = dict(begin)
        self.damaged = 0

    def records(self) -> Iterator[Record]:
        """The records of mail in which something was found, oldest first. OSError if a file can't be read."""
        for name in self._files():
            stop = None if self._stop is None else self._stop.get(name, 0)
            with open(os.open(self._folder + b"/" + name.encode(), _FLAGS), "rb") as file:
                found = os.fstat(file.fileno())
                if not stat.S_ISREG(found.st_mode):
                    continue
                stop = found.st_size if stop is None else min(stop, found.st_size)
                start = self._begin.get(name, 0)
                start = start if start <= found.st_size else 0  # another file by the old name
                file.seek(start)
                yield from self._lines(name, file, start, stop)
        last = sorted(self.end)[-KEPT:]
        self.end = {name: self.end[name] for name in last}

    def _files(self) -> list[str]:
        try:
            names = os.listdir(self._folder)
        except FileNotFoundError:
            return []
        shown = [os.fsdecode(name) for name in names]
        return sorted(name for name in shown if _FILE.fullmatch(name) and name >= self._oldest)

    def _lines(self, name: str, file: Any, at: int, stop: int) -> Iterator[Record]:
        self.end.setdefault(name, at)
        while at < stop:
            line = file.readline(LONGEST)
            long = len(line) == LONGEST and not line.endswith(b"\n")
            while line and not line.endswith(b"\n"):
                at += len(line)
                line = file.readline(LONGEST)
            at += len(line)
            if not line or at > stop:
                return  # not whole yet
            self.end[name] = at
            if long:
                self.damaged += 1
            elif line != b"\n" and not any(mark in line for mark in _CLEAN):
                record = _parsed(line)
                self.damaged += record is None
                if record is not None:
                    yield record


KEPT = 3
"""Days' files whose positions are kept: a filter that began before midnight may append to yesterday's."""
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def _parsed(line: bytes) -> Record | None:
    """The record in a line, also if a torn one stands before it; None for what is none."""
    for text in (line, line[line.rfind(_BEGIN) :]):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            return found
    return None
