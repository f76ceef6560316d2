"""Notices: what the seed's texts have, who gets one, and that nothing from outside leaves its place."""

import email
import email.policy

import pytest
from stand_in import mails

from amavis_pipe import intake, notice, notices
from amavis_pipe.model import Answer, Envelope, Facts, Finding, ForwardTrouble
from amavis_pipe.notices import rate
from amavis_pipe.policy import decide

ALICE, BOB, CAROL, ADMIN = (
    b"alice@example.org",
    b"bob@example.net",
    b"carol@example.net",
    b"admin@example.net",
)
ENVELOPE = Envelope(ALICE, (BOB, CAROL), b"4bQ7Xz", b"192.0.2.1", b"mx.example.com", b"mx")
KEPT = "virus-20261125-110000-4bQ7Xz-0123456789ab"
ALL = {"notify_sender": True, "notify_recipients": True, "admin": ADMIN.decode()}
EACH = {"notices": {"admin": "each"}, "infected": ALL}
EICAR = Finding("virus", "Eicar-Signature", "1.2", "clamd")
FACTS = Facts(
    [],
    [EICAR, Finding("virus", "EICAR.Test", "1.2", "uvscan"), Finding("unchecked", "encrypted:zip", "1.3")],
    [
        Answer("clamd", "ClamAV 1.4.6/27500"),
        Answer("uvscan", cached=True),
        Answer("drweb", trouble="no answer"),
    ],
)
HEADER = (
    b"Received: from mx.example.com (mx.example.com [192.0.2.1])\n\tby site.example.net; Wed",
    b"Received: from pc ([10.0.0.7]) by mx.example.com; Wed",
    b"Message-ID: <1@example.org>",
)
CONTROLS = "\r\nBcc: evil@example.com\n\n\x1b[2J\u202e\u2066\x85\u2028{{7*7}}{% raw %}"


class Actor:
    """Stands for perform.Actor: keeps what it is to send."""

    def __init__(self, fails=()):
        self.sent = []
        self.fails = fails

    def notify(self, text, to, most):
        if any(one in self.fails for one in to):
            raise ForwardTrouble("no way")
        self.sent.append((to, text))


class Told:
    """What was sent for one mail: by recipients, parsed by a strict reader."""

    def __init__(self, settings, facts=FACTS, envelope=ENVELOPE, mail=None, kept=KEPT, own=(), fails=()):
        self.actor = Actor(fails)
        mail = intake.of_bytes(
            mails.plain(b"secret words\n", *HEADER) if mail is None else mail, settings.work
        )
        self.told = []
        for verdict in decide(facts, envelope, settings).verdicts:
            self.told += notices.send(self.actor, mail, envelope, verdict, facts, kept, settings, own)
        self.by = {}
        for to, text in self.actor.sent:
            assert b"\r" not in text
            parsed = email.message_from_bytes(text, policy=email.policy.default)
            assert [part.defects for part in parsed.walk() if part.defects] == []
            assert [field.defects for field in parsed.values() if field.defects] == []
            self.by[to] = parsed

    def of(self, *to):
        return self.by[to]

    def text_of(self, *to):
        return self.of(*to).get_content()


@pytest.fixture
def told(settings_of):
    """A function: what is sent under these settings."""

    def made(tree=EACH, **more):
        return Told(settings_of(**tree), **more)

    return made


@pytest.fixture
def logged(monkeypatch):
    lines = []
    monkeypatch.setattr("amavis_pipe.journal.log", lambda level, line: lines.append(line))
    return lines


class TestRecipientNotice:
    def test_it_is_from_amavis_at_this_host_to_nobody_by_name(self, told):
        found = told().of(BOB, CAROL)
        assert found["From"].addresses[0].addr_spec == "amavis@" + notice.host().decode()
        assert str(found["To"]) == "undisclosed-recipients:;"

    def test_its_subject_is_the_seeds(self, told):
        subject = told().of(BOB, CAROL)["Subject"]
        assert subject == "VIRUS (Eicar-Signature, EICAR.Test) IN MAIL TO YOU (from (alice@example.org))"

    @pytest.mark.parametrize(
        "words",
        [
            "VIRUS ALERT",
            "2 viruses were found:",
            "    Eicar-Signature\n    EICAR.Test\n",
            "The message is from:\n    <alice@example.org>\n",
            "The message was not delivered to you.",
            "A copy is kept in the quarantine as:\n    " + KEPT + "\n",
            "please ask the postmaster at " + notice.host().decode(),
        ],
        ids=["alert", "count", "names", "from whom", "fate", "quarantine", "whom to ask"],
    )
    def test_its_text_has_all_elements(self, told, words):
        assert words in told().text_of(BOB, CAROL)

    def test_it_says_that_nothing_was_kept(self, told):
        assert "It is not in the quarantine." in told(kept="").text_of(BOB, CAROL)

    def test_recipients_are_not_told_of_each_other(self, told):
        found = told().of(BOB, CAROL).as_string()
        assert "bob" not in found
        assert "carol" not in found

    def test_a_null_sender_is_none(self, told):
        found = told(envelope=Envelope(b"", (BOB,))).of(BOB)
        assert found["Subject"].endswith("(from (?))")
        assert "has no sender's address" in found.get_content()

    def test_a_forged_sender_is_called_so(self, told):
        facts = Facts([], [Finding("virus", "W32.Klez.H", "1", "clamd")], [])
        assert "probably forged" in told(facts=facts).text_of(BOB, CAROL)


class TestAdminNotice:
    @pytest.mark.parametrize(
        ("local", "subject"),
        [
            ([], "VIRUS (Eicar-Signature, EICAR.Test) FROM (alice@example.org)"),
            (["example.org"], "VIRUS (Eicar-Signature, EICAR.Test) FROM LOCAL (alice@example.org)"),
            (["example.net"], "VIRUS (Eicar-Signature, EICAR.Test) FROM (alice@example.org)"),
        ],
        ids=["none local", "local", "other local"],
    )
    def test_its_subject_is_the_seeds(self, told, local, subject):
        assert told(EACH | {"local": local}).of(ADMIN)["Subject"] == subject

    @pytest.mark.parametrize(
        "words",
        [
            "2 viruses were found:\n\n    Eicar-Signature\n    EICAR.Test\n",
            "Detected by: clamd, uvscan\n",
            "Envelope sender: <alice@example.org>\n",
            "Received from: mx.example.com [192.0.2.1], HELO mx\n",
            "Origin by the Received trace: pc ([10.0.0.7])\n",
            "The sender was notified.\n",
            "    <bob@example.net>: 250 2.7.0 Ok, discarded, id=4bQ7Xz-",
            " - VIRUS: Eicar-Signature, EICAR.Test\n    <carol@example.net>: 250 2.7.0 Ok, discarded, id=4bQ7Xz-",
            "    clamd (ClamAV 1.4.6/27500):\n        part 1.2: Eicar-Signature (virus)\n",
            "    uvscan, remembered:\n        part 1.2: EICAR.Test (virus)\n",
            "    drweb: no answer: no answer\n",
            "Quarantine: quarantine\n    " + KEPT + "\n",
            "Release it: amavis-pipe quarantine release " + KEPT + "\n",
            "Message-ID: <1@example.org>\n",
        ],
    )
    def test_its_text_has_all_elements(self, told, words):
        assert words in told().text_of(ADMIN)

    def test_it_shows_the_header_between_two_lines_and_nothing_of_the_content(self, told):
        text = told().text_of(ADMIN)
        _, _, rest = text.partition("------------------------- BEGIN HEADERS -----------------------------\n")
        header, end, _ = rest.partition(
            "-------------------------- END HEADERS ------------------------------\n"
        )
        assert end
        lines = header.splitlines()
        assert lines[:2] == ["From: a@example.org", "Subject: plain"]
        assert lines[3] == " by site.example.net; Wed"
        assert "secret" not in text

    def test_a_long_header_is_cut(self, told):
        mail = mails.plain(b"x\n", *[b"X-Long: " + b"x" * 900] * 100)
        assert len(told(mail=mail).text_of(ADMIN)) < notice.HEADER_SHOWN + 4000

    @pytest.mark.parametrize(
        ("more", "words"),
        [
            ({"envelope": Envelope(b"", (BOB,))}, "there is no address"),
            ({"mail": mails.plain(b"x\n", b"List-Id: <l.example.org>")}, "it is a list or a robot"),
            ({"facts": Facts([], [Finding("virus", "W32.Sobig.F", "1")], [])}, "this virus forges senders"),
            ({"fails": (ALICE,)}, "the notice could not be sent"),
            (
                {"tree": {"notices": {"admin": "each"}, "infected": {"admin": ADMIN.decode()}}},
                "do not ask for it",
            ),
        ],
        ids=["null", "list", "forging", "failed", "off"],
    )
    def test_it_says_why_the_sender_was_not_notified(self, told, logged, more, words):
        found = told(**more)
        assert words in found.text_of(ADMIN)
        assert "sender" not in found.told

    def test_the_digest_alone_is_the_default(self, told):
        assert told({"infected": {"admin": ADMIN.decode()}}).by == {}

    def test_it_goes_to_the_admin_of_the_senders_domain(self, told):
        table = {"example.org": "one@example.net", ".": "all@example.net"}
        tree = {"notices": {"admin": "both"}, "infected": {"admin": table}}
        assert list(told(tree).by) == [(b"one@example.net",)]
        assert list(told(tree, envelope=Envelope(b"x@example.com", (BOB,))).by) == [(b"all@example.net",)]

    def test_it_tells_how_many_notices_were_held_back(self, settings_of):
        settings = settings_of(**EACH)
        for _ in range(3):
            rate.may_send(settings.state, "recipients", 1, 1000.0)
        assert '2 notices of the kind "recipients" were held back' in Told(settings).text_of(ADMIN)
        assert "held back" not in Told(settings).text_of(ADMIN)


class TestSenderNotice:
    def test_it_names_what_was_found_and_for_whom(self, told):
        found = told().of(ALICE)
        assert found["Subject"] == "VIRUS (Eicar-Signature, EICAR.Test) IN MAIL FROM YOU"
        assert found["To"].addresses[0].addr_spec == "alice@example.org"
        assert found["Auto-Submitted"] == "auto-replied"
        text = found.get_content()
        assert "    <bob@example.net>\n    <carol@example.net>\n" in text
        assert "Message-ID: <1@example.org>" in text

    @pytest.mark.parametrize(
        ("sender", "fields"),
        [
            (b"", ()),
            (b"MAILER-DAEMON@example.org", ()),
            (ALICE, (b"Auto-Submitted: auto-replied",)),
            (ALICE, (b"Auto-Submitted: auto-generated",)),
            (ALICE, (b"Precedence: bulk",)),
            (ALICE, (b"List-Id: <l.example.org>",)),
            (ALICE, (b"Content-Type: multipart/report; report-type=delivery-status; boundary=b",)),
        ],
        ids=["null sender", "daemon", "auto-replied", "auto-generated", "bulk", "list", "bounce"],
    )
    def test_nobody_gets_one_who_is_no_person(self, told, sender, fields):
        found = told(envelope=Envelope(sender, (BOB,)), mail=mails.plain(b"x\n", *fields))
        assert found.told == ["recipients", "admin"]

    def test_nobody_gets_one_of_a_virus_that_forges_senders(self, told):
        facts = Facts([], [EICAR, Finding("virus", "Win.Worm.Netsky-1", "1")], [])
        assert "sender" not in told(facts=facts).told

    def test_a_bounce_is_enough(self, told):
        tree = {"notices": {"admin": "each"}, "infected": {"action": "bounce", **ALL}}
        found = told(tree)
        assert found.told == ["recipients", "admin"]
        assert "The sender is notified by the bounce." in found.text_of(ADMIN)
        assert "<bob@example.net>: 554 5.7.1 Refused, id=" in found.text_of(ADMIN)


CRASH = Facts(
    [], [Finding("unchecked", "crash:rar", "1.2"), Finding("unchecked", "encrypted:zip", "1.1")], []
)


class TestMailKeptBack:
    def test_recipients_and_admin_are_told_at_once(self, told):
        found = told({"unchecked": {"admin": ADMIN.decode()}}, facts=CRASH)
        assert found.told == ["recipients", "admin"]
        assert KEPT in found.text_of(BOB, CAROL)
        assert "bob" not in found.of(BOB, CAROL).as_string()
        assert "To:       <bob@example.net>" in found.text_of(ADMIN)
        assert "crash:rar" in found.text_of(ADMIN)

    def test_without_an_admin_the_recipients_are(self, told):
        assert told({}, facts=CRASH).told == ["recipients"]

    def test_it_shows_no_content(self, told):
        text = told({}, facts=CRASH).text_of(BOB, CAROL)
        assert "secret" not in text
        assert "plain" not in text

    def test_it_gives_the_reason_of_that_also_if_something_worse_was_found(self, settings_of, told):
        tree = {"banned": {"action": "pass"}}
        settings = settings_of(**tree)
        verdict = decide(CRASH, ENVELOPE, settings).verdicts[0]
        verdict.label, verdict.alert = "banned", "BANNED name:a.exe"
        actor = Actor()
        mail = intake.of_bytes(mails.plain(), settings.work)
        notices.send(actor, mail, ENVELOPE, verdict, CRASH, KEPT, settings)
        assert b"crash:rar" in actor.sent[0][1]
        assert b"a.exe" not in actor.sent[0][1]


OWN = {
    "banned": ("BANNED", "not allowed here"),
    "spam": ("SPAM", "unwanted mail"),
    "bad-header": ("BAD HEADER", "in its header"),
    "oversized": ("OVERSIZED", "larger than"),
    "unchecked": ("UNCHECKED", "could not be checked"),
}


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("label", OWN)
def test_each_category_has_its_word_and_text(settings_of, label, language):
    """What policy finds itself is given with the verdict, or else read off its alert."""
    settings = settings_of(
        notices={"admin": "each", "language": language}, unchecked={"action": "discard", **ALL}
    )
    facts = Facts([], [Finding("unchecked", "encrypted:zip", "1")], [])
    verdict = decide(facts, ENVELOPE, settings).verdicts[0]
    name = "encrypted:zip" if label == "unchecked" else "a.name"
    verdict.label, verdict.alert = label, f"{label.upper()} {name}"
    own = (Finding(label, name, "", "policy"),)
    word, words = OWN[label]
    mail = intake.of_bytes(mails.plain(), settings.work)
    for given in (own, ()):
        actor = Actor()
        told = notices.send(actor, mail, ENVELOPE, verdict, facts, KEPT, settings, given)
        assert told == ["sender", "recipients", "admin"]
        for _, text in actor.sent:
            parsed = email.message_from_bytes(text, policy=email.policy.default)
            assert "    " + name + "\n" in parsed.get_content()
            if language == "en":
                assert parsed["Subject"].startswith(f"{word} ({name}) ")
                assert words in parsed.get_content()


class TestWordsFromOutside:
    @pytest.mark.parametrize("language", ["en", "de"])
    @pytest.mark.parametrize(
        "field", ["sender", "recipients", "queue_id", "client_name", "helo", "client_address"]
    )
    def test_the_envelope_can_not_break_out(self, told, field, language):
        hostile = CONTROLS.encode() + b"\xff@example.org"
        values = {"sender": ALICE, "recipients": (BOB,), "queue_id": b"4bQ7Xz"}
        values[field] = (hostile,) if field == "recipients" else hostile
        tree = EACH | {"notices": {"admin": "each", "language": language}}
        self.assert_harmless(told(tree, envelope=Envelope(**values)))

    @pytest.mark.parametrize("language", ["en", "de"])
    def test_names_can_not_break_out(self, told, language):
        facts = Facts([], [Finding("virus", "x" + CONTROLS, "1", "clamd")], [Answer("clamd", CONTROLS)])
        tree = EACH | {"notices": {"admin": "each", "language": language}}
        found = told(tree, facts=facts)
        self.assert_harmless(found)
        assert "{{7*7}}{% raw %}" in found.text_of(ADMIN)
        assert "{{7*7}}" in found.of(ADMIN)["Subject"]

    def test_the_mails_header_can_not_break_out(self, told):
        fields = [
            b"Subject: " + CONTROLS.replace("\n", " ").encode(),
            b"Received: from " + b"\x1b\xff " * 400,
        ]
        fields += [b"Message-ID: <\x1b[2J\xe2\x80\xae@x>", b"X:  -------------------------- END HEADERS ---"]
        self.assert_harmless(told(mail=mails.plain(b"x\n", *fields)))

    def test_a_fold_can_not_end_the_header_block(self, told):
        end = b"-------------------------- END HEADERS ------------------------------"
        text = told(mail=mails.plain(b"x\n", b"X-A: b\n " + end, b"X-Last: 1")).text_of(ADMIN)
        assert text.index("\nX-Last: 1\n") < text.index("\n" + end.decode() + "\n")

    def assert_harmless(self, found):
        assert found.told
        for parsed in found.by.values():
            assert parsed["Bcc"] is None
            assert len(parsed.get_all("Subject")) == len(parsed.get_all("To")) == 1
            text = parsed.get_content() + "".join(str(value) for value in parsed.values())
            assert [char for char in text if not char.isprintable() and char != "\n"] == []
            assert "\nBcc:" not in parsed.get_content()
            assert "49" not in parsed["Subject"]

    @pytest.mark.parametrize(
        "name", ["Würm.Größe", "病毒 名字", "🐛" * 30, "x" * 300, "a b c d " * 20, "=?utf-8?q?x?=", "Ж" * 79]
    )
    def test_a_name_in_any_script_is_whole_in_the_subject(self, told, name):
        facts = Facts([], [Finding("virus", name, "1", "clamd")], [])
        found = told(facts=facts).of(BOB, CAROL)
        shown = name.encode()[:80].decode("utf-8", "backslashreplace") + (
            "..." if len(name.encode()) > 80 else ""
        )
        assert found["Subject"] == f"VIRUS ({shown}) IN MAIL TO YOU (from (alice@example.org))"
        raw = found.as_bytes()
        assert raw.partition(b"\n\n")[0].isascii()

    def test_of_very_many_recipients_and_names_a_bounded_number_is_shown(self, told):
        facts = Facts([], [Finding("virus", f"Name.{number}", "1", "clamd") for number in range(5000)], [])
        people = tuple(b"%d@example.net" % number for number in range(5000))
        found = told(facts=facts, envelope=Envelope(ALICE, people))
        assert "and 4900 more recipients" in found.text_of(ADMIN)
        assert found.of(ADMIN)["Subject"].startswith(
            "VIRUS (Name.0, Name.1, Name.2, Name.3, Name.4 and 4995 more)"
        )
        assert len(found.text_of(ADMIN)) < 200_000


class TestNoLoop:
    def test_of_our_own_notice_nobody_is_told(self, told):
        for to, text in told().actor.sent:
            found = told(mail=text, envelope=Envelope(b"", to))
            assert found.told == []
            assert found.by == {}

    def test_of_our_own_delivery_report_nobody_is_told(self, settings_of, told):
        settings = settings_of()
        verdict = decide(FACTS, ENVELOPE, settings).verdicts[0]
        mail = intake.of_bytes(mails.plain(), settings.work)
        report = notice.bounced(mail, ENVELOPE, [(BOB, verdict)], settings)
        assert told(mail=report, envelope=Envelope(b"", (ALICE,))).told == []

    def test_a_mail_that_has_a_sender_is_no_notice(self, told):
        text = told().actor.sent[0][1]
        assert told(mail=text).told == ["recipients", "admin"]


class TestTrouble:
    def test_a_notice_that_can_not_be_sent_keeps_no_other(self, told, logged):
        found = told(fails=(ALICE, BOB))
        assert found.told == ["admin"]
        assert logged == ["notice not sent: no way"] * 2

    def test_nothing_that_goes_wrong_gets_out(self, settings_of, logged):
        settings = settings_of(**EACH)
        del settings.values["notices.language"]
        assert Told(settings).told == []
        assert len(logged) == 3

    def test_above_the_hours_number_none_is_sent(self, settings_of):
        settings = settings_of(**EACH | {"notices": {"admin": "each", "per_hour": 2}})
        assert [len(Told(settings).told) for _ in range(4)] == [3, 3, 0, 0]

    def test_none_is_sent_if_they_can_not_be_counted(self, settings_of, logged, tmp_path):
        settings = settings_of(**EACH)
        (tmp_path / "state/notices").mkdir()
        assert Told(settings).told == []
        assert all(line.startswith("notice not sent: ") for line in logged)
