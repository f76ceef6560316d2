"""The bundle of hot modules: used when fresh, and otherwise as if it weren't there."""

import gzip
import marshal
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from stand_in.filter_site import PYTHON, make

from amavis_pipe import bundle

MAIL = b"Subject: x\n\nhello\n"


def no_rows() -> bytes:
    head = marshal.dumps((sys.version, 0, [1]))
    return len(head).to_bytes(4, "big") + bundle.digest(head) + head


@pytest.fixture
def site():
    made = make()
    built = made.folder / "build.py"
    built.write_text(
        f"import sys; sys.path.insert(0, {str(made.folder)!r}); import amavis_pipe.desk.bundle as b; print(b.write()[0])"
    )
    done = subprocess.run([PYTHON, "-I", "-S", str(built)], capture_output=True, check=True, text=True)
    made.bundle = Path(done.stdout.strip())
    yield made
    shutil.rmtree(made.folder)


def used(site) -> bool:
    code = f"import sys; sys.path.insert(0, {str(site.folder)!r}); from amavis_pipe import bundle; print(bundle.use())"
    done = subprocess.run([PYTHON, "-I", "-S", "-c", code], capture_output=True, check=True, text=True)
    return done.stdout == "True\n"


def test_a_fresh_bundle_is_used_and_the_filter_works_by_it(site):
    assert used(site)
    for cached in site.folder.rglob("*.pyc"):
        cached.unlink()  # the filter's user could not write them again
    assert site.filter(MAIL).out == b"passed clean\n"
    assert len(site.forwarded()) == 1


def test_a_changed_module_is_never_run_from_an_old_bundle(site):
    path = site.folder / "amavis_pipe/policy.py"
    text = path.read_text()
    changed = text.replace('Verdict("clean", profile.category("clean").action', 'Verdict("clean", "defer"')
    assert changed != text
    path.write_text(changed)
    assert not used(site)
    assert site.filter(MAIL).status == 75


def test_a_module_of_the_same_size_and_another_time_makes_it_stale(site):
    path = site.folder / "amavis_pipe/policy.py"
    os.utime(path, (1, 1))
    assert not used(site)


def test_a_copy_of_the_package_runs_its_own_code(site):
    """cp -a keeps sizes and times: the copy's bundle must not lead back to the original."""
    copy = site.folder / "copy"
    shutil.copytree(site.folder / "amavis_pipe", copy / "amavis_pipe", symlinks=True)
    code = f"import sys; sys.path.insert(0, {str(copy)!r}); from amavis_pipe import bundle; print(bundle.use()); import amavis_pipe.policy as p; print(p.__file__)"
    done = subprocess.run([PYTHON, "-I", "-S", "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.split("\n")[:2] == ["True", f"{copy}/amavis_pipe/policy.py"]
    (copy / "amavis_pipe/policy.py").write_text("CHANGED = True")
    done = subprocess.run([PYTHON, "-I", "-S", "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.startswith("False")


def test_a_removed_module_makes_it_stale(site):
    (site.folder / "amavis_pipe/policy.py").unlink()
    assert not used(site)


def of_any_size() -> bytes:
    """What marshal would ask for 16 GiB of memory for."""
    head = b"(\xff\xff\xff\x7f"
    return len(head).to_bytes(4, "big") + bytes(bundle.START - 4) + head


@pytest.mark.parametrize(
    "damage",
    [b"", b"x", b"\xff" * 50, no_rows(), of_any_size(), None],
    ids=["empty", "a byte", "junk", "no rows", "of any size", "cut"],
)
def test_a_damaged_bundle_is_not_used(site, damage):
    data = site.bundle.read_bytes()
    site.bundle.write_bytes(data[: len(data) // 2] if damage is None else damage)
    assert not used(site)
    assert site.filter(MAIL).status == 0


def test_the_bundle_holds_every_hot_module(site):
    code = f"import sys; sys.path.insert(0, {str(site.folder)!r}); from amavis_pipe import bundle; print(*sorted(bundle.read().rows))"
    done = subprocess.run([PYTHON, "-I", "-S", "-c", code], capture_output=True, check=True, text=True)
    names = done.stdout.split()
    assert {
        "amavis_pipe.entry",
        "amavis_pipe.mime",
        "amavis_pipe.mime.reader",
        "amavis_pipe.forward.sendmail",
    } <= set(names)
    assert not [name for name in names if "desk" in name or "config" in name]


def test_a_module_from_the_bundle_is_like_any_other(site):
    """Its name, file, package, loader and place in its parent, whichever way it was loaded."""
    show = (
        "import sys; from amavis_pipe import bundle; {use}; import amavis_pipe.entry, amavis_pipe.dissect; "
        "print(sorted((n, m.__file__, m.__package__, m.__spec__.name, m.__spec__.origin, "
        "getattr(m, '__path__', None), m is eval(n, {{'amavis_pipe': amavis_pipe}})) "
        "for n, m in sys.modules.items() if n in bundle.read().rows and n in {names!r}))"
    )
    names = ["amavis_pipe.model", "amavis_pipe.mime", "amavis_pipe.mime.reader", "amavis_pipe.dissect"]
    shown = []
    for use in ("bundle.use()", "pass"):
        code = f"import sys; sys.path.insert(0, {str(site.folder)!r}); " + show.format(use=use, names=names)
        done = subprocess.run([PYTHON, "-I", "-S", "-c", code], capture_output=True, check=True, text=True)
        shown.append(done.stdout)
    assert shown[0] == shown[1]
    assert shown[0].count("True") == len(names)


def test_a_module_that_fails_in_the_bundle_leaves_75(site):
    path = site.folder / "amavis_pipe/policy.py"
    path.write_text("raise RuntimeError\n")
    subprocess.run([PYTHON, "-I", "-S", str(site.folder / "build.py")], check=True, capture_output=True)
    assert used(site)
    done = site.run(MAIL, "-f", "a@x", "--", "b@x", env={"MAIL_CONFIG": "/etc/postfix"})
    assert (done.status, done.out[:6]) == (75, b"4.3.0 ")


UNPACKED = b"From: a@example.org\nContent-Type: application/gzip\n\n" + gzip.compress(b"hello\n", mtime=0)


def test_the_child_takes_apart_by_its_bundle_what_is_usual(site):
    """Without byte code: none of its modules is looked for in folders."""
    site.filter(MAIL)  # makes the snapshot of the settings
    trace = site.folder / "trace"
    trace.touch()
    trace.chmod(0o666)
    words = ["strace", "-f", "-qq", "-o", str(trace), "-e", "trace=openat", "-e", "status=successful"]
    done = site.start(
        [
            *words,
            PYTHON,
            "-I",
            "-S",
            str(site.launcher),
            "--config",
            str(site.settings),
            "-f",
            "a@x",
            "--",
            "b@x",
        ],
        UNPACKED,
    )
    assert done.out == b"passed clean\n"
    opened = re.findall(r'"([^"]*/amavis_pipe/(?:jail|decompose)/[^"]*)"', trace.read_text())
    assert opened == []


@pytest.mark.parametrize("damage", ["missing", "damaged", "stale"])
def test_without_the_child_s_bundle_its_modules_are_imported(site, damage):
    path = site.bundle.with_name(site.bundle.name.replace("hot", "jail"))
    if damage == "missing":
        path.unlink()
    elif damage == "damaged":
        path.write_bytes(path.read_bytes()[:-9])
    else:
        os.utime(site.folder / "amavis_pipe/jail/wire.py", (1, 1))
    assert used(site)
    assert site.filter(UNPACKED).out == b"passed clean\n"
