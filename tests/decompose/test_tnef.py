"""TNEF: what Outlook packs into winmail.dat."""

import random
import struct
import time
import uuid

import pytest
from archives import attached, attribute, tnef

MESSAGE = uuid.UUID("00020307-0000-0000-C000-000000000046").bytes_le
STORAGE = uuid.UUID("0000000B-0000-0000-C000-000000000046").bytes_le


def padded(data: bytes) -> bytes:
    return struct.pack("<I", len(data)) + data + bytes(-len(data) % 4)


def prop(number: int, kind: int, value: bytes, named: bytes = b"") -> bytes:
    head = struct.pack("<HH", kind, number) + named
    return head + (struct.pack("<I", 1) + padded(value) if kind in (0x1E, 0x1F, 0x102, 0x0D) else value)


def properties(*props: bytes, count: int | None = None) -> bytes:
    return struct.pack("<I", len(props) if count is None else count) + b"".join(props)


def wide(text: str) -> bytes:
    return text.encode("utf-16-le") + b"\0\0"


def test_attachments_have_all_their_names_the_long_one_first(take):
    more = attribute(
        0x9005, properties(prop(0x3704, 0x1E, b"RECHNU~1.EXE\0"), prop(0x3707, 0x1F, wide("Rechnung Ä.exe")))
    )
    result = take(tnef(attached(b"one", b"RECHNU~1.EXE", more), attached(b"two", b"b.txt")))
    assert result.findings == []
    assert [part.names for part in result.parts.values()] == [
        ("Rechnung Ä.exe".encode(), b"RECHNU~1.EXE"), (b"b.txt",),
    ]  # fmt: skip
    assert [data for _, data in result.content()] == [b"one", b"two"]


def test_data_among_the_properties_is_an_attachment_too(take):
    more = attribute(0x9005, properties(prop(0x3701, 0x102, b"data"), prop(0x3707, 0x1E, b"a.bin\0")))
    result = take(tnef(attribute(0x9002, bytes(14)), more))
    assert result.content() == [(b"a.bin", b"data")] and result.findings == []


def test_a_message_in_it_is_taken_apart(take):
    inner = tnef(attached(b"deep", b"deep.txt"))
    more = attribute(0x9005, properties(prop(0x3701, 0x0D, MESSAGE + inner)))
    result = take(tnef(attribute(0x9002, bytes(14)), more))
    assert result.content() == [(b"", inner), (b"deep.txt", b"deep")]
    assert result.parts["1.1.1"].decoder == "tnef" and result.findings == []


def test_of_a_storage_the_class_is_left_out(take):
    storage = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 and so on"
    result = take(tnef(attribute(0x9005, properties(prop(0x3701, 0x0D, STORAGE + storage)))))
    assert result.content() == [(b"", storage)]


def test_the_texts_of_the_message_are_parts(take):
    named = uuid.uuid4().bytes_le
    props = properties(
        prop(0x0E1B, 0x0B, b"\1\0\0\0"),
        prop(0x8001, 0x03, b"\1\0\0\0", named + struct.pack("<II", 0, 5)),
        prop(
            0x8002, 0x1003, struct.pack("<III", 2, 1, 2), named + struct.pack("<I", 1) + padded(wide("name"))
        ),
        prop(0x0039, 0x40, bytes(8)),
        prop(0x1013, 0x102, b"<html>hello"),
        prop(0x1000, 0x1F, wide("wide")),
    )
    result = take(tnef(attribute(0x800C, b"plain\0", 1), attribute(0x9003, props, 1), attached(b"x")))
    assert [(part.claimed, data) for part, (_, data) in zip(result.parts.values(), result.content(), strict=True)] == [
        (b"text/plain", b"plain\0"), (b"text/html", b"<html>hello"), (b"text/plain", wide("wide")), (b"", b"x"),
    ]  # fmt: skip
    assert result.findings == []


PACKED = bytes.fromhex(
    "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af320 68656c090020627705b06c647d0a800fa0"
)
"""The example of [MS-OXRTFCP] 4.1.1."""
RUN = (
    struct.pack("<II4sI", 0, 28, b"LZFu", 0)
    + b"\0{\\rtf1 W\x18XYZ"
    + struct.pack(">HH", 214 << 4 | 15, 235 << 4)
)
"""What is copied runs into what is written; the last token points to where it would be written."""


@pytest.mark.parametrize(
    ("packed", "text"),
    [
        (PACKED, b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"),
        (RUN, b"{\\rtf1 WXYZ" + b"WXYZ" * 4 + b"W"),
        (struct.pack("<II4sI", 20, 8, b"MELA", 0) + b"{\\rtf1 }", b"{\\rtf1 }"),
        (b"{\\rtf1 not packed}", b"{\\rtf1 not packed}"),
    ],
    ids=["example", "run", "stored", "bare"],
)
def test_compressed_rtf_comes_out(packed, text, take):
    result = take(tnef(attribute(0x9003, properties(prop(0x1009, 0x102, packed)), 1)))
    assert [
        (part.kind, data) for part, (_, data) in zip(result.parts.values(), result.content(), strict=True)
    ] == [("text/rtf", text)]


def test_long_compressed_rtf_comes_out_whole(take):
    """All literals: more than one window and more than one chunk."""
    text = random.Random(3).randbytes(200_000)
    packed = b"".join(b"\0" + text[at : at + 8] for at in range(0, len(text), 8)) + b"\1"
    packed += bytes(((207 + len(text)) % 4096 >> 4, (207 + len(text)) % 4096 << 4 & 0xF0))
    rtf = struct.pack("<II4sI", len(packed) + 12, len(text), b"LZFu", 0) + packed
    result = take(tnef(attribute(0x9003, properties(prop(0x1009, 0x102, rtf)), 1)))
    assert [data for _, data in result.content()] == [text]


def test_compressed_rtf_that_points_anywhere_is_no_bug(take):
    for seed in range(20):
        rtf = struct.pack("<II4sI", 0, 0, b"LZFu", 0) + random.Random(seed).randbytes(3000)
        assert len(take(tnef(attribute(0x9003, properties(prop(0x1009, 0x102, rtf)), 1))).parts) == 1


@pytest.mark.parametrize(
    "data",
    [
        tnef(attached(b"one")) + b"\1",
        tnef(attached(b"one"), attribute(0x9005, properties(count=0xFFFFFFFF))),
        tnef(attached(b"one"), attribute(0x9005, properties(prop(0x1234, 0x77, b"")))),
        tnef(attached(b"one"), attribute(0x9005, properties(struct.pack("<HHI", 0x101E, 1, 0xFFFFFFFF)))),
        tnef(attached(b"one"), attribute(0x8008, b"x", size=0xFFFFFFFF)),
        tnef(attached(b"one"), attribute(0x8008, b"x", level=7)),
    ],
    ids=["a byte more", "count", "type", "count of values", "size", "level"],
)
def test_what_came_before_damage_is_kept(data, take):
    result = take(data)
    assert result.content() == [(b"file", b"one")]
    assert result.findings == [("broken:tnef", "1")]


def test_ten_thousand_attachments_end_at_the_limit_of_files(take):
    result = take(tnef(*[attached(b"x")] * 10_000), files=100)
    assert len(result.parts) == 100 and result.findings == [("limit:files", "1")]


def test_thirty_thousand_names_are_a_few(take):
    """Each long name went before all others: that took quadratic time."""
    many = [prop(0x3707, 0x1E, b"%06d\0" % number) for number in range(30_000)]
    before = time.process_time()
    result = take(tnef(attached(b"one", b"a.exe"), attribute(0x9005, properties(*many))))
    assert time.process_time() - before < 4
    (names,) = [part.names for part in result.parts.values()]
    assert len(names) == 16 and names[0] == b"000000"
