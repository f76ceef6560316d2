"""The compiled snapshot of the settings: believed when it is ours, whole and fresh; else the file is read."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from amavis_pipe import settings
from amavis_pipe.settings import SettingsError

PACKAGE = Path(settings.__file__).parents[1]
ASK = """
import sys
sys.path.insert(0, {package!r})
from amavis_pipe import settings
read = settings.read({path!r})
print(read.limits.depth, "tomllib" in sys.modules)
"""


@pytest.fixture
def path(tmp_path):
    """A settings file with a state folder of ours."""
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    path = tmp_path / "settings.toml"
    write(path, 3)
    return path


def write(path, depth):
    """Settings with this depth."""
    path.write_text(f'state = "{path.parent}/state"\nscanners = ["builtin"]\n\n[limits]\ndepth = {depth}\n')


def read(path):
    """The depth that a new process reads, and whether it had to read TOML for it."""
    code = ASK.format(package=str(PACKAGE), path=os.fsencode(path))
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    depth, toml = done.stdout.split()
    return int(depth), toml == "True"


def snapshot(path):
    (found,) = (path.parent / "state").glob("settings-*")
    return found


def test_the_second_reading_reads_no_toml_and_finds_the_same(path):
    assert read(path) == (3, True)
    assert read(path) == (3, False)


def test_a_snapshot_holds_every_value(path):
    first = settings.read(os.fsencode(path))
    again = settings.read(os.fsencode(path))
    assert first.values == again.values
    assert first.values is not again.values


def test_it_is_private(path):
    read(path)
    assert snapshot(path).stat().st_mode & 0o777 == 0o600


def test_after_a_change_the_file_is_read_again(path):
    read(path)
    write(path, 4)
    assert read(path) == (4, True)
    assert read(path) == (4, False)


def test_after_a_change_that_keeps_size_and_time_the_file_is_read_again(path):
    before = path.stat()
    read(path)
    write(path, 5)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert read(path) == (5, True)


def test_after_another_file_took_its_place_that_is_read(path):
    read(path)
    other = path.with_suffix(".new")
    write(other, 6)
    other.rename(path)
    assert read(path) == (6, True)


def test_after_a_change_of_clamd_conf_the_file_is_read_again(path):
    conf = path.parent / "clamd.conf"
    conf.write_text("MaxFileSize 1M\n")
    with path.open("a") as file:
        file.write(f'[[scanner]]\nname = "clamd"\nconf = "{conf}"\n')
    path.write_text(path.read_text().replace('["builtin"]', '["clamd"]'))
    assert settings.read(os.fsencode(path)).rows[0].largest == 1 << 20
    conf.write_text("MaxFileSize 2M\n")
    assert settings.read(os.fsencode(path)).rows[0].largest == 2 << 20


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:20],
        lambda data: data[:-1],
        lambda data: data + b"x",
        lambda data: data[:40] + bytes((data[40] ^ 1,)) + data[41:],
        lambda data: bytes((data[0] ^ 1,)) + data[1:],
    ],
    ids=["empty", "cut in its digest", "cut", "longer", "payload changed", "digest changed"],
)
def test_a_damaged_one_is_not_believed_and_replaced(path, damage):
    read(path)
    snapshot(path).write_bytes(damage(snapshot(path).read_bytes()))
    assert read(path) == (3, True)
    assert read(path) == (3, False)


def test_one_that_others_can_read_is_not_believed(path):
    read(path)
    snapshot(path).chmod(0o644)
    assert read(path) == (3, True)


def test_one_below_a_folder_that_others_can_write_is_not_believed(path):
    read(path)
    (path.parent / "state").chmod(0o777)
    assert read(path) == (3, True)


def test_a_link_to_one_is_not_believed(path):
    read(path)
    found = snapshot(path)
    found.rename(path.parent / "elsewhere")
    found.symlink_to(path.parent / "elsewhere")
    assert read(path) == (3, True)


def test_one_of_another_owner_is_not_believed(path, monkeypatch):
    settings.read(os.fsencode(path))
    found = os.fsencode(snapshot(path))
    assert settings.trusted(found) is not None
    monkeypatch.setattr(settings.posix, "geteuid", lambda: os.getuid() + 1)
    assert settings.trusted(found) is None


def test_one_of_another_version_is_not_believed(path, monkeypatch):
    settings.read(os.fsencode(path))
    monkeypatch.setattr(settings, "__version__", "0.0.0")
    assert settings._load_snapshot(settings._state_hint(os.fsencode(path)), os.fsencode(path)) is None


def test_one_of_another_file_is_not_believed(path):
    read(path)
    other = path.with_name("other.toml")
    write(other, 9)
    snapshot(path).rename(
        settings._snapshot_path(os.fsencode(path.parent / "state"), os.fsencode(other)).decode()
    )
    assert read(other) == (9, True)


def test_without_a_folder_for_it_the_file_is_read_each_time(path):
    (path.parent / "state").rmdir()
    assert read(path) == (3, True)
    assert read(path) == (3, True)


def test_a_faulty_file_leaves_no_snapshot_and_an_old_one_does_not_stand_in(path):
    read(path)
    path.write_text("[limits]\ndepth = 0\n")
    with pytest.raises(SettingsError):
        settings.read(os.fsencode(path))


def test_no_temporary_files_stay(path):
    for depth in (4, 5, 6):
        write(path, depth)
        read(path)
    assert len(list((path.parent / "state").iterdir())) == 1


@pytest.mark.parametrize(
    ("text", "expect"),
    [
        ('state = "/srv/a"', b"/srv/a"),
        ("state='/srv/a'", b"/srv/a"),
        ('  state   =   "/srv/a/"  # comment', b"/srv/a"),
        ("# state = 1\nnotify = 'x'", b"/var/lib/amavis-pipe"),
        ('[x]\nstate = "/no"', b"/var/lib/amavis-pipe"),
    ],
    ids=["plain", "single quotes", "comment behind", "absent", "in a section"],
)
def test_where_the_snapshot_is_looked_for_is_told_without_toml(tmp_path, text, expect):
    path = tmp_path / "settings.toml"
    path.write_text(text)
    assert settings._state_hint(os.fsencode(path)) == expect


class TestPrepare:
    """The state folder before it is used."""

    def test_its_folders_are_made(self, settings_of, tmp_path):
        settings_of()
        assert sorted(path.name for path in (tmp_path / "state").iterdir()) == [
            "cache",
            "journal",
            "quarantine",
            "work",
        ]
        assert all(path.stat().st_mode & 0o777 == 0o700 for path in (tmp_path / "state").iterdir())

    @pytest.mark.parametrize("mode", [0o720, 0o702, 0o777], ids=oct)
    def test_one_that_others_can_write_is_trouble(self, settings_of, tmp_path, mode):
        site = settings_of()
        (tmp_path / "state").chmod(mode)
        with pytest.raises(settings.SpoolTrouble, match="0700"):
            settings.prepare(site)

    def test_one_that_is_not_there_or_no_folder_is_trouble(self, settings_of, tmp_path):
        site = settings_of()
        site.state = os.fsencode(tmp_path / "missing")
        with pytest.raises(settings.SpoolTrouble, match="No such file"):
            settings.prepare(site)
        (tmp_path / "missing").write_bytes(b"")
        with pytest.raises(settings.SpoolTrouble, match="wants a folder"):
            settings.prepare(site)
