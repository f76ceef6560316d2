"""The options of [spam]: types, defaults, and what a Checker is made of."""

import marshal

import pytest

from amavis_pipe.config import spam
from amavis_pipe.settings import identity
from amavis_pipe.spam.check import AT, RETRY, Checker

DEFAULTS = {option.key: option.type.read(option.default) for option in spam.OPTIONS}


def test_nobody_is_asked_by_default():
    assert spam.checker(DEFAULTS, []) is None


@pytest.mark.parametrize("via", AT)
def test_one_setting_switches_it_on(via):
    checker = Checker(*spam.checker({**DEFAULTS, "spam.checker": via}, []))
    assert (checker.via, checker.row.pool, checker.row.timeout, checker.row.retry) == (
        via,
        (AT[via],),
        60,
        RETRY,
    )
    assert (checker.row.largest, checker.over_size, checker.password, checker.report) == (
        65536,
        "skip",
        b"",
        False,
    )


def test_every_value_can_be_kept_in_a_snapshot():
    assert marshal.loads(marshal.dumps(DEFAULTS)) == DEFAULTS
    made = spam.checker({**DEFAULTS, "spam.checker": "spamd", "spam.at": ("/s", "127.0.0.1:783")}, [])
    assert marshal.loads(marshal.dumps(made)) == made


def test_levels_are_those_of_the_seed():
    assert (DEFAULTS["spam.tag"], DEFAULTS["spam.required"], DEFAULTS["spam.max_size"]) == (4.0, 6.9, 65536)


def type_of(key):
    return next(option.type for option in spam.OPTIONS if option.key == key)


GOOD = {
    "spam.at": [
        ("", ()),
        ([], ()),
        ("/run/spamd.sock", ("/run/spamd.sock",)),
        (
            ["127.0.0.1:783", "[2001:db8::1]:783", "spamd.example.org:1"],
            ("127.0.0.1:783", "[2001:db8::1]:783", "spamd.example.org:1"),
        ),
    ],
    "spam.tag": [(4, 4.0), (-3.5, -3.5), (10000, 10000.0)],
    "spam.users": [
        (True, True),
        (False, False),
        ({"Boss@Example.org": "boss", ".": "all"}, {b"boss@example.org": b"boss", b".": b"all"}),
    ],
}
BAD = {
    "spam.at": [
        "783",
        "host",
        "host:",
        "host:0",
        "host:65536",
        "host:\u0667",
        "2001:db8::1:783",
        "[127.0.0.1]:783",
        "[x]:1",
        "a b:1",
        ":783",
        "http://a:1",
        783,
        ["a:1", 2],
        "h:1\n",
    ],
    "spam.tag": [True, "4.0", None, float("nan"), float("inf"), 10001, [4.0]],
    "spam.users": ["true", 1, [], {"a": 1}],
    "spam.checker": ["clamd", None, True],
    "spam.over_size": ["cut"],
    "spam.timeout": [0, 1.5, "60"],
}


@pytest.mark.parametrize(
    ("key", "given", "read"), [(key, *pair) for key, pairs in GOOD.items() for pair in pairs]
)
def test_good_values_are_read(key, given, read):
    assert type_of(key).read(given) == read


@pytest.mark.parametrize(("key", "given"), [(key, value) for key, values in BAD.items() for value in values])
def test_bad_values_are_refused(key, given):
    with pytest.raises(ValueError):
        type_of(key).read(given)


def test_a_password_is_the_first_line_of_its_file_which_is_watched(tmp_path):
    path = tmp_path / "password"
    path.write_bytes(b"secret word \r\nanother\n")
    files = []
    values = {**DEFAULTS, "spam.checker": "rspamd", "spam.password_file": str(path).encode()}
    assert Checker(*spam.checker(values, files)).password == b"secret word"
    assert files == [(str(path).encode(), identity(str(path).encode()))]


@pytest.mark.parametrize("content", [b"", b"\n", b"a\x1bb\n", b"\xff\n"], ids=repr)
def test_a_file_without_a_password_is_a_fault(tmp_path, content):
    path = tmp_path / "password"
    path.write_bytes(content)
    values = {**DEFAULTS, "spam.checker": "rspamd", "spam.password_file": str(path).encode()}
    with pytest.raises(ValueError):
        spam.checker(values, [])
    path.unlink()
    with pytest.raises(OSError):
        spam.checker(values, [])


def test_keys_are_in_their_section_and_told_apart():
    keys = [option.key for option in spam.OPTIONS]
    assert len(set(keys)) == len(keys)
    assert all(
        key.startswith("spam.") and option.text for key, option in zip(keys, spam.OPTIONS, strict=True)
    )
