"""Writes the bundles (amavis_pipe/bundle.py): `python -m amavis_pipe.desk.bundle`.

Docstrings and annotations are left out of it, since both cost at every start.
"""

import __future__

import ast
import marshal
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType

from amavis_pipe import bundle

ROOMS = ("", "mime", "forward")
"""The folders that hold hot modules."""
SELDOM = (
    "armor.py",
    "binhex.py",
    "bundle.py",
    "charset.py",
    "escapes.py",
    "file.py",
    "generation.py",
    "guesses.py",
    "html.py",
    "ical.py",
    "keeping.py",
    "lines.py",
    "mapping.py",
    "mbox.py",
    "notice.py",
    "quarantine.py",
    "texts.py",
    "unmarked.py",
    "veil.py",
    "uu.py",
    "words.py",
    "yenc.py",
)
"""Those that an ordinary mail needs not: each would be one more file to look at."""
CHILD = {
    "jail": "__init__ child landlock libc programs sandbox seccomp verify wire",
    "decompose": "__init__ api registry streams tars ways zips zipmember",
    "decompose/formats": "__init__ bzip2 gzip officexml ole pdf tar xz zip",
}
"""What the sandboxed child needs for the usual archives and documents, by folder."""
TOGETHER = ("amavis_pipe.entry", "amavis_pipe.dissect", "amavis_pipe.jail.child")
"""With what they need they are read as one piece: for every mail, every new one, and one that the child takes
apart. Names that stand in many modules are then made once, which takes a quarter of the time away."""
LATER = {
    "amavis_pipe.entry": "cache intake policy settings examine perform journal record writing",
    "amavis_pipe.dissect": "session tries",
    "amavis_pipe.jail.child": "jail.sandbox decompose.registry",
}
"""What a module imports later on its way, and as well may at once."""
ALWAYS = ("builtins", "marshal", "posix", "sys", "time", "_imp", "_io", "_signal", "_thread", "_warnings")
"""Modules that the interpreter has in memory when it starts."""


def write() -> list[Path]:
    """Compile the modules of this package into the bundles; their paths. OSError if that fails."""
    root = Path(bundle.FOLDER)
    kinds = {bundle.HOT: _hot(root), bundle.JAIL: _of_the_child(root)}
    return [
        _written(root, which, {_name(root, path): path for path in paths}) for which, paths in kinds.items()
    ]


def _written(root: Path, which: str, files: dict[str, Path]) -> Path:
    rows: dict[str, bundle.Row] = {}
    code = b""
    for group in _groups(files):
        compiled = marshal.dumps(tuple(_compiled(root, files[name]) for name in group))
        place = (len(code), len(code) + len(compiled))
        for number, name in enumerate(group):
            found, inside = files[name].stat(), str(files[name].relative_to(root))
            package = files[name].name == "__init__.py"
            needs = _needs(name, files)
            rows[name] = (package, inside, found.st_size, found.st_mtime_ns, *place, number, needs)
        code += compiled
    head = marshal.dumps((sys.version, len(code), rows))
    target = Path(bundle.path(which))
    target.parent.mkdir(exist_ok=True)
    temporary = target.with_name(f"{target.name}.{os.getpid()}")
    with temporary.open("wb") as file:
        file.write(len(head).to_bytes(4, "big") + bundle.digest(head) + head + code)
        file.flush()
        os.fsync(file.fileno())  # the code has no digest: a crash must not leave a hole in it
    temporary.chmod(0o644)
    temporary.replace(target)
    return target


def _hot(root: Path) -> Iterator[Path]:
    for room in ROOMS:
        for path in sorted((root / room).glob("*.py")):
            if path.name not in SELDOM and path != root / "__init__.py":
                yield path


def _of_the_child(root: Path) -> Iterator[Path]:
    for room, names in CHILD.items():
        for name in names.split():
            yield root / room / f"{name}.py"


def _name(root: Path, path: Path) -> str:
    inside = path.relative_to(root.parent).with_suffix("")
    return ".".join(part for part in inside.parts if part != "__init__")


class _Bare(ast.NodeTransformer):
    """Takes annotations away: nobody asks for them at run time, and making them costs a tenth of a start."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        node.returns = None
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        self.generic_visit(node)
        plain = ast.Pass() if node.value is None else ast.Assign([node.target], node.value)
        return ast.copy_location(plain, node)


def _groups(files: dict[str, Path]) -> list[list[str]]:
    """The modules in groups of those that are run together, all others by themselves."""
    left = dict.fromkeys(files)
    groups = []
    for root in (*TOGETHER, *files):
        group = [name for name in (*_needs(root, files), root) if name in left]
        for name in group:
            del left[name]
        groups += [group] if root in TOGETHER else [[name] for name in group]
    return [group for group in groups if group]


def _compiled(root: Path, path: Path) -> CodeType:
    """The module's code, less docstrings and annotations."""
    flags = __future__.annotations.compiler_flag
    name = str(path.relative_to(root))
    tree = ast.fix_missing_locations(_Bare().visit(ast.parse(path.read_bytes())))
    code: CodeType = compile(tree, name, "exec", flags, dont_inherit=True, optimize=2)
    return code


def _needs(name: str, files: dict[str, Path]) -> tuple[str, ...]:
    """The modules to be run before one, each behind what it needs itself; what is built in, too."""
    order: list[str] = []

    def visit(one: str) -> None:
        for other in _imported(one, files) if one in files else ():
            if other not in order:
                visit(other)
        if one not in order and one != name:
            order.append(one)

    visit(name)
    for word in LATER.get(name, "").split():
        visit("amavis_pipe." + word)
    return tuple(order)


def _imported(name: str, files: dict[str, Path]) -> list[str]:
    """The modules of the bundle, or built in, that one imports at its top level, and its package."""
    wanted = [name.rpartition(".")[0]]
    for node in ast.parse(files[name].read_bytes()).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            wanted += [f"{node.module}.{alias.name}" for alias in node.names] + [node.module]
        elif isinstance(node, ast.Import):
            wanted += [alias.name for alias in node.names]
    known = {*files, *sys.builtin_module_names} - {name, *ALWAYS}
    return [one for one in dict.fromkeys(wanted) if one in known]


if __name__ == "__main__":
    write()
