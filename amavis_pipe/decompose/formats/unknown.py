"""What none of our own beginnings tells: libmagic is asked, and what it calls an archive is tried.

libmagic knows some 1,500 kinds of files, of which few hold others. It is called through ctypes: the module
python-magic costs 28 ms to import, and starts processes to find the library.
"""

from amavis_pipe.decompose.api import Blob, Broken, Decoder, Need, Sink
from amavis_pipe.decompose.ways import SEVEN_ZIP, UNAR

LOOK = 1 << 18
"""Bytes that libmagic is shown."""


def _places() -> tuple[str, ...]:
    from amavis_pipe.decompose import libmagic

    return libmagic.places()


LIBMAGIC = Need("libmagic", "libmagic1", _places)
NEEDS = (LIBMAGIC, SEVEN_ZIP, UNAR)
_SMALLEST = 24
_TAR = b"tar archive"
_WORDS = (b"archive", b"compressed", b"disk image", b"filesystem", b"cabinet", b"installer", b"stuffit")


def unpack(blob: Blob, sink: Sink) -> None:
    """The files, if there are any; what can't be opened is plain data, and nothing is said of it."""
    path = LIBMAGIC.path()
    if not path or blob.size < _SMALLEST:
        return
    from amavis_pipe.decompose import libmagic

    told = libmagic.describe(path, blob.head(LOOK))
    if _TAR in told.lower():
        from amavis_pipe.decompose.formats import tar

        tar.unpack(blob, sink)
    elif any(word in told.lower() for word in _WORDS):
        _try(blob, sink)


def _try(blob: Blob, sink: Sink) -> None:
    from amavis_pipe.decompose.seven_zip import by_7zz
    from amavis_pipe.decompose.unar import by_unar
    from amavis_pipe.decompose.ways import DAMAGED, LOCKED, WHOLE, Taker

    taker = Taker(sink)
    for way in (by_unar, by_7zz()):
        went = way(blob, taker, b"")
        if went == LOCKED:
            sink.unchecked("encrypted:unknown")
        elif went == DAMAGED and taker.count:
            raise Broken("damaged")
        if went in (WHOLE, LOCKED):
            return


DECODER = Decoder("unknown", ("application/octet-stream",), unpack, broken=(Broken,))
