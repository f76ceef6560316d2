"""Compound files: what is embedded in documents, VBA, messages, installers."""

import random
import struct
from pathlib import Path

import archives
import pytest
from built import ole

from amavis_pipe.decompose import vba
from amavis_pipe.decompose.formats import rtf

SAMPLES = Path("/usr/share/clamav-testfiles")
NOISE = random.Random(1).randbytes(5000)
PROGRAM = b"MZ" + NOISE
HARMLESS = ("broken", "encrypted", "undecoded", "limit")


def wide(text: str) -> bytes:
    return text.encode("utf-16-le")


def shown(result):
    """Names, claimed type and bytes of each part that lies directly in the file."""
    return [
        (part.names, part.claimed, part.blob.head(part.size))
        for path, part in result.parts.items()
        if path.count(".") == 1
    ]


@pytest.mark.parametrize("shift", [9, 12], ids=["version 3", "version 4"])
@pytest.mark.parametrize("size", [0, 1, 100, 4000, 5000, 200_000])
def test_a_packed_file_comes_out_with_all_its_names(size, shift, take):
    data = random.Random(2).randbytes(size)
    packed = ole.packager(data, b"a.exe", b"C:\\b.exe", b"C:\\TEMP\\c.exe")
    texts = b"".join(
        struct.pack("<I", len(one)) + wide(one) for one in ("C:\\ü\\c.exe", "ä.exe", "D:\\b.exe")
    )
    result = take(ole.compound({"ObjectPool/_1/\1Ole10Native": ole.sized(packed + texts)}, shift))
    names = (
        "ä.exe".encode(),
        b"a.exe",
        b"D:\\b.exe",
        b"C:\\b.exe",
        "C:\\ü\\c.exe".encode(),
        b"C:\\TEMP\\c.exe",
    )
    assert shown(result) == [(names, b"", data)] and result.findings == []


@pytest.mark.parametrize(
    ("stream", "data"),
    [
        (ole.sized(NOISE), NOISE),
        (struct.pack("<I", 100) + NOISE, NOISE[:100]),
        (struct.pack("<I", 99_999) + NOISE, NOISE),
        (ole.packager(NOISE), NOISE),
        (struct.pack("<I", 3) + ole.packager(NOISE), NOISE),
    ],
    ids=["size and data", "less than there is", "more than there is", "no size", "wrong size"],
)
def test_native_data_comes_out_in_every_layout(stream, data, take):
    result = take(ole.compound({"\1Ole10Native": stream}))
    assert [content for _, _, content in shown(result)] == [data] and result.findings == []


def test_a_link_to_a_file_is_no_part(take):
    link = b"\2\0a\0C:\\a\0\0\0\1\0" + bytes(20)
    assert shown(take(ole.compound({"\1Ole10Native": ole.sized(link)}))) == []


@pytest.mark.parametrize("linked", [True, False], ids=["in the tree", "in no tree"])
def test_files_in_streams_are_found_by_how_they_begin(linked, take):
    streams = {
        "a/Package": archives.zipped({"b.txt": b"b"}),
        "a/CONTENTS": b"what some program knows of",
        "a/EmbeddedOdf": b"some text",
        "a/other": PROGRAM,
        "a/text": b"plain text",
        "a/noise": b"\xfe" + NOISE,
    }
    result = take(ole.compound(streams, linked=linked))
    path = b"a/" if linked else b""
    assert shown(result) == [
        ((path + name.encode(),), b"", streams["a/" + name])
        for name in ("Package", "CONTENTS", "EmbeddedOdf", "other")
    ]
    assert result.parts["1.1.1"].blob.head(9) == b"b" and result.findings == []


def squeezed(name: str) -> str:
    """A name as installers write it."""
    letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz._"
    out = "\u4840" if name.startswith("!") else ""
    codes = [letters.index(letter) for letter in name.lstrip("!")]
    for at in range(0, len(codes) - 1, 2):
        out += chr(0x3800 + codes[at] + (codes[at + 1] << 6))
    return out + (chr(0x4800 + codes[-1]) if len(codes) % 2 else "")


def test_streams_of_an_installer_have_their_names(take):
    streams = {
        squeezed("Binary.run.vbs"): b"MsgBox 1",
        squeezed("Data1.cab"): b"MSCF",
        squeezed("!_Tables"): b"1",
    }
    result = take(ole.compound(streams))
    assert [(names, data) for names, _, data in shown(result)] == [
        ((b"Binary.run.vbs",), b"MsgBox 1"), ((b"Data1.cab",), b"MSCF"),
    ]  # fmt: skip


MODULE = b'Attribute VB_Name = "M"\r\nSub A()\r\n  s = "\xe4"\r\nEnd Sub\r\n' * 200
TEXT = MODULE.decode("cp1252").encode()


@pytest.mark.parametrize(
    ("streams", "names"),
    [
        ({"Macros/VBA/dir": ole.vba_directory({"Mödul": 5}), "Macros/VBA/Mödul": b"cache" + ole.vba_packed(MODULE)}, ["Mödul.bas"]),
        ({"VBA/dir": ole.vba_directory({}), "VBA/M": b"cache" + ole.vba_packed(MODULE)}, ["M.bas"]),
        ({"VBA/dir": ole.vba_directory({"M": 3}), "VBA/M": b"cache" + ole.vba_packed(MODULE)}, ["M.bas"]),
        ({"VBA/dir": ole.vba_directory({"M": 0}), "VBA/M": ole.vba_packed(MODULE) * 2}, ["M.bas", "M.bas"]),
    ],
    ids=["listed", "not listed", "wrong place", "twice"],
)  # fmt: skip
def test_source_of_vba_comes_out_as_text(streams, names, take):
    result = take(ole.compound(streams))
    assert (
        shown(result) == [((name.encode(),), b"text/plain", TEXT) for name in names] and result.findings == []
    )


@pytest.mark.parametrize("path", ["VBA/M", "M"], ids=["in a storage", "nowhere"])
def test_source_of_vba_comes_out_without_its_directory(path, take):
    result = take(ole.compound({path: b"cache" + ole.vba_packed(MODULE)}, linked="/" in path))
    assert shown(result) == [((b"M.bas",), b"text/plain", MODULE)]


NORMAL = (
    "012fb00023616161626364658266007061676869 6a01380861 6b6c00306d6e6f700671027004107273747576107778797a003c"
)


@pytest.mark.parametrize(
    ("packed", "text"),
    [
        (NORMAL, b"#aaabcdefaaaaghijaaaaaklaaamnopqaaaaaaaaaaaarstuvwxyzaaa"),
        ("0119b000616263646566676800696a6b6c6d6e6f7000717273747576 2e", b"abcdefghijklmnopqrstuv."),
        ("0103b002614500", b"a" * 73),
        ("01ff3f" + "61" * 4096, b"a" * 4096),
    ],
    ids=["normal", "none", "best", "stored"],
)
def test_the_examples_of_packed_source_come_out(packed, text):
    """[MS-OVBA] 3.2."""
    source = rtf._Bytes(bytearray(bytes.fromhex(packed)))
    assert vba.begins(source, 0) and b"".join(vba.unpacked(source, 0)) == text


def message(**more: bytes) -> dict[str, bytes]:
    return {
        "__substg1.0_1000001F": wide("Hällo"),
        "__substg1.0_10130102": b"<html>hello",
        "__substg1.0_0037001E": b"MZ: a subject",
        "__attach_version1.0_#00000000/__substg1.0_37010102": PROGRAM,
        "__attach_version1.0_#00000000/__substg1.0_3707001F": wide("Rechnung Ä.exe"),
        "__attach_version1.0_#00000000/__substg1.0_3704001E": b"RECHNU~1.EXE",
        **more,
    }


def test_bodies_and_attachments_of_a_message_come_out(take):
    result = take(ole.compound(message()))
    assert shown(result) == [
        ((), b"text/plain", "Hällo".encode()),
        ((), b"text/html", b"<html>hello"),
        (("Rechnung Ä.exe".encode(), b"RECHNU~1.EXE"), b"", PROGRAM),
    ]
    assert result.findings == []


def test_a_message_in_a_message_is_taken_apart_too(take):
    inner = {
        "__attach_version1.0_#00000000/__substg1.0_3701000D/" + path: data for path, data in message().items()
    }
    result = take(ole.compound(inner))
    assert [data for _, _, data in shown(result)] == ["Hällo".encode(), b"<html>hello", PROGRAM]
    assert shown(result)[2][0] == ("Rechnung Ä.exe".encode(), b"RECHNU~1.EXE")


def test_compressed_rtf_of_a_message_comes_out(take):
    packed = bytes.fromhex(
        "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c090020627705b06c647d0a800fa0"
    )
    result = take(ole.compound({"__substg1.0_10090102": packed}))
    assert shown(result) == [((), b"text/rtf", b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n")]


def test_objects_of_slides_come_out(take):
    inner = ole.compound({"\1Ole10Native": ole.sized(ole.packager(PROGRAM))})
    bare = struct.pack("<HHI", 0, 0x1011, len(inner)) + inner
    result = take(ole.compound({"PowerPoint Document": NOISE + ole.slide_object(inner) + NOISE + bare}))
    assert [data for _, _, data in shown(result)] == [inner, inner]
    assert result.parts["1.1.1"].blob.head(9000) == PROGRAM and result.findings == []


def test_macros_in_a_zipped_document_are_found(take):
    project = ole.compound({"VBA/dir": ole.vba_directory({"M": 0}), "VBA/M": ole.vba_packed(MODULE)})
    result = take(archives.zipped({"word/vbaProject.bin": project, "word/document.xml": b"<w:document/>"}))
    part = result.parts["1.1.1"]
    assert (part.names, part.blob.head(part.size), result.findings) == ((b"M.bas",), TEXT, [])


@pytest.mark.parametrize(("name", "path"), [("clam.ole.doc", "1.1"), ("clam.ppt", "1.1.1")])
def test_public_samples_give_the_program_in_them(name, path, take):
    result = take((SAMPLES / name).read_bytes())
    assert result.parts[path].blob.head(9999) == (SAMPLES / "clam.exe").read_bytes() and result.findings == []


# hostile

LARGE = {"a": PROGRAM, "b": PROGRAM[:3000]}


def patched(data: bytes, at: int, value: int, size: int = 4) -> bytes:
    return data[:at] + value.to_bytes(size, "little") + data[at + size :]


@pytest.mark.parametrize(
    ("at", "value", "size"),
    [(24, 0, 4), (28, 0, 2), (30, 0, 2), (30, 0xFFFF, 2), (32, 0, 2), (32, 99, 2), (44, 0, 4), (44, 999, 4), (72, 999, 4), (64, 0, 4), (40, 77, 4)],
    ids=["version", "byte order", "no shift", "big shift", "no mini shift", "big mini shift", "no tables", "many tables", "many lists", "no mini tables", "directories"],
)  # fmt: skip
def test_fields_of_the_header_that_make_no_sense_hide_nothing(at, value, size, take):
    result = take(patched(ole.compound(LARGE), at, value, size))
    assert [data for _, _, data in shown(result)] == list(LARGE.values()) and result.findings == []


@pytest.mark.parametrize("cutoff", [0, 64, 0xFFFFFFFF])
def test_another_limit_of_small_streams_hides_nothing(cutoff, take):
    data = patched(ole.compound(LARGE), 56, cutoff)
    assert {data for _, _, data in shown(take(data))} >= set(LARGE.values())
    apart = ole.compound({"a": PROGRAM[:2000]}, cutoff=64)
    assert PROGRAM[:2000] in [data for _, _, data in shown(take(apart))]


def table(data: bytes) -> int:
    return 512 + 512 * struct.unpack_from("<I", data, 76)[0]


def entry(data: bytes, number: int) -> int:
    return 512 + 512 * struct.unpack_from("<I", data, 48)[0] + 128 * number


@pytest.mark.parametrize("back", [0, 1, 5])
def test_a_chain_in_a_circle_ends(back, take):
    data = ole.compound({"a": PROGRAM})
    start = struct.unpack_from("<I", data, entry(data, 1) + 116)[0]
    data = patched(patched(data, table(data) + 4 * (start + 5), start + back), entry(data, 1) + 120, 1 << 30)
    result = take(data)
    assert [one for _, _, one in shown(result)] == [PROGRAM[: 6 * 512]]
    assert result.parts["1.1"].flags == ("partial",) and result.findings == [("broken:ole", "1")]


def test_a_stream_ends_with_its_chain_whatever_its_size(take):
    data = ole.compound({"a": PROGRAM})
    result = take(patched(data, entry(data, 1) + 120, 0x7FFFFFFF))
    assert shown(result)[0][2].startswith(PROGRAM) and len(shown(result)[0][2]) == 5120
    assert result.findings == [("broken:ole", "1")]


def test_a_directory_in_a_circle_and_trees_in_circles_end(take):
    data = ole.compound({f"{n}": PROGRAM[: 100 + n] for n in range(8)})
    start = struct.unpack_from("<I", data, 48)[0]
    circle = patched(data, table(data) + 4 * (start + 1), start)
    assert take(circle).findings == [("broken:ole", "1")]
    for number in range(9):
        for field in (68, 72, 76):
            data = patched(data, entry(data, number) + field, (number * 5 + field) % 9)
    assert len(shown(take(data))) == 8


def test_lists_of_tables_in_a_circle_end(take):
    data = patched(patched(ole.compound(LARGE), 68, 3), 72, 1000)
    data = patched(data, 512 + 512 * 3 + 508, 3)
    assert {name.partition(":")[0] for name, _ in take(data).findings} <= set(HARMLESS)


def test_a_large_file_with_lists_of_tables_is_read(take):
    data = PROGRAM * 1600
    result = take(ole.compound({"a": data, "b": PROGRAM}), size=20 << 20)
    assert [len(content) for _, _, content in shown(result)] == [
        len(data),
        len(PROGRAM),
    ] and result.findings == []


def test_streams_that_share_all_their_bytes_end_at_a_limit(take):
    data = ole.compound({f"{n}": b"MZ" for n in range(3000)} | {"z": PROGRAM * 40})
    start = entry(data, 0)
    large = struct.unpack_from("<I", data, start + 128 * 3001 + 116)[0]
    for number in range(1, 3001):
        data = patched(
            patched(data, start + 128 * number + 116, large), start + 128 * number + 120, 200_000 - number
        )
    names = [name for name, _ in take(data, size=0, max_quota=1 << 20, min_quota=1 << 20).findings]
    assert names[0].startswith("limit:")


@pytest.mark.parametrize(
    "streams", [LARGE, {"\1Ole10Native": ole.sized(ole.packager(NOISE[:500]))}], ids=["magic", "native"]
)
def test_cut_anywhere_it_is_broken_at_most(streams, take):
    data = ole.compound(streams)
    for at in range(8, len(data), 197):
        result = take(data[:at])
        assert {name.partition(":")[0] for name, _ in result.findings} <= set(HARMLESS), at


def test_flipped_bits_are_never_our_bug(take):
    data = ole.compound(
        message() | {"VBA/dir": ole.vba_directory({"M": 5}), "VBA/M": b"cache" + ole.vba_packed(MODULE[:600])}
        | {"PowerPoint Document": ole.slide_object(ole.compound(LARGE)), "\1Ole10Native": ole.sized(ole.packager(NOISE))}
    )  # fmt: skip
    for seed in range(80):
        source, damaged = random.Random(seed), bytearray(data)
        for _ in range(source.randrange(1, 20)):
            damaged[source.randrange(8, len(data))] ^= 1 << source.randrange(8)
        result = take(bytes(damaged), size=10 << 20)
        assert {name.partition(":")[0] for name, _ in result.findings} <= set(HARMLESS), seed
