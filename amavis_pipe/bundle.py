"""The hot modules' code in one file, so that a start reads one file instead of thirty; another one for the
modules that the sandboxed child needs.

Written beside the byte code by `python -m amavis_pipe.desk.bundle` (the set-up script does it), like a
.pyc: keyed by the interpreter's version and by size and time of every source file. A missing, stale or
damaged bundle is not used, and modules are imported as usual; nothing else ever differs.

Modules that a module needs are run before it, without a round through the import system for each: that
takes a third of the time. So are modules that are built into the interpreter: a fifth of what they cost is
their own. The file: four bytes of length, a digest of the head, the head, which is a marshalled (version,
size of the rest, rows), then marshalled tuples of the code of modules that are run together.
"""

import _imp
import gc
import marshal
import posix
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, ModuleType
    from typing import Any

    Row = tuple[bool, str, int, int, int, int, int, tuple[str, ...]]
    """Is a package, path below FOLDER, size and time of the source, where the code of its group is, which of
    that is its own, what it needs."""

FOLDER = __file__.rpartition("/")[0]
HOT, JAIL = "hot", "jail"
"""The bundles: for every mail, and for one that the child takes apart."""
LARGEST = 4 << 20
START = 12
"""Where the head begins."""
_KEY = 0

Importer = sys.modules["_frozen_importlib"].BuiltinImporter
Spec = sys.modules["_frozen_importlib"].ModuleSpec


class Finder:
    """Finds and loads the modules of a bundle (a meta path finder and loader, PEP 451)."""

    def __init__(self, rows: "dict[str, Row]", code: memoryview) -> None:
        self.rows = rows
        self._code = code
        self._groups: dict[int, tuple[CodeType, ...]] = {}

    def find_spec(self, name: str, path: object = None, target: object = None) -> "Any":
        """The spec of a module that is in the bundle, else None; what it needs is loaded by then."""
        row = self.rows.get(name)
        if row is None:
            return None
        for other in row[7]:
            if other not in sys.modules:
                self._load(other)
        return self._spec(name)

    def create_module(self, spec: object) -> None:
        """Let the interpreter make it."""

    def exec_module(self, module: "ModuleType") -> None:
        """Run the module's code in it."""
        row = self.rows[module.__name__]
        group = self._groups.get(row[4])
        if group is None:
            code = marshal.loads(self._code[row[4] : row[5]])  # noqa: S302 - beside our byte code, like it
            group = self._groups[row[4]] = code
        exec(group[row[6]], module.__dict__)  # noqa: S102 - what importing does

    def _load(self, name: str) -> None:
        """Make and run a module whose needs are met: of the bundle, or of the interpreter."""
        if name not in self.rows:
            _load_builtin(name)
            return
        module = sys.modules[name] = type(sys)(name)
        spec = self._spec(name)
        attributes = {
            "__spec__": spec,
            "__loader__": self,
            "__file__": spec.origin,
            "__package__": spec.parent,
        }
        if spec.submodule_search_locations is not None:
            attributes["__path__"] = spec.submodule_search_locations
        module.__dict__.update(attributes)
        try:
            self.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
        parent, _, child = name.rpartition(".")
        setattr(sys.modules[parent], child, module)

    def _spec(self, name: str) -> "Any":
        package, path, *_ = self.rows[name]
        spec = Spec(name, self, origin=f"{FOLDER}/{path}", is_package=package)
        spec.has_location = True
        if package:
            spec.submodule_search_locations.append(spec.origin.rpartition("/")[0])
        return spec


def _load_builtin(name: str) -> None:
    spec = Spec(name, Importer, origin="built-in")
    module = _imp.create_builtin(spec)
    _imp.exec_builtin(module)
    module.__spec__ = spec
    module.__loader__ = Importer
    sys.modules[name] = module


def use() -> bool:
    """Import from the bundle from here on, if there is a fresh one; whether there is."""
    gc.disable()  # while the code is read; entry.py goes on from there
    return _add(HOT)


def extend() -> None:
    """Import from the child's bundle, too, if the other one is in use."""
    if any(type(finder) is Finder for finder in sys.meta_path):
        _add(JAIL)


def _add(which: str) -> bool:
    finder = read(which)
    if finder is None:
        return False
    sys.meta_path.insert(0, finder)
    return True


def path(which: str) -> str:
    """Where a bundle is."""
    return f"{FOLDER}/__pycache__/{which}.{sys.implementation.cache_tag}.bundle"


def read(which: str = HOT) -> "Finder | None":
    """What finds the modules of the bundle, or None if it can't be used."""
    try:
        fd = posix.open(path(which), posix.O_RDONLY | posix.O_CLOEXEC)
        try:
            data = memoryview(posix.read(fd, min(posix.fstat(fd).st_size, LARGEST)))
        finally:
            posix.close(fd)
        end = START + int.from_bytes(data[:4], "big")
        if digest(data[START:end]) != data[4:START]:
            return None  # marshal would believe any size that it is told, and ask for so much memory
        version, size, rows = marshal.loads(data[START:end])  # noqa: S302 - the same
        if version != sys.version or size != len(data) - end or not all(map(_fresh, rows.values())):
            return None
    except (OSError, ValueError, EOFError, TypeError, AttributeError, IndexError):
        return None
    return Finder(rows, data[end:])


def digest(head: "bytes | memoryview") -> bytes:
    """The digest of a bundle's head, by what checks byte code (PEP 552): nothing has to be loaded."""
    return _imp.source_hash(_KEY, head)


def _fresh(row: "Row") -> bool:
    found = posix.stat(f"{FOLDER}/{row[1]}")
    return found.st_size == row[2] and found.st_mtime_ns == row[3]
