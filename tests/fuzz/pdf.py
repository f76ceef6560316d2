"""Fuzzes the decoder of PDF; see mutants.py."""

import random
import zlib

from built.pdf import embedded, filespec, obj, object_stream, pack, pdf, stream

from amavis_pipe.decompose.formats.pdf import DECODER
from fuzz.mutants import changed, judge

FILE = b"a file\n" * 30
SAMPLES = [
    pack(FILE),
    pdf(object_stream(3, {7: b"<</F(a.txt)/EF<</F 4 0 R>>>>", 8: b"5"}), embedded(4, FILE)),
    pdf(obj(3, b"<</JS(x)/Names[(a)4 0 R]>>"), obj(4, b"<</JS 5 0 R>>"), stream(5, b"", b"y=2")),
    pdf(obj(3, b"<</XFA[(a)4 0 R(b)5 0 R]>>"), stream(4, b"", b"<x>"), stream(5, b"/Filter/AHx", b"4142>")),
    pdf(
        filespec(3, b"\\376\\377\\0a", 4),
        stream(
            4,
            b"/Filter[/Fl/LZW/RL/A85]/DecodeParms[<</Predictor 12/Columns 9>><</Predictor 2>>]",
            zlib.compress(FILE),
        ),
        stream(5, b"/Type/EmbeddedFile/Filter/LZWDecode", b"\x80\x0b\x60\x50\x22\x0c\x0c\x85\x01"),
        stream(6, b"/Type/EmbeddedFile/Filter/RunLengthDecode", b"\x02abc\xfeq\x80"),
        stream(7, b"/Type/EmbeddedFile/Filter/A85", b"9jqo^BlbD-BleB1DJ+*+F(f,q~>"),
        stream(
            8,
            b"/Type/EmbeddedFile/Filter/Fl/DecodeParms<</Predictor 15/Columns 6/Colors 3>>",
            zlib.compress(bytes(range(5)) * 99),
        ),
    ),
]
WORDS = [
    b"/EF", b"/EF 4 0 R", b"/Type/EmbeddedFile", b"/JS", b"/JS 4 0 R", b"/XFA", b"/ObjStm", b"/First 5", b"<<", b">>",
    b"[", b"]", b"(", b")", b"\\", b"<", b">", b"%", b"\n", b"stream\n", b"endstream", b"endobj", b"3 0 obj", b"4 0 R",
    b" obj", b"/Length 4 0 R", b"/Length 99999999999", b"/Filter", b"/FlateDecode", b"/LZWDecode", b"/Predictor 15",
    b"/Columns 1000000", b"/Colors 99", b"/#45#46", b"/BitsPerComponent 1", b"null", b"-1", b"999999999", b"/F 4 0 R",
]  # fmt: skip


def fuzz(source: random.Random) -> None:
    """Take one hostile PDF apart."""
    judge(DECODER, changed(source.choice(SAMPLES), SAMPLES, WORDS, source))
