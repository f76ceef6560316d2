"""Writes the bundle of the hot modules (amavis_pipe/bundle.py): `python -m amavis_pipe.desk.bundle`.

Docstrings are left out of it, and annotations kept as text (PEP 563), since both cost at every start.
"""

import __future__

import marshal
import os
import sys
from pathlib import Path

from amavis_pipe import bundle

ROOMS = ("", "mime", "forward")
"""The folders that hold hot modules."""
SELDOM = ("bundle.py", "file.py", "mapping.py", "notice.py", "quarantine.py", "uu.py", "words.py")
"""Those that an ordinary mail needs not: each would be one more file to look at."""


def write() -> Path:
    """Compile the hot modules of this package into the bundle; its path. OSError if that fails."""
    root = Path(bundle.FOLDER)
    rows = {}
    for room in ROOMS:
        for path in sorted((root / room).glob("*.py")):
            if path.name not in SELDOM:
                rows[_name(root, path)] = _row(root, path)
    target = Path(bundle.PATH)
    target.parent.mkdir(exist_ok=True)
    temporary = target.with_name(f"{target.name}.{os.getpid()}")
    temporary.write_bytes(marshal.dumps((sys.version, rows)))
    temporary.chmod(0o644)
    temporary.replace(target)
    return target


def _name(root: Path, path: Path) -> str:
    inside = path.relative_to(root.parent).with_suffix("")
    return ".".join(part for part in inside.parts if part != "__init__")


def _row(root: Path, path: Path) -> tuple[bool, str, int, int, bytes]:
    found = path.stat()
    flags = __future__.annotations.compiler_flag
    inside = str(path.relative_to(root))
    code = compile(path.read_bytes(), inside, "exec", flags, dont_inherit=True, optimize=2)
    package = path.name == "__init__.py"
    return (package, inside, found.st_size, found.st_mtime_ns, marshal.dumps(code))


if __name__ == "__main__":
    write()
