"""LZMA alone (.lzma): one file, in one stream; told by the structure of its header, or by its name.

Source: the specification of the LZMA SDK. As there is no magic, what is only called so may be anything: of
what can't be such a stream nothing is said.
"""

from amavis_pipe.decompose.api import Blob, Broken, Decoder, Sink, Streams, steps, without_suffix
from amavis_pipe.decompose.lzmas import Lzma
from amavis_pipe.unmarked import LZMA, is_lzma

SUFFIXES = {b".tlz": b".tar", b".lzma": b""}
START = b"\x5d\0\0\x80\0" + b"\xff" * 8 + b"\0"
"""What xz begins with, if it isn't told otherwise."""
_HEAD = 13
_PROPERTIES = 9 * 5 * 5


def unpack(blob: Blob, sink: Sink) -> None:
    """The file, and what stands after it, as a part of its own."""
    from _lzma import LZMAError

    head = blob.head(_HEAD + 1)
    if not is_lzma(head) and (
        len(head) < _HEAD or head[0] >= _PROPERTIES or head[_HEAD:] not in (b"", b"\0")
    ):
        return
    dictionary, size = int.from_bytes(head[1:5], "little"), int.from_bytes(head[5:_HEAD], "little")
    most = sink.room()[1]
    size = -1 if size > most else size  # too large to be true, or to matter

    streams = Streams(
        steps(blob.view(), _HEAD), sink, lambda: Lzma(head[0], dictionary, size, most), None, (LZMAError,)
    )
    sink.add(streams.output(), without_suffix(sink.names, SUFFIXES))
    if streams.has_trailer():
        sink.add(streams.trailer(), (b"trailer",))


DECODER = Decoder("lzma", (LZMA,), unpack, starts=(START,), broken=(Broken,), ends=tuple(SUFFIXES))
