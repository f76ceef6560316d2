"""mime.binhex: BinHex 4.0 in text."""

import base64
import random
import struct
import time

import pytest
from alone import dissected, walked
from hypothesis import given
from hypothesis import strategies as st

from amavis_pipe.mime import binhex, hints

ALPHABET = b"!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr"
BANNER = b"(This file must be converted with BinHex 4.0)\n\n"
TO_HEX = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", ALPHABET)


def packed(data: bytes) -> bytes:
    """Runs of equal bytes as BinHex writes them."""
    out, at = b"", 0
    while at < len(data):
        run = 1
        while run < 255 and data[at + run : at + run + 1] == data[at : at + 1]:
            run += 1
        byte = data[at : at + 1]
        out += b"\x90\0" if byte == b"\x90" else byte
        out += (
            bytes((0x90, run)) if run > 2 else byte * (run - 1) if byte != b"\x90" else b"\x90\0" * (run - 1)
        )
        at += run
    return out


def encoded(data: bytes, resource: bytes = b"", name: bytes = b"a.bin", size: int | None = None) -> bytes:
    size = len(data) if size is None else size
    head = bytes((len(name),)) + name + struct.pack(">B4s4sHII", 0, b"TEXT", b"ttxt", 0, size, len(resource))
    text = (
        base64.b64encode(packed(head + b"??" + data + b"??" + resource + b"??"))
        .rstrip(b"=")
        .translate(TO_HEX)
    )
    text = b":" + text + b":"
    return b"\n".join(text[at : at + 64] for at in range(0, len(text), 64)) + b"\n"


DATA = bytes(range(256)) + b"\x90" * 5 + b"a" * 1000 + b"\x90" + bytes(3)
ONE = encoded(DATA)

TEXTS = {
    "with the line of introduction": (BANNER + ONE, [(b"a.bin", DATA)]),
    "at the start, without": (ONE, [(b"a.bin", DATA)]),
    "within text": (b"Hello: look\n" + ONE + b"Bye: now\n", [(b"a.bin", DATA)]),
    "CRLF": (BANNER.replace(b"\n", b"\r\n") + ONE.replace(b"\n", b"\r\n"), [(b"a.bin", DATA)]),
    "CR": ((BANNER + ONE).replace(b"\n", b"\r"), [(b"a.bin", DATA)]),
    "no colon at the end": (ONE.rstrip(b":\n"), [(b"a.bin", DATA)]),
    "both forks": (encoded(b"abc", b"def"), [(b"a.bin", b"abc"), (b"a.bin", b"def")]),
    "two": (ONE + b"and\n" + encoded(b"xyz", name=b"b c"), [(b"a.bin", DATA), (b"b c", b"xyz")]),
    "more promised than there is": (encoded(b"abc", size=1000), [(b"a.bin", b"abc????")]),
    "empty": (encoded(b""), [(b"a.bin", b"")]),
    "prose": (b": see here\n:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n", []),
    "nothing": (b"", []),
}


@pytest.mark.parametrize(("text", "expected"), TEXTS.values(), ids=TEXTS)
def test_a_text_gives_its_files(text, expected):
    assert dissected(text, binhex.DECODER) == expected
    assert not expected or "binhex" in hints.found(text, len(text))


@given(st.lists(st.tuples(st.sampled_from([b"\x90", b"a", b"b", b"\0"]), st.integers(1, 600))))
def test_what_was_packed_comes_back(runs):
    data = b"".join(byte * count for byte, count in runs)
    assert dissected(encoded(data), binhex.DECODER) == [(b"a.bin", data)]


@pytest.mark.parametrize("step", [1, 3, 64, 1000])
def test_steps_change_nothing(step, monkeypatch):
    monkeypatch.setattr(binhex, "_STEP", step)
    data = random.Random(1).randbytes(3000) + DATA
    assert dissected(encoded(data), binhex.DECODER) == [(b"a.bin", data)]


def test_a_bomb_stops_at_the_quota():
    data = b"a" * (4 << 20)
    walk = walked(encoded(data), binhex.DECODER, max_quota=1 << 20, min_quota=1 << 20)
    assert [found.name for found in walk.findings] == ["limit:quota"]
    assert walk.parts[0].size > 900_000


@pytest.mark.parametrize("line", [b":\n", b":" + b"!" * 64 + b"\n", ONE, b"\n:", b":" + b"$f" * 32])
def test_a_megabyte_of_it_takes_little_time(line):
    before = time.process_time()
    walk = walked(line * (1_000_000 // len(line)), binhex.DECODER)
    assert {found.name for found in walk.findings} <= {"limit:files"}
    assert time.process_time() - before < 8
