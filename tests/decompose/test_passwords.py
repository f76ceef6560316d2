"""Passwords: what in a mail may be one, and what they open."""

import itertools

import archives
import locked
import pytest

from amavis_pipe import dissect, intake
from amavis_pipe.decompose.passwords import LONGEST, TEXT, TEXTS, USUAL, candidates
from amavis_pipe.jail.sandbox import Clues
from amavis_pipe.model import Part
from amavis_pipe.spool import Blob

PLAIN = b"what is in it"


def clues(
    *texts: bytes, subject: bytes = b"", known=(), tries: int = 100, seconds: float = 20, kind="text/plain"
):
    parts = [Part(f"{number}", kind=kind, blob=Blob(text)) for number, text in enumerate(texts)]
    return Clues(b"Subject: " + subject + b"\n\n" if subject else b"", parts, tuple(known), tries, seconds)


def first(*texts: bytes, count: int = 1, **options) -> list[bytes]:
    return list(itertools.islice(candidates(clues(*texts, **options)), count))


ASKED = {
    "colon": b"The archive. Password: hunter",
    "is": b"The password is hunter",
    "german": b"Das Passwort lautet: hunter",
    "kennwort": b"Kennwort=hunter ",
    "french": b"Mot de passe : hunter",
    "spanish": "La contraseña es hunter".encode(),
    "portuguese": b"senha: hunter",
    "polish": "Hasło: hunter".encode(),
    "russian": "Пароль: hunter".encode(),
    "russian-in-capitals": "ПАРОЛЬ hunter".encode(),
    "chinese": "密码 hunter".encode(),
    "japanese": "パスワードは hunter です".encode(),
    "dutch": b"wachtwoord hunter",
    "pin": b"PIN hunter",
    "pw": b"pw: hunter",
    "quoted": b"Use password 'hunter'.",
    "brackets": b"password (hunter)",
    "end-of-sentence": b"The password is hunter.",
    "next-line": b"Password:\r\nhunter\r\n",
    "upper": b"PASSWORD hunter",
}


@pytest.mark.parametrize("text", ASKED.values(), ids=ASKED)
def test_words_behind_a_word_for_it_come_early(text):
    assert b"hunter" in first(b"Hello, some words before that " + text, count=12)


@pytest.mark.parametrize(
    "text",
    [b'open it with "correct horse" please', b"open it with `correct horse`", b"'correct horse'"],
    ids=["double", "back", "single"],
)
def test_what_stands_in_quotes_may_be_one_with_blanks(text):
    assert b"correct horse" in first(text, count=8)


def test_a_word_with_a_digit_comes_before_words_without():
    found = first(b"some words then abc123 and more", count=20)
    assert found.index(b"abc123") < found.index(b"words")


def test_the_site_s_list_comes_first_then_the_subject():
    found = first(b"nothing", subject=b"code: alpha7", known=[b"site1", b"site2"], count=4)
    assert found[:2] == [b"site1", b"site2"] and b"alpha7" in found


def test_the_subject_is_decoded():
    assert b"geheim!" in first(subject=b"=?utf-8?q?Passwort:_geheim!?=", count=5)


def test_a_folded_subject_is_read_to_its_end():
    assert b"hunter" in first(subject=b"the\n password: hunter", count=9)


def test_usual_ones_are_tried_too():
    assert set(USUAL) <= set(first(b"nothing", count=50))


def test_punctuation_is_tried_with_and_without():
    found = first(b"password: (hunter2!)", count=20)
    assert {b"hunter2", b"(hunter2!)"} <= set(found)


def test_of_a_page_the_text_counts():
    page = b"<html><body>The pass<b>word</b>: <span class='x'>a&amp;b&#33;</span><br></body></html>"
    assert b"a&b!" in first(page, count=60, kind="text/html")
    page = b"<p>Password:</p>\n<p><b>hunter</b></p>"
    assert b"hunter" in first(page, count=9, kind="text/html")


def test_none_comes_twice_and_no_more_than_are_to_be_tried():
    text = b"password: one1 one1 one1 " + b" ".join(b"w%d" % number for number in range(1000))
    found = list(candidates(clues(text, text, tries=30)))
    assert len(found) == len(set(found)) == 30


def test_none_are_tried_if_the_site_says_so():
    assert list(candidates(clues(b"password: one1", known=[b"site"], tries=0))) == []


def test_what_is_too_long_or_too_short_or_has_nul_is_none():
    text = b"password: " + b"a" * (LONGEST + 1) + b" b1 with\0nul " + b"c" * LONGEST
    found = list(candidates(clues(text, known=[b"known\0"])))
    assert b"c" * LONGEST in found
    assert not {b"a" * (LONGEST + 1), b"b1", b"with\0nul", b"known\0"} & set(found)


def test_only_so_much_is_looked_at():
    late = b"x " * (TEXT // 2) + b"password: hunter2"
    assert b"hunter2" not in list(candidates(clues(late, tries=10_000)))
    texts = [b"text"] * TEXTS + [b"password: hunter2"]
    assert b"hunter2" not in list(candidates(clues(*texts, tries=10_000)))


@pytest.mark.parametrize(
    "text",
    [
        b"\xff\xfe" * 5000,
        b"'" * 60_000,
        b"<" * 60_000,
        b"pass" * 15_000,
        b"password: " * 6000,
        b'"a' * 30_000,
    ],
    ids=["noise", "quotes", "tags", "pass", "asked", "half-quoted"],
)
def test_hostile_texts_give_some_or_none(text):
    for kind in ("text/plain", "text/html"):
        assert len(list(candidates(clues(text, kind=kind)))) <= 100


def told(result) -> set[tuple[str, str]]:
    return set(result.findings)


LOCKED = {
    "zip": ("zip", lambda word: locked.zipped((b"secret.txt", PLAIN, word.encode()))),
    "zip-aes": ("zip", lambda word: locked.by_7zz("zip", word, "-mem=AES256", data=PLAIN)),
    "zip-aes-128": ("zip", lambda word: locked.by_7zz("zip", word, "-mem=AES128", data=PLAIN)),
    "7z": ("7z", lambda word: locked.by_7zz("7z", word, data=PLAIN)),
    "7z-names-too": ("7z", lambda word: locked.by_7zz("7z", word, "-mhe=on", data=PLAIN)),
}


@pytest.mark.parametrize(("name", "build"), LOCKED.values(), ids=LOCKED)
def test_a_word_of_the_text_opens_it(name, build, take):
    result = take(build("hunter2"), clues=clues(b"Hello, see the file; the password is hunter2."))
    assert (b"secret.txt", PLAIN) in result.content()
    assert told(result) == {("decrypted:" + name, "1")}


@pytest.mark.parametrize(("name", "build"), LOCKED.values(), ids=LOCKED)
def test_without_the_right_word_it_is_encrypted_and_named(name, build, take):
    result = take(build("hunter2"), clues=clues(b"some other words, among them Hunter2"))
    assert told(result) == {("encrypted:" + name, "1")}
    assert PLAIN not in [content for _, content in result.content()]
    if build is not LOCKED["7z-names-too"][1]:
        assert [(part.names, part.size, part.flags) for part in result.parts.values()] == [
            ((b"secret.txt",), 0, ("encrypted",))
        ]


@pytest.mark.parametrize(("name", "build"), LOCKED.values(), ids=LOCKED)
def test_without_any_word_it_is_encrypted(name, build, take):
    assert told(take(build("hunter2"))) == {("encrypted:" + name, "1")}


@pytest.mark.parametrize("word", ["-rf", "@file", "$(id)", "a b", "ä€", "*", "x" * 64], ids=repr)
@pytest.mark.parametrize("kind", ["zip", "7z"])
def test_whatever_a_password_is_it_is_just_that(kind, word, take):
    data = locked.zipped((b"secret.txt", PLAIN, word.encode())) if kind == "zip" else LOCKED["7z"][1](word)
    result = take(data, clues=clues(known=[b"other", word.encode()]))
    assert (b"secret.txt", PLAIN) in result.content()


def test_members_with_passwords_of_their_own_are_all_opened(take):
    data = locked.zipped((b"a", b"first", b"one1"), (b"b", b"second", b"two2"), (b"c", b"open", b""))
    result = take(data, clues=clues(b"passwords: one1 two2"))
    assert sorted(result.content()) == [(b"a", b"first"), (b"b", b"second"), (b"c", b"open")]
    assert told(result) == {("decrypted:zip", "1")}


def test_a_member_that_stays_closed_is_told_of(take):
    data = locked.zipped((b"a", b"first", b"one1"), (b"b", b"second", b"unknown"), (b"c", b"open", b""))
    result = take(data, clues=clues(b"password: one1"))
    assert {(b"a", b"first"), (b"c", b"open"), (b"b", b"")} == set(result.content())
    assert told(result) == {("decrypted:zip", "1"), ("encrypted:zip", "1")}


def test_members_of_one_name_are_all_opened(take):
    data = locked.zipped((b"a", b"first", b"one1"), (b"a", b"second", b"one1"), (b"a", b"third", b"two2"))
    result = take(data, clues=clues(b"passwords: one1 two2"))
    assert sorted(content for _, content in result.content()) == [b"first", b"second", b"third"]
    assert told(result) == {("decrypted:zip", "1")}


def test_of_members_of_one_name_the_one_that_stays_closed_is_told_of(take):
    data = locked.zipped((b"a", b"first", b"one1"), (b"a", b"second", b"unknown"))
    result = take(data, clues=clues(b"password: one1"))
    assert sorted(result.content()) == [(b"a", b""), (b"a", b"first")]
    assert told(result) == {("decrypted:zip", "1"), ("encrypted:zip", "1")}


def test_many_members_with_passwords_of_their_own_are_all_opened(take):
    words = [b"word%d" % number for number in range(10)]
    data = locked.zipped(*((word, word * (1 + number), word) for number, word in enumerate(words)))
    result = take(data, clues=clues(known=words))
    assert sorted(result.names()) == words and told(result) == {("decrypted:zip", "1")}


def test_what_is_in_it_is_opened_too(take):
    inner = archives.zipped({"deep.txt": b"deep"})
    result = take(locked.zipped((b"a.zip", inner, b"one1")), clues=clues(b"password: one1"))
    assert (b"deep.txt", b"deep") in result.content()


def test_trying_ends_when_it_takes_long(take):
    words = b" ".join(b"word%d" % number for number in range(500))
    result = take(LOCKED["7z-names-too"][1]("right"), clues=clues(words, tries=5000, seconds=0.2))
    assert told(result) == {("encrypted:7z", "1"), ("limit:passwords", "1")}


def test_without_libarchive_it_stays_encrypted(take, no_libarchive):
    result = take(locked.zipped((b"a", b"first", b"one1")), clues=clues(b"password: one1"))
    assert ("encrypted:zip", "1") in told(result) or (b"a", b"first") in result.content()


MAIL = b"""From: a@example.org
Subject: the file
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain

Here it is. The password is hunter2.
--b
Content-Type: application/zip; name="a.zip"
Content-Transfer-Encoding: base64

%s
--b--
"""


class Kept:
    """A cache that keeps nothing, and knows what it was to keep."""

    def __init__(self) -> None:
        self.put_in = []

    def get(self, key: bytes) -> None:
        return None

    def put(self, key: bytes, data: bytes) -> None:
        self.put_in.append(data)


@pytest.mark.parametrize(
    ("word", "finding", "kept"),
    [(b"hunter2", "decrypted:zip", 0), (b"other", "encrypted:zip", 0), (b"", None, 1)],
    ids=["right", "wrong", "open"],
)
def test_in_a_whole_mail_its_own_text_opens_it_and_nothing_is_remembered(word, finding, kept, settings_of):
    from base64 import encodebytes

    settings, cache = settings_of(), Kept()
    mail = MAIL % encodebytes(locked.zipped((b"secret.txt", PLAIN, word)))
    canonical = intake.of_bytes(mail, settings.work).canonical
    facts = dissect.decompose(canonical, settings, (cache, b"context", lambda digest: True))
    grade = {"decrypted:zip": "note", "encrypted:zip": "unchecked"}.get(finding)
    assert [(one.grade, one.name) for one in facts.findings] == ([(grade, finding)] if finding else [])
    contents = [part.blob.head(99) for part in facts.parts if part.blob is not None]
    assert (PLAIN in contents) == (word != b"other") and len(cache.put_in) == kept
