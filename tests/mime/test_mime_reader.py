"""mime.reader: the structure of mails, with names and limits."""

import base64
import binascii
from email.message import EmailMessage
from email.policy import SMTP, default

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amavis_pipe.budget import Budget, Limits
from amavis_pipe.mime import reader
from amavis_pipe.spool import Blob, Store
from amavis_pipe.walk import Walk

TOP = b"From: a@example.org\nSubject: x\nMIME-Version: 1.0\n"


def multipart(*parts: bytes, kind: bytes = b"mixed", boundary: bytes = b"b") -> bytes:
    body = b"".join(b"--" + boundary + b"\n" + part + b"\n" for part in parts)
    field = b'Content-Type: multipart/%s; boundary="%s"\n\n' % (kind, boundary)
    return field + body + b"--" + boundary + b"--\n"


def base64_part(data: bytes, fields: bytes = b"") -> bytes:
    return fields + b"Content-Transfer-Encoding: base64\n\n" + base64.encodebytes(data)


def uuencoded(data: bytes) -> bytes:
    return b"begin 644 a.bin\n" + binascii.b2a_uu(data) + b"`\nend\n"


MAILS = {
    "no MIME at all": (b"From: a@example.org\n\nHello\n", {"1": b"Hello\n"}),
    "no header": (b"\nHello\n", {"1": b"Hello\n"}),
    "no field": (b"Hello,\nhow are you?\n", {"1": b"Hello,\nhow are you?\n"}),
    "no body": (b"From: a@example.org\n", {"1": b""}),
    "nothing": (b"", {"1": b""}),
    "encoded text": (base64_part(b"Hello", TOP), {"1": b"Hello"}),
    "no MIME-Version": (base64_part(b"Hello"), {"1": b"Hello"}),
    "encoding in upper case, with a comment": (
        b"CONTENT-TRANSFER-ENCODING :\n\tBASE64 (of course)\n\nSGVsbG8=\n",
        {"1": b"Hello"},
    ),
    "unknown encoding": (b"Content-Transfer-Encoding: x-my\n\nSGVsbG8=\n", {"1": b"SGVsbG8=\n"}),
    "two parts": (TOP + multipart(b"\nHello", b"\nBye"), {"1.1": b"Hello", "1.2": b"Bye"}),
    "two parts, CRLF": (
        (TOP + multipart(b"\nHello", b"\nBye")).replace(b"\n", b"\r\n"),
        {"1.1": b"Hello", "1.2": b"Bye"},
    ),
    "LF header, CRLF body": (
        TOP + b"Content-Type: multipart/mixed; boundary=b\n\n--b\r\n\r\nHello\r\n--b--\r\n",
        {"1.1": b"Hello"},
    ),
    "parts with headers": (
        TOP + multipart(b"Content-Type: text/plain\n\nHello\n", base64_part(b"\0\1")),
        {"1.1": b"Hello\n", "1.2": b"\0\1"},
    ),
    "nested": (
        TOP + multipart(multipart(b"\na", b"\nb", kind=b"alternative", boundary=b"c"), b"\nd"),
        {"1.1.1": b"a", "1.1.2": b"b", "1.2": b"d"},
    ),
    "nested, the outer boundary a prefix of the inner": (
        TOP + multipart(multipart(b"\na", b"\nb", boundary=b"b1"), b"\nd", boundary=b"b"),
        {"1.1.1": b"a", "1.1.2": b"b", "1.2": b"d"},
    ),
    "nested without an end": (
        TOP + multipart(b"Content-Type: multipart/mixed; boundary=c\n\n--c\n\na", b"\nd"),
        {"1.1.1": b"a", "1.2": b"d"},
    ),
    "nested with the same boundary": (
        TOP + multipart(multipart(b"\na"), b"\nd"),
        {"1.1": b"", "1.2": b"a", "1.3": b"\n--b\n\nd\n--b--\n"},
    ),
    "no end": (
        TOP + b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\na\n--b\n\nb\n",
        {"1.1": b"a", "1.2": b"b\n"},
    ),
    "cut in the boundary": (
        TOP + b"Content-Type: multipart/mixed; boundary=bound\n\n--bound\n\na\n--bou",
        {"1.1": b"a\n--bou"},
    ),
    "ends at the last boundary": (
        TOP + b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\na\n--b--",
        {"1.1": b"a"},
    ),
    "blanks behind the boundaries": (
        TOP + b"Content-Type: multipart/mixed; boundary=b\n\n--b \t\n\na\n--b-- \n",
        {"1.1": b"a"},
    ),
    "blanks at the end of the parameter": (
        TOP + b'Content-Type: multipart/mixed; boundary="b  "\n\n--b\n\na\n--b--\n',
        {"1.1": b"a"},
    ),
    "lines that begin like the boundary": (
        TOP + multipart(b"\n--bc\n--b-\n --b\n--b --\nx--b"),
        {"1.1": b"--bc\n--b-\n --b\n--b --\nx--b"},
    ),
    "boundary with comments and quoted pairs": (
        TOP + b'Content-Type: Multipart/Mixed (x;y); BOUNDARY = "b\\ c" (z)\n\n--b c\n\na\n--b c--\n',
        {"1.1": b"a"},
    ),
    "boundary in RFC 2231 form": (
        TOP + b"Content-Type: multipart/mixed; boundary*0*=''b%20; boundary*1=c\n\n--b c\n\na\n--b c--\n",
        {"1.1": b"a"},
    ),
    "boundary in no form": (
        TOP + b"Content-Type: multipart/mixed; boundary*x=b\n\n--b\n\na\n--b--\n",
        {"1": b"--b\n\na\n--b--\n"},
    ),
    "no boundary": (TOP + b"Content-Type: multipart/mixed\n\n--b\n\na\n", {"1": b"--b\n\na\n"}),
    "empty boundary": (TOP + b'Content-Type: multipart/mixed; boundary=""\n\n--\n\na\n', {"1": b"--\n\na\n"}),
    "boundary not met": (
        TOP + b"Content-Type: multipart/mixed; boundary=c\n\n--b\n\na\n",
        {"1": b"--b\n\na\n"},
    ),
    "boundary not met, encoded": (
        TOP + b"Content-Type: multipart/mixed; boundary=c\n" + base64_part(b"Hello"),
        {"1": b"Hello"},
    ),
    "empty part": (
        TOP + b"Content-Type: multipart/mixed; boundary=b\n\n--b\n--b\n\n--b--\n",
        {"1.1": b"", "1.2": b""},
    ),
    "empty part, CRLF": (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n--b\r\n\r\n--b--\r\n",
        {"1.1": b"", "1.2": b""},
    ),
    "short preamble": (
        TOP + b"Content-Type: multipart/mixed; boundary=b\n\nThis is MIME.\n--b\n\na\n--b--\n",
        {"1.1": b"a"},
    ),
    "long preamble": (
        TOP + b"Content-Type: multipart/mixed; boundary=b\n\n" + b"x" * 1025 + b"\n--b\n\na\n--b--\n",
        {"1.1": b"x" * 1025, "1.2": b"a"},
    ),
    "long blank preamble": (
        TOP + b"Content-Type: multipart/mixed; boundary=b\n\n" + b"\n" * 5000 + b"\n--b\n\na\n--b--\n",
        {"1.1": b"a"},
    ),
    "epilogue": (TOP + multipart(b"\na") + b"\nfooter\n", {"1.1": b"a", "1.2": b"\nfooter\n"}),
    "blank epilogue": (TOP + multipart(b"\na") + b"\n \r\n\t\n", {"1.1": b"a"}),
    "a mail within": (
        TOP + multipart(b"Content-Type: message/rfc822\n\nSubject: x\n\nHello"),
        {"1.1": b"Subject: x\n\nHello", "1.1.1": b"Hello"},
    ),
    "a mail within, in base64": (
        TOP + multipart(base64_part(b"Subject: x\n\nHello", b"Content-Type: message/rfc822\n")),
        {"1.1": b"Subject: x\n\nHello", "1.1.1": b"Hello"},
    ),
    "a digest": (
        TOP + multipart(b"\nSubject: x\n\na", b"Content-Type: text/plain\n\nb", kind=b"digest"),
        {"1.1": b"Subject: x\n\na", "1.1.1": b"a", "1.2": b"b"},
    ),
    "a piece of a mail": (
        TOP + b"Content-Type: message/partial; id=x; number=2\n\nHello",
        {"1": b"Hello"},
    ),
    "a body elsewhere": (
        TOP
        + multipart(b"Content-Type: message/external-body; access-type=URL\n\nContent-Type: image/gif\n\n"),
        {"1.1": b"Content-Type: image/gif\n\n"},
    ),
    "uuencode in the text": (
        TOP + b"\nHello\n" + uuencoded(b"\0\1\2"),
        {"1": b"Hello\n" + uuencoded(b"\0\1\2"), "1.1": b"\0\1\2"},
    ),
    "uuencode as transfer encoding": (
        TOP + b"Content-Transfer-Encoding: x-uuencode\n\n" + uuencoded(b"\0\1"),
        {"1": b"\0\1"},
    ),
    "two types": (
        TOP + b"Content-Type: multipart/mixed; boundary=b\nContent-Type: text/plain\n\n--b\n\na\n--b--\n",
        {"1.1": b"a"},
    ),
    "two encodings": (
        b"Content-Transfer-Encoding: base64\nContent-Transfer-Encoding: 7bit\n\nSGVsbG8=",
        {"1": b"Hello"},
    ),
    "junk in the header of a part": (
        TOP + multipart(b"Content-Type: text/plain\njunk\n\na"),
        {"1.1": b"junk\n\na"},
    ),
}


@pytest.mark.parametrize("name", MAILS)
def test_a_mail_gives_its_parts(walked, bytes_of, name):
    mail, expected = MAILS[name]
    walk = walked(mail)
    walk.parts = plainly_read(walk)
    assert bytes_of(walk) == expected
    said = [finding.name for finding in walk.findings if finding.grade != "note"]
    assert said == (["undecoded:partial"] if name == "a piece of a mail" else [])


def plainly_read(walk):
    """The parts that stand there, without what other readers might open, or what is in a text."""
    here = [part for part in walk.parts if part.decoder in ("mime", "uuencode")]
    return [part for part in here if "ambiguous" not in part.flags]


def test_any_number_of_blanks_may_stand_behind_a_boundary(walked, bytes_of):
    head = b'Content-Type: multipart/mixed; boundary="b"\n\n'
    for pad in (b" " * 2000, b"\t" * 300_000):
        walk = walked(head + b"--b" + pad + b"\n\none\n--b--" + pad + b"\n")
        assert bytes_of(walk)["1.1"] == b"one"
        assert walk.findings == []


@pytest.mark.parametrize(
    "mail",
    [
        b"".join(b"X-%d: y\n" % n for n in range(9000)) + b"Content-Type: text/html\n\nbody\n",
        b"Subject: " + b"x\n " * 600_000 + b"\nContent-Type: text/html\n\nbody\n",
        b"X: y\nContent-Type: multipart/mixed; " + b"x=y; " * 40_000 + b"boundary=b\n\n--b\n\none\n--b--\n",
    ],
    ids=["fields", "bytes", "parameters"],
)
def test_a_header_that_is_not_read_to_its_end_is_unchecked(walked, mail):
    assert "limit:header" in [finding.name for finding in walked(mail).findings]


@pytest.mark.parametrize("first", [b"MZ: 1\n", b"GIF8: 1\n", b"%PDF-: 1\n", b"BZh: 1\n", b"PK: 1\n"])
def test_what_is_claimed_to_be_a_mail_is_read_as_one_whatever_it_begins_with(walked, bytes_of, first):
    inner = first + b"Content-Type: text/plain\n\nhidden\n"
    walk = walked(b"Content-Type: message/rfc822\n\n" + inner)
    assert b"hidden\n" in bytes_of(walk).values()


def test_what_is_named_as_a_mail_is_read_as_one(walked, bytes_of):
    inner = b"MZ: 1\nContent-Type: text/plain\n\nhidden\n"
    walk = walked(b'Content-Type: application/octet-stream; name="A.EML"\n\n' + inner)
    assert b"hidden\n" in bytes_of(walk).values()
    assert {part.decoder for part in walk.parts} <= {"mime", "uuencode"}


def test_a_multipart_is_a_node_of_its_own(walked):
    walk = walked(TOP + multipart(multipart(b"\na", kind=b"Alternative", boundary=b"c")))
    assert [(part.path, part.kind, part.flags) for part in walk.parts] == [
        ("1", "multipart/mixed", ("structure",)),
        ("1.1", "multipart/alternative", ("structure",)),
        ("1.1.1", "text/plain", ()),
    ]


def test_a_multipart_of_an_odd_kind_is_mixed_to_us(walked):
    walk = walked(TOP + multipart(b"\na", kind=b"x\xff\0y"))
    assert walk.parts[0].kind == "multipart/mixed"


def test_preamble_and_epilogue_say_what_they_are(walked):
    field = b"Content-Type: multipart/mixed; boundary=b\n\n"
    walk = walked(field + b"x" * 2000 + b"\n--b\n\na\n--b--\nfooter\n")
    expect = [("structure",), ("preamble",), (), ("epilogue",)]
    assert [part.flags for part in plainly_read(walk)] == expect


CLAIMS = {
    "type": (b"Content-Type: Application/PDF; x=y\n", b"application/pdf"),
    "type with a comment": (b"Content-Type: application/pdf(x)\n", b"application/pdf"),
    "no type": (b"X: y\n", b"text/plain"),
    "empty type": (b"Content-Type: ; name=x\n", b"text/plain"),
    "overlong type": (b"Content-Type: " + b"x" * 5000 + b"\n", b"x" * reader.TYPE_MAX),
}


@pytest.mark.parametrize(("fields", "claimed"), CLAIMS.values(), ids=CLAIMS)
def test_a_part_is_claimed_to_be_what_its_header_says(walked, fields, claimed):
    assert walked(fields + b"\nHello").parts[0].claimed == claimed


NAMES = {
    "none": (b"Content-Type: text/plain\n", ()),
    "file name": (b'Content-Disposition: attachment; filename="a b.txt"\n', (b"a b.txt",)),
    "type's name": (b"Content-Type: text/plain; name=a.txt\n", (b"a.txt",)),
    "both the same": (
        b"Content-Type: text/plain; name=a\nContent-Disposition: inline; filename=a\n",
        (b"a",),
    ),
    "file name first": (
        b"Content-Type: text/plain; name=a\nContent-Disposition: inline; filename=b\n",
        (b"b", b"a"),
    ),
    "encoded word": (
        b'Content-Disposition: inline; filename="=?utf-8?q?=C4=8D?="\n',
        ("č".encode(), b"=?utf-8?q?=C4=8D?="),
    ),
    "extended": (
        b"Content-Type: text/plain; name=c\n"
        b"Content-Disposition: inline; filename=c.txt; filename*=utf-8''%C4%8D.txt\n",
        ("č.txt".encode(), b"c.txt", b"c"),
    ),
    "continued": (
        b'Content-Disposition: inline;\n filename*0="a";\n filename*1=".txt"\n',
        (b"a.txt",),
    ),
    "8-bit": (b'Content-Disposition: inline; filename="\xe9"\n', (b"\xe9",)),
    "several fields": (
        b"Content-Disposition: inline; filename=a\nContent-Disposition: inline; filename=b\n",
        (b"a", b"b"),
    ),
    "in each other's field": (
        b"Content-Type: text/plain; filename=a\nContent-Disposition: inline; name=b\n",
        (b"a", b"b"),
    ),
    "empty": (b'Content-Disposition: inline; filename=""\n', ()),
    "uuencoded": (b"Content-Transfer-Encoding: uuencode\n", (b"u.bin",)),
    "very many": (
        b"Content-Disposition: inline" + b"".join(b"; filename=%d" % number for number in range(500)) + b"\n",
        tuple(b"%d" % number for number in (*range(12), *range(488, 500))),
    ),
    "very long": (
        b"Content-Disposition: inline; filename=" + b"x" * 5000 + b".exe\n",
        (b"x" * (reader.NAME_MAX - 4) + b".exe",),
    ),
}


@pytest.mark.parametrize(("fields", "names"), NAMES.values(), ids=NAMES)
def test_a_part_has_all_its_names_best_first(walked, fields, names):
    assert walked(fields + b"\nbegin 644 u.bin\n`\nend\n").parts[0].names == names


def ordinary(subtype: str, names: list[str], encoding: str) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "a@example.org", "b@example.org", "Grüße aus Köln"
    mail.set_content("Grüße,\n\nfrom the hills.\n" * 20, cte=encoding)
    if subtype:
        mail.add_alternative("<p>Grüße=</p>\n" * 30, subtype="html", cte=encoding)
    for number, name in enumerate(names):
        data = bytes(range(256)) * (7 + 400 * number)
        mail.add_attachment(data, maintype="application", subtype="pdf", filename=name)
    inner = EmailMessage()
    inner["Subject"] = "inner"
    inner.set_content("Hello\n")
    if names:
        mail.add_attachment(inner)
    return mail


@pytest.mark.parametrize("policy", [default, SMTP], ids=["LF", "CRLF"])
@pytest.mark.parametrize("encoding", ["quoted-printable", "base64", "8bit"])
@pytest.mark.parametrize("names", [[], ["a.pdf"], ["Übersicht (1).pdf", "long " * 30 + "ž.pdf"]], ids=len)
@pytest.mark.parametrize("subtype", ["", "html"], ids=["plain", "alternative"])
def test_an_ordinary_mail_is_read_as_the_email_package_reads_it(
    walked, bytes_of, policy, encoding, names, subtype
):
    mail = ordinary(subtype, names, encoding)
    walk = walked(mail.as_bytes(policy=policy))
    found = bytes_of(walk)
    leaves = [
        found[part.path] for part in walk.parts if part.claimed not in (b"message/rfc822",) and part.blob
    ]
    expected = [part.get_payload(decode=True) for part in mail.walk() if not part.is_multipart()]
    if policy is SMTP:  # the package counts no line ends of a text it made
        leaves = [leaf if b"\0" in leaf else leaf.replace(b"\r\n", b"\n") for leaf in leaves]
    assert sorted(leaf.rstrip(b"\n") for leaf in leaves) == sorted(leaf.rstrip(b"\n") for leaf in expected)
    read = {part.names[0].decode() for part in walk.parts if part.names}
    assert read == {part.get_filename() for part in mail.walk() if part.get_filename()}
    assert walk.findings == []


def nested(depth: int, core: bytes) -> bytes:
    for level in range(depth):
        core = multipart(core, b"\nbeside", boundary=b"b%d" % level)
    return core


def test_nesting_within_the_limit_is_read_to_the_core(walked, bytes_of):
    walk = walked(nested(4, b"\ncore"), Limits(depth=5))
    assert bytes_of(walk)["1.1.1.1.1"] == b"core"
    assert walk.findings == []


def test_beyond_the_limit_of_depth_bytes_stay_undivided_and_siblings_are_still_read(walked, bytes_of):
    mail = nested(8, base64_part(b"\0core"))
    walk = walked(mail, Limits(depth=5))
    unchecked = [finding for finding in walk.findings if finding.grade == "unchecked"]
    assert [(finding.name, finding.part) for finding in unchecked] == [("limit:depth", "")]
    raw = [part for part in walk.parts if part.flags == ("raw",)]
    assert [part.path for part in raw] == ["1.1.1.1.2"]
    assert base64.encodebytes(b"\0core") in bytes_of(walk)["1.1.1.1.2"]
    assert sorted(path for path, data in bytes_of(walk).items() if data == b"beside") == [
        "1.1.1.1.3",
        "1.1.1.2",
        "1.1.2",
        "1.2",
    ]


def test_mails_in_mails_stop_at_the_limit_of_depth(walked, bytes_of):
    mail = b"\ncore"
    for _ in range(9):
        mail = b"Content-Type: message/rfc822\n\n" + mail
    walk = walked(mail, Limits(depth=4))
    assert list(bytes_of(walk)) == ["1", "1.1", "1.1.1", "1.1.1.1"]
    assert [(finding.name, finding.part) for finding in walk.findings] == [("limit:depth", "1.1.1.1")]


@pytest.mark.parametrize("depth", [64, 1])
def test_a_nesting_of_a_thousand_needs_no_deep_stack(walked, depth):
    walk = walked(nested(1000, b"\ncore"), Limits(depth=depth, files=10_000))
    assert [finding.name for finding in walk.findings] == ["limit:depth"]
    assert max(part.path.count(".") for part in walk.parts) == depth - 1


def test_the_limit_of_files_stops_the_reading_and_is_said(walked):
    walk = walked(multipart(*[b"\nx"] * 3000), Limits(files=100))
    assert len(walk.parts) == 100
    assert [finding.name for finding in walk.findings] == ["limit:files"]
    assert walk.budget.hit == ["files"]


def test_a_limit_of_quota_keeps_what_came_before_and_is_said(walked, bytes_of):
    mail = multipart(b"\nkept", base64_part(bytes(600_000)), b"\nlost")
    walk = walked(mail, Limits(min_quota=500_000, min_factor=0, max_factor=0))
    found = bytes_of(walk)
    assert list(found) == ["1.1", "1.2"]
    assert found["1.1"] == b"kept"
    assert 300_000 < len(found["1.2"]) < 500_000
    assert [part.flags for part in walk.parts] == [("structure",), (), ("partial",)]
    assert [finding.name for finding in walk.findings] == ["limit:quota"]


HUGE = {
    "3,000 parts": multipart(*[b"\nx"] * 3000),
    "10,000 lines like a boundary": multipart(b"\n" + b"--bx\n" * 10_000),
    "10,000 boundaries with a long line behind": multipart(b"\n" + (b"--b" + b" " * 2000 + b"\n") * 1000),
    "one long line": multipart(b"\n" + b"x" * 200_000),
    "one long header line": b"X: " + b"x" * 200_000 + b"\n" + multipart(b"\nx"),
    "many fields": b"X: y\n" * 8000 + multipart(b"\nx"),
    "many types": b'Content-Type: text/plain; name="x"\n' * 8000 + b"\nx",
    "many begin lines": b"\n" + b"begin 644 x\n" * 10_000,
    "many parts with a boundary that is not there": multipart(
        *[b"Content-Type: multipart/mixed; boundary=none\n\nx"] * 1000
    ),
    "many names in pieces": b"Content-Disposition: inline"
    + b"".join(b";filename*%d*=''%%41" % number for number in range(8000))
    + b"\n\nx",
    "a name of encoded words": b'Content-Disposition: inline; filename="' + b"=?a?q?x" * 15_000 + b'"\n\nx',
}


@pytest.mark.parametrize("mail", HUGE.values(), ids=HUGE)
def test_a_huge_mail_is_read_in_linear_work(counted, tmp_path, mail):
    view = counted(mail)
    walk = Walk(Budget.of(Limits(files=20_000), len(mail)), Store(str(tmp_path).encode()), lambda _: ())
    walk.mail(Blob(view), reader.MAIL)
    assert walk.parts
    assert view.work <= 12 * len(mail)


PIECES = [
    b"Content-Type: multipart/mixed; boundary=b\n",
    b"Content-Type: multipart/digest; boundary=b-\n",
    b"Content-Type: message/rfc822\n",
    b"Content-Disposition: x; filename*=utf-8''%41\n",
    b"Content-Transfer-Encoding: base64\n",
    b"Content-Transfer-Encoding: quoted-printable\n",
    b"Content-Transfer-Encoding: uuencode\n",
    b"begin 644 x\n",
    b"--b\n",
    b"--b--\n",
    b"--b-\r\n",
    b"--b---\n",
    b"--b",
    b"\n",
    b"\r\n",
    b"\n\n",
    b"YWJj\n",
    b"=\n",
    b"\0",
    b"x",
    b" ",
]


@settings(max_examples=300)
@given(st.lists(st.sampled_from(PIECES), max_size=30), st.integers(1, 6))
def test_no_mail_is_too_odd_to_be_read_and_limits_are_all_that_stops_it(walked, pieces, depth):
    walk = walked(b"".join(pieces), Limits(depth=depth))
    assert walk.parts
    said = {finding.name for finding in walk.findings if not finding.name.startswith("ambiguous:")}
    assert said <= {"limit:depth", "limit:quota", "limit:files"}


@settings(max_examples=200)
@given(st.binary(max_size=300))
def test_random_bytes_give_at_least_one_part(walked, data):
    assert walked(data).parts


def test_a_mail_in_a_file_is_read_as_one_in_memory(tmp_path, bytes_of):
    mail = TOP + multipart(
        b"\nHello", base64_part(bytes(range(256)) * 6000), b"\n" + b"one more line of a long text\n" * 9000
    )
    store = Store(str(tmp_path).encode(), memory=0)
    blob = store.put([mail])
    assert not isinstance(blob.view(), bytes)
    seen = []
    for source in (Blob(mail), blob):
        walk = Walk(Budget.of(Limits(), len(mail)), store, reader.hot_openers)
        walk.mail(source, reader.MAIL)
        seen.append([(part.path, part.kind, part.names, part.sha256, part.size) for part in walk.parts])
    assert seen[0] == seen[1]


LINE = st.text(alphabet="abcdefg XYZ", min_size=1, max_size=12).map(str.encode)
ODDITY = st.sampled_from(
    [
        b"--b",
        b"--b--",
        b"--b ",
        b"--bx",
        b"Content-Type: text/plain",
        b"Content-Type: multipart/mixed; boundary=b",
        b"Content-Type: multipart/mixed; boundary=c; boundary=b",
        b"Content-Type: message/rfc822",
        b" folded",
        b"",
        b"X: y",
        b"\tz",
    ]
)


@settings(max_examples=400)
@given(st.lists(st.one_of(LINE, ODDITY), min_size=1, max_size=30), st.sampled_from([b"\n", b"\r\n"]))
def test_every_line_of_an_unencoded_body_is_in_some_part_whatever_is_odd(walked, lines, end):
    """But for delimiters, headers, and the few words of a preamble that no reader takes for a part."""
    body = end.join(b"line %d %s" % (number, line) if line[:1].isalpha() and b":" not in line else line
                    for number, line in enumerate(lines))  # fmt: skip
    mail = b"From: a@x" + end + b"Content-Type: multipart/mixed; boundary=b" + end + end + body + end
    walk = walked(mail)
    kept = b"\0".join(b"".join(part.blob.chunks()) for part in walk.parts if part.blob is not None)
    stops = [at for at, line in enumerate(lines) if line.rstrip() in (b"--b", b"--b--")]
    preamble = stops[0] if stops else 0
    for number, line in enumerate(body.split(end)):
        if line.startswith(b"line ") and number > preamble:
            assert line in kept
