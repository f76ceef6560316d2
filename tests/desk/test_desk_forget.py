"""`cache forget`: one part, or one name, is asked about again, and nothing else is forgotten."""

import hashlib
import json
import zipfile

import pytest

from amavis_pipe.scan.builtin import NAME, eicar


@pytest.fixture
def filled(desk):
    """A site that remembers three files: harmless, infected, and a zip with the infected one."""
    with zipfile.ZipFile(desk.folder / "c.zip", "w") as file:
        file.writestr("eicar.com", eicar())
    desk.own(desk.folder / "c.zip")
    paths = [desk.put("a", b"harmless"), desk.put("b", eicar()), desk.folder / "c.zip"]

    def states():
        done = desk.run("scan", "--json", *map(str, paths))
        return [json.loads(line)["cache"] for line in done.stdout.splitlines()]

    assert states() == ["miss"] * 3 and states() == ["hit"] * 3
    return states


def test_a_part_is_forgotten_with_the_mails_it_is_in(desk, filled):
    done = desk.run("cache", "forget", hashlib.sha256(eicar()).hexdigest().upper())
    assert done.returncode == 0 and done.stdout.endswith(" forgotten\n")
    assert filled() == ["hit", "miss", "miss"]
    assert filled() == ["hit"] * 3


@pytest.mark.parametrize("name", [NAME, "Eicar-*"])
def test_a_virus_is_forgotten_by_its_name(desk, filled, name):
    assert desk.run("cache", "forget", name).returncode == 0
    assert filled() == ["hit", "miss", "miss"]


@pytest.mark.parametrize("what", ["0" * 64, "Another-Name", "a", ""])
def test_nothing_else_is_forgotten(desk, filled, what):
    assert desk.run("cache", "forget", what).stdout.startswith("0 entries")
    assert filled() == ["hit"] * 3
