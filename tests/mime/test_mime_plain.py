"""plain: a mail that all readers read alike is told from one about which they may differ."""

import base64

import pytest

from amavis_pipe.budget import Budget
from amavis_pipe.mime.reader import BODY, MAIL, hot_openers
from amavis_pipe.spool import Blob, Store
from amavis_pipe.walk import Walk

DATA = bytes(range(256)) * 80
CODED = base64.encodebytes(DATA)
TOP = b"From: a@x\nSubject: s\nMIME-Version: 1.0\n"
KIND = b'Content-Type: multipart/mixed; boundary="b1"\n'
TEXT = b"Content-Type: text/plain\n\nhello\n"
FILE = (
    b'Content-Type: application/pdf; name="a.pdf"\nContent-Disposition: attachment; filename="a.pdf"\n'
    b"Content-Transfer-Encoding: base64\n"
)


def mail(top=TOP, kind=KIND, preamble=b"", text=TEXT, file=FILE, body=CODED, end=b"--b1--\n"):
    return top + kind + b"\n" + preamble + b"--b1\n" + text + b"\n--b1\n" + file + b"\n" + body + b"\n" + end


def bodies(data):
    """Where the walk found attachments that may be left out."""
    walk = Walk(Budget(1 << 30, 1500, 14, float("inf")), Store(b"/tmp"), hot_openers)
    walk.mail(Blob(data), MAIL)
    return walk.bodies


def test_an_ordinary_mail_is_plain_and_its_attachment_is_found():
    data = mail()
    ((head, start, end, size),) = bodies(data)
    assert data[head:end] == FILE + b"\n" + CODED
    assert data[start:end] == CODED
    assert size == len(DATA)


PLAIN = {
    "crlf": mail().replace(b"\n", b"\r\n"),
    "usual preamble": mail(preamble=b"This is a multi-part message in MIME format.\n"),
    "blank epilogue": mail(end=b"--b1--\n\n\n"),
    "no disposition": mail(file=b"Content-Type: image/png\nContent-Transfer-Encoding: BASE64\n"),
    "unquoted name": mail(file=FILE.replace(b'"a.pdf"', b"a.pdf")),
    "name with parentheses": mail(file=FILE.replace(b"a.pdf", b"report (1).pdf")),
    "name with a semicolon": mail(file=FILE.replace(b"a.pdf", b"a;b.pdf")),
    "name in several pieces": mail(file=FILE.replace(b'name="a.pdf"', b"name*0*=utf-8''a; name*1=b.pdf")),
    "coded name": mail(file=FILE.replace(b'"a.pdf"', b'"=?utf-8?B?YQ==?="')),
    "folded": mail(kind=KIND.replace(b"; ", b";\n\t")),
    "semicolon at the end": mail(kind=KIND.replace(b"\n", b";\n")),
    "nested": mail(
        text=b'Content-Type: multipart/alternative; boundary="c2"\n\n--c2\n' + TEXT + b"\n--c2--\n"
    ),
    "a mail in it": mail(text=b"Content-Type: message/rfc822\n\nFrom: b@x\nSubject: t\n\ninner\n"),
    "alone": TOP + FILE + b"\n" + CODED,
}


@pytest.mark.parametrize("data", PLAIN.values(), ids=PLAIN)
def test_what_is_common_and_clear_is_plain(data):
    assert len(bodies(data)) == 1


ODD = {
    "no MIME-Version": mail(top=b"From: a@x\nSubject: s\n"),
    "another MIME-Version": mail(top=TOP.replace(b"1.0", b"2.0")),
    "two MIME-Versions": mail(top=TOP + b"MIME-Version: 1.0\n"),
    "a line that is no field": mail(top=TOP + b"no field\n"),
    "a blank before the colon": mail(top=TOP + b"X-Odd : x\n"),
    "a bare CR": mail(top=TOP + b"X-Odd: a\rb\n"),
    "a NUL": mail(top=TOP + b"X-Odd: a\0b\n"),
    "mixed line ends": mail(top=TOP.replace(b"Subject: s\n", b"Subject: s\r\n")),
    "a fold of blanks": mail(top=TOP + b"X-Odd: a\n \n b\n"),
    "two Content-Types": mail(kind=KIND + b"Content-Type: text/plain\n"),
    "two boundaries": mail(kind=KIND.replace(b"\n", b'; boundary="b2"\n')),
    "a boundary in pieces": mail(kind=KIND.replace(b"\n", b"; boundary*0=b2\n")),
    "a coded boundary": mail(kind=KIND.replace(b'"b1"', b'"=?us-ascii?Q?b1?="')),
    "a boundary of odd letters": mail(kind=KIND.replace(b'"b1"', b'"b1\xfc"')),
    "a comment": mail(kind=KIND.replace(b"mixed", b"mixed (x)")),
    "a quoted pair": mail(kind=KIND.replace(b'"b1"', b'"b\\1"')),
    "odd quotes": mail(kind=KIND.replace(b'"b1"', b'b1"')),
    "no semicolon": mail(kind=KIND.replace(b";", b"")),
    "an encoded multipart": mail(kind=KIND + b"Content-Transfer-Encoding: base64\n"),
    "no subtype": mail(file=FILE.replace(b"application/pdf", b"application")),
    "a boundary that is no token": mail(kind=KIND.replace(b'"b1"', b"b1=x")).replace(b"--b1", b"--b1=x"),
    "a boundary too long": mail(kind=KIND.replace(b"b1", b"b" * 71)).replace(b"--b1", b"--" + b"b" * 71),
    "a coded boundary with its delimiters": mail(kind=KIND.replace(b"b1", b"=?a?Q?b?=")).replace(
        b"--b1", b"--=?a?Q?b?="
    ),
    "a boundary within quotes": mail(kind=KIND.replace(b"; b", b'; x="; boundary=b2"; b')),
    "a vertical tab behind a delimiter": mail().replace(
        b"--b1\nContent-Type: app", b"--b1\v\nContent-Type: app"
    ),
    "a form feed behind a delimiter": mail().replace(
        b"--b1\nContent-Type: app", b"--b1\f\nContent-Type: app"
    ),
    "a boundary in the disposition": mail(file=FILE.replace(b"attachment;", b"attachment; boundary=b2;")),
    "a boundary at a file": mail(file=FILE.replace(b"pdf; ", b"pdf; boundary=b2; ")),
    "two encodings": mail(file=FILE + b"Content-Transfer-Encoding: 7bit\n"),
    "a list of encodings": mail(file=FILE.replace(b"base64", b"base64, 7bit")),
    "an encoding with a comment": mail(file=FILE.replace(b"base64", b"base64 (x)")),
    "a name twice": mail(file=FILE.replace(b"filename=", b"filename=x; filename=")),
    "8 bit in a name": mail(file=FILE.replace(b"a.pdf", b"\xfc.pdf")),
    "no end": mail(end=b""),
    "something behind the end": mail(end=b"--b1--\nContent-Type: text/plain\n\nx\n"),
    "something before the beginning": mail(preamble=b"Content-Type: text/plain\n\nx\n"),
    "a long preamble": mail(preamble=b"x" * 2000 + b"\n"),
    "a delimiter with more behind it": mail(text=TEXT + b"--b1x\nContent-Type: text/plain\n"),
    "a boundary that begins another": mail(
        text=b'Content-Type: multipart/mixed; boundary="b12"\n\n--b12\n' + TEXT + b"\n--b12--\n"
    ),
    "an inner multipart without end": mail(
        text=b'Content-Type: multipart/mixed; boundary="c2"\n\n--c2\n' + TEXT
    ),
    "a multipart without boundary": mail(text=b"Content-Type: multipart/mixed\n\nx\n"),
    "an odd mail in it": mail(
        text=b"Content-Type: message/rfc822\n\nFrom: b@x\nContent-Type: text/plain\n"
        b"Content-Type: text/html\n\ninner\n"
    ),
    "an encoded mail in it": mail(
        text=b"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nRnJvbTogYgoKeAo=\n"
    ),
}


@pytest.mark.parametrize("data", ODD.values(), ids=ODD)
def test_what_readers_may_differ_about_is_not_plain(data):
    assert bodies(data) == []


def test_a_text_is_no_attachment():
    assert bodies(mail(file=FILE.replace(b"application/pdf", b"text/html"))) == []


def test_a_small_attachment_and_other_encodings_are_not_worth_it():
    assert bodies(mail(body=base64.encodebytes(b"x" * 1000))) == []
    assert bodies(mail(file=FILE.replace(b"base64", b"8bit"), body=b"x" * BODY + b"\n")) == []


def test_attachments_of_a_mail_in_the_mail_are_none_of_the_mail_itself():
    assert (
        bodies(mail(text=b"Content-Type: message/rfc822\n\n" + mail().replace(b"b1", b"c2"), body=b"QUJD\n"))
        == []
    )
