"""A program that does as it is told: for scanners that are programs."""

import os
from pathlib import Path


class Program:
    """An executable file; `says` tells what it will print, and how it ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._output = path.with_suffix(".out")
        self.calls = path.with_suffix(".calls")
        self._status = path.with_suffix(".status")
        self._write(f"cat {self._output}\nexit $(cat {self._status})")
        self.says(0, "")

    def says(self, status: int, output: str | bytes) -> None:
        """Print this, end with that; the program stays the same file."""
        self._output.write_bytes(output.encode() if isinstance(output, str) else output)
        self._status.write_text(str(status))

    def hangs(self) -> None:
        """Never end, nor does a child of it that holds its output."""
        self._write("sleep 60 & sleep 60")

    def talks_on(self) -> None:
        """Print without end."""
        self._write("exec yes p000001: OK")

    def crashes(self) -> None:
        """End by a signal, having said that all is well."""
        self._write(f"cat {self._output}\nkill -9 $$")

    def called(self) -> list[str]:
        """The arguments of each call so far."""
        return self.calls.read_text().splitlines() if self.calls.exists() else []

    def _write(self, body: str) -> None:
        new = self.path.with_suffix(".new")
        new.write_text(f'#!/bin/sh\necho "$*" >> {self.calls}\n{body}\n')
        os.chmod(new, 0o755)
        os.replace(new, self.path)
