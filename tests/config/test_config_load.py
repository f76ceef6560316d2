"""The settings file: what it may hold, and what is said of what it may not."""

import os
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amavis_pipe import settings
from amavis_pipe.config import clamav, load
from amavis_pipe.config.rowoptions import ROW_OPTIONS
from amavis_pipe.config.schema import OPTIONS, SECTIONS
from amavis_pipe.settings import Settings, SettingsError

MIB = 1 << 20
ROUTE = 'wants "sendmail", "smtp:ADDRESS:PORT" with an IP address, or "file:/FOLDER"'


@pytest.fixture
def faults(tmp_path):
    """A function: the faults of a settings file, its path left out."""

    def read(text):
        path = tmp_path / "settings.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        try:
            load.load(os.fsencode(path))
        except SettingsError as error:
            assert all(fault.startswith(f"{path}:") for fault in error.faults)
            return [fault.removeprefix(f"{path}:") for fault in error.faults]
        return []

    return read


def values(text=""):
    import tomllib

    return load.read(tomllib.loads(text), "x", text)[0]


def test_an_empty_file_means_the_defaults(faults):
    assert faults("") == []
    assert values() == load.defaults()


@pytest.mark.parametrize(
    ("text", "key", "expect"),
    [
        ("", "state", b"/var/lib/amavis-pipe"),
        ('state = "/srv/x/"', "state", b"/srv/x"),
        ('forward = "smtp:127.0.0.1:10025"', "forward", "smtp:127.0.0.1:10025"),
        ('notify = "smtp:[::1]:25"', "notify", "smtp:[::1]:25"),
        ('[smtp]\nstray_cr = "blank"', "smtp.stray_cr", "blank"),
        ("[limits]\ndepth = 3", "limits.depth", 3),
        ('[limits]\nmax_quota = "1 GiB"', "limits.max_quota", 1 << 30),
        ('[limits]\nmax_quota = "10MB"', "limits.max_quota", 10**7),
        ('[limits]\nmax_quota = "7"', "limits.max_quota", 7),
        ("[limits]\nmax_quota = 4096", "limits.max_quota", 4096),
        ("", "limits.min_quota", 100 << 10),
        ("", "limits.memory", 512 * MIB),
        ('[headers]\ntag = ""', "headers.tag", b""),
        ('scanners = ["builtin", "clamd"]', "scanners", ("builtin", "clamd")),
        ('forward = "file:/srv/out"', "forward", "file:/srv/out"),
        ('[unchecked]\nadmin = "a@example.org"', "unchecked.admin", b"a@example.org"),
    ],
)
def test_a_value_is_read_in_base_units(text, key, expect):
    assert values(text)[key] == expect


@pytest.mark.parametrize(
    ("text", "expect"),
    [
        ("[limits]\n\ndepth = \"ten\"", '3: limits.depth: wants an integer from 1 to 64, not "ten"'),
        ("[limits]\ndepth = true", "2: limits.depth: wants an integer from 1 to 64, not true"),
        ("[limits]\ndepth = 0", "2: limits.depth: wants an integer from 1 to 64, not 0"),
        ("[limits]\ndepth = 65", "2: limits.depth: wants an integer from 1 to 64, not 65"),
        ("[limits]\ndepth = 1.5", "2: limits.depth: wants an integer from 1 to 64, not 1.5"),
        ('state = "here"', '1: state: wants an absolute path, not "here"'),
        ('state = "/a\\u0000b"', '1: state: wants an absolute path, not "/a\\x00b"'),
        ('forward = "smtp:x"', f'1: forward: {ROUTE}, not "smtp:x"'),
        ('forward = "smtp:localhost:25"', f'1: forward: {ROUTE}, not "smtp:localhost:25"'),
        ('forward = "smtp:127.0.0.1:0"', f'1: forward: {ROUTE}, not "smtp:127.0.0.1:0"'),
        ('forward = "smtp:127.0.0.1:65536"', f'1: forward: {ROUTE}, not "smtp:127.0.0.1:65536"'),
        ('forward = "smtp:::1:25"', f'1: forward: {ROUTE}, not "smtp:::1:25"'),
        ('forward = "smtp:[127.0.0.1]:25"', f'1: forward: {ROUTE}, not "smtp:[127.0.0.1]:25"'),
        ('notify = "mail"', f'1: notify: {ROUTE}, not "mail"'),
        ('[smtp]\nstray_cr = "drop"', '2: smtp.stray_cr: wants one of sendmail, blank, not "drop"'),
        ("scanners = 3", "1: scanners: wants a list of words, not 3"),
        ("scanners = []", '1: scanners: wants at least one; "builtin" is the EICAR check alone'),
        ('scanners = ["clam"]', '1: scanners: no scanner "clam"; did you mean clamd?'),
        ('[limits]\nmemory = "1 TB"', '2: limits.memory: wants a size such as 4096 or "100 KiB", not "1 TB"'),
        ("[limits]\nmemory = -1", '2: limits.memory: wants a size such as 4096 or "100 KiB", not -1'),
        ('[infected]\naction = "drop"', "2: infected.action: wants one of pass, tag, defer, bounce, discard, "
                                        'not "drop"'),
        ('[headers]\nline = "a\\nb"', '2: headers.line: wants printable ASCII, one line, not "a\\x0ab"'),
        ('[headers]\ntag = "X:Y"', '2: headers.tag: wants the name of a header field, or "", not "X:Y"'),
        ('[headers]\ntag = "X-\u00c4"', '2: headers.tag: wants the name of a header field, or "", not "X-\u00c4"'),
        ('[unchecked]\nadmin = "a b@x"', '2: unchecked.admin: wants an address, "", or a table of addresses by sender domain ("." = any), not "a b@x"'),
        ('[unchecked]\nadmin = "a"', '2: unchecked.admin: wants an address, "", or a table of addresses by sender domain ("." = any), not "a"'),
        ('[quarantine]\nplace = "../x"', '2: quarantine.place: wants a folder (below state, or absolute), a mailbox file (named *.mbox), an address, or "" '
                                         'for none, not "../x"'),
        ("[limits]\ndeptth = 3", "2: limits.deptth: is no option; did you mean limits.depth?"),
        ("xyzzy = 3", "1: xyzzy: is no option"),
        ("[limit]\ndepth = 3", "2: limit.depth: is no option; did you mean limits.depth?"),
        ("limits = 3", "1: limits: is no option; did you mean limits?"),
        ('[limits]\nhard_seconds = 100', "2: limits.hard_seconds: wants at least limits.seconds and the slowest "
                                         "scanner's timeout together (120 + 60), not 100"),
        ('[quarantine]\nplace = ""', '1: unchecked.crash: wants a quarantine.place, or "defer" or "pass"'),
        ('[[scanner]]\nname = "a b"', "2: scanner.name: wants a name of letters, digits, - and _"),
        ('[[scanner]]\nname = "x"\nvia = "smoke"', '3: scanner.via: wants one of clamd, command, line, icap, sssp, drweb, yara, builtin, not "smoke"'),
        ('[[scanner]]\nname = "x"\ntimout = 3', "3: scanner.timout: is no option; did you mean scanner.timeout?"),
        ('[[scanner]]\nname = "x"\ntimeout = 0', "3: scanner.timeout: wants an integer from 1 to 600, not 0"),
        ("scanner = 3", "1: scanner: wants [[scanner]] tables"),
    ],
)  # fmt: skip
def test_a_fault_names_line_and_key_what_is_wanted_and_what_was_met(faults, text, expect):
    assert expect in faults(text)


def test_all_faults_are_told_at_once(faults):
    found = faults('state = 1\n[limits]\ndepth = 0\nfiles = "x"\nfoo = 1\n[cache]\ndays = -1\n')
    assert [fault.split(":")[1].strip() for fault in found] == [
        "state",
        "limits.depth",
        "limits.files",
        "cache.days",
        "limits.foo",
    ]


@pytest.mark.parametrize(
    ("text", "expect"),
    [
        ("a = ", "Invalid value"),
        ("a = 1\na = 2", "overwrite"),
        (b"a = '\xff'", "is not UTF-8"),
        ("[limits\n", "Expected"),
        ("a = " + "9" * 5000, "digits"),
        ("a = " + "[" * 5000, "is nested too deep"),
        ('"a\\n\\u202Eb" = 1', r"a\x0a\u202eb: is no option"),
    ],
    ids=[
        "no value",
        "twice",
        "not utf-8",
        "no bracket",
        "a number without end",
        "too deep",
        "a key of two lines",
    ],
)
def test_what_is_no_toml_is_one_fault(faults, text, expect):
    (found,) = faults(text)
    assert expect in found


@pytest.mark.parametrize("kind", ["missing", "folder"])
def test_a_file_that_can_not_be_read_is_one_fault(tmp_path, kind):
    path = tmp_path / kind
    if kind == "folder":
        path.mkdir()
    with pytest.raises(SettingsError) as caught:
        load.load(os.fsencode(path))
    assert len(caught.value.faults) == 1


def test_every_file_that_was_read_is_told_with_what_it_was(tmp_path):
    conf = tmp_path / "clamd.conf"
    conf.write_text("")
    path = tmp_path / "settings.toml"
    path.write_text(f'[[scanner]]\nname = "clamd"\nconf = "{conf}"\n')
    _, files = load.load(os.fsencode(path))
    assert [name for name, _ in files][:2] == [os.fsencode(path), os.fsencode(conf)]
    assert os.path.dirname(os.fsencode(load.__file__)) in [name for name, _ in files]
    assert all(seen is not None for _, seen in files)


@pytest.mark.parametrize("option", [*OPTIONS, *ROW_OPTIONS], ids=lambda option: option.key)
def test_every_option_says_what_it_is_and_wants(option):
    assert option.text.strip() == option.text != ""
    assert option.type.wants
    assert option.key.rpartition(".")[0] in SECTIONS


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.key)
def test_every_option_refuses_what_has_another_type(option):
    refused = 0
    for value in (None, 1.5, {"a": 1}, [1], b"x", "\0\n"):
        try:
            option.type.read(value)
        except ValueError:
            refused += 1
    assert refused >= 5


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
))  # fmt: skip
def test_no_value_of_any_option_makes_reading_raise_anything_but_faults(value):
    for option in OPTIONS:
        section, _, name = option.key.rpartition(".")
        tree = {section: {name: value}} if section else {name: value}
        try:
            Settings(load.read(tree, "x", "")[0])
        except SettingsError as error:
            assert error.faults


class TestClamdRow:
    """What a scanner row gets from clamd.conf."""

    @pytest.fixture
    def row(self, tmp_path):
        """A function: the row for a clamd.conf and further TOML."""

        def read(conf=None, more=""):
            path = tmp_path / "clamd.conf"
            if conf is not None:
                path.write_text(conf)
            text = f'[[scanner]]\nname = "clamd"\nconf = "{path}"\n{more}'
            return values(text)["rows"][0]

        return read

    def test_clamds_own_defaults_hold_where_the_file_says_nothing(self, row):
        found = row("")
        assert found["at"] == ("/run/clamav/clamd.ctl",)
        assert found["databases"] == b"/var/lib/clamav"
        assert (found["self_check"], found["largest"], found["longest"]) == (600, 100 * MIB, 120)

    def test_what_the_file_says_holds(self, row):
        found = row(
            '# comment\nLocalSocket /x/c.ctl # here\nDatabaseDirectory "/x/db"\nSelfCheck 60\n'
            "MaxFileSize 25M\nMaxScanSize 1G\nMaxScanTime 5000\nStreamMaxLength 1k\nFoo\n"
        )
        assert (found["at"], found["databases"]) == (("/x/c.ctl",), b"/x/db")
        assert (found["self_check"], found["largest"], found["longest"]) == (60, 25 * MIB, 5)
        assert found["how"] == "descriptor"

    def test_the_row_holds_against_the_file(self, row):
        found = row("LocalSocket /x/c.ctl\n", 'at = "/y/d.ctl"\ndatabases = "/y/db"\nhow = "stream"\n')
        assert (found["at"], found["databases"], found["how"]) == (("/y/d.ctl",), b"/y/db", "stream")

    def test_a_stream_is_limited_by_its_length_too(self, row):
        found = row("StreamMaxLength 5M\n", 'at = "127.0.0.1:3310"\n')
        assert (found["how"], found["largest"], found["databases"]) == ("stream", 5 * MIB, b"/var/lib/clamav")

    def test_without_the_file_a_careful_limit_holds(self, row):
        assert row()["largest"] == 25 * MIB
        assert row(more='max_file_size = "7 MiB"\n')["largest"] == 7 * MIB

    @pytest.mark.parametrize("text", ["0", "x", "", "-5", "99999999999999999999Q"])
    def test_odd_numbers_in_it_do_no_harm(self, row, text):
        found = row(f"MaxFileSize {text}\nMaxScanSize {text}\nSelfCheck {text}\nMaxScanTime {text}\n")
        assert found["largest"] >= 0
        assert found["self_check"] >= 0

    def test_the_built_in_check_has_no_place_and_no_limit(self):
        (found,) = values('scanners = ["builtin"]')["rows"]
        assert (found["at"], found["databases"], found["largest"]) == ((), b"", 0)


CLAMD_CONF = "LocalSocket {folder}/clamd.ctl\nDatabaseDirectory {folder}/db\nMaxFileSize 7M\nTCPSocket 3399\n"


@pytest.mark.parametrize(
    ("at", "named", "databases", "largest"),
    [
        ("{folder}/clamd.ctl", False, "{folder}/db", 7 << 20),
        ("{folder}/other.ctl", True, "{folder}/db", 7 << 20),
        ("{folder}/other.ctl", False, "", 25 << 20),
        ("127.0.0.1:3399", False, "{folder}/db", 7 << 20),
        ("192.0.2.1:3399", False, "", 25 << 20),
    ],
    ids=["its socket", "named in the row", "another clamd's socket", "its port", "another host"],
)
def test_a_clamd_conf_counts_for_its_own_clamd_alone(tmp_path, monkeypatch, at, named, databases, largest):
    conf = tmp_path / "clamd.conf"
    conf.write_text(CLAMD_CONF.format(folder=tmp_path))
    monkeypatch.setattr(clamav, "USUAL", os.fsencode(conf))
    given = {"name": "clamd", "via": "clamd", "at": (at.format(folder=tmp_path),)}
    row = clamav.clamd_row(given | ({"conf": str(conf)} if named else {}), [])
    assert row["databases"] == databases.format(folder=tmp_path).encode()
    assert row["largest"] == largest


def test_a_snapshot_by_code_with_other_options_is_a_miss(tmp_path):
    os.chmod(tmp_path, 0o700)
    path = tmp_path / "settings.toml"
    path.write_text(f'state = "{tmp_path}"\nscanners = ["builtin"]\n')
    name = os.fsencode(path)
    values, files = load.load(name)
    del values["limits.hard_seconds"]
    settings._save_snapshot(values, name, files)
    assert settings.read(name).hard_seconds == 540


@pytest.mark.parametrize("words", [["-c", "{conf}"], ["--config-file={conf}"], ["--config-file", "{conf}"]])
def test_a_clamd_tells_its_settings_by_its_command_line(tmp_path, words):
    """The usual file is about another socket: the process that listens is asked, so to say."""
    conf, at = tmp_path / "own.conf", tmp_path / "own.ctl"
    conf.write_text(f"LocalSocket {at}\nDatabaseDirectory {tmp_path}/own\n")
    listen = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen()\n"
    program = tmp_path / "clamd"
    program.write_text(listen + "print(flush=True); sys.stdin.read()\n")
    given = [word.format(conf=conf) for word in words]
    command = ["/usr/bin/python3", "-I", "-S", str(program), str(at), *given]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as clamd:
        assert clamd.stdout.readline()
        files = []
        row = clamav.clamd_row({"name": "clamd", "via": "clamd", "at": (str(at),)}, files)
    assert row["databases"] == os.fsencode(tmp_path / "own")
    assert os.fsencode(conf) in [name for name, _ in files]
    assert (os.fsencode(at), settings.identity(os.fsencode(at))) in files


def test_a_socket_where_nobody_listens_tells_nothing(tmp_path):
    row = clamav.clamd_row({"name": "clamd", "via": "clamd", "at": (str(tmp_path / "nobody.ctl"),)}, [])
    assert row["databases"] == b""
