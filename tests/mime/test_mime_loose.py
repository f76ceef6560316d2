"""loose: what a reader might open is found, however far its head goes on, and honest mail pays nothing."""

import base64
import os

import pytest

from amavis_pipe.budget import Limits
from amavis_pipe.mime import loose

MARK = b"the hidden file: " + bytes(range(33, 127)) * 5
CODED = base64.encodebytes(MARK)
TWO = b"From: a@x\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=a; boundary=b\n\n"
TYPE = b'Content-Type: application/octet-stream; name="evil.exe"\n'
ENCODING = b"Content-Transfer-Encoding: base64\n"
JUNK = b"X-Junk: " + b"y" * 70 + b"\n" + (b" " + b"y" * 70 + b"\n") * 600


def mail(head, body=CODED, end=b"--b--\n"):
    return TWO + b"--b\nContent-Type: text/plain\n\nhello\n--b\n" + head + b"\n" + body + end


def found(walk):
    """The parts with the hidden file in them."""
    return [part for part in walk.parts if part.blob is not None and MARK in b"".join(part.blob.chunks())]


HEADS = {
    "ordinary": TYPE + ENCODING,
    "42 KB of another field behind": TYPE + ENCODING + JUNK,
    "42 KB of another field between": TYPE + JUNK + ENCODING,
    "40 KB of folds in the type": TYPE[:-1] + b";\n" + b" x=y;\n" * 6000 + b" z=z\n" + ENCODING,
    "a name behind 17 KB": b"Content-Type: a/b; x=\"" + b"y" * 17_000 + b'"; name=evil.exe\n' + ENCODING,
    "18 KB of folds in the encoding": TYPE + b"Content-Transfer-Encoding:" + b" \n" * 9000 + b" base64\n",
}  # fmt: skip


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_a_long_head_hides_neither_file_nor_name(walked, head):
    parts = found(walked(mail(head)))
    assert parts
    assert any(b"evil.exe" in part.names for part in parts)


@pytest.mark.parametrize("gap", [7, 70_000])
def test_however_many_empty_lines_stand_in_the_body_its_end_is_found(walked, gap):
    body = CODED[:77] + b"--!!\n" + b"\n" * gap + CODED[77:]
    assert found(walked(mail(TYPE + ENCODING, body, b"")))


FOOTER = b"\n_______________________________________________\nlist mailing list\nlist@lists.example\n"


@pytest.mark.parametrize("place", ["behind the end", "in the part"])
def test_a_list_s_footer_makes_no_further_parts_of_an_attachment_and_no_alarm(walked, place):
    coded = base64.encodebytes(b"%PDF-1.5\n" + os.urandom(400_000))
    honest = mail(TYPE + ENCODING, coded + (FOOTER if place == "in the part" else b"")).replace(
        b"; boundary=a", b""
    )
    walk = walked(honest + (FOOTER if place == "behind the end" else b""))
    assert [finding.name for finding in walk.findings if finding.grade != "note"] == []
    assert len(walk.parts) <= 8
    assert walk.budget.used < 4 * len(honest)


def test_a_search_that_meets_its_bounds_leaves_room_for_what_was_found(walked):
    strays = b"".join(ENCODING + b"\n%s\n" % base64.b64encode(b"%012d" % number) for number in range(3000))
    walk = walked(mail(TYPE + ENCODING) + strays, Limits(files=1500))
    assert [finding.name for finding in walk.findings if finding.grade != "note"] == ["limit:readings"]
    assert walk.budget.files > 500


def test_of_more_names_than_are_kept_the_first_and_the_last_are(walked):
    many = b"".join(b"; filename=a%d.txt" % number for number in range(80))
    (part,) = walked(b"Content-Disposition: attachment" + many + b"; filename=evil.exe\n\nx\n").parts
    assert {b"a0.txt", b"evil.exe"} <= set(part.names)


@pytest.mark.parametrize(
    ("value", "expect"),
    [
        (b" base64", [b"base64"]),
        (b" 7bit, base64", [b"base64"]),
        (b" (x(y)z) base64 (64)", [b"base64"]),
        (b' "quoted-printable"', [b"quoted-printable"]),
        (b" b a s e 6 4", [b"base64"]),
        (b" x-uuencode", [b"x-uuencode"]),
        (b" 8bit", []),
        (b" " + b"(" * 5000 + b"base64", [b"base64"]),
    ],
)
def test_every_encoding_that_a_field_may_name_is_read(value, expect):
    assert list(dict.fromkeys(loose._encodings(value))) == expect
