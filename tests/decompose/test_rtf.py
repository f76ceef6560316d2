"""RTF: objects in all the forms that Word finds them in."""

import random
from pathlib import Path

import archives
import pytest
from built import ole, rtf

SAMPLES = Path("/usr/share/clamav-testfiles")
NOISE = random.Random(1).randbytes(700)
PROGRAM = b"MZ" + NOISE
STORAGE = ole.compound({"x": PROGRAM})
HARMLESS = ("broken", "encrypted", "undecoded", "limit")


def shown(result):
    return [
        (part.names, part.blob.head(part.size)) for path, part in result.parts.items() if path.count(".") == 1
    ]


OBJECT = rtf.ole1(STORAGE, b"Word.Document.8")
HEX = OBJECT.hex().encode()


def torn(between: bytes, step: int = 7) -> bytes:
    return between.join(HEX[at : at + step] for at in range(0, len(HEX), step))


FORMS = {
    "usual": rtf.embedded(OBJECT),
    "no object": b"{\\*\\objdata " + HEX + b"}",
    "no star": b"{\\objdata " + HEX + b"}",
    "no group": b"\\objdata " + HEX,
    "no blank": b"{\\*\\objdata\r\n" + HEX + b"}",
    "capitals": b"{\\*\\objdata " + HEX.upper() + b"}",
    "word in capitals": b"{\\*\\OBJDATA " + HEX + b"}",
    "blanks": b"{\\*\\objdata " + torn(b" \t\r\n", 1) + b"}",
    "other letters": b"{\\*\\objdata " + torn(b"xyz.!~") + b"}",
    "words": b"{\\*\\objdata " + torn(b"\\par ") + b"}",
    "words with numbers": b"{\\*\\objdata " + torn(b"\\foo123 ") + b"}",
    "symbols": b"{\\*\\objdata " + torn(b"\\~\\-") + b"}",
    "quoted": b"{\\*\\objdata " + torn(b"\\'e7", 8) + b"}",
    "half a byte before quoted": b"{\\*\\objdata " + torn(b"a\\'e7", 8) + b"}",
    "quoted within a byte": b"{\\*\\objdata " + torn(b"\\'e7", 7) + b"}",
    "empty groups": b"{\\*\\objdata " + torn(b"{}") + b"}",
    "groups": b"{\\*\\objdata " + b"".join(b"{" + HEX[at : at + 6] + b"}" for at in range(0, len(HEX), 6)) + b"}",
    "comments": b"{\\*\\objdata " + torn(b"{\\*\\comment abcdef01}") + b"}",
    "comments without a star": b"{\\*\\objdata " + torn(b"{\\comment abcdef01}") + b"}",
    "words in groups": b"{\\*\\objdata " + torn(b"{\\par}") + b"}",
    "raw": b"{\\*\\objdata\\bin%d " % len(OBJECT) + OBJECT + b"}",
    "raw in part": b"{\\*\\objdata " + HEX[:40] + b"\\bin%d " % (len(OBJECT) - 20) + OBJECT[20:] + b"}",
    "half a byte before raw": b"{\\*\\objdata " + HEX[:40] + b"f\\bin%d " % (len(OBJECT) - 20) + OBJECT[20:] + b"}",
    "zero raw bytes": b"{\\*\\objdata " + torn(b"\\bin0 ", 8) + b"}",
    "number": b"{\\*\\objdata7 " + HEX + b"}",
    "object in it": b"{\\*\\objdata 00 {\\object\\objemb{\\*\\objdata " + HEX + b"}}}",
    "object after object": b"{\\*\\objdata 00 \\objdata " + HEX + b"}",
    "data store": b"{\\*\\datastore " + STORAGE.hex().encode() + b"}",
    "broken header": b"{\\*\\objdata " + b"01050000ffffffff" + HEX + b"}",
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_the_document_in_an_object_comes_out_in_each_form(form, take):
    result = take(rtf.document(form))
    assert STORAGE in [data for _, data in shown(result)]
    assert PROGRAM in [part.blob.head(part.size) for part in result.parts.values()] and result.findings == []


@pytest.mark.parametrize(
    "form", ["usual", "no star", "capitals", "blanks", "words", "comments", "raw", "data store"]
)
def test_where_all_readings_are_the_same_there_is_one_part(form, take):
    once = [data for _, data in shown(take(rtf.document(FORMS[form])))]
    assert once.count(STORAGE) == 1


def test_a_text_without_objects_has_no_parts(take):
    picture = b"{\\pict{\\*\\blipuid 504b0304}\\pngblip\r\n89504e470d0a1a0a" + NOISE.hex().encode() + b"}"
    result = take(rtf.document(picture, b"{\\*\\fonttbl a}\\bin4 abcd\\objw12"))
    assert shown(result) == [] and result.findings == []


def test_a_packed_file_has_its_names(take):
    data = rtf.ole1(ole.packager(PROGRAM, b"a.exe", b"C:\\a.exe", b"C:\\T\\a.exe"))
    result = take(rtf.document(rtf.embedded(data)))
    assert shown(result) == [((b"a.exe", b"C:\\a.exe", b"C:\\T\\a.exe"), PROGRAM)] and result.findings == []


def test_other_data_comes_out_as_it_is(take):
    result = take(rtf.document(rtf.embedded(rtf.ole1(NOISE, b"Equation.3"))))
    assert shown(result) == [((), NOISE)] and result.findings == []


def test_a_link_has_no_content(take):
    link = (
        bytes.fromhex("0105000001000000") + rtf.text(b"Word.Document.8") + rtf.text(b"C:\\a.doc") + bytes(20)
    )
    packed = rtf.ole1(b"\2\0a\0C:\\a\0\0\0\1\0" + bytes(20))
    result = take(rtf.document(rtf.embedded(link), rtf.embedded(packed)))
    assert shown(result) == [] and result.findings == []


def test_a_program_that_poses_as_a_picture_is_found(take):
    archive = archives.zipped({"a.txt": b"a"})
    groups = [
        b"{\\pict{\\*\\blipuid 00}\\wmetafile8 " + data.hex().encode() + b"}" for data in (PROGRAM, archive)
    ]
    raw = b"{\\pict\\bin%d " % len(PROGRAM) + PROGRAM[::-1][:-2] + b"ZM}"
    result = take(rtf.document(*groups, raw, b"{\\pict\\bin%d " % len(STORAGE) + STORAGE + b"}"))
    assert [data for _, data in shown(result)] == [PROGRAM, archive, STORAGE]


def test_many_objects_come_out_each_once(take):
    result = take(rtf.document(*[rtf.embedded(rtf.ole1(b"%d" % n * 9, b"X")) for n in (1, 2, 1, 3)]))
    assert [data for _, data in shown(result)] == [b"1" * 9, b"2" * 9, b"3" * 9]


@pytest.mark.parametrize("start", [b"{\\rtf1", b"{\\rt", b"{\\rtABC"])
def test_the_kind_is_told_as_word_tells_it(start, take):
    result = take(start + b" " + rtf.embedded(rtf.ole1(PROGRAM, b"X")) + b"}")
    assert shown(result) == [((), PROGRAM)]


def test_the_public_sample_gives_the_program_in_it(take):
    result = take((SAMPLES / "clam.exe.rtf").read_bytes())
    assert [data for _, data in shown(result)] == [
        (SAMPLES / "clam.exe").read_bytes()
    ] and result.findings == []


# hostile


def test_a_size_that_lies_gives_what_there_is(take):
    data = rtf.ole1(PROGRAM, b"X")
    at = len(data) - len(PROGRAM) - 4
    result = take(rtf.document(rtf.embedded(data[:at] + b"\xff\xff\xff\x7f" + PROGRAM)))
    assert shown(result) == [((), PROGRAM)] and result.findings == [("broken:rtf", "1")]


@pytest.mark.parametrize(
    "text",
    [
        b"{\\objdata" * 50_000,
        b"\\objdata\\bin99999999 " * 20_000,
        b"\\pict\\bin99999999 " * 20_000,
        b"{\\*\\objdata " + b"{" * 300_000 + b"0",
        b"{\\*\\objdata " + b"{}" * 100_000,
        b"{\\*\\objdata " + b"0\\'" * 100_000,
        b"{\\*\\objdata " + b"\\" * 200_000,
        b"{\\*\\objdata \\bin" + b"9" * 100_000,
        b"\\pict " * 100_000,
    ],
    ids=["objects in objects", "raw bytes over objects", "raw bytes over pictures", "deep", "empty groups", "halves", "backslashes", "large number", "pictures"],
)  # fmt: skip
def test_what_is_hostile_ends(text, take):
    names = [name for name, _ in take(b"{\\rtf1" + text).findings]
    assert {name.partition(":")[0] for name in names} <= set(HARMLESS)


def test_cut_anywhere_it_is_broken_at_most(take):
    data = rtf.pack(NOISE[:50])
    for at in range(5, len(data), 3):
        result = take(data[:at])
        assert {name.partition(":")[0] for name, _ in result.findings} <= {"broken"}, at


def test_changed_bytes_are_never_our_bug(take):
    data = rtf.document(*FORMS.values())
    for seed in range(12):
        source, damaged = random.Random(seed), bytearray(data)
        for _ in range(source.randrange(1, 200)):
            damaged[source.randrange(5, len(data))] = source.choice(b"{}\\*'0fa \x00\xff")
        result = take(bytes(damaged), size=10 << 20)
        assert {name.partition(":")[0] for name, _ in result.findings} <= set(HARMLESS), seed
