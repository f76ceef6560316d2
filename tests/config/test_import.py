"""`config import`: an amavisd.conf in, settings of ours out, and all that is left out told with its line."""

import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_import_perl import SNIPPETS

from amavis_pipe.config import load
from amavis_pipe.config.imported import lookups
from amavis_pipe.config.imported.carried import Carrier
from amavis_pipe.config.imported.files import Files
from amavis_pipe.config.imported.lookups import Table
from amavis_pipe.config.imported.result import BY_KEY
from amavis_pipe.config.imported.values import Patterns
from amavis_pipe.desk import importing

SAMPLES = Path(__file__).parent / "samples"


def imported(text):
    """The settings' tree, the lines left out as (line, variable), the text, the result."""
    made, result = importing.settings_from({"f": text})
    load.parsed(made.encode(), "made")
    return tomllib.loads(made), [(where.line, name) for where, name, _ in result.left], made, result


def tree(text):
    return imported(text)[0]


@pytest.fixture(scope="module")
def sample():
    return imported((SAMPLES / "amavisd.conf").read_text())


class TestSample:
    """The settings of a site, in today's form."""

    def test_it_has_no_faults_and_says_what_was_there(self, sample):
        made = sample[0]
        assert made["path"] == "/usr/local/sbin:/usr/local/bin:/usr/sbin:/sbin:/usr/bin:/bin"
        assert made["local"] == [".example.org", "example.net"]
        assert made["forward"] == made["notify"] == "smtp:127.0.0.1:10025"
        assert made["limits"] == {
            "depth": 12, "files": 2000, "min_quota": 102400, "max_quota": 512 << 20, "min_factor": 5,
            "max_factor": 500, "hard_seconds": 480,
        }  # fmt: skip
        assert made["headers"] == {
            "tag": "X-Virus-Scanned", "line": "by amavis at example.org", "remove_foreign": True,
        }  # fmt: skip
        assert made["quarantine"] == {"place": "/var/amavis/quarantine"}
        assert made["sender"] == [
            {"match": ["list@", "news@", "partner.example"], "list": "white"},
            {"match": [".spammer.example"], "list": "black"},
            {"match": [".partner.example"], "recipient": ["sales@example.org"], "score": -3.0},
            {"match": ["mixed@example.com"], "score": -1},
            {"match": ["news@example.com"], "score": -3.5},
            {"match": ["bulkmail@", "offers@"], "score": 5.0},
        ]

    def test_actions_quarantine_and_notices(self, sample):
        made = sample[0]
        assert made["infected"] == {
            "action": "discard", "notify_recipients": True, "quarantine": True, "admin": "virusalert@example.org",
        }  # fmt: skip
        assert made["banned"] == {"action": "bounce", "quarantine": False}
        spam = {
            key: value
            for key, value in made["spam"].items()
            if key in ("action", "quarantine", "admin", "subject_tag")
        }
        assert spam == {
            "action": "tag", "quarantine": "spam-quarantine@example.org", "subject_tag": "***SPAM*** ",
            "admin": {".example.net": "spam@example.net", ".": ""},
        }  # fmt: skip
        assert made["bad-header"]["tests"] == ["mime", "8bit", "control", "empty", "long", "syntax"]

    def test_recipients_have_what_they_had(self, sample):
        assert sample[0]["recipient"] == [
            {"match": ["virus-team@example.org"], "lover": ["infected", "spam"], "bypass": []},
            {"match": ["help@"], "bypass": ["spam"], "lover": []},
            {"match": ["postmaster@"], "lover": ["spam"], "bypass": []},
            {"match": ["nospam.example.org"], "bypass": ["spam"]},
        ]

    def test_scanners_are_rows_of_ours(self, sample):
        made = sample[0]
        assert made["scanners"] == ["clamd", "sh"]
        assert made["scanner"] == [
            {"name": "clamd", "at": "/var/run/clamav/clamd.ctl"},
            {"name": "sh", "via": "command", "run": ["/bin/sh", "-c", "true", "{files}"], "clean": [0],
             "infected": "(?m)BAD", "virus": r"(?mx) BAD: \s (.+) "},
        ]  # fmt: skip

    def test_banned_names_are_a_rule_of_that_name_and_ready_ones(self, sample):
        made = sample[0]
        assert made["banned_rules"] == ["amavisd", "double-extensions"]
        assert made["banned_rule"] == [
            {"name": "amavisd", "kinds": ["application/x-dosexec"]},
            {"name": "amavisd", "extensions": ["exe", "vbs", "pif", "scr"]},
            {"name": "amavisd", "claimed": ["application/x-msdownload"]},
        ]

    def test_each_value_has_the_line_it_comes_from(self, sample):
        lines = ["", *(SAMPLES / "amavisd.conf").read_text().splitlines()]
        told = re.findall(r"^# f:(\d+): ([$@]\w+)(?:;.*)?\n\w", sample[2], re.M)
        assert len(told) > 25
        assert [name for number, name in told if not lines[int(number)].startswith(name)] == []

    def test_what_was_left_out_is_told_with_its_line(self, sample):
        lines = (SAMPLES / "amavisd.conf").read_text().splitlines()
        left = {name for _, name in sample[1]}
        assert {
            "$max_servers",
            "$daemon_user",
            "$inet_socket_port",
            "%policy_bank{MYNETS}",
            "$defang_virus",
        } <= left
        assert any(name.startswith("dkim_key") for name in left)
        assert any(name.startswith("if ( - e") for name in left)
        for line, name in sample[1]:
            if name.startswith("$") and "{" not in name:
                assert lines[line - 1].startswith(name), name

    def test_a_policy_bank_is_shown_as_a_comment(self, sample):
        shown = sample[2].partition("# In place of %policy_bank{MYNETS}")[2].splitlines()[1:]
        table = "\n".join(line.removeprefix("# ") for line in shown)
        assert tomllib.loads(table)["client"] == [
            {
                "match": ["127.0.0.0/8", "::1", "192.0.2.0/24"],
                "bypass": ["spam"],
                "banned": {"action": "pass"},
            }
        ]
        load.parsed(table.encode(), "table")


class TestPaper:
    """The options of 2003."""

    def test_they_are_carried_over(self, tmp_path):
        (tmp_path / "whitelist").write_text("friend@example.com\n.example.net # ours\n")
        made = tree((SAMPLES / "amavisd-2003.conf").read_text().replace("FOLDER", str(tmp_path)))
        assert made["bypass"] == ["spam"]
        assert made["infected"]["action"] == "discard"
        assert made["spam"]["action"] == "bounce"
        assert made["infected"]["admin"] == {"example.org": "admin@example.org", ".": ""}
        assert made["infected"]["notify_recipients"] is True
        assert made["infected"]["notify_sender"] is False
        assert made["quarantine"]["place"] == "/var/virusmails"
        assert made["headers"]["line"] == "by amavis-20021227p2"
        assert made["limits"]["max_quota"] == 300 << 20
        assert made["sender"] == [{"match": [f"{tmp_path}/whitelist"], "list": "white"}]
        assert made["recipient"] == [
            {"match": ["nobody@example.org"], "bypass": ["spam"], "lover": []},
            {"match": ["example.org"], "bypass": ["spam"], "lover": ["infected"]},
        ]


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("$final_virus_destiny = 0;", "infected.action", "discard"),
        ("$final_virus_destiny = 1;", "infected.action", "pass"),
        ("$final_virus_destiny = -1;", "infected.action", "bounce"),
        ("$final_spam_destiny = D_TEMPFAIL;", "spam.action", "defer"),
        ("$final_destiny_by_ccat{+CC_UNCHECKED} = D_REJECT;", "unchecked.action", "bounce"),
        ("%final_destiny_by_ccat = (CC_OVERSIZED, D_BOUNCE);", "oversized.action", "bounce"),
        ("$forward_method = 'smtp:[::1]:10025';", "forward", "smtp:[::1]:10025"),
        ("$notify_method = 'pipe:flags=q argv=/usr/sbin/sendmail -i -f ${sender} -- ${recipient}';", "notify", "sendmail"),
        ("$QUARANTINEDIR = undef;", "quarantine.place", ""),
        ("$QUARANTINEDIR = '/var/mail/viruses.mbox';", "quarantine.place", "/var/mail/viruses.mbox"),
        ("$virus_quarantine_method = undef; $virus_quarantine_to = 'virus-quarantine';", "infected.quarantine", False),
        ("$virus_quarantine_method = 'local:virus-%m'; $virus_quarantine_to = 'a@example.org';", "infected.quarantine",
         "a@example.org"),
        ("$archive_quarantine_to = 'x';", "clean.quarantine", None),
        ("$clean_quarantine_method = 'local:clean-%m'; $clean_quarantine_to = 'x';", "clean.quarantine", True),
        ("$archive_quarantine_method = 'smtp:[127.0.0.1]:25'; $archive_quarantine_to = 'a@example.org';",
         "clean.quarantine", "a@example.org"),
        ("@addr_extension_virus_maps = ('virus');", "infected.extension", "virus"),
        ("$addr_extension_virus = 'v'; @addr_extension_virus_maps = (\\$addr_extension_virus);", "infected.extension", "v"),
        ("@virus_admin_maps = (\\%virus_admin, \\$virus_admin); $virus_admin = 'a@example.org';", "infected.admin",
         "a@example.org"),
        ("$X_HEADER_TAG = undef;", "headers.tag", ""),
        ("$addr_extension_spam = 'spam';", "spam.extension", "spam"),
        ("$undecipherable_subject_tag = '***UNCHECKED*** ';", "unchecked.action", "tag"),
        ("$sa_spam_subject_tag = 'x'; $sa_spam_modifies_subj = 0;", "spam.subject_tag", None),
        ("@viruses_that_fake_sender_maps = (1);", "infected.forging", ["*"]),
        ("@message_size_limit_maps = ({ '.' => 1000000 });", "oversized.limit", 1000000),
        ("@bypass_virus_checks_maps = (1);", "scanners", ["builtin"]),
        ("@bypass_header_checks_acl = qw( . );", "bypass", ["bad-header"]),
        ("@bypass_virus_checks_maps = (0);", "bypass", None),
        ("@bypass_virus_checks_maps = (\\%bypass_virus_checks, \\@bypass_virus_checks_acl);", "bypass", None),
        ("@bypass_spam_checks_acl = ('.'); @bypass_spam_checks_maps = (\\@bypass_spam_checks_acl);", "bypass", ["spam"]),
    ],
)  # fmt: skip
def test_single_options(text, key, value):
    found = tree(text)
    for part in key.split("."):
        found = found.get(part, {})
    assert found == ({} if value is None else value)


@pytest.mark.parametrize(
    ("text", "name", "why"),
    [
        ("$MAXLEVELS = undef;", "$MAXLEVELS", "always a limit"),
        ("$MAXLEVELS = 1000;", "$MAXLEVELS", "from 1 to 64"),
        ("$child_timeout = 5;", "$child_timeout", "from 10 to"),
        ("$forward_method = 'lmtp:*:*';", "$forward_method", "neither sendmail nor smtp"),
        ("$forward_method = ['smtp:[127.0.0.1]:10025'];", "$forward_method", "not several"),
        ("$virus_admin = 'admin';", "$virus_admin", "no whole address"),
        ("$virus_admin = \"a\\@$mydomain\";", "$virus_admin", "$mydomain isn't known"),
        ("$unheard_of = 1;", "$unheard_of", "nothing like it"),
        ("@lookup_sql_dsn = (['DBI:x']);", "@lookup_sql_dsn", "[[map]]"),
        ("$spam_quarantine_to = new_RE(qr'a');", "$spam_quarantine_to", "more than one value"),
        ("$X_HEADER_LINE = \"a\\nb\";", "$X_HEADER_LINE", "one line"),
        ("@whitelist_sender_maps = (read_hash('/nonexistent'));", "@whitelist_sender_maps", "No such file"),
        ("@whitelist_sender_maps = (read_hash('relative'));", "@whitelist_sender_maps", "absolute path"),
        ("@whitelist_sender_acl = ('a b');", "@whitelist_sender_acl", "a b"),
        ("@local_domains_maps = (['!a.example', '.example']);", "@local_domains_maps", "the exception a.example"),
        ("@av_scanners = (['x', \\&ask_daemon, ['x']]);", "x", "docs/scanners.rst"),
        ("include_config_files('/etc/x');", "include_config_files ( /etc/x )", "name that file"),
    ],
)  # fmt: skip
def test_what_cannot_be_carried_over_is_told_and_why(text, name, why):
    _, left, _, result = imported(text)
    assert (1, name) in left
    assert any(why in told for _, variable, told in result.left if variable == name)


def test_levels_by_recipient_are_rules():
    made, left, _, _ = imported(
        "@spam_kill_level_maps = ({ 'a@example.org' => 12, '.example.net' => 'x' }, \\$sa_kill_level_deflt);"
        "$sa_kill_level_deflt = 7;"
    )
    assert made["recipient"] == [{"match": ["a@example.org"], "spam": {"kill": 12.0}}]
    assert made["spam"]["kill"] == 7.0
    assert left == [(1, "@…_maps by recipient")]


def test_what_only_names_other_settings_is_not_left_out():
    text = "@x_maps = (\\@x_acl, \\$x_re); %x_by_ccat = (CC_VIRUS, sub { 1 }); %y_by_ccat = (1, \\$a, 2, [\\@b]);"
    assert [name for _, name in imported(text)[1]] == ["%x_by_ccat"]


def test_a_time_limit_below_ours_is_left_out():
    made = imported("$child_timeout = 100;")
    assert made[0] == {}
    assert [name for _, name in made[1]] == ["$child_timeout"]


def test_a_table_that_would_be_a_fault_is_left_out_with_what_names_it():
    made, left, _, _ = imported(
        f"$banned_filename_re = new_RE(qr'.\\.(exe|{'v' * 300})$'i);\n$myhostname = 'a';"
    )
    assert "banned_rule" not in made and "banned_rules" not in made
    assert (1, "$banned_filename_re") in left


def test_what_needs_nothing_is_not_left_out():
    made = imported(
        "$log_level = 0; $enable_db = 1; $defang_virus = 0; $mydomain = 'x'; @decoders = ([1, \\&x]);"
    )
    assert (made[0], made[1]) == ({}, [])
    assert len(made[3].moot) == 5


def test_a_later_value_counts_as_in_perl():
    assert tree("$MAXFILES = 10; $MAXFILES = 20;")["limits"]["files"] == 20


def test_spam_options_become_comments_where_there_are_none(monkeypatch):
    monkeypatch.setattr(importing, "BY_KEY", BY_KEY)
    for key in [key for key in BY_KEY if key.startswith("spam.") and key.endswith((".kill", ".checker"))]:
        monkeypatch.delitem(BY_KEY, key)
    _, left, text, _ = imported("$sa_kill_level_deflt = 7;")
    assert "\n#kill = 7.0\n" in text
    assert (1, "$sa_kill_level_deflt") in left


def test_an_address_of_notices_is_carried_over_where_there_is_an_option_for_it():
    _, left, text, _ = imported(
        "$mailfrom_notify_admin = 'a@example.org'; @whitelist_sender_acl = ('b@example.org');"
    )
    assert 'sender = "a@example.org"' in text
    assert ([] if "\nsender =" in text else [(1, "$mailfrom_notify_admin")]) == left


class TestLookups:
    """What a table says of an address is what the rules made of it say."""

    @pytest.mark.parametrize(
        ("source", "entries"),
        [
            (r"^user@example\.org$", ["user@example.org"]),
            (r"@example\.org$", ["example.org"]),
            (r"@(.*\.)?example\.org$", [".example.org"]),
            (r"[@.]example\.org$", [".example.org"]),
            (r"(^|[@.])example\.org$", [".example.org"]),
            (r"^news@", ["news@"]),
            (r"^(a|b\.c)@", ["a@", "b.c@"]),
            (r"^.*spam", []),
            (r"example", []),
        ],
    )
    def test_simple_expressions_are_entries(self, source, entries):
        assert lookups.of_pattern(source) == entries

    def test_keys_go_from_narrow_to_wide(self):
        assert lookups.keys_of("u@a.b.c") == ["u@a.b.c", "u@", "a.b.c", ".a.b.c", ".b.c", ".c", "."]
        assert lookups.keys_of("u@") == ["u@", "."]
        assert lookups.keys_of(".b.c") == [".b.c", ".c", "."]
        assert lookups.keys_of(".") == ["."]

    ENTRIES = ("u@a.x", "v@a.x", "u@", "a.x", ".a.x", ".x", "b.a.x", "y", ".y", ".")
    ADDRESSES = ("u@a.x", "v@a.x", "w@a.x", "u@b.a.x", "w@b.a.x", "w@x", "w@c.y", "u@y", "w@y", "w@z")

    @settings(max_examples=300, deadline=None)
    @given(
        st.lists(
            st.one_of(
                st.dictionaries(st.sampled_from(ENTRIES), st.integers(0, 1), max_size=5),
                st.lists(
                    st.tuples(st.sampled_from(("", "!")), st.sampled_from(ENTRIES)).map("".join), max_size=5
                ),
                st.sampled_from((None, 0, 1)),
            ),
            max_size=3,
        )
    )
    def test_rules_say_of_every_address_what_the_tables_say(self, values):
        tables = [Table.of(value, {}.__getitem__) for value in values]
        entries = {entry for table in tables for entry in table.entries}

        def options_of(keys):
            return {"x": ["x"] if lookups.is_true(lookups.looked_up(tables, keys)) else []}

        doubts = []
        rules = lookups.rules(entries, options_of, doubts.append)
        for address in self.ADDRESSES:
            keys = lookups.keys_of(address)
            said = next((options for match, options in rules if set(match) & set(keys)), {"x": []})
            user, _, domain = address.partition("@")
            is_told = any(
                one.startswith(f"{user}@ in ") and domain.endswith(one.split()[-1]) for one in doubts
            )
            assert is_told or said == options_of(keys), address

    def test_an_expression_that_is_none_is_refused(self):
        table = Table.of(Patterns(()), {}.__getitem__)
        assert (list(table.entries), table.refused) == ([], [])


class TestFiles:
    """read_hash."""

    def test_a_file_of_plain_entries_is_named(self, tmp_path):
        (tmp_path / "domains").write_text("example.org\n.example.net\n")
        made = tree(f"@local_domains_maps = (read_hash('{tmp_path}/domains'), ['x.example']);")
        assert made["local"] == [f"{tmp_path}/domains", "x.example"]

    def test_entries_with_values_are_copied(self, tmp_path):
        (tmp_path / "map").write_text("a@example.org 1\nb@example.org 0\n# c\nexample.net\tOK\n")
        made = tree(f"@bypass_spam_checks_maps = (read_hash('{tmp_path}/map'));")
        assert made["recipient"] == [
            {"match": ["a@example.org"], "bypass": ["spam"]},
            {"match": ["example.net"], "bypass": ["spam"]},
        ]

    def test_a_large_or_odd_file_is_not_read(self, tmp_path):
        (tmp_path / "large").write_bytes(b"a" * (5 << 20))
        for path, why in (
            (tmp_path / "large", "larger than 4 MiB"),
            (tmp_path, "directory"),
            ("/dev/zero", "regular"),
        ):
            result = imported(f"@blacklist_sender_maps = (read_hash('{path}'));")[3]
            assert why in result.left[0][2]


CONFS = (SAMPLES / "amavisd.conf").read_text().splitlines(keepends=True)


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(
        st.lists(st.sampled_from(CONFS), max_size=80).map("".join),
        st.lists(st.sampled_from([*SNIPPETS, *CONFS]), max_size=60).map(" ".join),
        st.tuples(st.integers(0, 5000), st.text(max_size=20)).map(
            lambda cut: "".join(CONFS)[: cut[0]] + cut[1] + "".join(CONFS)[cut[0] :]
        ),
    )
)
def test_whatever_the_file_says_the_settings_have_no_faults(text):
    from amavis_pipe.config.imported.assigned import Assigned
    from amavis_pipe.config.imported.written import checked

    assigned = Assigned()
    assigned.file(text, "f\n[x]")
    result = Carrier(assigned, Files({}.__getitem__), lambda programs: True).carry()
    load.parsed(checked(result, ["f\n[x]"]).encode(), "made")


TEXTS = st.one_of(
    st.text(max_size=30), st.sampled_from(["'", '"', "\\", "a@b.c", "\n[x]\n", "\x1b[1m", "\ud800"])
)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(
        ("$path", "$QUARANTINEDIR", "$X_HEADER_LINE", "$virus_admin", "$sa_spam_subject_tag", "$recipient_delimiter",
         "$forward_method", "$mailfrom_notify_admin", "$addr_extension_virus", "$MAXFILES", "$spam_quarantine_to",
         "$sa_tag_level_deflt")
    ),
    TEXTS,
)  # fmt: skip
def test_whatever_a_value_is_the_settings_have_no_faults(name, text):
    quoted = text.replace("\\", "\\\\").replace("'", "\\'")
    made, _ = importing.settings_from({"f": f"{name} = '{quoted}';"})
    load.parsed(made.encode(), "made")


class TestCommand:
    """As typed."""

    def test_settings_go_to_standard_output_and_the_rest_is_told(self, desk):
        path = desk.put("amavisd.conf", b"$MAXFILES = 7;\n$max_servers = 3;\n$log_level = 1;\n")
        done = desk.run("config", "import", path)
        assert done.returncode == 1
        assert tomllib.loads(done.stdout) == {"limits": {"files": 7}}
        assert done.stderr.startswith(f"Not carried over:\n  {path}:2: $max_servers: ")
        assert "Not needed here (lines):\n  $log_level (3): " in done.stderr

    def test_status_0_says_that_all_was_carried_over(self, desk):
        path = desk.put("amavisd.conf", b"$MAXFILES = 7;\n")
        done = desk.run("config", "import", path)
        assert (done.returncode, done.stderr) == (0, "")

    def test_several_files_are_read_one_after_the_other(self, desk):
        first, second = (
            desk.put("1", b"$mydomain = 'example.org';"),
            desk.put("2", b'@local_domains_acl = (".$mydomain");'),
        )
        done = desk.run("config", "import", first, second)
        assert tomllib.loads(done.stdout) == {"local": [".example.org"]}

    def test_a_file_is_written_and_never_overwritten_unless_asked(self, desk):
        path, output = desk.put("amavisd.conf", b"$MAXFILES = 7;\n"), desk.folder / "made.toml"
        assert desk.run("config", "import", path, "--output", output).returncode == 0
        assert output.stat().st_mode & 0o777 == 0o644
        assert tomllib.loads(output.read_text()) == {"limits": {"files": 7}}
        output.write_text("mine")
        done = desk.run("config", "import", path, "-o", output)
        assert (done.returncode, output.read_text()) == (2, "mine")
        assert "--force" in done.stderr
        assert desk.run("config", "import", path, "-o", output, "--force").returncode == 0
        assert "files = 7" in output.read_text()
        assert sorted(one.name for one in desk.folder.iterdir()) == [
            "files",
            "made.toml",
            "settings.toml",
            "state",
        ]

    def test_what_cannot_be_read_is_status_2(self, desk):
        for path in ("/nonexistent", "/dev/zero", str(desk.folder)):
            done = desk.run("config", "import", path)
            assert (done.returncode, done.stdout) == (2, "")
            assert done.stderr.startswith(f"amavis-pipe: {path}: ")

    def test_nothing_reaches_the_terminal_as_it_is(self, desk):
        path = desk.put("amavisd.conf", b"$x = 1; \x1b[31m('\x1b[2J');\n$log_level = 1; \xff\xfe();\n")
        done = desk.run("config", "import", path)
        assert "\x1b" not in done.stdout + done.stderr
