"""smtp: the reply to the final dot is the commit, and everything else has one outcome."""

import os
import socket

import pytest
from stand_in import smtpd
from stand_in.smtpd import CLOSE, SILENCE, TAKEN, unstuffed

from amavis_pipe import forward, intake
from amavis_pipe.model import Envelope, ForwardTrouble
from amavis_pipe.spool import Blob

ALICE, BOB, CAROL, DAVE = (
    b"alice@sender.example",
    b"bob@site.example",
    b"carol@site.example",
    b"dave@site.example",
)
MAIL = b"Subject: x\n\nfirst\n.\n..second\nFrom here\n"
ENVELOPE = Envelope(ALICE, (BOB,), b"4bOLD", b"192.0.2.1", b"mx.example", b"helo.example")


@pytest.fixture
def server():
    with smtpd.running() as server:
        yield server


@pytest.fixture
def send(server, tmp_path):
    """A function: sends a mail to the server; the receipt. `told` is what was said before the commit."""

    def run(
        mail=MAIL, recipients=(BOB,), sender=ALICE, before=None, timeout=20, stray_cr="sendmail", lines=()
    ):
        folder = os.fsencode(tmp_path)
        message = forward.Message(intake.of_bytes(mail, folder), list(lines))
        envelope = Envelope(sender, recipients, b"4bOLD", b"192.0.2.1", b"mx.example", b"helo.example")
        before = before or run.told.append
        return forward.submit(server.route, message, envelope, recipients, before, timeout, folder, stray_cr)

    run.told = []
    return run


def test_the_message_arrives_as_it_was_and_the_new_queue_id_is_known(server, send):
    receipt = send(lines=[b"X-Virus-Scanned: by amavis-pipe"])
    (message,) = server.messages
    assert unstuffed(message) == b"X-Virus-Scanned: by amavis-pipe\n" + MAIL
    assert (receipt.taken, receipt.queue_id, receipt.route) == (True, "4bQ7Xz1y", server.route)
    assert [(reply.recipient, reply.text) for reply in receipt.replies] == [(BOB, TAKEN)]
    assert send.told == [[]]


def test_a_large_message_arrives_as_it_was(server, send):
    mail = b"Subject: x\n\n" + b"".join(b".%08d " % number + b"x" * 90 + b"\n" for number in range(40_000))
    assert send(mail).taken
    assert unstuffed(server.messages[0]) == mail


def test_a_blob_of_our_own_goes_too(server, tmp_path):
    notice = Blob(b"Subject: note\n\nx\n")
    null = Envelope(b"", (BOB,))
    receipt = forward.submit(server.route, notice, null, (BOB,), lambda _: None, 20, os.fsencode(tmp_path))
    assert receipt.taken
    assert unstuffed(server.messages[0]) == b"Subject: note\n\nx\n"
    assert server.said(b"MAIL")[0].startswith(b"MAIL FROM:<> SIZE=")
    assert server.said(b"XFORWARD") == []


def test_what_goes_out_together_and_what_is_said(server, send):
    send()
    server.wait()
    host = os.uname().nodename.encode()
    assert server.commands == [
        b"EHLO " + host,
        b"XFORWARD NAME=mx.example ADDR=192.0.2.1 HELO=helo.example IDENT=4bOLD SOURCE=REMOTE",
        b"MAIL FROM:<alice@sender.example> SIZE=%d" % (len(MAIL) + MAIL.count(b"\n")),
        b"RCPT TO:<bob@site.example>",
        b"DATA",
        b"QUIT",
    ]
    assert server.batches[:2] == [1, 4]


def test_with_several_recipients_the_message_is_announced_only_when_all_have_answered(server, send):
    send(recipients=(BOB, CAROL))
    assert server.batches[:3] == [1, 4, 1]


def test_without_pipelining_each_command_waits_for_its_reply(server, send):
    server.offers = ("SIZE", "8BITMIME")
    assert send(recipients=(BOB, CAROL)).taken
    assert server.batches[:5] == [1, 1, 1, 1, 1]
    server.wait()
    assert server.commands[-1] == b"QUIT"


def test_many_recipients_are_named_in_several_flights(server, send):
    recipients = tuple(b"user%d@site.example" % number for number in range(350))
    receipt = send(recipients=recipients)
    assert [reply.recipient for reply in receipt.replies] == list(recipients)
    assert max(server.batches) <= 100
    assert len(server.said(b"RCPT")) == 350


@pytest.mark.parametrize(
    ("mail", "offers", "expect"),
    [
        (b"Subject: x\n\nascii\n", smtpd.OFFERS, b""),
        (b"Subject: x\n\n\xc3\xbc\n", smtpd.OFFERS, b" BODY=8BITMIME"),
        (b"Subject: \xc3\xbc\n\nascii\n", smtpd.OFFERS, b" BODY=8BITMIME"),
        (b"Subject: x\n\n\xc3\xbc\n", ("PIPELINING", "SMTPUTF8"), b""),
        (
            b"Received: from a\n\tby b with UTF8SMTP id 1; x\nSubject: \xc3\xbc\n\nx\n",
            smtpd.OFFERS,
            b" BODY=8BITMIME SMTPUTF8",
        ),
        (
            b"Received: from a\n\tby b with ESMTP id 1; x\nReceived: by c with UTF8SMTP id 2\n\nx\n",
            smtpd.OFFERS,
            b"",
        ),
        (b"Received: from a\n\tby b with UTF8SMTPS id 1; x\nSubject: x\n\nx\n", ("PIPELINING",), b""),
    ],
    ids=[
        "ascii",
        "8bit",
        "8bit header",
        "not offered",
        "came by smtputf8",
        "came so to another host",
        "utf8 not offered",
    ],
)
def test_8bitmime_and_smtputf8_are_asked_for_where_needed_and_offered(server, send, mail, offers, expect):
    server.offers = offers
    send(mail)
    (command,) = server.said(b"MAIL")
    assert (
        command.partition(b">")[2].partition(b" SIZE")[0]
        + command.partition(b"SIZE=")[2].lstrip(b"0123456789")
        == expect
    )


@pytest.mark.parametrize("recipient", [True, False], ids=["recipient", "sender"])
def test_an_address_that_is_not_ascii_asks_for_smtputf8(server, send, recipient):
    address = "jürgen@bücher.example".encode()
    send(recipients=(BOB, address)) if recipient else send(sender=address)
    assert server.said(b"MAIL")[0].endswith(b" SMTPUTF8")
    assert address in b"".join(server.commands)


STAGES = ["connect", "EHLO", "MAIL", "RCPT", "DATA", "."]
BAD = {
    "temporary": "451 4.3.0 not now",
    "taking its leave": "421 4.3.2 shutting down",
    "garbage": b"\x00\xffgarbage\r\n",
    "an odd code": "999 what",
    "no code": "hello",
    "a line without end": b"250 " + b"x" * 10_000,
    "a reply without end": b"250-more\r\n" * 200,
    "closing": CLOSE,
    "an empty line": b"\r\n",
}


@pytest.mark.parametrize("several", [False, True], ids=["one", "several"])
@pytest.mark.parametrize("reply", BAD.values(), ids=BAD)
@pytest.mark.parametrize("stage", STAGES)
def test_whatever_is_no_clear_yes_is_tried_again(server, send, stage, reply, several):
    server.replies[stage] = reply
    with pytest.raises(ForwardTrouble, match=r"smtp:127\.0\.0\.1:\d+: "):
        send(recipients=(BOB, CAROL) if several else (BOB,))
    server.wait()
    assert bool(server.messages) == (stage == ".")


@pytest.mark.parametrize("stage", ["connect", "EHLO", "MAIL", "DATA", "."])
def test_a_refusal_for_good_that_is_of_no_recipient_is_tried_again(server, send, stage):
    server.replies[stage] = "554 5.7.1 no"
    with pytest.raises(ForwardTrouble, match=r"554 5\.7\.1 no"):
        send()


@pytest.mark.parametrize("stage", STAGES)
def test_a_server_that_says_nothing_is_given_up(server, send, stage):
    server.replies[stage] = SILENCE
    with pytest.raises(ForwardTrouble, match="no answer in 1 s"):
        send(timeout=1)


@pytest.mark.parametrize("recipients", [(BOB,), (BOB, CAROL)], ids=["one", "two"])
@pytest.mark.parametrize("code", ["334 go", "300 x", "250 go"])
def test_only_one_code_lets_the_message_go(server, send, code, recipients):
    server.replies["DATA"] = code
    with pytest.raises(ForwardTrouble, match=f"DATA: {code}"):
        send(recipients=recipients)
    assert server.messages == []


@pytest.mark.parametrize("size", [10, 3_000_000], ids=["small", "large"])
def test_a_reply_before_its_time_is_never_taken_for_the_commit(server, send, size):
    server.replies["DATA"] = b"354 go on\r\n250 2.0.0 Ok: queued as FAKE\r\n"
    with pytest.raises(ForwardTrouble, match="a reply before its time"):
        send(b"Subject: x\n\n" + b"x" * size + b"\n")
    server.wait()
    assert server.messages == []


def test_a_word_of_leave_at_xforward_is_trouble(server, send):
    server.replies["XFORWARD"] = "421 4.3.2 shutting down"
    with pytest.raises(ForwardTrouble, match="421"):
        send()


def test_an_odd_yes_to_a_recipient_is_none(server, send):
    server.replies["RCPT"] = "354 go on"
    with pytest.raises(ForwardTrouble, match="RCPT: 354"):
        send()


def test_a_family_of_addresses_that_is_not_there_is_trouble(tmp_path, monkeypatch):
    def none(*_):
        raise OSError(97, "Address family not supported by protocol")

    monkeypatch.setattr("amavis_pipe.forward.smtp.socket", none)
    message, null = Blob(b"x\n"), Envelope(b"", (BOB,))
    with pytest.raises(ForwardTrouble, match="not supported"):
        forward.submit("smtp:[::1]:25", message, null, (BOB,), lambda _: None, 5, os.fsencode(tmp_path))


def test_nobody_listening_is_trouble(send, server, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server.route = f"smtp:127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(ForwardTrouble, match="connection: Connection refused"):
        send()


def test_nothing_is_sent_when_one_recipient_is_refused_for_a_while(server, send):
    server.replies["RCPT TO:<carol@site.example>"] = "450 4.2.0 greylisted"
    server.replies["RCPT TO:<dave@site.example>"] = "550 5.1.1 unknown"
    with pytest.raises(ForwardTrouble, match=r"RCPT: 450 4\.2\.0 greylisted"):
        send(recipients=(BOB, CAROL, DAVE))
    server.wait()
    assert (server.messages, server.cut, send.told) == ([], [], [])


def test_recipients_who_are_refused_for_good_are_told_of_before_the_others_get_the_mail(server, send):
    server.replies["RCPT TO:<carol@site.example>"] = "550 5.1.1 <carol@site.example>: unknown"
    receipt = send(recipients=(BOB, CAROL))
    assert receipt.taken
    assert len(server.messages) == 1
    told = [(reply.recipient, reply.text) for (refused,) in send.told for reply in (refused,)]
    assert told == [(CAROL, "550 5.1.1 <carol@site.example>: unknown")]
    assert [reply.text for reply in receipt.replies] == [TAKEN, "550 5.1.1 <carol@site.example>: unknown"]


@pytest.mark.parametrize("recipients", [(BOB,), (BOB, CAROL)], ids=["one", "two"])
def test_a_mail_whose_recipients_are_all_refused_is_not_taken(server, send, recipients):
    server.replies["RCPT"] = "550 5.1.1 unknown"
    server.replies["DATA"] = "554 5.5.1 no valid recipients"
    receipt = send(recipients=recipients)
    assert not receipt.taken
    assert [reply.recipient for reply in receipt.refused] == list(recipients)
    assert (server.messages, send.told) == ([], [])
    server.wait()
    assert server.commands[-1] == b"QUIT"


def test_a_server_that_wants_the_message_for_nobody_does_not_get_it(server, send):
    server.replies["RCPT"] = "550 5.1.1 unknown"
    assert not send().taken
    server.wait()
    assert server.messages == []


@pytest.mark.parametrize("recipients", [(BOB,), (BOB, CAROL)], ids=["one", "two"])
def test_what_is_raised_just_before_the_commit_stops_it(server, send, recipients):
    def gone(_):
        raise ForwardTrouble("gone")

    with pytest.raises(ForwardTrouble, match="gone"):
        send(recipients=recipients, before=gone)
    server.wait()
    assert server.messages == []


def test_a_refused_xforward_does_not_matter(server, send):
    server.replies["XFORWARD"] = "550 5.7.0 insufficient authorization"
    assert send().taken


def test_a_reply_of_several_lines_is_one_reply(server, send):
    server.replies["RCPT"] = "250-2.1.5 first\r\n250-second\r\n250 third"
    server.replies["."] = "250-2.0.0 thanks\r\n250 2.0.0 Ok: queued as 4bX"
    assert send(recipients=(BOB, CAROL)).queue_id == "4bX"


@pytest.mark.parametrize(
    "text", ["250 ok", "250 2.0.0 queued as", "250 Ok: queued as ../../x", "250 queued as " + "A" * 65]
)
def test_no_id_is_made_up(server, send, text):
    server.replies["."] = text
    receipt = send()
    assert receipt.taken
    assert receipt.queue_id == ""


def test_a_hostile_reply_is_kept_printable_and_short(server, send):
    server.replies["."] = b"250 \x1b[31m\xff" + b"x" * 3000 + b"\r\n"
    (reply,) = send().replies
    assert reply.text.isascii()
    assert reply.text.isprintable()
    assert len(reply.text) < 900


def test_with_blank_a_stray_cr_becomes_one_and_that_is_noted(server, send):
    receipt = send(b"Subject: x\n\na\rb\r\r\n", stray_cr="blank")
    assert unstuffed(server.messages[0]) == b"Subject: x\n\na b \n"
    assert receipt.note == "2 stray CR became blanks"


@pytest.mark.parametrize(
    ("mail", "recipients", "note"),
    [
        (b"Subject: x\n\na\rb\n", (BOB,), "a stray CR cannot go by smtp"),
        (b"Subject: x\n\na\0b\n", (BOB,), "a NUL cannot go by smtp"),
        (MAIL, (BOB, b"a@b c"), "an address cannot go by smtp"),
    ],
    ids=["cr", "nul", "address"],
)
def test_what_smtp_cannot_carry_goes_by_sendmail_unchanged(server, send, monkeypatch, mail, recipients, note):
    given = []

    def submit(message, sender, recipients, folder, before, timeout):
        before([])
        given.append((b"".join(message.chunks()), sender, recipients))

    monkeypatch.setattr("amavis_pipe.forward.sendmail.submit", submit)
    receipt = send(mail, recipients)
    assert given == [(mail, ALICE, recipients)]
    assert (receipt.route, receipt.note, receipt.taken) == ("sendmail", note, True)
    assert server.commands == []
