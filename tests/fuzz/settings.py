"""Fuzzes the settings: a file is read, and its snapshot read back.

What must hold: nothing but SettingsError is raised, and each of its faults is a bounded line; what was read is
what comes back out of the snapshot; a damaged snapshot gives what the file says.
"""

import os
import random
from functools import cache
from pathlib import Path
from typing import Any

from amavis_pipe import settings
from amavis_pipe.config import load, sample
from amavis_pipe.config.imported.written import toml
from amavis_pipe.settings import SettingsError
from amavis_pipe.text import readable
from fuzz import driver
from fuzz.mutants import ODD, bent, changed

FULL = """\
scanners = ["clamd", "mine", "builtin"]
backups = []
banned_rules = ["programs"]
local = ["example.org", ".example.net", "/nowhere"]
[limits]
depth = 9
max_quota = "30 MiB"
[spam]
checker = "spamd"
tag = 2.5
[quarantine]
days = 3
[infected]
action = "discard"
admin = {"example.org" = "a@example.org", "." = "b@example.org"}
[[scanner]]
name = "mine"
via = "command"
run = ["/bin/true", "{dir}"]
clean = [0]
infected = [1]
virus = "found: (.+)$"
[[allow]]
name = "Test.Name"
reason = "known"
[[recipient]]
match = ["example.org", "a@example.net", "."]
infected.action = "pass"
banned_rules = []
[[sender]]
match = "<>"
bypass = ["spam"]
[[client]]
match = ["192.0.2.0/24", "2001:db8::/32", "user:."]
list = "white"
[[map]]
name = "some"
from = "/bin/true"
[[banned_rule]]
name = "programs"
names = ["*.exe", "a[!b-d]?.*"]
kinds = ["application/x-dosexec"]
"""
TREE = {
    "scanners": ["clamd", "mine"], "banned_rules": ["some"], "local": ["example.org"], "sandbox": "prefer",
    "limits": {"depth": 3, "max_quota": "30 MiB", "seconds": 10}, "quarantine": {"place": "a@example.org", "days": 3},
    "infected": {"action": "bounce", "admin": {"example.org": "a@example.org"}, "headers": ["X-A: b"]},
    "scanner": [{"name": "mine", "via": "command", "run": ["/bin/x", "{dir}"], "clean": [0], "infected": [1], "virus": "(.+)"}],
    "allow": [{"sha256": "0" * 64, "reason": "x"}],
    "recipient": [{"match": ["example.org"], "infected": {"action": "pass"}, "lover": ["spam"]}],
    "client": [{"match": ["192.0.2.0/24"], "bypass": ["spam"]}],
    "map": [{"name": "a", "from": "/bin/true"}], "banned_rule": [{"name": "some", "names": ["*.exe"]}],
}  # fmt: skip
WORDS = [
    b"=", b"[", b"]", b"[[", b"]]", b'"', b"'", b'"""', b"\n", b"{", b"}", b",", b"#", b"true", b"1e999", b"nan", b"-1",
    b"0x7fffffffffffffffffffffff", b"\\u0000", b"\\uD800", b"2026-11-25", b"07:00:00", b"inf", b"9" * 5000, b"[" * 3000,
    b"[[scanner]]\n", b"[limits]\n", b'match = "."\n', b"KiB", b"99999999 TiB", b"\xff", b"\0", b"a.b.c = 1\n", b"/dev/zero",
]  # fmt: skip


@cache
def _samples() -> list[bytes]:
    return [FULL.encode(), sample.sample().encode(), sample.sample().replace("\n#", "\n").encode()]


@cache
def _folder() -> Path:
    folder = driver.scratch()
    (folder / "state").mkdir(mode=0o700)
    return folder


def fuzz(source: random.Random) -> None:
    """Read one settings file, with and without its snapshot."""
    kind = source.randrange(4)
    if kind == 0:
        _check_text(changed(source.choice(_samples()), _samples(), WORDS, source))
    elif kind == 1:
        _check_tree(_tree(source))
    elif kind == 2:
        _check_text(_written(_tree(source)))
    else:
        _check_snapshot(source)


def _tree(source: random.Random) -> object:
    """A tree as TOML may be read: without what is no text of Unicode's."""
    tree = _unicode(bent(TREE, source, 25))
    if isinstance(tree, dict) and source.randrange(3) == 0:
        key = source.choice([option.key for option in load.OPTIONS])
        section, _, name = key.rpartition(".")
        into = tree.setdefault(section, {}) if section else tree
        if isinstance(into, dict):
            into[name] = _unicode(source.choice(ODD))
    return tree


def _written(tree: object) -> bytes:
    """A tree as TOML, as far as it can be."""
    lines = []
    for key, value in tree.items() if isinstance(tree, dict) else ():
        try:
            lines.append(f"{key} = {toml(value)}")
        except (TypeError, ValueError, AttributeError, RecursionError):
            continue
    return "\n".join(lines).encode()


def _unicode(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_unicode(key): _unicode(one) for key, one in value.items()}
    return [_unicode(one) for one in value] if isinstance(value, list) else value


def _check_text(data: bytes) -> None:
    try:
        values, _ = load.parsed(data, "x.toml")
    except SettingsError as error:
        _check_faults(error)
    else:
        settings.Settings(values)
    try:
        load.maps(data, "x.toml")
    except SettingsError as error:
        _check_faults(error)


def _check_tree(tree: object) -> None:
    try:
        settings.Settings(load.read(tree if isinstance(tree, dict) else {}, "x.toml", "")[0])
    except SettingsError as error:
        _check_faults(error)


def _check_faults(error: SettingsError) -> None:
    assert error.faults
    for fault in error.faults:
        assert len(fault) < 6000, fault[:300]
        assert "\n" not in fault, fault[:300]
        assert readable(fault.encode("utf-8", "backslashreplace"))


def _check_snapshot(source: random.Random) -> None:
    """A whole snapshot says what the file says; so does a damaged one."""
    path = os.fsencode(_folder() / "settings.toml")
    text = f'state = "{_folder()}/state"\nscanners = ["builtin"]\n[limits]\ndepth = {source.randint(1, 9)}\n'
    Path(os.fsdecode(path)).write_text(text)
    told = settings.read(path).values
    assert settings.read(path).values == told
    place = Path(os.fsdecode(settings._snapshot_path(told["state"], path)))
    whole = place.read_bytes()
    hurt = changed(whole, [whole], [bytes(32), b"\xff" * 8, whole[:32]], source, 3)
    hurt = hurt[: source.choice((0, 1, 32, 33, 1 << 20))] if source.randrange(4) == 0 else hurt
    place.write_bytes(hurt)
    assert hurt == whole or settings._load_snapshot(told["state"], path) is None
    assert settings.read(path).values == told
    place.unlink()
