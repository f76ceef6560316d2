"""landlock: the rights asked for are those of the kernel's version."""

import pytest

from amavis_pipe.jail import landlock

SIZES = {1: 8, 2: 8, 3: 8, 4: 16, 5: 16, 6: 24, 7: 24, 12: 24}


@pytest.mark.parametrize(("offered", "size"), SIZES.items(), ids=[f"version-{n}" for n in SIZES])
def test_each_version_gets_the_structure_it_knows(offered, size):
    assert len(landlock.attributes(offered)) == size


def test_all_rights_to_files_are_handled_so_that_none_is_left_open():
    rights = [int.from_bytes(landlock.attributes(offered)[:8], "little") for offered in (1, 2, 3, 5)]
    assert [right.bit_count() for right in rights] == [13, 14, 15, 16]


def test_a_version_of_the_future_is_asked_for_what_is_known_of_it():
    assert landlock.attributes(99) == landlock.attributes(7)
