"""judge.banned: which parts a site's rules ban, and which they let pass."""

import marshal
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amavis_pipe.config.banned import chosen, compiled
from amavis_pipe.judge import banned, names, view
from amavis_pipe.model import Facts, Finding, Part

ZIP, PROGRAM, OLE = "application/zip", "application/x-dosexec", "application/x-ole-storage"


def part(path: str, *names: str | bytes, kind: str = "application/octet-stream", **more) -> Part:
    """A part with these names; `mime` made it, or `zip` below the first level."""
    given = tuple(name.encode() if isinstance(name, str) else name for name in names)
    claimed = more.pop("claimed", "application/octet-stream").encode()
    return Part(path, given, claimed, kind, **{"decoder": "zip" if "." in path else "mime", **more})


def facts(*parts: Part, findings: tuple[Finding, ...] = ()) -> Facts:
    return Facts(list(parts), list(findings), [])


def rules(*tables: dict):
    """The tables as rules, in order, each by the name r if it has none."""
    sets, faults = compiled([{"name": "r", **table} for table in tables])
    assert faults == []
    names = dict.fromkeys(table.get("name", "r") for table in tables)
    return marshal.loads(marshal.dumps(chosen(tuple(names), sets)))


def told(facts: Facts, *tables: dict) -> list[tuple[str, str]]:
    """Path and name of each finding."""
    found = banned.applied(facts, rules(*tables))[0]
    assert all((one.grade, one.source) == ("banned", "policy") for one in found)
    return [(one.part, one.name) for one in found]


def bans(table: dict, *parts: Part, findings: tuple[Finding, ...] = ()) -> list[str]:
    """Paths of what one rule bans."""
    return [path for path, _ in told(facts(*parts, findings=findings), table)]


NAMES = {
    "as it is": b"evil.exe",
    "capitals": b"EVIL.ExE",
    "dot at the end": b"evil.exe.",
    "dots and blanks at the end": b"evil.exe . . ",
    "alternate stream": b"evil.exe::$DATA",
    "stream by a name": b"evil.exe:x.txt",
    "stream after blanks": b"evil.exe . ::$DATA",
    "NUL": b"evil.exe\0.txt",
    "NUL within": b"evil.e\0xe",
    "folder": b"a/b.c/evil.exe",
    "folder of Windows": b"C:\\a\\evil.exe",
    "slash at the end": b"evil.exe/",
    "blank in front": b"  evil.exe",
    "no-break space": b"evil.exe\xc2\xa0",
    "zero width space": "evil.e\u200bxe".encode(),
    "mark at the end": "evil.exe\u200f".encode(),
    "turned": "evil\u202efdp.exe".encode(),
    "line end": b"evil.exe\r\n",
    "bytes of no charset": b"\xe9vil.exe",
    "nothing else": b".exe",
    "long": b"x" * 5000 + b".exe",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize(
    "table",
    [{"extensions": ["exe"]}, {"names": ["*.exe"]}, {"path": ["*.exe"]}],
    ids=["extension", "name", "path"],
)
def test_a_name_is_known_in_every_form(name, table):
    assert bans(table, part("1", name)) == ["1"]
    assert bans(table, part("1", "a.txt", "b.txt", name, "c.txt")) == ["1"]


@pytest.mark.parametrize(
    "name", ["evil.exe.txt", "exe", "evilexe", "a.exe/b.txt", "evil.ex", "evil.exe_", ""]
)
def test_another_name_is_not(name):
    assert bans({"extensions": ["exe"], "names": ["*"]}, part("1", name)) == []


CONDITIONS = {
    "name": ({"names": ["x", "a.*"]}, part("1", "a.txt"), part("1", "b.txt")),
    "name with a path of Windows": ({"names": ["d/*.txt"]}, part("1", "d\\a.txt"), part("1", "e\\a.txt")),
    "name with its path": ({"names": ["d/*.txt"]}, part("1", "d/a.txt"), part("1", "a.txt")),
    "extension of two": ({"extensions": [".tar.gz"]}, part("1", "a.tar.gz"), part("1", "a.gz")),
    "kind": ({"kinds": ["image/*"]}, part("1", kind="image/png"), part("1", "a.png")),
    "claimed": ({"claimed": ["IMAGE/*"]}, part("1", claimed="image/png"), part("1", kind="image/png")),
    "larger": ({"larger": "1 KiB"}, part("1", size=1025), part("1", size=1024)),
    "double": ({"double_extension": True}, part("1", "a.pdf.exe"), part("1", "a.exe")),
    "not double": ({"double_extension": False}, part("1", "a.exe"), part("1", "a.pdf.exe")),
    "all of several": ({"names": ["a*"], "kinds": [PROGRAM]}, part("1", "a.txt", kind=PROGRAM), part("1", "a.txt")),
    "attachment": ({"content": "attachment"}, part("1", "a.txt", claimed="text/plain"), part("1", claimed="text/plain")),
    "no structure": ({"content": "attachment"}, part("1"), part("1", kind="multipart/mixed", flags=("structure",))),
    "no text that is a script": (
        {"content": "attachment"},
        part("1", claimed="text/javascript"),
        part("1", claimed="text/calendar"),
    ),
    "no report": ({"content": "attachment"}, part("1"), part("1", claimed="message/delivery-status")),
    "no text of a page": (
        {"content": "attachment"},
        part("1", claimed="image/png", decoder="html"),
        part("1", claimed="text/html", decoder="html"),
    ),
    "something in a page": (
        {"content": "attachment"},
        part("1", claimed="", decoder="html", kind=PROGRAM),
        part("1", claimed="", kind=PROGRAM),
    ),
    "file": ({"content": "file"}, part("1", "a.js", decoder="html"), part("1", claimed="image/png", decoder="html")),
    "any": ({"content": "any"}, part("1", kind="multipart/mixed", flags=("structure",)), None),
}  # fmt: skip


@pytest.mark.parametrize(("table", "yes", "no"), CONDITIONS.values(), ids=CONDITIONS)
def test_a_rule_applies_where_all_of_its_conditions_hold(table, yes, no):
    assert bans(table, yes) == ["1"]
    assert no is None or bans(table, no) == []


DOUBLE = {
    "plain": ("invoice.pdf.exe", True),
    "blanks": ("invoice.pdf" + " " * 60 + ".exe", True),
    "dots": ("invoice.pdf.....exe", True),
    "underlines": ("invoice.pdf______.scr", True),
    "other blanks": ("invoice.pdf\u00a0\u00a0.exe", True),
    "zero width": ("invoice.p\u200bdf.exe", True),
    "turned": ("invoice\u202efdp.exe", True),
    "isolated": ("invoice\u2067fdp.exe", True),
    "stream": ("invoice.doc.js::$DATA", True),
    "dot behind": ("invoice.doc.js. ", True),
    "folder": ("a.pdf/setup.exe", False),
    "script": ("photo.JPG.VBS", True),
    "shortcut": ("photo.jpg.lnk", True),
    "archive": ("data.zip.exe", True),
    "one": ("setup.exe", False),
    "numbers": ("setup.1.2.exe", False),
    "two of documents": ("report.doc.pdf", False),
    "the other way": ("virus.exe.pdf", False),
    "turned document": ("invoice\u202e.pdf", False),
    "no document": (".pdf", False),
}


@pytest.mark.parametrize(("name", "is_double"), DOUBLE.values(), ids=DOUBLE)
def test_a_double_extension_is_seen_through(name, is_double):
    assert bool(bans({"double_extension": True}, part("1", name))) is is_double


NESTED = (
    part("1", "a.zip", "b.rar", kind=ZIP),
    part("1.1", "dir/c.zip", kind=ZIP),
    part("1.1.1", kind="application/gzip"),
    part("1.1.1.1", "d.exe", kind=PROGRAM),
)
PATHS = {
    "all levels": ("a.zip/c.zip/d.exe", True),
    "any number": ("*.zip/**/*.exe", True),
    "none of any number": ("a.zip/c.zip/**/d.exe", True),
    "by another name": ("*.rar/**", True),
    "from anywhere": ("**/*.exe", True),
    "everything": ("**", True),
    "several of any number": ("**/**/c.zip/**/**", True),
    "too few": ("*.zip/*.exe", False),
    "too many": ("*/*/*/*", False),
    "from within": ("c.zip/d.exe", False),
    "another": ("*.zip/**/*.com", False),
    "folder of a member": ("a.zip/dir/c.zip/d.exe", False),
}


@pytest.mark.parametrize(("path", "fits"), PATHS.values(), ids=PATHS)
def test_a_path_is_that_of_archives_that_have_a_name(path, fits):
    assert ("1.1.1.1" in bans({"path": [path]}, *NESTED)) is fits


def test_mails_and_multiparts_are_no_levels():
    parts = (
        part("1", kind="multipart/mixed", flags=("structure",)),
        part("1.1", "fwd.eml", kind="message/rfc822", decoder="mime"),
        part("1.1.1", "a.zip", kind=ZIP, decoder="mime"),
        part("1.1.1.1", "b.exe"),
    )
    assert bans({"path": ["*.zip/*.exe"]}, *parts) == ["1.1.1.1"]
    assert bans({"deeper": 0}, *parts) == ["1.1.1.1"]


def test_depth_counts_what_is_around():
    assert bans({"deeper": 0}, *NESTED) == ["1.1", "1.1.1", "1.1.1.1"]
    assert bans({"deeper": 2}, *NESTED) == ["1.1.1.1"]


LOCKED = (Finding("unchecked", "encrypted:zip", "1.1"),)
ENCRYPTED = {
    "at all": (True, ["1.1", "1.1.1", "1.1.1.1"]),
    "not": (False, ["1"]),
    "of a format": (["7z", "zip"], ["1.1", "1.1.1", "1.1.1.1"]),
    "by a pattern": (["z*"], ["1.1", "1.1.1", "1.1.1.1"]),
    "of another format": (["rar"], []),
}


@pytest.mark.parametrize(("wanted", "paths"), ENCRYPTED.values(), ids=ENCRYPTED)
def test_what_is_encrypted_is_so_with_all_that_is_in_it(wanted, paths):
    assert bans({"encrypted": wanted}, *NESTED, findings=LOCKED) == paths


def test_what_was_decrypted_is_not_encrypted():
    findings = (Finding("note", "decrypted:zip", "1"), Finding("virus", "encrypted:x", "1"))
    assert bans({"encrypted": True}, *NESTED, findings=findings) == []


def test_the_first_rule_that_applies_decides():
    letter = facts(part("1", "a.exe"), part("2", "b.exe"))
    passing = {"name": "mine", "allow": True, "names": ["a.*"]}
    banning = {"name": "no", "extensions": ["exe"]}
    assert told(letter, passing, banning) == [("2", "no:b.exe")]
    assert told(letter, banning, passing) == [("1", "no:a.exe"), ("2", "no:b.exe")]


def test_what_passes_lets_nothing_in_it_pass():
    tables = ({"name": "mine", "allow": True, "extensions": ["zip"]}, {"name": "no", "names": ["*"]})
    assert told(facts(*NESTED), *tables) == [("1.1.1.1", "no:d.exe")]


def test_without_rules_or_parts_nothing_is_banned():
    assert banned.applied(facts(*NESTED), ())[0] == []
    assert told(facts(), {"content": "any"}) == []


SHOWN = {
    "its name": (part("1", "dir/Evil.exe"), {"extensions": ["exe"]}, "r:evil.exe"),
    "the name that decided": (part("1", "a.txt", "b.exe"), {"names": ["b*"]}, "r:b.exe"),
    "the first that decided": (part("1", "a.txt", "b.exe"), {"names": ["b*"], "path": ["*"]}, "r:b.exe"),
    "its best name and kind": (part("1", "a.txt", "b", kind=PROGRAM), {"kinds": [PROGRAM]}, f"r:a.txt ({PROGRAM})"),
    "its kind": (part("1", kind=PROGRAM), {"kinds": [PROGRAM]}, f"r:{PROGRAM}"),
    "other letters": (part("1", "ü\u202e\n.exe"), {"extensions": ["exe"]}, "r:\\xc3\\xbc\\xe2\\x80\\xae\\x0a.exe"),
    "bytes": (part("1", b"\xff.exe"), {"extensions": ["exe"]}, "r:\\xff.exe"),
    "both ends": (part("1", b"a" * 200 + b".exe"), {"extensions": ["exe"]}, f"r:{'a' * 40}...{'a' * 20}.exe"),
}  # fmt: skip


@pytest.mark.parametrize(("one", "table", "name"), SHOWN.values(), ids=SHOWN)
def test_what_was_banned_is_told(one, table, name):
    assert told(facts(one), table) == [("1", name)]


def document(*names: str, mark: str = "[Content_Types].xml", kind: str = ZIP) -> tuple[Part, ...]:
    """A document by these names, a member it must have, one with a program's name, one that is a program."""
    return (
        part("1", *names, kind=kind),
        part("1.1", mark, kind="text/plain"),
        part("1.2", "word/setup.js", kind="text/plain"),
        part("1.3", "word/media/image1.png", kind=PROGRAM),
        part("1.4", "word/embeddings/oleObject1.bin", kind=OLE),
        part("1.4.1", "setup.js", decoder="ole"),
    )


BY_NAME = {
    "extensions": {"extensions": ["js"]},
    "names": {"names": ["*.js"]},
    "path": {"path": ["**/*.js"]},
    "path of all": {"path": ["**/setup*"]},
}
OFFICE = {
    "OOXML": document("a.docx"),
    "in capitals": document("A.DOCX"),
    "by an old name": document("a.doc"),
    "several names": document("a.docx", "b.xlsx", "d/c.docm"),
    "OpenDocument": document("a.odt", mark="mimetype"),
}
OTHERS = {
    "another name": document("a.zip"),
    "another name among others": document("a.docx", "a.zip"),
    "no name": document(),
    "no such member": document("a.docx", mark="other.xml"),
    "member in a folder": document("a.docx", mark="x/[Content_Types].xml"),
    "another kind": document("a.docx", kind="application/vnd.rar"),
    "alternate stream": document("a.zip:b.docx"),
}


@pytest.mark.parametrize("table", BY_NAME.values(), ids=BY_NAME)
@pytest.mark.parametrize("parts", OFFICE.values(), ids=OFFICE)
def test_names_in_an_office_document_are_not_judged(parts, table):
    assert bans(table, *parts) == ["1.4.1"]


@pytest.mark.parametrize("table", BY_NAME.values(), ids=BY_NAME)
@pytest.mark.parametrize("parts", OTHERS.values(), ids=OTHERS)
def test_names_in_what_is_no_such_document_are(parts, table):
    assert bans(table, *parts) == ["1.2", "1.4.1"]


@pytest.mark.parametrize("parts", [*OFFICE.values(), *OTHERS.values()], ids=[*OFFICE, *OTHERS])
def test_content_is_judged_wherever_it_lies(parts):
    assert bans({"kinds": [PROGRAM]}, *parts) == ["1.3"]


def test_a_rule_for_members_of_documents_is_for_nothing_else():
    table = {"names": ["*.js"], "inside_office": True}
    assert bans(table, *OFFICE["OOXML"]) == ["1.2"]
    assert bans(table, *OTHERS["another name"]) == []


def test_pieces_of_documents_are_no_files():
    parts = (
        *document("a.docx"),
        part("2", "a.pdf", kind="application/pdf"),
        part("2.1", "x.exe", decoder="pdf"),
    )
    assert bans({"content": "file"}, *parts) == ["1", "2"]
    assert bans({"content": "attachment"}, *parts) == [one.path for one in parts]


def test_a_name_that_a_decoder_made_up_does_not_count():
    made_up = part("1.1", "script.js", decoder="pdf", claimed="text/javascript")
    assert bans({"names": ["*"]}, part("1", kind="application/pdf"), made_up) == []
    assert bans({"names": ["*"]}, part("1", kind=ZIP), part("1.1", "script.js")) == ["1.1"]


LETTERS = st.sampled_from(["a", "exe", ".", " ", "/", ":", "\0", "\u202e", "\u200b", "ü", "pdf", "js", "\\"])
LISTS = st.lists(st.lists(LETTERS, max_size=6).map("".join), max_size=4)
TABLES = st.sampled_from(
    [
        {"extensions": ["exe"]},
        {"names": ["a*", "*[!a]js"]},
        {"path": ["**/*.exe", "*a/**"]},
        {"double_extension": True},
        {"kinds": [PROGRAM], "content": "attachment"},
        {"names": ["*.js"], "larger": 5},
        {"content": "file", "encrypted": False},
    ]
)


@given(LISTS, LISTS, LISTS, st.lists(TABLES, min_size=1, max_size=3))
def test_more_names_never_free_a_part(above, names, more, tables):
    """But for rules that let pass, and names of documents."""

    def letter(*names):
        return facts(
            part("1", *above, kind="application/vnd.rar"),
            part("1.1", *names, kind=PROGRAM, size=6),
        )  # fmt: skip

    fewer = {path for path, _ in told(letter(*names), *tables)}
    assert fewer <= {path for path, _ in told(letter(*names, *more), *tables)}


@given(st.lists(st.binary(max_size=30), max_size=5), st.lists(TABLES, min_size=1, max_size=3))
def test_whatever_names_are_findings_are_printable_and_bounded(names, tables):
    for _, name in told(facts(part("1", *names, kind=PROGRAM)), *tables):
        assert name.isascii() and name.isprintable() and len(name) < 400


def test_names_are_bounded_in_number_and_length():
    many = part("1", *(b"%05d" % number * 2000 for number in range(9999)))
    forms = names.names_of(many)
    assert len(forms) == names.NAMES
    assert max(map(len, forms)) <= names.NAME
    assert (
        len(names.names_of(part("1", *(b"a/%d: \0.exe. " % number for number in range(99)))))
        <= 18 * names.NAMES
    )
    assert bans({"names": ["*0", "*9999"]}, many) == ["1"]


def test_of_very_many_names_the_ends_are_looked_at(monkeypatch):
    monkeypatch.setattr(view, "ROOM", 1000)
    many = [part(str(number), "a" * 300 + f"/{number}.exe") for number in range(1, 30)]
    assert bans({"extensions": ["exe"]}, *many) == [one.path for one in many]
    assert bans({"names": ["a" * 100 + "*"]}, *many) == ["1", "2", "3", "4"]


def test_a_hostile_nest_costs_no_more_than_its_names(monkeypatch):
    """Each name is compared with each segment of a path once, whatever the depth."""
    deep = [
        part(".".join("1" * (level + 1)), *("a" * length for length in range(1, 40)), kind=ZIP)
        for level in range(60)
    ]
    tries = []
    fits = view.fits
    monkeypatch.setattr(view, "fits", lambda *rest: tries.append(1) or fits(*rest))
    pattern = "**/a*/**/*a/**/a*a/**/b"
    assert bans({"path": [pattern]}, *deep) == []
    assert len(tries) <= 60 * 4 * 39


@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("banned", {"judge.glob", "judge.names", "judge.view", "kinds", "model", "text"}),
        ("badheader", {"mime", "mime.header", "model", "text"}),
        ("ready", set()),
    ],
)
def test_a_filter_that_judges_imports_little_more(name, others):
    folder = str(Path(banned.__file__).parents[2])
    code = f"import sys; sys.path.insert(0, {folder!r}); before = set(sys.modules)\n"
    code += f"import amavis_pipe.judge.{name}; print(*(set(sys.modules) - before))"
    done = subprocess.run(["/usr/bin/python3", "-I", "-S", "-c", code], capture_output=True, check=True)
    own = {"amavis_pipe", "amavis_pipe.judge", f"amavis_pipe.judge.{name}"}
    assert set(done.stdout.decode().split()) == own | {"amavis_pipe." + other for other in others}


@pytest.mark.parametrize("filler", [b" " * 1100, b"." * 1100, b" ." * 3000, b"\0" + b"x" * 1100])
def test_no_filler_pushes_an_extension_out_of_sight(filler):
    from amavis_pipe.judge.names import names_of
    from amavis_pipe.model import Part

    assert "a.js" in names_of(Part("1", (b"a.js" + filler,)))
