"""Scripts of AutoIt, alone and behind its interpreter."""

import random
import struct
from pathlib import Path

import pytest
from built.autoit import NEW, OLD, entry, script, squeezed
from built.sfx import program

SAMPLES = Path("/usr/share/clamav-testfiles")
FILE = random.Random(9).randbytes(2000)
KINDS = pytest.mark.parametrize("kind", [OLD, NEW], ids=["EA05", "EA06"])


@KINDS
def test_files_come_out(kind, take):
    data = script(kind, entry(kind, "C:\\a.exe", squeezed(FILE, kind)), entry(kind, "b", b"stored", 0))
    result = take(data)
    assert result.content() == [(b"C:\\a.exe", FILE), (b"b", b"stored")] and result.findings == []
    result = take(program(appended=data))
    assert result.content() == [(b"C:\\a.exe", FILE), (b"b", b"stored")] and result.findings == []


@KINDS
def test_copies_may_run_into_what_they_write(kind, take):
    other = 1 - kind.literal
    cases = {
        6: "11" + "011",
        13: "11" + "111" + "00000",
        400: "11" + "111" + "11111" + "11111111" + f"{400 - 299:08b}",
    }
    cases[3] = "00"
    for length, bits in cases.items():
        stored = squeezed(b"ab", kind, f"{other}{2:015b}{bits}", 2 + length)
        result = take(script(kind, entry(kind, "x", stored)))
        assert result.content() == [(b"x", (b"ab" * 300)[: 2 + length])], length


def test_a_copy_without_an_end_stops_at_the_quota(take):
    stored = squeezed(b"a", OLD, f"1{1:015b}" + "1" * 8_000_000, 0xFFFFFFFF)
    result = take(script(OLD, entry(OLD, "x", stored)), size=0, max_quota=1 << 20, min_quota=1 << 20)
    assert result.findings == [("limit:quota", "1")]


def token(kind: int, text: str) -> bytes:
    mixed = b"".join(struct.pack("<H", ord(char) ^ len(text)) for char in text)
    return bytes([kind]) + struct.pack("<I", len(text)) + mixed


def test_a_script_in_tokens_is_text(take):
    tokens = struct.pack("<I", 1) + token(0x33, "x") + b"\x41" + token(0x31, "RUN") + b"\x47"
    tokens += token(0x36, 'a"b.exe') + b"\x40\x05" + struct.pack("<i", -5) + b"\x48\x7f"
    result = take(script(NEW, entry(NEW, ">>>AUTOIT SCRIPT<<<", squeezed(tokens, NEW))))
    assert result.content() == [(b"script.au3", b'$x = RUN ( "a""b.exe" , -5 ) \r\n')]


def test_one_cut_off_is_broken(take):
    data = script(OLD, entry(OLD, "a", squeezed(FILE, OLD)), entry(OLD, "b", squeezed(FILE, OLD)))
    for end in range(len(data) - 200, len(data) - 5, 17):
        result = take(data[:end])
        assert result.content()[0] == (b"a", FILE) and result.findings == [("broken:autoit", "1")]


@pytest.mark.parametrize("name", ["clam.ea05.exe", "clam.ea06.exe"])
def test_real_ones_are_opened(name, take):
    result = take((SAMPLES / name).read_bytes())
    assert b"C:\\clam.exe" in result.names() and result.findings == []
    assert any(part.sha256.startswith("71e7b604d18aefd8") for part in result.parts.values())


def test_heads_within_one_another_are_not_read_over_and_over(take):
    head = script(OLD, entry(OLD, "x", bytes(50_000), 0))[: -len(b"end.") - 50_000]
    data = head * 300 + bytes(60_000)
    result = take(data)
    assert result.findings == [("broken:autoit", "1")]
    assert 50_000 < sum(part.size for path, part in result.parts.items() if path != "1") <= 2 * len(data)
