"""kinds: what content is, by how it begins."""

import pytest

from amavis_pipe import kinds

CONTENT = {
    "nothing": (b"", "application/x-empty"),
    "text": (b"Hello\n", "text/plain"),
    "text in UTF-8": ("Grüße\n".encode(), "text/plain"),
    "text with a form feed": (b"a\f\x1b[0m", "text/plain"),
    "NUL in a text": (b"a\0b", "application/octet-stream"),
    "HTML": (b" \n<!DOCTYPE html><p>", "text/html"),
    "HTML without a type": (b"<HTML><body>", "text/html"),
    "a tag within a text": (b"see <html>", "text/plain"),
    "mail": (b"Received: by x\nFrom: y\n\n", "message/rfc822"),
    "mail, CRLF": (b"Return-Path: <x>\r\nsubject: y\r\n\r\n", "message/rfc822"),
    "one field only": (b"Subject: x\n\n", "text/plain"),
    "fields within a text": (b"Hello\nFrom: x\nSubject: y\n", "text/plain"),
    "executable": (b"MZ\x90\0", "application/x-dosexec"),
    "zip": (b"PK\3\4xx", "application/zip"),
    "tar": (b"x" * 257 + b"ustar", "application/x-tar"),
    "gzip": (b"\x1f\x8b\x08", "application/gzip"),
    "PDF": (b"%PDF-1.7", "application/pdf"),
}


@pytest.mark.parametrize(("head", "kind"), CONTENT.values(), ids=CONTENT)
def test_content_shows_its_kind(head, kind):
    assert kinds.detect(head) == kind


def test_a_claim_decides_whether_a_text_is_a_mail_and_nothing_else():
    assert kinds.detect(b"Hello", b"message/rfc822") == kinds.MAIL
    assert kinds.detect(b"PK\3\4", b"message/rfc822") == "application/zip"
    assert kinds.detect(b"Hello", b"application/zip") == kinds.PLAIN


def test_a_name_decides_whether_one_field_makes_a_mail():
    assert kinds.detect(b"Subject: x\n\n", names=(b"a.txt", b"A.EML")) == kinds.MAIL
    assert kinds.detect(b"Subject: x\n\n", names=(b"a.txt",)) == kinds.PLAIN
    assert kinds.detect(b"Hello", names=(b"a.eml",)) == kinds.PLAIN


def test_beginnings_that_decoders_declare_go_first():
    assert kinds.detect(b"MZxxSFX", starts=((4, b"SFX", "application/x-own"),)) == "application/x-own"


def test_every_kind_of_container_has_a_beginning_that_shows_it_within_what_is_looked_at():
    shown = {kind: (offset, magic) for offset, magic, kind in kinds.STARTS}
    assert set(kinds.CONTAINERS) <= set(shown)
    for kind, (offset, magic) in shown.items():
        assert offset + len(magic) <= kinds.HEAD
        assert kinds.detect(b"\1" * offset + magic) == kind


def test_a_text_of_wide_characters_or_in_yenc_is_a_text():
    assert kinds.detect("Grüße".encode("utf-16")) == kinds.PLAIN
    assert kinds.detect(b"\xfe\xff\0a") == kinds.PLAIN
    assert kinds.detect(b"Hello\n=ybegin line=128 name=x\n\x01\x02") == kinds.PLAIN
    assert kinds.detect(b"\xff\xfb\x90\0") == kinds.OCTETS


def test_a_text_may_begin_with_any_byte():
    for first in ("0", "$", "Ü", "漢"):
        assert kinds.detect((first + " items").encode(), names=(b"a.txt",)) == kinds.PLAIN
