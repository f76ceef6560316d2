"""perform: recipients that fare differently in one call, each by the rules for one exit status."""

import email
import email.policy

import pytest
from stand_in import smtpd
from stand_in.acting import ALICE, MAIL, A, B, C, Site

from amavis_pipe.model import ForwardTrouble, Trouble

FATES = [
    {"match": "a@site.example", "infected": {"action": "tag"}},
    {"match": "b@site.example", "infected": {"action": "bounce"}},
    {"match": "c@site.example", "infected": {"action": "discard"}},
]


def site(folder, **tree):
    return Site(folder, **{"recipient": FATES, "infected": {"forging": []}, **tree})


def parsed(message):
    found = email.message_from_bytes(message, policy=email.policy.default)
    assert found.defects == []
    return found


def test_one_gets_it_one_is_reported_and_one_loses_it(tmp_path):
    made = site(tmp_path)
    outcome = made.act("virus", (A, B, C))
    assert (outcome.status, outcome.line[:30]) == (0, "passed to some infected Name")
    reports = [text for text in made.written() if b"multipart/report" in text]
    mails = [text for text in made.written() if text.endswith(MAIL)]
    assert len(reports) == len(mails) == 1
    assert b"X-Amavis-Alert: INFECTED Name\n" in mails[0]
    (told,) = [
        part for part in parsed(reports[0]).walk() if part.get_content_type() == "message/delivery-status"
    ]
    first, second = told.get_payload()
    assert first["Reporting-MTA"].startswith("dns; ")
    assert (first["X-Postfix-Queue-ID"], second["Final-Recipient"]) == ("4bQ7", "rfc822; b@site.example")
    assert (second["Action"], second["Status"]) == ("failed", "5.7.1")
    assert second["Diagnostic-Code"] == "x-unix; 5.7.1 infected Name"


def test_a_report_names_every_refused_recipient_with_its_own_reason(tmp_path):
    made = site(
        tmp_path,
        unchecked={"action": "bounce"},
        recipient=[
            FATES[0],
            {"match": "b@site.example", "bypass": ["infected"], "unchecked": {"action": "bounce"}},
        ],
        infected={"action": "bounce", "forging": []},
    )
    made.act("both", (A, B, C))
    (report,) = [text for text in made.written() if b"multipart/report" in text]
    (told,) = [part for part in parsed(report).walk() if part.get_content_type() == "message/delivery-status"]
    said = {one["Final-Recipient"]: one["Diagnostic-Code"] for one in told.get_payload()[1:]}
    assert said["rfc822; b@site.example"] == "x-unix; 5.7.1 unchecked encrypted:zip"
    assert said["rfc822; c@site.example"] == "x-unix; 5.7.1 infected Name"


def test_a_recipient_to_be_deferred_holds_all_back(tmp_path):
    made = site(
        tmp_path, recipient=[*FATES[:2], {"match": "c@site.example", "infected": {"action": "defer"}}]
    )
    outcome = made.act("virus", (A, B, C))
    assert (outcome.status, outcome.line) == (75, "4.7.1 held back by policy: infected Name")
    assert made.written() == []
    assert made.kept() == []


@pytest.mark.parametrize("found", ["encrypted", "virus"])
def test_all_refused_is_postfixs_to_tell_unless_it_is_a_virus(tmp_path, found):
    made = Site(tmp_path, unchecked={"action": "bounce"}, infected={"action": "bounce", "forging": []})
    outcome = made.act(found, (A, B), mail=MAIL + b"its content\n")
    if found == "virus":
        assert outcome.status == 0
        assert len(made.written()) == 1
        assert b"its content" not in made.written()[0]
    else:
        assert (outcome.status, outcome.line) == (69, "5.7.1 message refused: unchecked encrypted:zip")
        assert made.written() == []


def test_a_site_may_have_all_reports_written_here(tmp_path):
    made = Site(tmp_path, bounces="own", unchecked={"action": "bounce"})
    outcome = made.act("encrypted", (A, B))
    assert (outcome.status, outcome.line) == (0, "refused unchecked encrypted:zip, sender notified")
    assert len(made.written()) == 1


def test_a_site_may_leave_all_reports_to_postfix_and_is_told_if_that_can_not_be(tmp_path):
    made = site(tmp_path, bounces="postfix")
    with pytest.raises(Trouble, match="amavis_destination_recipient_limit = 1"):
        made.act("virus", (A, B))
    assert made.written() == []
    unchecked = Site(tmp_path, bounces="postfix", unchecked={"action": "bounce"})
    assert unchecked.act("encrypted", (A,)).status == 69


@pytest.mark.parametrize(
    ("sender", "head", "forging", "why"),
    [
        (b"", b"", [], "null sender"),
        (ALICE, b"List-Id: <x.example>\n", [], "list"),
        (ALICE, b"Auto-Submitted: auto-replied\n", [], "robot"),
        (ALICE, b"", ["N*me"], "forged"),
        (b"owner-list@site.example", b"", [], "owner"),
    ],
    ids=["null sender", "list", "robot", "forged", "owner"],
)
def test_nobody_is_told_who_can_not_have_meant_it(tmp_path, sender, head, forging, why):
    made = Site(tmp_path, infected={"action": "bounce", "forging": forging})
    outcome = made.act("virus", (A,), sender=sender, mail=head + MAIL)
    assert outcome.line.startswith("discarded infected Name, no sender to notify, kept as virus-")
    assert made.written() == []


def test_each_group_gets_its_own_header_lines_subject_and_addresses(tmp_path):
    with smtpd.running() as server:
        tree = {
            "local": ["site.example"],
            "recipient": [
                {
                    "match": "a@site.example",
                    "unchecked": {
                        "action": "tag",
                        "subject_tag": "[?]",
                        "extension": "odd",
                        "headers": ["X-Odd: 1"],
                    },
                }
            ],
        }
        made = Site(tmp_path, forward=server.route, **tree)
        assert made.act("encrypted", (A, B)).status == 0
        server.wait()
        messages = sorted(smtpd.unstuffed(message) for message in server.messages)
        assert server.said(b"RCPT") == [b"RCPT TO:<a+odd@site.example>", b"RCPT TO:<b@site.example>"]
        tagged, plain = sorted(messages, key=lambda text: b"[?]" in text, reverse=True)
        assert tagged == (
            b"X-Virus-Scanned: by amavis-pipe\nX-Amavis-Alert: UNCHECKED encrypted:zip\nX-Odd: 1\n"
            b"Subject: [?] x\n\nx\n"
        )
        assert plain == b"X-Virus-Scanned: by amavis-pipe\nX-Amavis-Alert: UNCHECKED encrypted:zip\n" + MAIL


def test_a_refused_extended_address_is_reported_as_the_sender_wrote_it(tmp_path):
    with smtpd.running() as server:
        server.replies["RCPT TO:<a+odd@site.example>"] = "550 5.1.1 unknown"
        made = Site(
            tmp_path,
            forward=server.route,
            local=["site.example"],
            unchecked={"action": "tag", "extension": "odd"},
        )
        made.act("encrypted", (A, B))
        (report,) = made.written()
        assert b"Final-Recipient: rfc822; a@site.example\n" in report
        made.act("encrypted", (A, B))
        assert len(made.written()) == 1


def test_a_temporary_failure_of_one_group_leaves_only_that_one_for_the_retry(tmp_path):
    with smtpd.running() as server:
        made = site(
            tmp_path, forward=server.route, infected={"action": "pass", "forging": []}, recipient=FATES[:1]
        )
        server.replies["RCPT TO:<b@site.example>"] = "451 4.3.0 not now"
        with pytest.raises(ForwardTrouble):
            made.act("virus", (A, B))
        server.replies.clear()
        assert made.act("virus", (A, B)).status == 0
        assert made.act("virus", (A, B)).line == "passed to some infected Name, sent before"
        assert len(server.messages) == 2
        assert len(made.kept()) == 1


def test_mail_that_was_not_scanned_does_not_say_that_it_was(tmp_path):
    made = Site(tmp_path, recipient=[{"match": "a@site.example", "bypass": ["infected"]}])
    made.act("clean", (A, B))
    scanned = [text.startswith(b"X-Virus-Scanned:") for text in made.written()]
    assert sorted(scanned) == [False, True]


def test_copies_go_to_the_place_of_each_category_once(tmp_path):
    tree = {
        "infected": {"quarantine": "viruses", "action": "discard"},
        "recipient": [{"match": "b@site.example", "infected": {"quarantine": "all.mbox"}}],
    }
    (tmp_path / "viruses").mkdir(mode=0o700)
    made = Site(tmp_path, **tree)
    for _ in range(2):
        made.act("virus", (A, B, C))
    assert len([path for path in (tmp_path / "viruses").glob("*/*") if path.suffix != ".json"]) == 1
    box = (tmp_path / "all.mbox").read_bytes()
    assert box.count(b"\nX-Quarantine-ID: <virus-") == 1
    assert b"X-Envelope-To: <b@site.example>\n" in box
    assert b"X-Envelope-To: <a@site.example>\n" not in box


def test_a_copy_may_be_sent_to_an_address(tmp_path):
    made = Site(tmp_path, infected={"quarantine": "virus@site.example"})
    for _ in range(2):
        assert made.act("virus", (A,)).line.startswith("discarded infected Name, kept as virus-")
    (sent,) = made.written()
    assert sent.startswith(b"X-Quarantine-ID: <virus-")
    assert sent.endswith(MAIL)


def test_where_a_copy_can_not_be_kept_nothing_is_done(tmp_path):
    made = Site(tmp_path, infected={"quarantine": "/nowhere/q", "action": "pass"})
    with pytest.raises(Trouble, match="quarantine /nowhere/q: No such file"):
        made.act("virus", (A,))
    assert made.written() == []


def test_who_got_it_in_an_earlier_try_is_not_told_that_it_was_refused(tmp_path):
    """The settings became stricter between two tries of which the first served some recipients."""
    with smtpd.running() as server:
        server.replies["RCPT TO:<b@site.example>"] = "451 4.3.0 not now"
        tree = {"recipient": [{"match": "a@site.example", "unchecked": {"action": "tag"}}]}
        before = Site(tmp_path, forward=server.route, **tree)
        with pytest.raises(ForwardTrouble):
            before.act("encrypted", (A, B))
        served = [
            recipient for recipient in (A, B) if server.messages and recipient in server.said(b"RCPT")[0]
        ]
        after = Site(tmp_path, forward=server.route, unchecked={"action": "bounce"})
        outcome = after.act("encrypted", (A, B))
        assert outcome.status == (0 if served else 69)
        assert served == [A]
        (report,) = after.written()
        assert b"b@site.example" in report
        assert b"Final-Recipient: rfc822; a@site.example" not in report


def test_two_addresses_that_become_one_are_sent_one_copy_and_each_reported(tmp_path):
    with smtpd.running() as server:
        tree = {"local": ["site.example"], "unchecked": {"action": "tag", "extension": "odd"}}
        made = Site(tmp_path, forward=server.route, **tree)
        server.replies["RCPT TO:<a+odd@site.example>"] = "550 5.1.1 unknown"
        made.act("encrypted", (b"a+x@site.example", b"a+y@site.example", B))
        assert server.said(b"RCPT") == [b"RCPT TO:<a+odd@site.example>", b"RCPT TO:<b+odd@site.example>"]
        (report,) = made.written()
        for address in (b"a+x@site.example", b"a+y@site.example"):
            assert report.count(b"Final-Recipient: rfc822; " + address) == 1


def test_a_virus_is_never_returned_by_postfix_whoever_is_spared_the_check(tmp_path):
    tree = {"recipient": [{"match": ".", "bypass": ["infected"], "unchecked": {"action": "bounce"}}]}
    made = Site(tmp_path, infected={"forging": []}, **tree)
    outcome = made.act("both", (A,))
    assert (outcome.status, outcome.line) == (0, "refused unchecked encrypted:zip, sender notified")


def test_of_refused_mail_of_which_nobody_may_be_told_a_copy_is_kept(tmp_path):
    made = Site(tmp_path, bounces="own", unchecked={"action": "bounce"})
    outcome = made.act("encrypted", (A,), mail=b"List-Id: <x.example>\n" + MAIL)
    assert outcome.line.startswith(
        "discarded unchecked encrypted:zip, no sender to notify, kept as unchecked-"
    )
    assert len(made.kept()) == 1
