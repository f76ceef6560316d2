"""Rules for some mail: whom they hold for, and which of several options counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amavis_pipe import rules
from amavis_pipe.config import load
from amavis_pipe.model import Envelope
from amavis_pipe.settings import Settings, SettingsError

A, B = b"a@example.org", b"b@example.net"


def site(**tree):
    return Settings(load.read({"scanners": ["builtin"], **tree}, "", "")[0])


def in_force(settings, envelope, key):
    """The value of an option for each recipient."""
    return {
        recipient: profile.get(key)
        for profile, recipients in rules.profiles(envelope, settings)
        for recipient in recipients
    }


def holds(kind, match, envelope):
    """Whether a rule with this match holds."""
    settings = site(**{kind: [{"match": match, "score": 1.0}]})
    return list(in_force(settings, envelope, "score").values()) == [1.0]


@pytest.mark.parametrize(
    ("match", "address", "expect"),
    [
        ("a@example.org", b"a@example.org", True),
        ("a@example.org", b"A@Example.ORG", True),
        ("A@Example.org", b"a@example.org", True),
        ("a@example.org", b"a+list@example.org", True),
        ("a+list@example.org", b"a@example.org", False),
        ("a+list@example.org", b"a+list@example.org", True),
        ("a@example.org", b"aa@example.org", False),
        ("a@example.org", b"a@example.org.evil", False),
        ("a@", b"a@example.org", True),
        ("a@", b"b@example.org", False),
        ("example.org", b"a@example.org", True),
        ("example.org", b"a@sub.example.org", False),
        ("example.org", b"a@notexample.org", False),
        (".example.org", b"a@example.org", True),
        (".example.org", b"a@deep.sub.example.org", True),
        (".example.org", b"a@notexample.org", False),
        (".", b"a@example.org", True),
        (".", b"", True),
        ("<>", b"", True),
        ("<>", b"a@example.org", False),
        ("example.org", b'"a@b"@example.org', True),
        ("example.org", b"postmaster", False),
        ("postmaster@", b"postmaster", True),
        ("stra\u00dfe.example", "x@STRA\u00dfE.example".encode(), True),
        ("a@example.org", b"a@example.org\nb@example.org", False),
        ("example.org", b"x@\nexample.org\n", False),
    ],
)
@pytest.mark.parametrize("kind", ["sender", "recipient"])
def test_an_entry_holds_for_what_it_says(kind, match, address, expect):
    envelope = Envelope(address, (B,)) if kind == "sender" else Envelope(B, (address,))
    assert holds(kind, [match], envelope) is expect


@pytest.mark.parametrize(
    ("match", "client", "user", "expect"),
    [
        ("192.0.2.0/24", b"192.0.2.7", b"", True),
        ("192.0.2.0/24", b"192.0.3.7", b"", False),
        ("192.0.2.7", b"192.0.2.7", b"", True),
        ("192.0.2.0/24", b"::ffff:192.0.2.7", b"", True),
        ("::ffff:192.0.2.7", b"192.0.2.7", b"", True),
        ("::ffff:192.0.2.0/120", b"192.0.2.7", b"", True),
        ("::ffff:192.0.2.0/120", b"192.0.3.7", b"", False),
        ("::/0", b"192.0.2.7", b"", False),
        ("2001:db8::/32", b"2001:db8::1", b"", True),
        ("2001:db8::/32", b"IPv6:2001:db8::1", b"", True),
        ("2001:db8::/32", b"192.0.2.7", b"", False),
        ("0.0.0.0/0", b"unknown", b"", False),
        ("0.0.0.0/0", b"", b"", False),
        ("0.0.0.0/0", b"2001:db8::1", b"", False),
        ("user:alice", b"", b"alice", True),
        ("user:alice", b"", b"Alice", False),
        ("user:.", b"", b"alice", True),
        ("user:.", b"192.0.2.7", b"", False),
        ("user:alice", b"", b"al\nice", False),
        ("user:alice", b"", b"\nalice\n", False),
    ],
)
def test_a_client_is_known_by_its_network_or_by_who_it_said_to_be(match, client, user, expect):
    envelope = Envelope(A, (B,), client_address=client, sasl_username=user)
    assert holds("client", [match], envelope) is expect


def test_each_option_comes_from_the_first_rule_that_names_it():
    settings = site(
        banned={"action": "bounce"},
        recipient=[
            {"match": "a@example.org", "banned": {"action": "pass"}},
            {"match": "example.org", "banned": {"action": "tag"}, "spam": {"action": "discard"}},
        ],
    )
    envelope = Envelope(b"s@x.example", (A, b"c@example.org", B))
    assert in_force(settings, envelope, "banned.action") == {A: "pass", b"c@example.org": "tag", B: "bounce"}
    assert in_force(settings, envelope, "spam.action") == {
        A: "discard",
        b"c@example.org": "discard",
        B: "tag",
    }


def test_recipients_come_before_senders_and_senders_before_clients():
    tables = {
        kind: [{"match": match, "banned": {"action": action}}]
        for kind, match, action in (
            ("client", "user:.", "defer"),
            ("sender", ".", "bounce"),
            ("recipient", "example.org", "tag"),
        )
    }
    envelope = Envelope(b"s@x.example", (A, B), sasl_username=b"u")
    assert in_force(site(**tables), envelope, "banned.action") == {A: "tag", B: "bounce"}
    del tables["sender"]
    assert in_force(site(**tables), envelope, "banned.action") == {A: "tag", B: "defer"}


def test_all_conditions_of_a_rule_have_to_hold():
    settings = site(sender=[{"match": "s@x.example", "recipient": ["a@example.org"], "list": "white"}])
    assert in_force(settings, Envelope(b"s@x.example", (A, B)), "list") == {A: "white", B: None}
    assert in_force(settings, Envelope(b"t@x.example", (A, B)), "list") == {A: None, B: None}


def test_those_for_whom_the_same_rules_hold_are_one_group():
    settings = site(recipient=[{"match": "example.org", "score": 1.0}])
    many = tuple(b"u%d@example.%s" % (number, (b"org", b"net")[number % 2]) for number in range(50))
    groups = rules.profiles(Envelope(b"s@x", many), settings)
    assert [len(recipients) for _, recipients in groups] == [25, 25]
    assert sorted(one for _, recipients in groups for one in recipients) == sorted(many)


def test_without_an_envelope_what_holds_for_all_holds():
    settings = site(recipient=[{"match": ".", "score": 1.0}])
    ((profile, recipients),) = rules.profiles(Envelope(), settings)
    assert (profile.get("score"), recipients) == (1.0, ())


@given(
    st.lists(st.binary(min_size=1, max_size=60), max_size=5), st.binary(max_size=60), st.binary(max_size=20)
)
def test_whatever_the_addresses_are_everyone_is_in_one_group(recipients, sender, client):
    settings = site(
        recipient=[{"match": ["example.org", "a@", "."], "score": 1.0}],
        client=[{"match": "::/0", "score": 2.0}],
    )
    groups = rules.profiles(Envelope(sender, tuple(recipients), client_address=client), settings)
    assert sorted(one for _, several in groups for one in several) == sorted(recipients)


def test_entries_are_read_from_a_file_with_comments(tmp_path):
    path = tmp_path / "vips"
    path.write_text("# people\n\na@example.org  # the first\r\n.example.net\n")
    settings = site(recipient=[{"match": str(path), "score": 1.0}])
    envelope = Envelope(b"s@x", (A, B, b"c@example.org"))
    assert in_force(settings, envelope, "score") == {A: 1.0, B: 1.0, b"c@example.org": None}


def test_a_file_of_many_entries_is_searched_not_walked(tmp_path):
    path = tmp_path / "many"
    path.write_text("".join(f"user{number}@example.org\n" for number in range(50_000)))
    settings = site(recipient=[{"match": str(path), "score": 1.0}])
    assert isinstance(settings.rules[0][1][0][1], bytes)
    envelope = Envelope(b"s@x", (b"user49999@example.org", b"user50000@example.org"))
    assert list(in_force(settings, envelope, "score").values()) == [1.0, None]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            '[[recipient]]\nmatch = ["a b"]',
            '1: recipient.match: "a b" is neither an entry nor the path of a file',
        ),
        (
            "[[recipient]]\nscore = 1.0",
            "1: recipient.match: wants a list of addresses, domains, networks or files",
        ),
        (
            '[[client]]\nmatch = "300.1.1.1"',
            '1: client.match: "300.1.1.1" is neither an entry nor the path of a file',
        ),
        ('[[sender]]\nmatch = "/nowhere/x"', "1: sender.match: /nowhere/x: No such file or directory"),
        (
            '[[sender]]\nmatch = "map:users"',
            "1: sender.match: /var/lib/amavis-pipe/maps/users: No such file or directory; "
            "`amavis-pipe config refresh` makes it",
        ),
        (
            '[[recipient]]\nmatch = "."\n[recipient.banned]\naction = "eat"',
            "4: recipient.banned.action: wants one of pass, tag, defer, bounce, discard",
        ),
        (
            '[[recipient]]\nmatch = "."\n[[recipient]]\nmatch = "."\nbanned.acton = "pass"',
            "5: recipient.banned.acton: is no option; did you mean recipient.banned.action?",
        ),
        (
            '[[recipient]]\nmatch = "."\ninfected.suspect = false',
            "3: recipient.infected.suspect: is no option; did you mean recipient.infected.subject_tag?",
        ),
        ('[recipient]\nmatch = "."', "1: recipient: wants [[recipient]] tables"),
        ('[[map]]\nname = "x"', "1: map.command: wants a command line, as text or as a list of words"),
    ],
)
def test_a_fault_in_a_rule_names_its_line(text, fault):
    with pytest.raises(SettingsError) as error:
        load.parsed(text.encode(), "f")
    assert [line.removeprefix("f:") for line in error.value.faults] == [fault]


def test_a_bad_line_in_a_file_of_entries_is_named(tmp_path):
    path = tmp_path / "list"
    path.write_bytes(b"a@example.org\nno entry\x1b\n\xff@x\n")
    with pytest.raises(SettingsError) as error:
        load.read({"recipient": [{"match": str(path)}]}, "f", "")
    assert len(error.value.faults) == 1
    assert error.value.faults[0].endswith('/list:2: no entry: "no entry\\x1b"')


def test_local_recipients_get_the_extension_in_place_of_their_own():
    settings = site(local=[".example.org"])
    given_to = (
        A,
        b"a+x@example.org",
        b"b@sub.example.org",
        b"c@example.net",
        b'"q"@example.org',
        b"postmaster",
    )
    assert rules.extended(given_to, b"virus", settings) == (
        b"a+virus@example.org",
        b"a+virus@example.org",
        b"b+virus@sub.example.org",
        b"c@example.net",
        b'"q"@example.org',
        b"postmaster",
    )
    assert rules.extended((A,), b"virus", site(local=["."], recipient_delimiter="")) == (A,)


def test_of_a_table_by_domain_the_most_exact_word_counts():
    table = {
        b"example.org": b"one@x.example",
        b".org": b"two@x.example",
        b".": b"",
        b"s@example.org": b"me@x.example",
    }
    said = [
        rules.by_domain(table, sender)
        for sender in (b"s@example.org", A, b"x@other.org", b"x@other.net", b"")
    ]
    assert said == [b"me@x.example", b"one@x.example", b"two@x.example", b"", b""]


@given(
    st.lists(st.text("abc.@-", min_size=1, max_size=6), min_size=1, max_size=60),
    st.text("abc.@-", max_size=6),
)
def test_bisection_finds_what_a_search_finds(lines, wanted):
    entries = b"\n" + b"\n".join(sorted({line.encode() for line in lines})) + b"\n"
    for name in (wanted.encode(), *(line.encode() for line in lines)):
        assert rules._is_line(name, entries) == (b"\n" + name + b"\n" in entries and name != b"")
