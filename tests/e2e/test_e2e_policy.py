"""Who gets what: every action for every recipient, by whichever rule, at whatever place; and nobody else."""

import contextlib
import mailbox
import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import mails
from harness.clamd import EICAR, EICAR_NAME
from harness.report import Report, report_of
from harness.site import ALICE, BOB, USER, Site
from harness.smtp import BACK, IN, Arrived, original
from harness.waiting import wait_for

CAROL, DAVE, ERIN = b"carol@site.example", b"dave@site.example", b"erin@site.example"
FRANK = b"frank@other.example"
VAULT = b"vault@site.example"
WORDS = b"words of the body that nobody is to read again"
PROGRAM = mails.multipart(
    mails.text(WORDS), mails.attachment(b"x.exe", b"no program\n"), subject=b"a program"
)
VIRUS = mails.multipart(mails.text(WORDS), mails.attachment(b"e.txt", EICAR), subject=b"a virus")
LOCKED = mails.multipart(
    mails.text(WORDS),
    mails.attachment(b"locked.zip", mails.encrypted_zip(b"a.txt", b"nothing", b"zq7-told-elsewhere")),
    subject=b"a locked archive",
)
PLAIN = mails.mail(WORDS, subject=b"a letter")
BANNING = {"banned_rules": ["executables"], "local": ["site.example"]}
CASES = {
    # category: mail, what is found in it
    "infected": (VIRUS, EICAR_NAME),
    "banned": (PROGRAM, "executables:x.exe"),
    "unchecked": (LOCKED, "encrypted:zip"),
}
CATEGORIES = pytest.mark.parametrize("category", CASES)
RECIPIENTS = pytest.mark.parametrize("recipients", [(BOB,), (BOB, CAROL, FRANK)], ids=["one", "several"])
TOP = re.compile(BACK + rb"((?:X-[^\r\n]*\r\n)*)" + IN)
"""What stands on top of mail that went on: Postfix's field from re-entry, ours, Postfix's from the door."""


def below(arrived: Arrived) -> bytes:
    """The mail less what Postfix and the filter have put on top."""
    found = TOP.match(arrived.data)
    assert found, f"other fields were added: {arrived.data[:1500]!r}"
    return arrived.data[found.end() :]


def marks(arrived: Arrived) -> list[bytes]:
    """The lines that the filter has put on top."""
    found = TOP.match(arrived.data)
    assert found
    return found[1].split(b"\r\n")[:-1]


def served(arrived: list[Arrived], sender: bytes = ALICE) -> list[bytes]:
    """Who got the mail of this sender, each as often as it came."""
    return sorted(address for one in arrived if one.sender == sender for address in one.recipients)


def kept_for(record: dict[str, Any]) -> list[bytes]:
    """The recipients for whom a mail is in quarantine."""
    return sorted(address.encode() for address in record["envelope"]["recipients"])


def with_lf(mail: bytes) -> bytes:
    """The mail as the filter got it, less Postfix's field: with LF."""
    return mail.replace(b"\r\n", b"\n")


def settings_for(category: str, action: str, **more: Any) -> dict[str, Any]:
    """Settings for one action on one category."""
    return {**BANNING, category: {"action": action, "quarantine": True, **more}}


def for_one(recipient: bytes, **options: Any) -> dict[str, Any]:
    """A [[recipient]] table; "__" in an option's name is the dot in its key."""
    return {"match": [recipient.decode()]} | dotted(options)


def dotted(options: dict[str, Any]) -> dict[str, Any]:
    return {name.replace("__", "."): value for name, value in options.items()}


# --- every action, for one recipient and for several


@RECIPIENTS
@CATEGORIES
def test_passed_mail_arrives_whole_below_an_alert(
    site: Site, category: str, recipients: tuple[bytes, ...]
) -> None:
    mail, found = CASES[category]
    site.configure(**settings_for(category, "pass", subject_tag="[no]", headers=["X-No: no"]))
    site.send(mail, recipients=recipients)
    arrived = site.finished()
    assert served(arrived) == sorted(recipients)
    (record,) = site.kept()
    for one in arrived:
        assert marks(one) == [
            b"X-Virus-Scanned: by amavis-pipe",
            b"X-Amavis-Alert: %s %s" % (category.upper().encode(), found.encode()),
            b"X-Quarantine-ID: <%s>" % record["quarantine_id"].encode(),
        ]
        assert below(one) == mail
    assert kept_for(record) == sorted(recipients)


@RECIPIENTS
@CATEGORIES
def test_tagged_mail_bears_the_marks_of_its_category_and_is_whole_below(
    site: Site, category: str, recipients: tuple[bytes, ...]
) -> None:
    mail, found = CASES[category]
    wanted = {"subject_tag": "[look]", "extension": "odd", "headers": ["X-Look: twice", "X-Odd: yes"]}
    site.configure(**settings_for(category, "tag", **wanted))
    site.send(mail, recipients=recipients)
    arrived = site.finished()
    # the extension is for local recipients: another site might not know what to do with it
    assert served(arrived) == sorted(address.replace(b"@site.", b"+odd@site.") for address in recipients)
    for one in arrived:
        assert marks(one)[1].endswith(found.encode())
        assert marks(one)[2].startswith(b"X-Quarantine-ID: <")
        assert marks(one)[3:] == [b"X-Look: twice", b"X-Odd: yes"]
        assert below(one) == mail.replace(b"Subject: ", b"Subject: [look] ", 1)
    assert len(site.quarantined()) == 1


@RECIPIENTS
@CATEGORIES
def test_deferred_mail_stays_with_postfix_and_arrives_once_when_the_settings_allow_it(
    site: Site, category: str, recipients: tuple[bytes, ...]
) -> None:
    mail, found = CASES[category]
    site.configure(**settings_for(category, "defer"))
    site.send(mail, recipients=recipients)
    assert f"held back by policy: {category} {found}" in site.deferred()
    assert site.quarantined() == []
    site.configure(**settings_for(category, "pass"))
    arrived = site.retried()
    assert served(arrived) == sorted(recipients)
    assert all(below(one) == mail for one in arrived)
    assert len(site.quarantined()) == 1


@RECIPIENTS
@CATEGORIES
def test_bounced_mail_is_reported_to_its_sender_alone_and_never_a_virus_with_it(
    site: Site, category: str, recipients: tuple[bytes, ...]
) -> None:
    mail, found = CASES[category]
    site.configure(**settings_for(category, "bounce"))
    site.send(mail, recipients=recipients)
    (arrived,) = site.finished()
    report = report_of(arrived, ALICE)
    assert sorted(report.failed()) == sorted(recipients)
    assert all(f"{category} {found}" in block["Diagnostic-Code"] for block in report.recipients)
    kind, content = report.returned
    if category == "infected":
        assert kind == "text/rfc822-headers"
        assert WORDS not in arrived.data
    else:  # Postfix's own, by status 69
        assert kind == "message/rfc822"
        assert WORDS in content
    assert len(site.quarantined()) == 1


@RECIPIENTS
@CATEGORIES
def test_discarded_mail_reaches_nobody_and_is_kept_once_for_all(
    site: Site, category: str, recipients: tuple[bytes, ...]
) -> None:
    mail, found = CASES[category]
    site.configure(**settings_for(category, "discard"))
    queue_id = site.send(mail, recipients=recipients)
    assert site.finished() == []
    (kept,) = site.quarantined()
    assert kept.endswith(with_lf(mail))
    (record,) = site.kept()
    assert (record["id"], record["label"]) == (queue_id, category)
    assert record["envelope"]["sender"] == ALICE.decode()
    assert kept_for(record) == sorted(recipients)
    assert f"discarded {category} {found}" in site.postfix.log()


# --- recipients of one mail who fare differently

MIXED = [
    for_one(
        BOB,
        banned__action="tag",
        banned__subject_tag="[program]",
        banned__extension="banned",
        banned__headers=["X-Program: yes"],
    ),
    for_one(CAROL, banned__action="bounce"),
    for_one(ERIN, bypass=["banned"]),
]
ALL = (BOB, CAROL, DAVE, ERIN)


def fared_each_its_own_way(site: Site, arrived: list[Arrived], queue_id: str) -> None:
    """PROGRAM was tagged for Bob, returned for Carol, discarded for Dave, and for Erin it was as any mail."""
    assert len(arrived) == 3, [one.recipients for one in arrived]
    (tagged,) = [one for one in arrived if one.recipients == (b"bob+banned@site.example",)]
    assert marks(tagged)[-1] == b"X-Program: yes"
    assert below(tagged) == PROGRAM.replace(b"Subject: ", b"Subject: [program] ")
    (plain,) = [one for one in arrived if one.recipients == (ERIN,)]
    assert original(plain) == PROGRAM
    (returned,) = [one for one in arrived if one.sender == b""]
    told_of_carol(returned, queue_id)
    (kept,) = site.quarantined()
    assert kept.endswith(with_lf(PROGRAM))
    (record,) = site.kept()
    assert kept_for(record) == [BOB, CAROL, DAVE]


def told_of_carol(returned: Arrived, queue_id: str) -> Report:
    """The report of our own for Carol, without a word of the mail's content or of other recipients."""
    report = report_of(returned, ALICE)
    assert report.failed() == [CAROL]
    assert report.fields["X-Postfix-Queue-ID"] == queue_id
    assert report.recipients[0]["Diagnostic-Code"] == "x-unix; 5.7.1 banned executables:x.exe"
    kind, head = report.returned
    assert kind == "text/rfc822-headers"
    assert b"Subject: a program" in head
    assert WORDS not in returned.data
    assert b"x.exe" not in head, "the content came along"
    for other in (b"dave@", b"erin@", b"bob+"):
        assert other not in returned.data
    return report


def test_each_recipient_of_one_mail_fares_by_its_own_rules(site: Site) -> None:
    site.configure(**BANNING, recipient=MIXED)
    queue_id = site.send(PROGRAM, recipients=ALL)
    fared_each_its_own_way(site, site.finished(), queue_id)
    (record,) = site.journal()
    fates = {action["action"]: action["recipients"] for action in record["actions"]}
    assert fates == {"discard": [DAVE.decode()], "bounce": [CAROL.decode()], "tag": [BOB.decode()], "pass": [ERIN.decode()]}  # fmt: skip


def test_one_recipient_to_be_deferred_holds_the_mail_back_for_all_and_then_each_fares_once(
    site: Site,
) -> None:
    site.configure(**BANNING, recipient=[*MIXED, for_one(DAVE, banned__action="defer")])
    queue_id = site.send(PROGRAM, recipients=ALL)
    assert "held back by policy: banned executables:x.exe" in site.deferred()
    (waiting,) = site.postfix.queue()
    assert sorted(one["address"] for one in waiting["recipients"]) == [one.decode() for one in ALL]
    assert site.quarantined() == []
    site.configure(**BANNING, recipient=MIXED)
    fared_each_its_own_way(site, site.retried(), queue_id)


@contextlib.contextmanager
def postfix_setting(site: Site, *words: str) -> Iterator[None]:
    """For a while, main.cf says so ("name = value", which it did not say before)."""
    site.postfix.postconf("-e", *words)
    site.postfix.reload()
    try:
        yield
    finally:
        site.postfix.postconf("-X", *(word.partition(" ")[0] for word in words))
        site.postfix.reload()


@pytest.mark.parametrize("running", ["smtp"], indirect=True)
def test_what_was_done_before_one_group_was_put_off_is_not_done_again(site: Site) -> None:
    """Kept, reported, and handed on to the first group; the smtpd where mail comes back puts the second off."""
    site.configure(**BANNING, recipient=MIXED)
    entry = site.reentry.removeprefix("smtp:") + "/inet/smtpd_recipient_restrictions"
    before = site.postfix.postconf("-P", entry).partition(" = ")[2].strip()
    table = site.postfix.config / "put-off"
    table.write_text("/^erin@/ 450 4.2.0 not now\n")
    site.postfix.postconf("-P", f"{entry}=check_recipient_access,regexp:{table},permit_mynetworks,reject")
    site.postfix.reload()
    try:
        queue_id = site.send(PROGRAM, recipients=ALL)
        wait_for(
            lambda: [one["queue_name"] for one in site.postfix.queue()] == ["deferred"],
            "only the deferred mail",
        )
        assert len(site.quarantined()) == 1
    finally:
        site.postfix.postconf("-P", f"{entry}={before}")
        site.postfix.reload()
    fared_each_its_own_way(site, site.retried(), queue_id)


def test_two_recipients_who_become_one_by_the_extension_get_one_copy(site: Site) -> None:
    site.configure(**settings_for("banned", "tag", extension="banned"))
    site.send(
        PROGRAM, recipients=(b"bob+work@site.example", b"bob+home@site.example", b'"b o+b"@site.example')
    )
    assert served(site.finished()) == [b'"b o+b"@site.example', b"bob+banned@site.example"]


# --- whom no report is for

UNANSWERABLE = {
    "null-sender": (b"", b""),
    "list": (ALICE, b"List-Id: <some.list.example>\r\n"),
    "bulk": (ALICE, b"Precedence: bulk\r\n"),
    "robot": (ALICE, b"Auto-Submitted: auto-generated\r\n"),
}


def with_fields(mail: bytes, fields: bytes) -> bytes:
    """The mail with further fields."""
    return mail.replace(b"Subject: ", fields + b"Subject: ", 1)


@pytest.mark.parametrize(("sender", "fields"), UNANSWERABLE.values(), ids=UNANSWERABLE)
@pytest.mark.parametrize("bounces", ["own", "mixed"])
def test_who_cannot_want_a_report_gets_none_and_the_others_get_the_mail(
    site: Site, bounces: str, sender: bytes, fields: bytes
) -> None:
    """For bounces = "mixed", Bob gets the mail; for "own", nobody does."""
    rules = [for_one(BOB, bypass=["banned"])] if bounces == "mixed" else []
    site.configure(**settings_for("banned", "bounce"), bounces=bounces, recipient=rules)
    mail = with_fields(PROGRAM, fields)
    site.send(mail, sender, (BOB, CAROL))
    arrived = site.finished()
    assert [one.recipients for one in arrived] == ([(BOB,)] if rules else [])
    assert all(original(one) == mail for one in arrived)
    assert len(site.quarantined()) == 1


def test_postfix_sends_no_report_of_a_refused_mail_without_a_sender(site: Site) -> None:
    site.configure(**settings_for("banned", "bounce"))
    site.send(PROGRAM, b"")
    assert site.finished() == []
    assert len(site.quarantined()) == 1


@pytest.mark.parametrize(("name", "told"), [("*EICAR*", 0), ("*other*", 1)], ids=["forging", "honest"])
def test_a_virus_that_forges_senders_is_not_reported_to_them(site: Site, name: str, told: int) -> None:
    site.configure(**settings_for("infected", "bounce", forging=[name]))
    site.send(VIRUS)
    assert len(site.finished()) == told
    assert len(site.quarantined()) == 1


def test_with_bounces_own_no_content_goes_back_whatever_was_refused(site: Site) -> None:
    site.configure(**settings_for("banned", "bounce"), bounces="own")
    queue_id = site.send(PROGRAM, recipients=(CAROL,))
    (arrived,) = site.finished()
    told_of_carol(arrived, queue_id)


def test_with_bounces_postfix_mail_waits_for_the_recipient_limit_and_then_postfix_tells(site: Site) -> None:
    site.configure(**BANNING, bounces="postfix", recipient=MIXED)
    site.send(PROGRAM, recipients=ALL)
    assert "mail could not be checked" in site.deferred()
    assert any("amavis_destination_recipient_limit = 1" in line for line in site.syslog.lines)
    with postfix_setting(site, "amavis_destination_recipient_limit = 1"):
        arrived = site.retried()
    assert sorted(one.recipients for one in arrived) == [(ALICE,), (b"bob+banned@site.example",), (ERIN,)]
    (returned,) = [one for one in arrived if one.sender == b""]
    report = report_of(returned, ALICE)
    assert report.failed() == [CAROL]
    assert report.returned[0] == "message/rfc822"
    assert "message refused: banned executables:x.exe" in report.recipients[0]["Diagnostic-Code"]
    assert len(site.quarantined()) == 1


# --- by sender, client, user; maps


def test_a_rule_for_a_sender_is_for_no_other(site: Site) -> None:
    site.configure(**BANNING, sender=[{"match": ["partner.example"], "bypass": ["banned"]}])
    site.send(PROGRAM, b"releases@partner.example")
    site.send(PROGRAM, b"releases@not-partner.example")
    (arrived,) = site.finished()
    assert arrived.sender == b"releases@partner.example"
    assert original(arrived) == PROGRAM


CLIENTS = {
    "own network": (b"ADDR=192.0.2.7", True),
    "another network": (b"ADDR=192.0.2.129", False),
    "user": (b"ADDR=192.0.2.129 LOGIN=erin", True),
    "another user": (b"ADDR=192.0.2.129 LOGIN=mallory", False),
    "a user of a like name": (b"ADDR=192.0.2.129 LOGIN=Erin", False),
}


@pytest.mark.parametrize(("xclient", "is_ours"), CLIENTS.values(), ids=CLIENTS)
def test_a_rule_for_a_network_or_a_user_is_for_no_other(site: Site, xclient: bytes, is_ours: bool) -> None:
    rule = {"match": ["192.0.2.0/25", "user:erin"], "banned.action": "pass"}
    site.configure(**BANNING, client=[rule])
    site.send(PROGRAM, xclient=xclient)
    assert served(site.finished()) == ([BOB] if is_ours else [])


def test_all_conditions_of_a_rule_must_hold_and_the_first_rule_counts(site: Site) -> None:
    rules = [
        for_one(BOB, banned__action="discard") | {"sender": ["mallory@sender.example"]},
        for_one(BOB, banned__action="pass") | {"client": ["127.0.0.0/8"]},
        for_one(BOB, banned__action="bounce", banned__subject_tag="[never]"),
    ]
    site.configure(**BANNING, recipient=rules)
    site.send(PROGRAM, b"mallory@sender.example")
    site.send(PROGRAM, recipients=(BOB,))
    (arrived,) = site.finished()
    assert arrived.sender == ALICE
    assert below(arrived) == PROGRAM


def test_a_rule_takes_its_entries_from_a_file_as_it_is_now(site: Site) -> None:
    entries = site.folder / "conf/partners"
    entries.write_text("# who may send programs\n\nAlice@Sender.example\n")
    site.configure(**BANNING, sender=[{"match": [str(entries)], "bypass": ["banned"]}])
    site.send(PROGRAM)
    site.finished()
    entries.write_text("other@sender.example\n")
    site.send(PROGRAM)
    site.finished()
    assert [record["verdict"] for record in site.journal()] == ["clean", "banned"]
    assert len(site.sink.mails) == 1


def test_config_refresh_makes_a_map_anew_and_keeps_the_old_one_when_its_command_fails(site: Site) -> None:
    dump = site.folder / "conf/dump"
    site.configure(
        **BANNING,
        map=[{"name": "partners", "command": ["/bin/cat", str(dump)]}],
        sender=[{"match": ["map:partners"], "bypass": ["banned"]}],
    )
    try:
        site.send(PROGRAM)
        assert "mail could not be checked" in site.deferred(), "a map that is not there yet"
        for content, status in (("sender.example\n", 0), ("no entry\n", 2), (None, 2)):
            if content is None:
                dump.unlink()
            else:
                dump.write_text(content)
            done = site.command("config", "refresh")
            assert done.returncode == status, done
            site.send(PROGRAM)
            assert served(site.retried())[-1:] == [BOB]
        assert len(site.finished()) == 4
        dump.write_text("other.example\n")
        assert site.command("config", "refresh").returncode == 0
        site.send(PROGRAM)
        assert len(site.finished()) == 4
    finally:
        shutil.rmtree(site.state / "maps", ignore_errors=True)


# --- bypass, lovers, lists, further categories


def test_who_bypasses_the_virus_check_gets_mail_that_does_not_say_it_was_scanned(site: Site) -> None:
    site.configure(recipient=[for_one(BOB, bypass=["infected"])])
    site.send(VIRUS, recipients=(BOB, CAROL))
    (arrived,) = site.finished()
    assert arrived.recipients == (BOB,)
    assert marks(arrived) == []
    assert below(arrived) == VIRUS
    (record,) = site.kept()
    assert kept_for(record) == [CAROL]


def test_a_lover_of_viruses_gets_them_marked_and_others_do_not(site: Site) -> None:
    site.configure(recipient=[for_one(BOB, lover=["infected"], infected__subject_tag="[virus]")])
    site.send(VIRUS, recipients=(BOB, CAROL))
    (arrived,) = site.finished()
    assert arrived.recipients == (BOB,)
    assert marks(arrived)[1:] == [b"X-Amavis-Alert: INFECTED " + EICAR_NAME.encode()]
    assert below(arrived) == VIRUS.replace(b"Subject: ", b"Subject: [virus] ")


def test_a_blacklisted_sender_is_spam_but_not_to_whoever_has_him_whitelisted(site: Site) -> None:
    site.configure(
        spam={"subject_tag": "***SPAM***"},
        sender=[{"match": ["sender.example"], "list": "black"}],
        recipient=[for_one(BOB, list="white") | {"sender": [ALICE.decode()]}],
    )
    site.send(PLAIN, recipients=(BOB, CAROL))
    site.send(PLAIN, b"x@other.example")
    arrived = {(one.sender, one.recipients): one for one in site.finished()}
    assert sorted(arrived) == [(ALICE, (BOB,)), (ALICE, (CAROL,)), (b"x@other.example", (BOB,))]
    tagged = arrived.pop((ALICE, (CAROL,)))
    assert marks(tagged)[1:] == [b"X-Amavis-Alert: SPAM blacklisted"]
    assert below(tagged) == PLAIN.replace(b"Subject: ", b"Subject: ***SPAM*** ")
    assert [original(one) for one in arrived.values()] == [PLAIN] * 2


def test_a_whitelisted_senders_virus_is_discarded_all_the_same(site: Site) -> None:
    site.configure(sender=[{"match": ["."], "list": "white"}])
    site.send(VIRUS)
    assert site.finished() == []
    assert len(site.quarantined()) == 1


def test_mail_over_a_recipients_limit_is_for_others(site: Site) -> None:
    site.configure(oversized={"limit": "4 KiB"}, recipient=[for_one(BOB, oversized__limit="1 MiB")])
    large = mails.mail(mails.lines(6000), subject=b"large")
    site.send(large, recipients=(BOB, CAROL))
    site.send(PLAIN, recipients=(CAROL,))
    arrived = site.finished()
    assert sorted(one.recipients for one in arrived) == [(BOB,), (CAROL,)]
    assert {original(one) for one in arrived} == {large, PLAIN}
    assert [record["label"] for record in site.kept()] == ["oversized"]


FAULTY = {
    "multiple": with_fields(PLAIN, b"X-Before: it\r\nSubject: the first\r\n"),
    "8bit": with_fields(PLAIN, b"X-Latin: J\xfcrgen\r\n"),
    "mime": with_fields(PLAIN, b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed\r\n"),
    "long": with_fields(PLAIN, b"X-Long: " + b"y" * 1200 + b"\r\n"),
}


@pytest.mark.parametrize(("test", "mail"), FAULTY.items(), ids=FAULTY)
def test_a_faulty_header_is_tagged_and_left_as_it_is(site: Site, test: str, mail: bytes) -> None:
    site.configure(**{"bad-header": {"action": "tag", "headers": ["X-Faulty: yes"]}})
    site.send(mail)
    (arrived,) = site.finished()
    alert, last = marks(arrived)[1:]
    assert alert.startswith(b"X-Amavis-Alert: BAD-HEADER " + test.encode() + b":")
    assert last == b"X-Faulty: yes"
    assert below(arrived) == mail


def test_a_name_from_the_mail_adds_no_field_to_it_and_none_to_a_report(site: Site) -> None:
    name = b"=?utf-8?q?x=0D=0AX-Evil=3A_1=0D=0A=0D=0A.exe?="
    mail = mails.with_attachment(name, b"no program\n")
    site.configure(**BANNING, banned={"action": "tag"}, recipient=[for_one(CAROL, banned__action="bounce")])
    site.send(mail, recipients=(BOB, CAROL))
    arrived = site.finished()
    (tagged,) = [one for one in arrived if one.recipients == (BOB,)]
    assert below(tagged) == mail
    assert not any(line.startswith(b"X-Evil") for line in marks(tagged))
    (returned,) = [one for one in arrived if one.sender == b""]
    report = report_of(returned, ALICE)
    assert report.failed() == [CAROL]
    assert all(b"X-Evil" not in line[:6] for line in returned.data.split(b"\r\n"))


def test_fields_of_our_names_that_came_along_are_removed_where_the_site_wants_it(site: Site) -> None:
    foreign = b"X-Virus-Scanned: by them\r\nX-Amavis-Alert: none,\r\n\tnone\r\nX-Quarantine-ID: <theirs>\r\n"
    site.configure(headers={"remove_foreign": True}, recipient=[for_one(CAROL, clean__subject_tag="[no]")])
    site.send(with_fields(PLAIN, foreign), recipients=(BOB, CAROL))
    (arrived,) = site.finished()
    assert original(arrived) == PLAIN


# --- where mail is kept


@pytest.fixture
def places(site: Site) -> Iterator[Path]:
    """A folder of the filter's user, for places of a site's own."""
    folder = site.folder / "kept"
    folder.mkdir(mode=0o700)
    shutil.chown(folder, USER, USER)
    yield folder
    shutil.rmtree(folder)


def test_each_category_is_kept_at_its_own_place(site: Site, places: Path) -> None:
    for name in ("viruses", "programs"):
        (places / name).mkdir(mode=0o700)
        shutil.chown(places / name, USER, USER)
    site.configure(
        **BANNING,
        infected={"quarantine": str(places / "viruses")},
        banned={"quarantine": str(places / "programs")},
        unchecked={"quarantine": True, "action": "discard"},
    )
    for mail, _ in CASES.values():
        site.send(mail)
    assert site.finished() == []
    for name, prefix, mail in (("viruses", "virus-", VIRUS), ("programs", "banned-", PROGRAM)):
        (kept,) = (path for path in (places / name).glob("??/*") if path.suffix != ".json")
        assert kept.name.startswith(prefix)
        assert kept.stat().st_mode & 0o777 == 0o600
        assert kept.read_bytes().endswith(with_lf(mail))
    (kept_here,) = site.quarantined()
    assert kept_here.endswith(with_lf(LOCKED))


def test_a_place_that_is_not_there_defers_mail_until_it_is(site: Site, places: Path) -> None:
    """Where the folder that is to hold it is missing, as with a disk that is not mounted."""
    site.configure(infected={"quarantine": str(places / "disk/viruses")})
    site.send(VIRUS)
    assert "mail could not be checked" in site.deferred()
    assert any("kept/disk/viruses: No such file" in line for line in site.syslog.lines)
    (places / "disk").mkdir(mode=0o700)
    shutil.chown(places / "disk", USER, USER)
    assert site.retried() == []
    assert len(list((places / "disk/viruses").glob("??/virus-*.json"))) == 1


def test_a_mailbox_file_takes_one_mail_after_another_and_gives_them_back_whole(
    site: Site, places: Path
) -> None:
    path = places / "kept.mbox"
    site.configure(**BANNING, infected={"quarantine": str(path)}, banned={"quarantine": str(path)})
    tricky = mails.multipart(
        mails.text(b"From here\r\n>From there\r\n"), mails.attachment(b"x.exe", b"x"), subject=b"tricky"
    )
    site.send(VIRUS)
    site.send(tricky, recipients=(BOB, CAROL))
    assert site.finished() == []
    assert path.stat().st_mode & 0o777 == 0o600
    with contextlib.closing(mailbox.mbox(path)) as box:
        messages = {message["Subject"]: message for message in box}
    assert set(messages) == {"a virus", "tricky"}
    assert messages["tricky"].get_all("X-Envelope-To") == ["<bob@site.example>", "<carol@site.example>"]
    assert messages["a virus"]["X-Quarantine-ID"].startswith("<virus-")
    content = path.read_bytes()
    plain = re.sub(rb"(?m)^>(>*From )", rb"\1", content)
    assert all(with_lf(mail) in plain for mail in (VIRUS, tricky))


def test_a_copy_for_an_address_goes_there_past_the_filter(site: Site) -> None:
    site.configure(infected={"quarantine": VAULT.decode()})
    queue_id = site.send(VIRUS, recipients=(BOB, CAROL))
    (arrived,) = site.finished()
    assert (arrived.sender, arrived.recipients) == (b"", (VAULT,))
    assert below(arrived) == VIRUS
    assert marks(arrived)[0].startswith(b"X-Quarantine-ID: <virus-")
    assert queue_id.encode() in marks(arrived)[0]
    assert marks(arrived)[1:-1] == [
        b"X-Envelope-From: <%s>" % ALICE,
        b"X-Envelope-To: <%s>" % BOB,
        b"X-Envelope-To: <%s>" % CAROL,
        b"X-Amavis-Alert: INFECTED " + EICAR_NAME.encode(),
    ]
    assert len(site.journal()) == 1


def test_mail_of_all_sorts_can_be_archived_at_an_address(site: Site) -> None:
    site.configure(clean={"quarantine": VAULT.decode()})
    site.send(PLAIN)
    arrived = {one.recipients: one for one in site.finished()}
    assert sorted(arrived) == [(BOB,), (VAULT,)]
    assert below(arrived[(BOB,)]) == below(arrived[(VAULT,)]) == PLAIN
    kept = arrived[(VAULT,)].field(b"X-Quarantine-ID")
    assert kept == arrived[(BOB,)].field(b"X-Quarantine-ID")


# --- two filters at once


def test_eight_mails_at_once_each_fare_right_and_once(site: Site) -> None:
    site.configure(**BANNING, recipient=MIXED)
    kinds = [PLAIN, PROGRAM, VIRUS, LOCKED] * 2
    senders = [b"sender%d@sender.example" % number for number in range(8)]
    at_once = [
        threading.Thread(target=site.send, args=(mail, sender, ALL))
        for mail, sender in zip(kinds, senders, strict=True)
    ]
    for one in at_once:
        one.start()
    for one in at_once:
        one.join()
    arrived = site.finished()
    for mail, sender in zip(kinds, senders, strict=True):
        expect = {PLAIN: ALL, LOCKED: ALL, VIRUS: (), PROGRAM: (b"bob+banned@site.example", ERIN)}[mail]
        assert served(arrived, sender) == sorted(expect)
        reports = [one for one in arrived if one.recipients == (sender,)]
        assert [report_of(one, sender).failed() for one in reports] == ([[CAROL]] if mail == PROGRAM else [])
    assert len(site.journal()) == 8
    assert sorted(record["label"] for record in site.kept()) == ["banned"] * 2 + ["infected"] * 2
    assert sorted(record["envelope"]["sender"].encode() for record in site.kept()) == sorted(
        sender for mail, sender in zip(kinds, senders, strict=True) if mail in (PROGRAM, VIRUS)
    )
