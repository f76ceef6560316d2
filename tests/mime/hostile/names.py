"""Where readers find the name of a file: each of these shows `report.exe` to someone."""

import base64
from collections.abc import Callable

from hostile import CHEN, CRISPIN, INBOX, NOXXI, TOOLS, Draft, Technique
from hostile.encoding import uuencode, yenc

BASE = b"Content-Type: application/octet-stream"
ATTACHED = b"Content-Disposition: attachment"

# name, who sees it, source, the fields of the file; %n is its name, %s its stem, %e the rest
ROWS: tuple[tuple[str, str, str, bytes], ...] = (
    ("in the disposition", "python outlook", CRISPIN, BASE + b"\n" + ATTACHED + b"; filename=%n"),
    ("in the type", "python outlook", CRISPIN, BASE + b"; name=%n"),
    ("in the type as filename", "outlook", INBOX, BASE + b"; filename=%n"),
    ("in the disposition as name", "outlook php", INBOX, BASE + b"\n" + ATTACHED + b"; name=%n"),
    ("another in the type", "python outlook", NOXXI, BASE + b"; name=a.txt\n" + ATTACHED + b"; filename=%n"),
    ("another in the disposition", "apple php", NOXXI, BASE + b"; name=%n\n" + ATTACHED + b"; filename=a.txt"),
    ("two, the first counts", "outlook python", TOOLS, BASE + b"\n" + ATTACHED + b"; filename=%n; filename=a.txt"),
    ("two, the last counts", "mime-tools php", TOOLS, BASE + b"\n" + ATTACHED + b"; filename=a.txt; filename=%n"),
    ("two dispositions, the first counts", "outlook python", NOXXI, BASE + b"\n" + ATTACHED + b"; filename=%n\n" + ATTACHED + b"; filename=a.txt"),
    ("two dispositions, the last counts", "mailparser", NOXXI, BASE + b"\n" + ATTACHED + b"; filename=a.txt\n" + ATTACHED + b"; filename=%n"),
    ("two types, the last counts", "mailparser", NOXXI, BASE + b"; name=a.txt\n" + BASE + b"; name=%n"),
    ("no disposition's type", "outlook php", INBOX, BASE + b"\nContent-Disposition: filename=%n"),
    ("RFC 2231", "python thunderbird", "RFC 2231", BASE + b"\n" + ATTACHED + b"; filename*=utf-8''%s%e"),
    ("RFC 2231 with percents", "python thunderbird", "RFC 2231", BASE + b"\n" + ATTACHED + b"; filename*=utf-8''%s%2Eexe"),
    ("RFC 2231 without quotes of its own", "thunderbird", CHEN, BASE + b"\n" + ATTACHED + b"; filename*=%n"),
    ("RFC 2231 with one quote", "gmail", CHEN, BASE + b"\n" + ATTACHED + b"; filename*=utf-8'%n"),
    ("RFC 2231 in quotes", "thunderbird", CHEN, BASE + b"\n" + ATTACHED + b"; filename*=\"utf-8''%n\""),
    ("RFC 2231 of an unknown charset", "thunderbird", CHEN, BASE + b"\n" + ATTACHED + b"; filename*=x-none''%n"),
    ("RFC 2231 in pieces", "python thunderbird", "RFC 2231", BASE + b"\n" + ATTACHED + b"; filename*0=%s; filename*1=%e"),
    ("RFC 2231 in pieces, reversed", "python thunderbird", "RFC 2231", BASE + b"\n" + ATTACHED + b"; filename*1=%e; filename*0=%s"),
    ("RFC 2231 in pieces, as they stand", "mime-tools", TOOLS, BASE + b"\n" + ATTACHED + b"; filename*1=%s; filename*0=%e"),
    ("RFC 2231 with a gap", "python", CHEN, BASE + b"\n" + ATTACHED + b"; filename*0=%s; filename*2=%e"),
    ("RFC 2231 with a gap that ends it", "thunderbird", CHEN, BASE + b"\n" + ATTACHED + b"; filename*0=%n; filename*2=.txt"),
    ("RFC 2231 from one", "python", CHEN, BASE + b"\n" + ATTACHED + b"; filename*1=%s; filename*2=%e"),
    ("RFC 2231, a piece twice, the first counts", "thunderbird", TOOLS, BASE + b"\n" + ATTACHED + b"; filename*0=%s; filename*1=%e; filename*1=.txt"),
    ("RFC 2231, a piece twice, the last counts", "gmime", TOOLS, BASE + b"\n" + ATTACHED + b"; filename*0=%s; filename*1=.txt; filename*1=%e"),
    ("RFC 2231 beside a plain one", "thunderbird", "RFC 6266", BASE + b"\n" + ATTACHED + b"; filename=a.txt; filename*=utf-8''%n"),
    ("plain beside RFC 2231", "outlook", "RFC 6266", BASE + b"\n" + ATTACHED + b"; filename=%n; filename*=utf-8''a.txt"),
    ("plain beside pieces", "outlook", "RFC 6266", BASE + b"\n" + ATTACHED + b"; filename=%n; filename*0=a; filename*1=.txt"),
    ("RFC 2231 in the type", "thunderbird", "RFC 2231", BASE + b"; name*=utf-8''%n\n" + ATTACHED + b"; filename=a.txt"),
    ("encoded word", "outlook gmail", "RFC 2047 5", BASE + b"\n" + ATTACHED + b'; filename="=?utf-8?Q?%s?=%e"'),
    ("encoded word, all", "outlook gmail", "RFC 2047 5", BASE + b"\n" + ATTACHED + b'; filename="=?utf-8?Q?%s=2Eexe?="'),
    ("encoded word in base64", "outlook gmail", "RFC 2047 5", BASE + b"\n" + ATTACHED + b'; filename="=?utf-8?B?%b?="'),
    ("encoded word without quotes", "outlook gmail", "RFC 2047 5", BASE + b"\n" + ATTACHED + b"; filename==?utf-8?B?%b?="),
    ("encoded words, two", "outlook gmail", "RFC 2047 5", BASE + b"\n" + ATTACHED + b'; filename="=?utf-8?Q?%s?= =?utf-8?Q?=2Eexe?="'),
    ("encoded words, folded", "outlook gmail", "RFC 2047 5", BASE + b"\n" + ATTACHED + b'; filename="=?utf-8?Q?%s?=\n =?utf-8?Q?=2Eexe?="'),
    ("encoded word of an unknown charset", "outlook", "RFC 2047 5", BASE + b"\n" + ATTACHED + b'; filename="=?x-none?Q?%s=2Eexe?="'),
    ("encoded word with a language", "gmail", "RFC 2231 5", BASE + b"\n" + ATTACHED + b'; filename="=?utf-8*en?Q?%s=2Eexe?="'),
    ("encoded word in RFC 2231", "outlook", CHEN, BASE + b"\n" + ATTACHED + b"; filename*=utf-8''=?utf-8?Q?%s=2Eexe?="),
    ("encoded word in pieces", "thunderbird mime-tools", CHEN, BASE + b"\n" + ATTACHED + b'; filename*0="=?utf-8?Q?%s"; filename*1="=2Eexe?="'),
    ("encoded word with blanks in it", "outlook", CHEN, BASE + b"\n" + ATTACHED + b'; filename="=?utf-8?Q?%s.e xe?="; name=%n'),
    ("percents in a plain one", "outlook gmail", CHEN, BASE + b"\n" + ATTACHED + b"; filename=%s%2Eexe"),
    ("dots at the end", "outlook", NOXXI, BASE + b"\n" + ATTACHED + b'; filename="%n..."'),
    ("blanks at the end", "outlook", NOXXI, BASE + b"\n" + ATTACHED + b'; filename="%n   "'),
    ("dots and blanks at the end", "outlook", NOXXI, BASE + b"\n" + ATTACHED + b'; filename="%n . . "'),
    ("right-to-left override before", "outlook gmail thunderbird", NOXXI, BASE + b"\n" + ATTACHED + b'; filename="\xe2\x80\xae%n"'),
    ("right-to-left override, encoded", "outlook gmail thunderbird", NOXXI, BASE + b"\n" + ATTACHED + b"; filename*=utf-8''%E2%80%AE%n"),
    ("zero-width spaces", "outlook gmail", NOXXI, BASE + b"\n" + ATTACHED + b"; filename*=utf-8''%s%E2%80%8B%e%E2%80%8B"),
    ("NUL ends it", "outlook", NOXXI, BASE + b"\n" + ATTACHED + b'; filename="%n\0.txt"'),
    ("encoded NUL ends it", "outlook", NOXXI, BASE + b"\n" + ATTACHED + b"; filename*=utf-8''%n%00.txt"),
    ("a path before", "outlook thunderbird", NOXXI, BASE + b"\n" + ATTACHED + b'; filename="../../%n"'),
    ("a path of Windows before", "outlook thunderbird", NOXXI, BASE + b"\n" + ATTACHED + b'; filename="C:\\a\\%n"'),
    ("a stream behind", "outlook", NOXXI, BASE + b"\n" + ATTACHED + b'; filename="%n:a.txt"'),
    ("quoted pairs", "python thunderbird", CRISPIN, BASE + b"\n" + ATTACHED + b'; filename="r\\eport\\.exe"'),
    ("no quotes, a comment behind", "thunderbird", CRISPIN, BASE + b"\n" + ATTACHED + b"; filename=%n (a.txt)"),
    ("no closing quote", "outlook", INBOX, BASE + b"\n" + ATTACHED + b'; filename="%n'),
    ("single quotes", "php", INBOX, BASE + b"\n" + ATTACHED + b"; filename='%n'"),
    ("text behind the quotes", "thunderbird", INBOX, BASE + b"\n" + ATTACHED + b'; filename="%n".txt'),
    ("quotes inside", "php", INBOX, BASE + b"\n" + ATTACHED + b'; filename=%s"%e"'),
    ("no semicolon", "outlook", INBOX, BASE + b"\n" + ATTACHED + b" filename=%n"),
    ("comma for the semicolon", "outlook", INBOX, BASE + b"\n" + ATTACHED + b", filename=%n"),
    ("upper case", "python outlook", CRISPIN, BASE + b"\n" + ATTACHED + b"; FILENAME=%n"),
    ("blanks around the equals sign", "python outlook", CRISPIN, BASE + b"\n" + ATTACHED + b"; filename = %n"),
    ("folded before", "python outlook", CRISPIN, BASE + b"\n" + ATTACHED + b";\n filename=%n"),
    ("folded in the quotes", "outlook gmail", INBOX, BASE + b"\n" + ATTACHED + b'; filename="rep\n ort.exe"'),
    ("beside a comment with a quote", "thunderbird", INBOX, BASE + b"\n" + ATTACHED + b' ("); filename=%n'),
    ("behind an open comment", "outlook", INBOX, BASE + b"\n" + ATTACHED + b" (x; filename=%n"),
    ("in a disposition of a junk type", "outlook", CHEN, BASE + b"\nContent-Disposition: x y; filename=%n"),
    ("a thousand characters before", "outlook", NOXXI, BASE + b"\n" + ATTACHED + b'; filename="' + b"x" * 1000 + b' %n"'),
    ("twenty others before", "mime-tools php", TOOLS, BASE + b"\n" + ATTACHED + b"".join(b"; filename=%d.txt" % at for at in range(20)) + b"; filename=%n"),
)  # fmt: skip


def _technique(name: str, opens: str, source: str, fields: bytes) -> Technique:
    def change(draft: Draft) -> None:
        stem, dot, rest = draft.filename.partition(b".")
        text = fields
        for sign, value in ((b"%n", draft.filename), (b"%s", stem), (b"%e", dot + rest)):
            text = text.replace(sign, value)
        draft.file_kind = text.replace(b"%b", base64.b64encode(draft.filename)).split(b"\n")
        draft.disposition = []

    return Technique(name, "names", opens, source, change, name_only=True)


def _of_body(name: str, encode: Callable[[bytes, bytes], bytes]) -> Technique:
    def change(draft: Draft) -> None:
        draft.file_kind, draft.disposition = [b"Content-Type: text/plain"], []
        draft.encoding = []
        draft.body = b"Hi\n" + encode(draft.payload, draft.filename)

    return Technique(name, "names", "outlook thunderbird", NOXXI, change, name_only=True)


TECHNIQUES = [
    *(_technique(*row) for row in ROWS),
    _of_body("of uuencode", uuencode),
    _of_body("of yEnc", yenc),
]
