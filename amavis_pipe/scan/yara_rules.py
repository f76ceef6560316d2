"""The YARA rules of a site: which files they are in, and what yara-x makes of them, kept until one changes.

No rule is left out unsaid: a file or folder that can't be read, or that doesn't compile, is trouble.
"""

import posix
import sys
from _blake2 import blake2b
from _stat import S_ISDIR

from amavis_pipe.model import ScannerTrouble
from amavis_pipe.settings import identity, keep, trusted
from amavis_pipe.text import ascii_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LARGEST = 1 << 28
"""Bytes of compiled rules."""
FILES = 5000
"""Files of rules at most."""
DEEPEST = 8
"""Levels of folders at most."""
WANTED = "wants the module yara-x: pip install 'amavis-pipe[yara]'"
_ENDINGS = (b".yar", b".yara")
_INFO = ("yara_x-", ".dist-info")


class Rules:
    """The rules at a path, for the row `name`.

    release  of yara-x, "" if its folder doesn't tell
    count    of rules, once they are compiled
    """

    def __init__(self, name: str, path: bytes, state: bytes) -> None:
        self._name = name
        self._path = path
        self._place = state + b"/rules-" + blake2b(name.encode(), digest_size=8).hexdigest().encode()
        self._folder, self.release = _module()
        self.count = 0

    def key(self) -> bytes:
        """What changes with a file of rules, or the module; ScannerTrouble."""
        files = [(path, identity(path)) for path in self._files()]
        return repr((self._folder, self.release, identity(_start(self._folder)), files)).encode()

    def compiled(self) -> bytes:
        """The rules as yara-x keeps them, from the state folder or compiled anew; ScannerTrouble."""
        key = _digest(self.key())
        if not self._folder:
            raise self._trouble(WANTED)
        known = trusted(self._place, LARGEST)
        if known is None or known[:32] != key or known[32:64] != _digest(known[64:]):
            built = self._built()
            known = key + _digest(built) + built
            keep(self._place, known)
        self.count = int.from_bytes(known[64:68], "big")
        return known[68:]

    def module(self) -> "Any":
        """The module yara_x; ScannerTrouble."""
        if self._folder not in sys.path:  # the filter's interpreter doesn't look where modules are installed
            sys.path.append(self._folder)
        try:
            return __import__("yara_x")
        except ImportError:
            raise self._trouble(WANTED) from None

    def _built(self) -> bytes:
        import io

        yara_x = self.module()
        compiler = yara_x.Compiler(includes_enabled=False)  # a change in such a file would go unseen
        for path in self._files():
            shown = ascii_of(path, 300)
            try:
                with open(path, encoding="utf-8") as file:
                    compiler.add_source(file.read(), origin=shown)
            except (OSError, UnicodeDecodeError, yara_x.CompileError) as error:
                text = " ".join(str(error).split())
                raise self._trouble(f"{shown}: {ascii_of(text.encode(), 300)}") from None
        rules, packed = compiler.build(), io.BytesIO()
        rules.serialize_into(packed)
        return sum(1 for _ in rules).to_bytes(4, "big") + packed.getvalue()

    def _files(self) -> list[bytes]:
        """The files of rules, in order; ScannerTrouble if there is none, or one can't be looked at."""
        try:
            found = sorted(_below(self._path, DEEPEST, top=True))
        except FileNotFoundError as error:
            found = []
            if error.filename != self._path:
                raise self._trouble(f"{_shown(error)}: {error.strerror}") from None
        except OSError as error:
            raise self._trouble(f"{_shown(error)}: {error.strerror}") from None
        if not found:
            raise self._trouble(f"no rules: {ascii_of(self._path, 300)}")
        if len(found) > FILES:
            raise self._trouble(f"{ascii_of(self._path, 300)}: more than {FILES} files of rules")
        return found

    def _trouble(self, what: str) -> ScannerTrouble:
        return ScannerTrouble(f"{self._name}: {what}")


def _below(path: bytes, depth: int, top: bool = False) -> list[bytes]:
    """The file at a path, or the files of rules in a folder there; OSError."""
    if S_ISDIR(posix.stat(path).st_mode):
        if not depth:
            raise OSError(0, "too many folders in folders", path)
        return [file for name in posix.listdir(path) for file in _below(path + b"/" + name, depth - 1)]
    return [path] if top or path.endswith(_ENDINGS) else []


def _module() -> tuple[str, str]:
    """The folder in which the module is, and its version; "" if it is not there.

    Asked of the folders themselves: importlib.metadata costs more than a scan.
    """
    from amavis_pipe.jail.programs import site_folders

    for folder in site_folders():
        if identity(_start(folder)):
            start, end = _INFO
            infos = [name for name in posix.listdir(folder) if name.startswith(start) and name.endswith(end)]
            return folder, max(infos, default="").removeprefix(start).removesuffix(end)
    return "", ""


def _start(folder: str) -> bytes:
    """The module's file that every installation writes anew."""
    return f"{folder}/yara_x/__init__.py".encode()


def _shown(error: OSError) -> str:
    return ascii_of(error.filename, 300) if isinstance(error.filename, bytes) else "rules"


def _digest(data: bytes) -> bytes:
    return blake2b(data, digest_size=32).digest()
