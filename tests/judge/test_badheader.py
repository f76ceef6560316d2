"""judge.badheader: the eight classes of what is wrong with a header, each with the field it is in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amavis_pipe.judge import badheader

GOOD = b"Date: Wed, 25 Nov 2026 10:00:00 +0000\nFrom: a@example.org\n"


def told(head: bytes, tests: tuple[str, ...] = badheader.TESTS) -> list[str]:
    found = badheader.findings(head, tests)
    assert all((one.grade, one.source, one.part) == ("bad-header", "policy", "") for one in found)
    return [one.name for one in found]


FINE = {
    "the least": b"",
    "the empty line": b"\n",
    "a body": b"\n\xff\0body " + b"x" * 2000,
    "folds": b"Subject: a\n b\n\tc\n",
    "MIME": b'MIME-Version: 1.0 (some mailer 2)\nContent-Type: multipart/mixed;\n boundary="a b"\n'
    b"Content-Transfer-Encoding: 8bit\n",
    "type in capitals": b"CONTENT-TYPE: TEXT/HTML; CHARSET=x\nContent-Transfer-Encoding: Base64 (c)\n",
    "private encoding": b"Content-Type: a/b\nContent-Transfer-Encoding: x-uuencode\n",
    "boundary of 70": b"Content-Type: multipart/mixed; boundary=" + b"b" * 70 + b"\n",
    "UTF-8": "Subject: Grüße\nTo: jörg@exämple.org\n".encode(),
    "old Japanese": b"Subject: \x1b$BF|K\\\x1b(B\n",
    "encoded word that is none": b"Subject: =?utf-8?x?a b?= =?\n",
    "blanks before the colon": b"Subject \t: x\n",
    "no value": b"X-Empty:\nX-Blank: \n",
    "998 bytes": b"X: " + b"a" * 995 + b"\n",
    "several of what may be there often": b"Received: a\nReceived: b\nComments: c\nComments: d\nX: e\nX: f\n",
}


@pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("more", FINE.values(), ids=FINE)
def test_what_the_standards_allow_is_not_told_of(more, end):
    assert told((GOOD + more).replace(b"\n", end)) == []


def test_a_line_of_an_mbox_in_front_is_no_field_and_no_fault():
    assert told(b"From a@example.org Wed Nov 25 10:00:00 2026\n" + GOOD) == []
    assert told(b"From a@example.org\n\n") == ["missing:Date"]


MAILERS = {
    "a reply by Thunderbird": b"""\
Return-Path: <a@example.org>
Received: from mail.example.org (mail.example.org [192.0.2.1])
\tby mx.example.net (Postfix) with ESMTPS id 4bQ7Xz
\tfor <b@example.net>; Wed, 25 Nov 2026 10:00:00 +0000 (UTC)
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=k;
\tt=1; bh=abc=; h=Date:Subject:To:From; b=
\t abc+/=
Message-ID: <0a1b@example.org>
Date: Wed, 25 Nov 2026 11:00:00 +0100
MIME-Version: 1.0
User-Agent: Mozilla Thunderbird
Subject: =?UTF-8?Q?Re=3A_Gr=C3=BC=C3=9Fe?=
To: =?UTF-8?B?xI1hag==?= <b@example.net>
Content-Language: de-DE
From: A <a@example.org>
In-Reply-To: <9@example.net>
Content-Type: multipart/signed; protocol="application/pgp-signature";
 micalg=pgp-sha512; boundary="------------0aB0cD0eF0gH0iJ0kL0mN0oP"

""",
    "Outlook": b"""\
From: "A, B" <a@example.org>
To: <b@example.net>
Subject: a
Thread-Topic: a
Date: Wed, 25 Nov 2026 10:00:00 +0000
Message-ID: <AM0PR01MB0001@example.org>
Accept-Language: de-DE, en-US
X-MS-Has-Attach: yes
x-ms-exchange-antispam-messagedata-0: =?us-ascii?Q?abc?=
 =?us-ascii?Q?def=3D?=
Content-Type: multipart/mixed;
\tboundary="_004_AM0PR01MB0001AM0PR01MB0001exam_"
MIME-Version: 1.0
""",
    "Apple": b"""\
From: a@example.org
Content-Type: text/plain;
\tcharset=us-ascii
Content-Transfer-Encoding: 7bit
Mime-Version: 1.0 (Mac OS X Mail 16.0 \\(3826.200.121\\))
Subject: a
X-Universally-Unique-Identifier: 1
Date: Wed, 25 Nov 2026 11:00:00 +0100
To: b@example.net
""",
}


@pytest.mark.parametrize("head", MAILERS.values(), ids=MAILERS)
def test_the_headers_of_common_mailers_are_right(head):
    assert told(head) == []
    assert told(head.replace(b"\n", b"\r\n")) == []


BAD = {
    "type without subtype": (b"Content-type: text\n", "mime:Content-type"),
    "type without a main type": (b"Content-Type: /plain\n", "mime:Content-Type"),
    "no type at all": (b"Content-Type:\n", "mime:Content-Type"),
    "type and parameter in one": (b"Content-Type: text/plain charset=utf-8\n", "mime:Content-Type"),
    "no boundary": (b"Content-Type: multipart/mixed\n", "mime:Content-Type"),
    "empty boundary": (b'Content-Type: multipart/mixed; boundary=" "\n', "mime:Content-Type"),
    "boundary of 71": (b"Content-Type: multipart/mixed; boundary=" + b"b" * 71 + b"\n", "mime:Content-Type"),
    "unknown encoding": (b"Content-Transfer-Encoding: 8-bit\n", "mime:Content-Transfer-Encoding"),
    "no encoding": (b"Content-Transfer-Encoding:\n", "mime:Content-Transfer-Encoding"),
    "just x-": (b"Content-Transfer-Encoding: x-\n", "mime:Content-Transfer-Encoding"),
    "encoded multipart": (
        b"Content-Transfer-Encoding: base64\nContent-Type: multipart/mixed; boundary=b\n",
        "mime:Content-Transfer-Encoding",
    ),
    "another MIME": (b"Mime-Version: 2.0\n", "mime:Mime-Version"),
    "Latin 1": (b"Subject: Gr\xfc\xdfe\nX: \xff\n", "8bit:Subject"),
    "half of UTF-8": (b"X: ok \xc3\xbc\nSubject: \xc3\n \xbc\n", "8bit:Subject"),
    "NUL": (b"Subject: a\0b\n", "control:Subject"),
    "bare CR": (b"Subject: a\rb\n", "control:Subject"),
    "two CR at the end": (b"Subject: a\r\r\n", "control:Subject"),
    "form feed": (b"X: y\nX-Feed: a\fb\n", "control:X-Feed"),
    "DEL": (b"Subject: \x7f\n", "control:Subject"),
    "line of blanks": (b"Subject: a\n \t\n b\n", "empty:Subject"),
    "blanks at the end": (b"Subject: a\n   \n", "empty:Subject"),
    "999 bytes": (b"X: y\nX-Long: " + b"a" * 991 + b"\n", "long:X-Long"),
    "999 bytes in a fold": (b"Subject: a\n " + b"b" * 998 + b"\n c\n", "long:Subject"),
    "no colon": (b"Subject: a\nno field here\nX: y\n", "syntax:no field here"),
    "nothing before the colon": (b": x\n", "syntax:: x"),
    "blank in a name": (b"Sub ject: x\n", "syntax:Sub ject: x"),
    "UTF-8 in a name": ("Größe: x\n".encode(), "syntax:Gr\\xc3\\xb6\\xc3\\x9fe: x"),
    "long line that is no field": (b"a" * 50 + b"\n", "syntax:" + "a" * 40 + "..."),
    "a second From line": (b"From b@example.org\n", "syntax:From b@example.org"),
    "two subjects": (b"Subject: a\nX: y\nSUBJECT: b\n", "multiple:SUBJECT"),
    "two dates": (b"Date: x\n", "multiple:Date"),
    "two types": (b"Content-Type: a/b\nContent-Type: c/d\n", "multiple:Content-Type"),
}  # fmt: skip


@pytest.mark.parametrize(("more", "name"), BAD.values(), ids=BAD)
def test_what_is_wrong_is_told_with_the_field(more, name):
    assert told(GOOD + more) == [name]
    assert told(GOOD + more, (name.partition(":")[0],)) == [name]
    assert told(GOOD + more, tuple(set(badheader.TESTS) - {name.partition(":")[0]})) == []


def test_every_type_is_looked_at():
    head = GOOD + b"X: y\nContent-Type: a/b\nContent-TYPE: b\n"
    assert told(head, ("mime",)) == ["mime:Content-TYPE"]


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"From: a@example.org\n", "missing:Date"),
        (b"Date: x\nSender: a@example.org\n", "missing:From"),
        (b"", "missing:Date"),
        (b"\nDate: in the body\nFrom: too\n", "missing:Date"),
    ],
    ids=["Date", "From", "all", "in the body"],
)
def test_what_must_be_there_and_is_not_is_told(head, name):
    assert told(head) == [name]


def test_each_class_is_told_once_and_in_order():
    head = (
        b"Subject: \xff\0\n \nSubject: \xff\r.\nTo: "
        + b"a" * 999
        + b"\nContent-Type: x\nContent-Type: y\nbad\n"
    )
    assert told(head) == [
        "mime:Content-Type", "8bit:Subject", "control:Subject", "empty:Subject",
        "long:To", "syntax:bad", "missing:Date", "multiple:Subject",
    ]  # fmt: skip


def test_no_test_is_no_finding():
    assert told(b"\xff\0", ()) == []


def test_of_a_header_that_is_cut_nothing_is_missed():
    assert told(b"X: y\n" * 9000 + GOOD) == []
    assert told(b"X: " + (b"y" * 900 + b"\n ") * 1300 + b"z\n" + GOOD) == []


def test_a_name_is_shown_in_printable_ascii_whatever_it_is():
    name = b"X-" + b"a" * 500
    assert told(GOOD + name + b": \xff\n") == ["8bit:" + name[:40].decode() + "..."]


@given(st.lists(st.sampled_from([*[more for more, _ in BAD.values()], *FINE.values(), b"\r", b"\0", b":"])))
def test_nothing_is_too_odd_to_be_read(pieces):
    found = told(b"".join(pieces))
    assert len({name.partition(":")[0] for name in found}) == len(found)
    assert all(name.isascii() and name.isprintable() and len(name) < 400 for name in found)


@pytest.mark.parametrize("piece", [b"(", b'"', b"\\", b";a=", b"a/b;", b"\n ", b"\r", b"=?"])
def test_a_hostile_header_is_gone_through_once(piece, monkeypatch):
    """No look goes over more bytes than there are, but for a small number of times."""
    fields = b"Content-Type: " + piece * 20_000 + b"\n"
    head = GOOD + fields * 3
    seen = []
    text = badheader._Head.text
    monkeypatch.setattr(
        badheader._Head, "text", lambda self, field: seen.append(field.end - field.start) or text(self, field)
    )
    badheader.findings(head)
    assert sum(seen) <= 8 * len(head)
