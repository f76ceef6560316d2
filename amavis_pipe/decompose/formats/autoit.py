"""Compiled scripts of AutoIt 3 (.a3x): the script and the files in it; decompose/autoit.py says more.

Those in programs are taken out by sfx.
"""

from amavis_pipe.decompose.api import Blob, Broken, Decoder, Sink

MAGIC = b"\xa3\x48\x4b\xbe\x98\x6c\x4a\xa9\x99\x4c\x53\x0a\x86\xd6\x48\x7d"


def unpack(blob: Blob, sink: Sink) -> None:
    """All that is in it, in order."""
    from amavis_pipe.decompose import autoit

    if not autoit.unpack(blob.view(), sink):
        raise Broken("damaged")


DECODER = Decoder("autoit", ("application/x-autoit",), unpack, starts=(MAGIC,), broken=(Broken,))
