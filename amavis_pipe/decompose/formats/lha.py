"""lha, lzh, lzs and pma: by libarchive where it knows all methods in it, else by lhasa, then by unar.

The headers (levels 0 to 3) are walked here, for the names and sizes that lhasa's output is cut by. Source:
the header document of LHa for UNIX.
"""

from amavis_pipe.decompose.api import Blob, Broken, Decoder, Sink
from amavis_pipe.decompose.seven_zip import by_7zz
from amavis_pipe.decompose.unar import by_unar
from amavis_pipe.decompose.ways import (
    LHASA,
    LIBARCHIVE,
    MISSING,
    SEVEN_ZIP,
    UNAR,
    UNKNOWN,
    Member,
    Taker,
    libarchive,
    open_by,
    take_all,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from amavis_pipe.spool import View

NEEDS = (LIBARCHIVE, LHASA, UNAR, SEVEN_ZIP)
METHODS = (b"-lh", b"-lz", b"-pm", b"-pc")
_FOLDER = b"-lhd-"
_PLAIN = (b"-lh0-", b"-lh5-", b"-lh6-", b"-lh7-", b"-lhd-", b"-lz4-", b"-pm0-")
_FIXED = 22
_MOST = 4096
_NAME, _PATH = 1, 2


def unpack(blob: Blob, sink: Sink) -> None:
    """The files."""
    members = list(headers(blob.view(), sink))

    def by_lhasa(blob: Blob, taker: Taker, password: bytes) -> str:
        if not LHASA.path():
            return MISSING
        files = [Member(name, size, b"") for method, name, size in members if method != _FOLDER]
        return take_all(taker, files, taker.sink.run("lhasa"), None) if files else UNKNOWN

    def all_of(blob: Blob, taker: Taker, password: bytes) -> str:
        """libarchive leaves out without a word what it doesn't know."""
        went = libarchive("lha")(blob, taker, password)
        return went if taker.count >= sum(method != _FOLDER for method, _, _ in members) else UNKNOWN

    if members and all(method == _FOLDER for method, _, _ in members):
        return
    known = bool(members) and all(method in _PLAIN for method, _, _ in members)
    ways = [all_of, by_lhasa] if known else [by_lhasa]
    open_by(blob, sink, "lha", *ways, by_unar, by_7zz("lzh"))


def headers(view: "View", sink: Sink) -> "Iterator[tuple[bytes, bytes, int]]":
    """Method, name and size of each member, as far as the headers go on."""
    at = 0
    for _ in range(_MOST):
        sink.tick()
        head = view[at : at + _FIXED]
        if len(head) < _FIXED or not head[2:7].startswith(METHODS):
            return
        packed, size = _number(head[7:11]), _number(head[11:15])
        name, after, packed = _LEVELS.get(head[20], _old)(view, at, packed)
        if after <= at:
            return
        yield head[2:7], name, size
        at = after + packed


def _old(view: "View", at: int, packed: int) -> tuple[bytes, int, int]:
    """Name, where the content begins, and its size: level 0."""
    size = view[at] + 2
    return view[at + _FIXED : at + _FIXED + view[at + 21]], at + size, packed


def _first(view: "View", at: int, packed: int) -> tuple[bytes, int, int]:
    """Level 1: extended headers are counted in the packed size."""
    base = view[at] + 2
    name, end = _extended(view, at + base - 2, 2)
    short = view[at + _FIXED : at + _FIXED + view[at + 21]]
    return name or short, end, packed - (end - at - base)


def _second(view: "View", at: int, packed: int) -> tuple[bytes, int, int]:
    total = _number(view[at : at + 2])
    name, _ = _extended(view, at + 24, 2)
    return name, at + total, packed


def _third(view: "View", at: int, packed: int) -> tuple[bytes, int, int]:
    total = _number(view[at + 24 : at + 28])
    name, _ = _extended(view, at + 28, 4)
    return name, at + total, packed


_LEVELS = {0: _old, 1: _first, 2: _second, 3: _third}


def _extended(view: "View", at: int, width: int) -> tuple[bytes, int]:
    """Path and name in the extended headers, the first of which has its size at `at`; where they end."""
    found = {_NAME: b"", _PATH: b""}
    for _ in range(64):
        size = _number(view[at : at + width])
        at += width
        if size <= width:
            break
        kind = view[at : at + 1]
        if kind and kind[0] in found:
            found[kind[0]] = view[at + 1 : at + size - width][:1024]
        at += size - width
    return found[_PATH].replace(b"\xff", b"/") + found[_NAME], at


def _number(raw: bytes) -> int:
    return int.from_bytes(raw, "little")


DECODER = Decoder(
    "lha",
    ("application/x-lzh",),
    unpack,
    starts=tuple((2, method) for method in METHODS),
    broken=(Broken,),
)
