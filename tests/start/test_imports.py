"""What the filter form may import for an ordinary mail: everything else costs at every start."""

import shutil
import subprocess
from pathlib import Path

import pytest
from stand_in.reach import open_to_all

PACKAGE = Path(__file__).resolve().parents[2] / "amavis_pipe"

INTERPRETER = {
    "__main__",
    "_abc",
    "_codecs",
    "_frozen_importlib",
    "_frozen_importlib_external",
    "_imp",
    "_io",
    "_signal",
    "_thread",
    "_warnings",
    "_weakref",
    "abc",
    "builtins",
    "codecs",
    "encodings",
    "encodings.aliases",
    "encodings.utf_8",
    "io",
    "marshal",
    "posix",
    "sys",
    "time",
    "zipimport",
}
CHEAP = {
    "_blake2",
    "_sha256",
    "_sha2",
    "_socket",
    "_stat",
    "binascii",
    "errno",
    "gc",
    "itertools",
    "mmap",
    "select",
}
HOT = {
    "amavis_pipe",
    *(
        f"amavis_pipe.{name}"
        for name in [
            "arguments",
            "ask",
            "bodies",
            "budget",
            "bundle",
            "cache",
            "clamd",
            "committed",
            "digest",
            "dissect",
            "entry",
            "examine",
            "exits",
            "forward",
            "forward.sendmail",
            "forward.smtp",
            "forward.wire",
            "inquire",
            "intake",
            "journal",
            "kinds",
            "mime",
            "mime.coding",
            "mime.doubt",
            "mime.header",
            "mime.hints",
            "mime.plain",
            "mime.reader",
            "model",
            "perform",
            "policy",
            "recent",
            "record",
            "session",
            "settings",
            "spool",
            "subtree",
            "text",
            "tries",
            "walk",
            "writing",
        ]
    ),
}
PLAIN = b"Received: from a by b\nFrom: a@example.org\nSubject: plain\n\nhello\n"
MULTIPART = (
    b"From: a@example.org\nMIME-Version: 1.0\n"
    b'Content-Type: multipart/mixed; boundary="b1"\n\n'
    b"--b1\nContent-Type: text/plain\n\nhello\n"
    b'--b1\nContent-Type: image/png; name="a.png"\nContent-Transfer-Encoding: base64\n\n'
    b"iVBORw0KGgoAAAANSUhEUgAAAAE=\n--b1--\n"
)

RUN = """
import posix, sys
sys.path.insert(0, {folder!r})
sys.argv = ["amavis-pipe", "--config", {settings!r}, "-f", "a@example.org", "--", "b@example.org"]
import amavis_pipe.exits
def leave(outcome, fd):
    posix.write(fd, ("\\n".join([outcome.line, *sorted(sys.modules)])).encode())
    posix._exit(outcome.status)
amavis_pipe.exits.leave = leave
from amavis_pipe.entry import main
main()
"""


@pytest.fixture
def site(tmp_path):
    """A readable copy of the package and a state folder for the user nobody, with a fresh snapshot."""
    folder = tmp_path / "site"
    folder.mkdir()
    shutil.copytree(PACKAGE, folder / "amavis_pipe", ignore=shutil.ignore_patterns("__pycache__"))
    state = folder / "state"
    state.mkdir(mode=0o700)
    shutil.chown(state, "nobody", "nogroup")
    open_to_all(folder)
    settings = folder / "settings.toml"
    settings.write_text(f'state = "{state}"\nforward = "file:{state}"\nscanners = ["builtin"]\n')
    return folder


def imported(site, mail, expect="passed clean"):
    """The modules in memory when the filter form leaves."""
    code = RUN.format(folder=str(site), settings=str(site / "settings.toml"))
    done = subprocess.run(
        ["/usr/bin/python3", "-I", "-S", "-c", code],
        input=mail,
        capture_output=True,
        check=False,
        user="nobody",
        group="nogroup",
        extra_groups=[],
    )
    line, *modules = done.stdout.decode().split("\n")
    assert (done.returncode, line, done.stderr) == (0, expect, b"")
    return set(modules)


@pytest.mark.parametrize("mail", [PLAIN, MULTIPART], ids=["plain", "multipart"])
def test_an_ordinary_mail_imports_nothing_but_the_hot_modules(site, mail):
    imported(site, PLAIN.replace(b"hello", b"first run: compiles settings and byte code"))
    allowed = (
        INTERPRETER
        | CHEAP
        | HOT
        | {"amavis_pipe.scan", "amavis_pipe.scan.builtin", "amavis_pipe.forward.file"}
    )
    assert imported(site, mail) - allowed == set()


def test_a_remembered_mail_imports_no_more_than_a_new_one(site):
    imported(site, MULTIPART)
    new = imported(site, MULTIPART.replace(b"hello", b"other"))
    assert imported(site, MULTIPART) <= new


SCANNING = ["command", "drweb", "icap", "line", "pending", "pool", "sssp", "together", "yara"]
MATCHING = {
    "re",
    "re._casefix",
    "re._compiler",
    "re._constants",
    "re._parser",
    "copyreg",
    "enum",
    "functools",
}
MATCHING |= {
    "types",
    "operator",
    "keyword",
    "reprlib",
    "collections",
    "_collections",
    "_functools",
    "_operator",
}
MATCHING |= {"_sre", "_collections_abc"}
"""What patterns need, and only those scanners that are judged by them."""


@pytest.mark.parametrize("name", SCANNING)
def test_a_further_scanner_imports_little(name):
    code = f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r}); import amavis_pipe.scan.{name}; "
    code += "print(*sys.modules)"
    done = subprocess.run(["/usr/bin/python3", "-I", "-S", "-c", code], capture_output=True, check=True)
    modules = set(done.stdout.decode().split())
    others = {module for module in modules if not module.startswith("amavis_pipe")} - INTERPRETER - CHEAP
    assert others - (MATCHING if name in ("command", "line") else set()) == set()


def test_the_list_of_hot_modules_names_files_that_exist():
    missing = [
        name
        for name in HOT - {"amavis_pipe"}
        if not (PACKAGE / (name.partition(".")[2].replace(".", "/") + ".py")).exists()
        and not (PACKAGE / name.partition(".")[2].replace(".", "/") / "__init__.py").exists()
    ]
    assert missing == []


def test_hot_modules_import_cold_rooms_only_inside_functions():
    import ast

    cold = ("config", "decompose", "history", "jail", "notices", "scan", "spam", "desk")
    wrong = []
    for path in [
        *PACKAGE.glob("*.py"),
        *(PACKAGE / "mime").glob("*.py"),
        *(PACKAGE / "forward").glob("*.py"),
    ]:
        for node in ast.parse(path.read_text()).body:
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            wrong += [
                (path.name, name)
                for name in names
                if name.startswith(tuple(f"amavis_pipe.{room}" for room in cold))
            ]
    assert wrong == []


def test_nobody_imports_the_desk_but_the_desk_and_the_entry():
    wrong = [
        path.relative_to(PACKAGE)
        for path in PACKAGE.rglob("*.py")
        if "from amavis_pipe.desk" in path.read_text()
        and "desk" not in path.relative_to(PACKAGE).parts
        and path.name != "entry.py"
    ]
    assert wrong == []


@pytest.mark.parametrize("name", ["consult", "headers", "rspamd"])
def test_the_spam_check_imports_little(name):
    code = f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r}); import amavis_pipe.spam.{name}; "
    code += "print(*sys.modules)"
    done = subprocess.run(["/usr/bin/python3", "-I", "-S", "-c", code], capture_output=True, check=True)
    loaded = set(done.stdout.decode().split())
    allowed = INTERPRETER | CHEAP | HOT | {"_json"}
    assert {one for one in loaded if not one.startswith(("amavis_pipe.spam", "amavis_pipe.scan"))} <= allowed
    assert {one for one in loaded if one.startswith("amavis_pipe.scan.")} <= {
        "amavis_pipe.scan.base",
        "amavis_pipe.scan.channel",
    }
