"""What `check` says of the launcher: whether it starts this version, and who can change it."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from amavis_pipe import __version__
from amavis_pipe.desk.checks import OK, PROBLEM, WARNING, launcher, postfix

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def place():
    """A folder in which nobody but root can replace anything."""
    folder = Path(tempfile.mkdtemp(prefix="amavis-pipe-launcher-"))
    folder.chmod(0o755)
    (folder / "site/amavis_pipe").mkdir(parents=True)
    (folder / "site/amavis_pipe/entry.py").touch()
    (folder / "site/amavis_pipe/__init__.py").write_text(f'__version__ = "{__version__}"\n')
    write(folder)
    yield folder
    shutil.rmtree(folder)


def write(folder, interpreter="/usr/bin/python3", folders=None):
    """The launcher as contrib/postfix/setup makes it."""
    text = (PROJECT / "contrib/postfix/amavis-pipe").read_text()
    named = [str(folder / "site")] if folders is None else folders
    text = text.replace("#!/usr/bin/python3 ", f"#!{interpreter} ")
    path = folder / "amavis-pipe"
    path.write_text(text.replace("FOLDERS = []", f"FOLDERS = {named!r}"))
    path.chmod(0o755)
    return path


@pytest.fixture
def look(monkeypatch, place):
    def looked(program=None):
        entry = (
            f"amavis unix - n n - 2 pipe flags=q user=vscan argv={program or place / 'amavis-pipe'} -f x\n"
        )
        monkeypatch.setattr(postfix, "_said", lambda words: entry if words[1] == "-M" else "\n")
        return list(launcher.check(postfix.Postfix(None)))

    return looked


def test_what_set_up_makes_is_right(look, place):
    (found,) = look()
    assert found.level == OK
    assert f"version {__version__} in {place}/site" in found.what


def test_a_checkout_is_found_by_where_the_launcher_lies(look, place):
    (place / "site/contrib/postfix").mkdir(parents=True)
    path = shutil.move(write(place, folders=[]), place / "site/contrib/postfix/amavis-pipe")
    (found,) = look(path)
    assert found.level == OK


def test_another_version_is_told(look, place):
    (place / "site/amavis_pipe/__init__.py").write_text('__version__ = "0.0.1"\n')
    (found,) = look()
    assert (found.level, "runs version 0.0.1" in found.what) == (WARNING, True)


def test_a_package_that_is_not_there_defers_all_mail(look, place):
    shutil.rmtree(place / "site")
    (found,) = look()
    assert (found.level, "mail is deferred" in found.what) == (PROBLEM, True)


def test_an_interpreter_that_is_gone_is_told(look, place):
    write(place, interpreter="/nonexistent/python3")
    (found,) = look()
    assert (found.level, "/nonexistent/python3, which can't be run" in found.what) == (PROBLEM, True)


@pytest.mark.parametrize("text", ["", "#!/bin/sh\nexec true\n", "FOLDERS = []\n", "#!/x\nFOLDERS = [\n"])
def test_what_is_no_launcher_of_ours_is_told(look, place, text):
    (place / "amavis-pipe").write_text(text)
    (found,) = look()
    assert (found.level, "is not the launcher" in found.what) == (WARNING, True)


def test_folders_that_are_no_list_of_texts_are_taken_for_none(look, place):
    path = place / "amavis-pipe"
    path.write_text("#!/usr/bin/python3 -IS\nFOLDERS = [__import__('os').abort()]\n")
    assert {one.level for one in look()} <= {PROBLEM, WARNING}


@pytest.mark.parametrize("what", [".", "amavis-pipe", "site", "site/amavis_pipe"])
@pytest.mark.parametrize("how", ["owner", "mode"])
def test_whoever_else_can_change_it_is_told(look, place, what, how):
    if how == "owner":
        os.chown(place / what, 65534, 65534)
    else:
        (place / what).chmod(0o777)
    found = look()
    assert {one.level for one in found} == {WARNING}
    assert f"{place / what} can be changed by others than root" in "\n".join(one.what for one in found)
