"""perform: nothing leaves before it is sure that somebody hears how it ended, and nobody gets it twice."""

import pytest
from stand_in import smtpd
from stand_in.acting import MAIL, A, B, C, Site
from stand_in.smtpd import unstuffed

from amavis_pipe.model import ForwardTrouble, Trouble
from amavis_pipe.perform import Group

CASES = {
    "a clean mail": ("clean", {}),
    "a delivery status notification": ("virus", {"infected": {"action": "bounce"}}),
    "word of mail kept back": ("crash", {}),
}


@pytest.fixture
def server():
    with smtpd.running() as server:
        yield server


@pytest.mark.parametrize(("found", "settings"), CASES.values(), ids=CASES)
def test_it_is_sent_when_all_is_well(tmp_path, found, settings):
    site = Site(tmp_path, **settings)
    site.act(found)
    assert len(site.written()) == 1


@pytest.mark.parametrize("way", ["file", "smtp"])
@pytest.mark.parametrize(("found", "settings"), CASES.values(), ids=CASES)
def test_it_is_not_sent_when_nobody_listens_any_more(tmp_path, server, found, settings, way):
    def gone():
        raise Trouble("gone")

    routes = {"forward": server.route, "notify": server.route} if way == "smtp" else {}
    site = Site(tmp_path, **settings, **routes)
    with pytest.raises(Trouble):
        site.act(found, ready=gone)
    assert site.written() == []
    if way == "smtp" and found != "crash":  # a notice is not even begun
        server.wait()
    assert server.messages == []


def test_by_smtp_the_status_line_tells_the_new_queue_id(tmp_path, server):
    site = Site(tmp_path, forward=server.route)
    outcome = site.act()
    assert (outcome.status, outcome.line) == (0, "passed clean, queued as 4bQ7Xz1y")
    assert site.receipts[0].queue_id == "4bQ7Xz1y"
    long = Site(tmp_path, forward=server.route, unchecked={"action": "pass"})
    outcome = long.act("encrypted", queue_id=b"4bQ8")
    assert outcome.line == "passed unchecked encrypted:zip, queued as 4bQ7Xz1y"


def test_a_second_try_of_a_mail_that_was_committed_sends_nothing_and_succeeds(tmp_path, server):
    site = Site(tmp_path, forward=server.route)
    site.act(recipients=(A, B))
    outcome = site.act(recipients=(A, B))
    assert (outcome.status, outcome.line) == (0, "passed clean, sent before")
    assert len(server.messages) == 1


def test_without_a_queue_id_each_try_sends(tmp_path):
    site = Site(tmp_path)
    for _ in range(2):
        site.act(queue_id=b"")
    assert len(site.written()) == 2


def test_of_several_submissions_a_retry_does_only_those_that_are_left(tmp_path, server):
    site = Site(tmp_path, forward=server.route)
    groups = [Group((A,), [b"X-For: a"]), Group((B,), [b"X-For: b"]), Group((C,), [])]
    server.replies["RCPT TO:<b@site.example>"] = "451 4.3.0 not now"
    with pytest.raises(ForwardTrouble):
        site.act(recipients=(A, B, C), groups=groups)
    del server.replies["RCPT TO:<b@site.example>"]
    server.replies["RCPT TO:<c@site.example>"] = "451 4.3.0 not now"
    with pytest.raises(ForwardTrouble):
        site.act(recipients=(A, B, C), groups=groups)
    server.replies.clear()
    assert site.act(recipients=(A, B, C), groups=groups).status == 0
    assert site.act(recipients=(A, B, C), groups=groups).line == "passed clean, sent before"
    assert [unstuffed(message) for message in server.messages] == [
        b"X-For: a\n" + MAIL,
        b"X-For: b\n" + MAIL,
        MAIL,
    ]


def test_groups_that_are_cut_otherwise_on_a_retry_still_serve_each_once(tmp_path, server):
    site = Site(tmp_path, forward=server.route)
    server.replies["RCPT TO:<c@site.example>"] = "451 4.3.0 not now"
    with pytest.raises(ForwardTrouble):
        site.act(recipients=(A, B, C), groups=[Group((A, B), []), Group((C,), [])])
    server.replies.clear()
    site.act(recipients=(A, B, C), groups=[Group((B, C), []), Group((A,), [])])
    named = [command for command in server.said(b"RCPT") if b"c@" not in command]
    assert named == [b"RCPT TO:<a@site.example>", b"RCPT TO:<b@site.example>"]
    assert len(server.messages) == 2


def test_a_mail_refused_for_all_is_returned_by_postfix_with_the_reason(tmp_path, server):
    server.replies["RCPT"] = "550 5.1.1 <a@site.example>: no such user"
    outcome = Site(tmp_path, forward=server.route).act(recipients=(A, B))
    assert (outcome.status, outcome.line) == (69, "5.1.1 <a@site.example>: no such user")
    assert server.messages == []


@pytest.mark.parametrize(
    ("reply", "line"),
    [
        ("550 no such user", "5.0.0 no such user"),
        ("550 5.1.1", "5.1.1 refused"),
        ("550", "5.0.0 refused"),
        ("550 5.1.1  ", "5.1.1 refused"),
        ("550 5.2.2 full", "5.2.2 full"),
        ("551 not here", "5.0.0 not here"),
    ],
)
def test_a_refusal_always_begins_with_a_code_that_postfix_reads(tmp_path, server, reply, line):
    server.replies["RCPT"] = reply
    assert Site(tmp_path, forward=server.route).act().line == line


@pytest.mark.parametrize(
    "reply",
    [
        "554 5.7.1 <localhost[127.0.0.1]>: Client host rejected",
        "554 5.7.1 Relay access denied",
        "530 5.7.0 Must issue a STARTTLS command first",
        "503 5.5.1 need MAIL command",
        "552 5.5.3 Too many recipients",
        "552 too many",
        "500 what",
        "550 4.1.1 odd",
        "550 5.9999.1 odd",
        "599 x",
    ],
)
def test_what_is_the_doing_of_a_host_and_not_of_the_address_is_no_bounce(tmp_path, server, reply):
    server.replies["RCPT"] = reply
    with pytest.raises(ForwardTrouble, match="RCPT: "):
        Site(tmp_path, forward=server.route).act()
    assert server.messages == []


def test_when_all_who_were_left_are_refused_the_line_says_so(tmp_path, server):
    site = Site(tmp_path, forward=server.route)
    site.act(recipients=(A,))
    server.replies["RCPT TO:<b@site.example>"] = "550 5.1.1 unknown"
    outcome = site.act(recipients=(A, B))
    assert (outcome.status, outcome.line) == (0, "passed clean, refused, sender notified")
    assert len(site.written()) == 1


def test_who_is_refused_while_others_get_the_mail_is_reported_to_the_sender_once(tmp_path, server):
    server.replies["RCPT TO:<b@site.example>"] = "550 5.1.1 <b@site.example>: unknown"
    site = Site(tmp_path, forward=server.route)
    server.replies["."] = "451 4.3.0 no room"
    with pytest.raises(ForwardTrouble):
        site.act(recipients=(A, B))
    del server.replies["."]
    assert site.act(recipients=(A, B)).status == 0
    assert site.act(recipients=(A, B)).line == "passed clean, sent before"
    (report,) = site.written()
    assert b"To: <alice@sender.example>\n" in report
    assert b"Final-Recipient: rfc822; b@site.example\nAction: failed\nStatus: 5.1.1\n" in report
    assert b"Diagnostic-Code: smtp; 550 5.1.1 <b@site.example>: unknown\n" in report
    assert b"a@site.example" not in report
    assert [unstuffed(message).endswith(MAIL) for message in server.messages] == [True, True]


def test_where_the_report_cannot_be_sent_the_mail_is_not_either(tmp_path, server):
    server.replies["RCPT TO:<b@site.example>"] = "550 5.1.1 unknown"
    site = Site(tmp_path, forward=server.route, notify=f"file:{tmp_path}/missing")
    with pytest.raises(ForwardTrouble):
        site.act(recipients=(A, B))
    server.wait()
    assert server.messages == []


def test_a_null_sender_gets_no_report(tmp_path, server):
    server.replies["RCPT TO:<b@site.example>"] = "550 5.1.1 unknown"
    site = Site(tmp_path, forward=server.route)
    assert site.act(recipients=(A, B), sender=b"").status == 0
    assert site.written() == []
    assert len(server.messages) == 1


def test_a_virus_that_passes_is_never_returned_with_its_content(tmp_path, server):
    server.replies["RCPT"] = "550 5.1.1 unknown"
    site = Site(tmp_path, forward=server.route, infected={"action": "pass"})
    outcome = site.act("virus", recipients=(A, B))
    assert outcome.status == 0
    (report,) = site.written()
    assert report.count(b"Final-Recipient") == 2


def test_when_all_of_one_group_are_refused_and_another_has_the_mail_only_they_are_reported(tmp_path, server):
    server.replies["RCPT TO:<b@site.example>"] = "550 5.1.1 unknown"
    site = Site(tmp_path, forward=server.route)
    outcome = site.act(recipients=(A, B), groups=[Group((A,), []), Group((B,), [])])
    assert outcome.status == 0
    (report,) = site.written()
    assert report.count(b"Final-Recipient") == 1
    assert len(server.messages) == 1


def test_a_notification_of_a_virus_is_sent_once_however_often_it_is_tried(tmp_path):
    site = Site(tmp_path, infected={"action": "bounce"})
    for _ in range(2):
        assert site.act("virus").line.startswith("refused infected Name, sender notified, kept as virus-")
    assert len(site.written()) == 1
