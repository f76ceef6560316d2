"""The hot modules' code in one file, so that a start reads one file instead of thirty.

Written beside the byte code by `python -m amavis_pipe.desk.bundle` (the set-up script does it), like a
.pyc: keyed by the interpreter's version and by size and time of every source file. A missing, stale or
damaged bundle is not used, and modules are imported as usual; nothing else ever differs.
"""

import gc
import marshal
import posix
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, ModuleType
    from typing import Any

    Rows = dict[str, tuple[bool, str, int, int, bytes]]

FOLDER = __file__.rpartition("/")[0]
PATH = f"{FOLDER}/__pycache__/hot.{sys.implementation.cache_tag}.bundle"
LARGEST = 4 << 20

Spec = sys.modules["_frozen_importlib"].ModuleSpec


class Finder:
    """Finds and loads the modules of a bundle (a meta path finder and loader, PEP 451)."""

    def __init__(self, rows: "Rows") -> None:
        self._rows = rows

    def find_spec(self, name: str, path: object = None, target: object = None) -> "Any":
        """The spec of a module that is in the bundle, else None."""
        row = self._rows.get(name)
        if row is None:
            return None
        origin = f"{FOLDER}/{row[1]}"
        spec = Spec(name, self, origin=origin, is_package=row[0])
        spec.has_location = True
        if row[0]:
            spec.submodule_search_locations.append(origin.rpartition("/")[0])
        return spec

    def create_module(self, spec: object) -> None:
        """Let the interpreter make it."""

    def exec_module(self, module: "ModuleType") -> None:
        """Run the module's code in it."""
        exec(self._code(module.__name__), module.__dict__)  # noqa: S102

    def _code(self, name: str) -> "CodeType":
        code: CodeType = marshal.loads(self._rows[name][4])
        return code


def use() -> bool:
    """Import from the bundle from here on, if there is a fresh one; whether there is."""
    gc.disable()  # while the code is read; entry.py goes on from there
    rows = read()
    if rows is None:
        return False
    sys.meta_path.insert(0, Finder(rows))
    return True


def read() -> "Rows | None":
    """The bundle's rows by module name, or None: (is a package, path below FOLDER, size, time, code)."""
    try:
        fd = posix.open(PATH, posix.O_RDONLY | posix.O_CLOEXEC)
        try:
            data = posix.read(fd, min(posix.fstat(fd).st_size, LARGEST))
        finally:
            posix.close(fd)
        version, rows = marshal.loads(data)
        if version != sys.version or not all(_fresh(*row) for row in rows.values()):
            return None
    except (OSError, ValueError, EOFError, TypeError, AttributeError):
        return None
    found: Rows = rows
    return found


def _fresh(package: bool, path: str, size: int, time: int, code: bytes) -> bool:
    found = posix.stat(f"{FOLDER}/{path}")
    return found.st_size == size and found.st_mtime_ns == time
