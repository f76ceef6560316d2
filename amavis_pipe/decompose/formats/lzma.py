"""LZMA alone (.lzma): one file, in one stream; told by the structure of its header, or by its name.

Source: the specification of the LZMA SDK. As there is no magic, what is only called so may be anything: of
what can't be such a stream nothing is said.
"""

from amavis_pipe.decompose.api import Blob, Broken, Decoder, Sink, without_suffix
from amavis_pipe.decompose.lzmas import Header, add_stream
from amavis_pipe.unmarked import LZMA, is_lzma

SUFFIXES = {b".tlz": b".tar", b".lzma": b""}
START = b"\x5d\0\0\x80\0" + b"\xff" * 8 + b"\0"
"""What xz begins with, if it isn't told otherwise."""
_HEAD = 13
_PROPERTIES = 9 * 5 * 5
_UNKNOWN = (1 << 64) - 1


def unpack(blob: Blob, sink: Sink) -> None:
    """The file, and what stands after it, as a part of its own."""
    head = blob.head(_HEAD + 1)
    if not is_lzma(head) and (
        len(head) < _HEAD or head[0] >= _PROPERTIES or head[_HEAD:] not in (b"", b"\0")
    ):
        return
    size = int.from_bytes(head[5:_HEAD], "little")
    header = Header(head, -1 if size == _UNKNOWN else size)
    add_stream(blob.view(), _HEAD, header, sink, without_suffix(sink.names, SUFFIXES))


DECODER = Decoder("lzma", (LZMA,), unpack, starts=(START,), broken=(Broken,), ends=tuple(SUFFIXES))
