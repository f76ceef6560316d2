"""Files of entries that an amavisd.conf names by read_hash: read once, within bounds."""

from collections.abc import Callable

from amavis_pipe.config import maps
from amavis_pipe.config.imported import lookups
from amavis_pipe.config.imported.values import Value

MOST = 100
"""Files that are opened at most."""


def slurped(path: str) -> bytes:
    """A file's content, 4 MiB at most; OSError if it is larger or can't be read."""
    import os

    from amavis_pipe.config.imported.perl import LONGEST

    with open(path, "rb") as file:
        if not os.path.isfile(path):
            raise OSError(0, "is no regular file")
        data = file.read(LONGEST + 1)
    if len(data) > LONGEST:
        raise OSError(0, f"is larger than {LONGEST >> 20} MiB")
    return data


class Files:
    """What is in them; `slurp` gives a file's bytes or raises OSError."""

    def __init__(self, slurp: Callable[[str], bytes]) -> None:
        self._slurp = slurp
        self._known: dict[str, dict[str, Value] | OSError] = {}
        self._data: dict[str, bytes] = {}

    def read(self, path: str) -> dict[str, Value]:
        """The entries with what stands behind each, else 1; OSError if it can't be read."""
        if path not in self._known:
            self._known[path] = self._read(path)
        found = self._known[path]
        if isinstance(found, OSError):
            raise found
        return found

    def _read(self, path: str) -> dict[str, Value] | OSError:
        if len(self._known) >= MOST:
            return OSError(0, "there are too many such files")
        if not path.startswith("/") or "\0" in path:
            return OSError(0, "wants an absolute path")
        try:
            data = self._slurp(path)
        except OSError as error:
            return OSError(error.errno or 0, error.strerror or str(error))
        self._data[path] = data
        entries: dict[str, Value] = {}
        for _, line in maps.lines(data):
            key, _, value = line.partition(" ") if " " in line else line.partition("\t")
            entries.setdefault(key.lower(), _value(value.strip()))
        return entries

    def fits(self, path: str) -> bool:
        """Whether our settings can name the file itself: each line is an entry, and means yes."""
        try:
            entries = self.read(path)
        except OSError:
            return False
        whole = [line for _, line in maps.lines(self._data[path])]
        return (
            bool(entries)
            and path.isprintable()
            and all(lookups.is_entry(line.lower()) or line == "<>" for line in whole)
        )

    def covered(self, paths: list[str]) -> set[str]:
        """The entries of these files."""
        return {entry for path in paths for entry in self.read(path)}


def _value(text: str) -> Value:
    if not text:
        return 1
    try:
        return float(text) if "." in text else int(text)
    except ValueError:
        return text
