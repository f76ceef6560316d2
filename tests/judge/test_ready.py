"""judge.ready: the sets that need no writing bite what they are for, in real mails taken apart, and nothing else."""

import tempfile

import archives
import pytest
from built import iso, ole, squashfs, vhd
from stand_in import mails

import amavis_pipe
from amavis_pipe.config.banned import chosen, compiled
from amavis_pipe.decompose import registry
from amavis_pipe.judge import banned, ready

SETS, _ = compiled([])
OF_NAMES = ("executables", "scripts", "macros", "shortcuts", "disk-images", "double-extensions")
PROGRAM = b"MZ\x90\0" + bytes(60)
SHORTCUT = b"L\0\0\0\1\x14\2\0" + bytes(80)
TYPES = b'<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>'
DOCUMENT = {"[Content_Types].xml": TYPES, "_rels/.rels": b"<a/>", "word/document.xml": b"<w:document/>"}
SIGNED = {**DOCUMENT, "_xmlsignatures/origin.sigs": b"x", "_xmlsignatures/sig1.xml": b"<Signature/>"}
TEXT_DOCUMENT = {"mimetype": b"application/vnd.oasis.opendocument.text", "META-INF/manifest.xml": b"<m/>", "content.xml": b"<c/>"}  # fmt: skip
PROJECT = ole.compound(
    {"VBA/Module1": ole.vba_packed(b'Attribute VB_Name = "Module1"\r\nSub AutoOpen()\r\n')}
)


def taken_apart(mail: bytes) -> amavis_pipe.Facts:
    with tempfile.TemporaryFile() as file:
        file.write(mail)
        file.seek(0)
        facts = amavis_pipe.decompose(file.fileno())
    amavis_pipe.release(facts)
    return facts


def hits(mail: bytes) -> dict[str, list[str]]:
    """What each set finds in the mail, by set: the names of the findings less the set's; those that find."""
    facts = taken_apart(mail)
    found = {name: banned.applied(facts, chosen((name,), SETS))[0] for name in SETS if name != "everything"}
    return {name: [one.name.partition(":")[2] for one in ones] for name, ones in found.items() if ones}


def jar() -> bytes:
    return archives.zipped({"META-INF/MANIFEST.MF": b"Manifest-Version: 1.0\n", "A.bin": b"x"})


def sheet(**more: bytes) -> bytes:
    return archives.zipped({**DOCUMENT, **more})


BITES = {
    "program": (PROGRAM, "setup.exe", {"executables": ["setup.exe"]}),
    "program by another name": (PROGRAM, "photo.jpg", {"executables": ["photo.jpg (application/x-dosexec)"]}),
    "program's name alone": (b"hello\n", "setup.exe", {"executables": ["setup.exe"]}),
    "ELF": (b"\x7fELF" + bytes(60), "tool", {"executables": ["tool (application/x-executable)"]}),
    "Java class": (b"\xca\xfe\xba\xbe\0\0\0\x34" + bytes(60), "a", {"executables": ["a (application/java-vm)"]}),
    "Mach-O": (b"\xcf\xfa\xed\xfe" + bytes(60), "a", {"executables": ["a (application/x-mach-binary)"]}),
    "jar by another name": (jar(), "a.zip", {"executables": ["meta-inf/manifest.mf"]}),
    "class id": (b"x", "a.{3050F4D8-98B5-11CF-BB82-00AA00BDCE0B}", {"executables": ["a.{3050f4d8-98b5-11cf-bb82-00aa00bdce0b}"]}),
    "script": (b"WScript.Echo(1)\n", "a.js", {"scripts": ["a.js"]}),
    "double": (PROGRAM, "invoice.pdf   .exe", {"executables": ["invoice.pdf   .exe"], "double-extensions": ["invoice.pdf   .exe"]}),
    "zip in zip": (
        archives.zipped({"b.zip": archives.zipped({"c.exe": PROGRAM})}),
        "a.zip",
        {"executables": ["c.exe"]},
    ),
    "shortcut": (SHORTCUT, "Invoice.lnk", {"shortcuts": ["invoice.lnk"]}),
    "shortcut by another name": (SHORTCUT, "a", {"shortcuts": ["a (application/x-ms-shortcut)"]}),
    "shortcut in a zip": (archives.zipped({"doc.lnk": SHORTCUT}), "a.zip", {"shortcuts": ["doc.lnk"]}),
    "disc": (iso.pack(b"hello"), "a.iso", {"disk-images": ["a.iso"]}),
    "disc by another name": (iso.pack(b"hello"), "a.dat", {"disk-images": ["a.dat (application/x-iso9660-image)"]}),
    "disc with a program": (
        iso.iso(iso.record(b"A.EXE;1", 21, len(PROGRAM)), data=PROGRAM),
        "a.iso",
        {"disk-images": ["a.iso"], "executables": ["a.exe"]},
    ),
    "disk": (
        vhd.vhd(squashfs.fat(b"FILE", b"x")),
        "a.dat",
        {"disk-images": ["a.dat (application/x-vhd)"]},
    ),
    "macros in a document": (sheet(**{"word/vbaProject.bin": PROJECT}), "a.docm", {"macros": ["a.docm", "vbaproject.bin", "module1.bas"]}),
    "macros by the name of a document without": (
        sheet(**{"word/vbaProject.bin": PROJECT}), "a.docx", {"macros": ["vbaproject.bin", "module1.bas"]},
    ),
    "macros in an old document": (
        ole.compound({"Macros/VBA/Module1": ole.vba_packed(b"Attribute VB_Name" * 9), "WordDocument": b"x"}),
        "a.doc",
        {"macros": ["module1.bas"]},
    ),
    "macro sheet": (sheet(**{"xl/macrosheets/sheet1.xml": b"<x/>"}), "a.xlsx", {"macros": ["xl/macrosheets/sheet1.xml"]}),
    "OpenDocument with a macro": (
        archives.zipped({**TEXT_DOCUMENT, "Basic/Standard/Module1.xml": b"<x/>"}), "a.odt", {"macros": ["basic/standard/module1.xml"]},
    ),
    "OpenDocument with a script": (
        archives.zipped({**TEXT_DOCUMENT, "Scripts/python/a.py": b"x"}), "a.odt", {"macros": ["scripts/python/a.py"]},
    ),
    "program in a document": (
        sheet(**{"word/media/image1.png": PROGRAM}), "a.docx", {"executables": ["image1.png (application/x-dosexec)"]},
    ),
    "program embedded in a document": (
        sheet(**{"word/embeddings/oleObject1.bin": ole.compound({"\1Ole10Native": ole.sized(ole.packager(b"x", b"a.exe", b"a.exe", b"a.exe"))})}),
        "a.docx",
        {"executables": ["a.exe"]},
    ),
    "zip that only looks like a document": (
        sheet(**{"run.js": b"x", "a.lnk": b"x"}), "a.zip", {"scripts": ["run.js"], "shortcuts": ["a.lnk"]},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("data", "name", "found"), BITES.values(), ids=BITES)
def test_what_is_dangerous_is_banned(data, name, found):
    assert hits(mails.with_file(data, name)) == found


HARMLESS = {
    "text": (b"hello\n", "a.txt"),
    "picture": (b"\x89PNG\r\n\x1a\n" + bytes(60), "a.png"),
    "PDF": (b"%PDF-1.4\n", "a.pdf"),
    "document": (archives.zipped(DOCUMENT), "a.docx"),
    "signed document": (archives.zipped(SIGNED), "a.docx"),
    "document with odd names": (sheet(**{"customXml/setup.js": b"x", "word/x.exe": b"x"}), "a.docx"),
    "OpenDocument": (archives.zipped(TEXT_DOCUMENT), "a.odt"),
    "old document": (ole.compound({"WordDocument": b"x", "\1CompObj": b"y"}), "a.doc"),
    "zip of texts": (archives.zipped({"a/b.txt": b"x", "c.pdf": b"%PDF-1.4\n"}), "a.zip"),
    "project": (archives.zipped({"scripts/a/b.txt": b"x", "basic/a/b.xml": b"<a/>"}), "a.zip"),
    "tar": (archives.tarred({"a.txt": b"x"}), "a.tar"),
}


@pytest.mark.parametrize(("data", "name"), HARMLESS.values(), ids=HARMLESS)
def test_what_is_harmless_is_not(data, name):
    assert hits(mails.with_file(data, name)) == {}


def test_a_text_that_begins_as_a_program_does_is_a_text():
    assert hits(mails.plain(b"MZ is the sign of Mark Zbikowski.\n")) == {}
    assert hits(mails.plain(b"MZ is the sign\n", b"Content-Type: text/plain")) == {}


def test_encrypted_archives_are_banned_with_what_is_in_them():
    assert hits(mails.encrypted()) == {
        "encrypted-archives": ["a.zip (application/zip)", "a.txt (application/x-empty)"]
    }


DOCUMENTS = {"ole", "pdf", "onenote", "rtf", "officexml", "activemime", "swf", "autoit"}
MAIL = {"cms", "openpgp", "tnef", "applefile"}


def test_every_format_is_an_archive_a_document_or_mail():
    (table,) = ready.SETS["encrypted-archives"][1]
    names = {decoder.name for decoder in registry.decoders()}
    assert set(table["encrypted"]) == names - DOCUMENTS - MAIL


def test_scripts_are_known_by_their_claimed_type():
    told = hits(mails.with_file(b"x()\n", "a.txt", "application/javascript"))
    assert told == {"scripts": ["a.txt (text/plain)"]}


def everything(mail: bytes, *tables: dict) -> list[str]:
    """What is left of a mail where only what the tables let pass may come."""
    sets, faults = compiled([{"name": "mine", "allow": True, **table} for table in tables])
    assert faults == []
    return [
        one.name
        for one in banned.applied(taken_apart(mail), chosen(("executables", "mine", "everything"), sets))[0]
    ]


PASSING = {
    "text alone": (mails.plain(), []),
    "pdf": (mails.with_file(b"%PDF-1.4\n", "a.pdf"), []),
    "document": (mails.with_file(archives.zipped(SIGNED), "a.docx"), []),
    "document with a program": (
        mails.with_file(sheet(**{"word/a.bin": PROGRAM}), "a.docx"),
        ["executables:a.bin (application/x-dosexec)"],
    ),
    "not allowed": (mails.with_file(b"x", "a.txt"), ["everything:a.txt (text/plain)"]),
    "in an archive that is": (
        mails.with_file(archives.zipped({"a.pdf": b"%PDF-1.4\n", "b.txt": b"x"}), "a.zip"),
        ["everything:b.txt (text/plain)"],
    ),
    "by its name only": (mails.with_file(PROGRAM, "a.pdf"), ["executables:a.pdf (application/x-dosexec)"]),
}  # fmt: skip


@pytest.mark.parametrize(("mail", "found"), PASSING.values(), ids=PASSING)
def test_with_everything_banned_only_what_is_allowed_passes(mail, found):
    assert everything(mail, {"extensions": ["pdf", "docx", "zip"]}) == found


@pytest.mark.parametrize(
    "extension", ["exe", "js", "docm", "lnk", "iso", "ps1", "msi", "jar", "hta", "vhdx", "url"]
)
def test_the_usual_extensions_are_in_exactly_one_list(extension):
    lists = (ready.EXECUTABLES, ready.SCRIPTS, ready.MACROS, ready.SHORTCUTS, ready.DISK_IMAGES)
    assert sum(extension in one.split() for one in lists) == 1


def test_every_set_has_a_text_and_bounces_nothing():
    assert tuple(ready.SETS) == (*OF_NAMES, "encrypted-archives", "everything")
    for text, tables in ready.SETS.values():
        assert text.endswith(".") and tables
        assert all("action" not in table and "allow" not in table for table in tables)


def test_the_sets_are_read_without_a_fault():
    sets, faults = compiled([])
    assert faults == [] and {name: len(ones) for name, ones in sets.items()} == {
        name: len(tables) for name, (_, tables) in ready.SETS.items()
    }
