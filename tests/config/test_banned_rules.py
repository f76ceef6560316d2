"""config.banned: tables in, rules or all faults out; and the examples of the manual."""

import marshal
import re
import textwrap
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amavis_pipe.config import banned
from amavis_pipe.judge import banned as judge
from amavis_pipe.judge import ready
from amavis_pipe.model import Facts, Part

MANUAL = (Path(__file__).parents[2] / "docs/banned.rst").read_text()
NONE = SimpleNamespace(SETS={})


def read(text: str):
    return banned.compiled(tomllib.loads(text).get("banned_rule", []), NONE)


COMPILED = {
    "extensions": ('extensions = ["EXE", ".com", "exe"]', ("extensions", (".exe", ".com"))),
    "one text": ('extensions = "exe"', ("extensions", (".exe",))),
    "names": ('names = ["A*", "Ü?"]', ("names", (("a", ""), (("ü", None),)))),
    "kinds": ('kinds = ["Image/*"]', ("kinds", (("image/", ""),))),
    "claimed": ('claimed = ["a/b"]', ("claimed", (("a/b",),))),
    "path": ('path = ["**/**/*.ZIP/**/**", "a"]', ("path", ((None, ("", ".zip"), None), (("a",),)))),
    "larger": ('larger = "2 KiB"', ("larger", 2048)),
    "deeper": ("deeper = 0", ("deeper", 0)),
    "encrypted": ("encrypted = true", ("encrypted", True)),
    "encrypted formats": ('encrypted = ["ZIP"]', ("encrypted", (("zip",),))),
    "content": ('content = "file"', ("content", "file")),
}


@pytest.mark.parametrize(("text", "condition"), COMPILED.values(), ids=COMPILED)
def test_a_table_becomes_a_rule(text, condition):
    sets, faults = read(f'[[banned_rule]]\nname = "x"\n{text}\n')
    assert faults == [] and sets == {"x": (("x", False, False, (condition,), 0),)}


def test_a_double_extension_comes_with_its_lists():
    sets, _ = read('[[banned_rule]]\nname = "x"\ndouble_extension = true')
    ((what, (wanted, documents, programs)),) = sets["x"][0][3]
    assert what == "double_extension" and wanted is True
    assert ".pdf" in documents and ".exe" in programs and not set(documents) & {".exe", ".js", ".lnk"}


def test_conditions_come_in_the_order_in_which_they_are_looked_at():
    sets, _ = read(
        '[[banned_rule]]\nname = "x"\npath = "a"\nnames = "a"\nkinds = "a/b"\nlarger = 1\nallow = true'
    )
    assert sets["x"][0][:3] == ("x", True, False)
    assert [what for what, _ in sets["x"][0][3]] == ["larger", "kinds", "names", "path"]


def test_content_of_any_kind_is_no_condition():
    sets, faults = read('[[banned_rule]]\nname = "x"\ncontent = "any"')
    assert faults == [] and sets == {"x": (("x", False, False, (), 0),)}


def test_tables_by_one_name_are_one_set():
    sets, _ = read('[[banned_rule]]\nname = "x"\nlarger = 1\n[[banned_rule]]\nname = "x"\nlarger = 2')
    assert [rule[3] for rule in sets["x"]] == [(("larger", 1),), (("larger", 2),)]


def test_a_set_by_the_name_of_a_ready_one_stands_in_its_place():
    sets, faults = banned.compiled([{"name": "scripts", "extensions": ["js"]}])
    assert faults == [] and sets["scripts"] == (("scripts", False, False, (("extensions", (".js",)),), 0),)
    assert set(sets) == set(ready.SETS)


def test_chosen_sets_keep_their_order():
    sets, _ = banned.compiled([{"name": "mine", "larger": 1}])
    rules = banned.chosen(("mine", "nobody's", "macros"), sets)
    assert [rule[0] for rule in rules] == ["mine", *["macros"] * len(ready.SETS["macros"][1])]


FAULTS = {
    "no table": ("banned_rule = 3", ("", "wants [[banned_rule]] tables")),
    "list of texts": ('banned_rule = ["x"]', ("", "wants [[banned_rule]] tables")),
    "no name": ("[[banned_rule]]\nlarger = 1", ("name", "wants a name of letters, digits, - and _, at most 40")),
    "odd name": (
        '[[banned_rule]]\nname = "a:b"\nlarger = 1',
        ("name", 'a:b: wants a name of letters, digits, - and _, at most 40, not "a:b"'),
    ),
    "unknown": ('[[banned_rule]]\nname = "x"\nextentions = 1', ("extentions", "x: is no option; did you mean extensions?")),
    "unknown and far": ('[[banned_rule]]\nname = "x"\nxyzzy = 1', ("xyzzy", "x: is no option")),
    "number": ('[[banned_rule]]\nname = "x"\nnames = 3', ("names", "x: wants a list of shell patterns, not 3")),
    "empty list": ('[[banned_rule]]\nname = "x"\nnames = []', ("names", "x: wants a list of shell patterns, not []")),
    "empty text": ('[[banned_rule]]\nname = "x"\nnames = [""]', ("names", "x: wants a list of shell patterns, not ['']")),
    "pattern for an extension": (
        '[[banned_rule]]\nname = "x"\nextensions = ["*.exe"]',
        ("extensions", "x: wants a list of extensions without patterns, not ['*.exe']"),
    ),
    "dot alone": (
        '[[banned_rule]]\nname = "x"\nextensions = ["."]',
        ("extensions", "x: wants a list of extensions without patterns, not ['.']"),
    ),
    "path without a level": (
        '[[banned_rule]]\nname = "x"\npath = ["a//b"]',
        ("path", "x: wants a list of shell patterns with \"/\" between levels, not ['a//b']"),
    ),
    "size": ('[[banned_rule]]\nname = "x"\nlarger = "1 TB"', ("larger", 'x: wants a size such as 4096 or "100 KiB", not "1 TB"')),
    "depth": ('[[banned_rule]]\nname = "x"\ndeeper = true', ("deeper", "x: wants an integer from 0 to 64, not true")),
    "encrypted": (
        '[[banned_rule]]\nname = "x"\nencrypted = 1',
        ("encrypted", "x: wants true, false, or a list of formats, not 1"),
    ),
    "content": ('[[banned_rule]]\nname = "x"\ncontent = "all"', ("content", 'x: wants one of any, attachment, file, not "all"')),
    "nothing to look at": (
        '[[banned_rule]]\nname = "x"\nallow = true',
        ("", "x: wants at least one of names, extensions, double_extension, kinds, claimed, path, larger, deeper, encrypted, content"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "fault"), FAULTS.values(), ids=FAULTS)
def test_a_fault_names_the_field_and_what_is_wanted(text, fault):
    assert read(text) == ({}, [fault])


def test_all_faults_are_told_and_the_other_tables_are_read():
    sets, faults = read(
        '[[banned_rule]]\nname = "x"\nnames = 1\nkinds = 2\nfoo = 3\n[[banned_rule]]\nname = "y"\nlarger = 1'
    )
    assert [field for field, _ in faults] == ["names", "kinds", "foo"] and set(sets) == {"y"}


def test_tables_are_bounded():
    sets, faults = banned.compiled([{"name": "x", "larger": 1}] * 501, NONE)
    assert faults == [("", "wants at most 500 tables, not 501")] and len(sets["x"]) == 500
    for key in ("names", "path", "extensions", "encrypted"):
        assert banned.compiled([{"name": "x", key: ["a"] * 2001}], NONE)[1]
        assert banned.compiled([{"name": "x", key: ["a" * 129]}], NONE)[1]
    assert banned.compiled([{"name": "x", "path": ["/".join("a" * 33)]}], NONE)[1]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.floats(), lambda inner: st.lists(inner, max_size=3)
)  # fmt: skip
KEYS = st.sampled_from([option.key for option in banned.OPTIONS]) | st.text(max_size=8)


@given(st.lists(st.dictionaries(KEYS, VALUES, max_size=4) | VALUES, max_size=4) | VALUES)
def test_whatever_is_written_is_read_or_told(tables):
    sets, faults = banned.compiled(tables, NONE)
    assert marshal.loads(marshal.dumps(sets)) == sets
    for name, rules in sets.items():
        assert rules == banned.chosen((name,), sets)
        judge.applied(Facts([Part("1", (b"a.exe",))], [], []), rules)
    assert all(isinstance(field, str) and isinstance(text, str) for field, text in faults)


EXAMPLES = [
    textwrap.dedent(block)
    for block in re.findall(r"::\n\n((?:(?: {4}.*)?\n)+)", MANUAL)
]  # fmt: skip


def test_the_manual_has_its_examples():
    assert len(EXAMPLES) == 6


@pytest.mark.parametrize("text", EXAMPLES, ids=[str(number) for number in range(1, len(EXAMPLES) + 1)])
def test_every_example_in_the_manual_is_complete_and_right(text):
    tree = tomllib.loads(text)
    sets, faults = banned.compiled(tree.get("banned_rule", []))
    assert faults == []
    assert tree["banned_rules"] and set(tree["banned_rules"]) <= set(sets)
    assert {table["name"] for table in tree.get("banned_rule", [])} <= set(tree["banned_rules"])


def banned_by(text: str, *parts: Part) -> list[str]:
    tree = tomllib.loads(text)
    sets, _ = banned.compiled(tree.get("banned_rule", []))
    found, _ = judge.applied(Facts(list(parts), [], []), banned.chosen(tuple(tree["banned_rules"]), sets))
    return [one.name for one in found]


def example(word: str) -> str:
    (text,) = [one for one in EXAMPLES if word in one]
    return text


def test_the_examples_do_what_the_manual_says():
    film = Part("1", (b"a.dat",), kind="video/mp4")
    picture = Part("1", (b"a.png",), kind="image/png", size=(5 << 20) + 1)
    assert banned_by(example("no-films"), film) == ["no-films:a.dat (video/mp4)"]
    assert banned_by(example("no-films"), picture) == ["large-pictures:a.png (image/png)"]
    archive = [Part("1", (b"a.zip",), kind="application/zip"), Part("1.1", (b"b.exe",))]
    inner = [Part("1.2", (b"c.zip",), kind="application/zip"), Part("1.2.1", (b"d.exe",))]
    assert banned_by(example("bare-programs"), *archive) == []
    assert banned_by(example("bare-programs"), *archive, *inner) == ["deep-programs:d.exe"]
    assert banned_by(example("bare-programs"), Part("1", (b"a.exe",))) == ["bare-programs:a.exe"]
    tool = Part("1", (b"Remote-Help.exe",), kind="application/x-dosexec")
    assert banned_by(example("our-tools"), tool, Part("2", (b"other.exe",))) == ["executables:other.exe"]
    signature = Part("1", (b"smime.p7s",), b"application/pkcs7-signature")
    assert banned_by(example("wanted"), signature, Part("2", (b"a.mp3",))) == ["everything:a.mp3 ()"]


def test_the_manual_tells_of_every_set_and_every_field():
    for name in ready.SETS:
        assert f"\n``{name}``\n    " in MANUAL
    for option in banned.OPTIONS:
        assert option.key == "name" or f"\n``{option.key}``\n    " in MANUAL
