"""The formats there are: every file in formats/, by what it declares.

A new file is enough to add a format. What the filter itself needs to know of them is asked
once, when the settings are compiled; decoders run in the sandboxed child only.
"""

import posix
import sys

from amavis_pipe import __version__
from amavis_pipe.decompose.api import Need
from amavis_pipe.kinds import Formats
from amavis_pipe.model import Part
from amavis_pipe.subtree import is_volume
from amavis_pipe.walk import Decoder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from amavis_pipe.walk import Openers

_FOLDER = __file__.rpartition("/")[0] + "/formats"
_PACKAGE = "amavis_pipe.decompose.formats."
_ROOMS = ("mime", "decompose", "decompose/formats", "jail", "config", "scan", "judge")


_OWN = ("zip", "tar", "ole", "pdf")
_LOCKABLE = ("zip", "rar", "sevenzip", "ole", "pdf", "arj", "ace", "alz", "stuffit")


class Row:
    """One format for people: its decoder's name, kinds, what it is better with, where that was found.

    file    its file in formats/, without suffix
    needs   (name, path or "", Debian package) of each
    is_own  whether Python's standard library alone opens most of it
    tries_passwords  whether passwords are tried
    """

    __slots__ = ("file", "is_own", "kinds", "name", "needs", "tries_passwords")

    def __init__(self, file: str, decoder: Decoder, needs: tuple[tuple[str, str, str], ...]) -> None:
        self.file = file
        self.name = decoder.name
        self.kinds = decoder.kinds
        self.needs = needs
        self.is_own = file in _OWN or not needs
        self.tries_passwords = file in _LOCKABLE


def openers(known: Formats) -> "Openers":
    """What opens a part in the child: the readers of mail, and the formats that claim its kind.

    Besides, whatever stands in what is of another kind. For a picture or a text no format is loaded.
    """
    from amavis_pipe.mime.reader import hot_openers

    def chosen(part: Part) -> "Iterator[Decoder]":
        yield from hot_openers(part)
        if any(is_volume(name) for name in part.names):
            from amavis_pipe.decompose.volumes import JOINER

            yield JOINER
        for name in known.opened.get(part.kind, ()):
            yield from (one for one in _decoders(_module(name)) if part.kind in one.kinds)
        if part.blob is not None and known.is_disguised(part.blob, part.kind):
            from amavis_pipe.decompose.disguise import DISGUISED

            yield DISGUISED

    return chosen


def formats() -> Formats:
    """What the filter itself has to know of all formats."""
    starts: list[tuple[int, bytes, str]] = []
    ends: list[tuple[bytes, str]] = []
    opened: dict[str, tuple[str, ...]] = {}
    for name in names():
        for decoder in _decoders(_module(name)):
            kind = decoder.kinds[0]
            starts += [(*(one if isinstance(one, tuple) else (0, one)), kind) for one in decoder.starts]
            ends += [(end, kind) for end in decoder.ends]
            for one in decoder.kinds:
                opened[one] = (*opened.get(one, ()), name)
    return Formats(tuple(starts), tuple(ends), opened)


def decoders() -> tuple[Decoder, ...]:
    """All decoders, by the names of their files."""
    return tuple(decoder for module in _modules() for decoder in _decoders(module))


def versions() -> tuple[str, ...]:
    """What facts depend on besides the files in watched(): part of the key of cached facts."""
    from zlib import ZLIB_RUNTIME_VERSION

    return (
        f"amavis-pipe {__version__} {_code()}",
        f"python {sys.version.split()[0]}",
        f"zlib {ZLIB_RUNTIME_VERSION}",
        *(f"{need.name} {need.path() or 'missing'}" for need in _needs()),
    )


def watched() -> tuple[str, ...]:
    """The files outside this package that decoders use: their size and time are part of that key too.

    Of what is missing, the folders where it might turn up: one look at a folder tells of all that comes into
    it, where a look at each place took half of what a mail's key costs. The interpreter and the libraries
    that its own modules use are among them.
    """
    found = ((need.path(), need.places()) for need in _needs())
    files = [file for path, places in found for file in ((path,) if path else map(_folder_of, places))]
    return tuple(dict.fromkeys((*files, *_interpreter())))


def _folder_of(place: str) -> str:
    """The deepest folder on the way to a place that is there: it changes when the place comes into being."""
    from os.path import dirname, isdir

    folder = dirname(place)
    while not isdir(folder):
        folder = dirname(folder)
    return folder


def folders() -> tuple[str, ...]:
    """The folders of this package: an upgrade changes their times, and versions() with them."""
    root = __file__.rpartition("/decompose/")[0]
    return (root, *(f"{root}/{room}" for room in _ROOMS))


def _code() -> str:
    """Digest of this package's source: two states of it with one version number decode differently."""
    from _blake2 import blake2b

    state = blake2b(digest_size=8)
    for folder in folders():
        for name in sorted(name for name in posix.listdir(folder) if name.endswith(".py")):
            with open(f"{folder}/{name}", "rb") as file:
                state.update(file.read())
    return str(state.hexdigest())


def _interpreter() -> tuple[str, ...]:
    from os.path import exists, realpath

    triplet = getattr(sys.implementation, "_multiarch", "")
    libraries = [f"/usr/lib/{triplet}/{name}" for name in ("libz.so.1", "libbz2.so.1.0", "liblzma.so.5")]
    return (realpath(sys.executable), *(realpath(file) for file in libraries if exists(file)))


def table() -> tuple[Row, ...]:
    """The formats for the command `formats`."""
    return tuple(
        Row(name, decoder, tuple((need.name, need.path(), need.package) for need in needs))
        for name, module in zip(names(), _modules(), strict=True)
        for needs in (getattr(module, "NEEDS", ()),)
        for decoder in _decoders(module)
    )


def names() -> tuple[str, ...]:
    """The names of the files in formats/, sorted, without suffix."""
    global _names
    if not _names:
        files = sorted(file for file in posix.listdir(_FOLDER) if file.endswith(".py"))
        _names = tuple(file[:-3] for file in files if not file.startswith("_"))
    return _names


_names: tuple[str, ...] = ()


def _modules() -> list["ModuleType"]:
    return [_module(name) for name in names()]


def _module(name: str) -> "ModuleType":
    full = _PACKAGE + name
    if full not in sys.modules:
        __import__(full)  # importlib costs half a millisecond
    return sys.modules[full]


def _decoders(module: "ModuleType") -> tuple[Decoder, ...]:
    many: tuple[Decoder, ...] = getattr(module, "DECODERS", ())
    return many or (module.DECODER,)


def _needs() -> list[Need]:
    found = {need.name: need for module in _modules() for need in getattr(module, "NEEDS", ())}
    return [found[name] for name in sorted(found)]
