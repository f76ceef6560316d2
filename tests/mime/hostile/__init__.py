"""Mails that hide a file from a strict or single reading; each is opened by some real reader.

A Technique changes a Draft: the slots of one mail that carries a file. Techniques of different areas
change different slots, so two of them compose. `opens` names readers that show the file (in short
words, see READERS), `source` where the trick was described. Nothing here is a virus: the payload is the
tests' own.
"""

import base64
import hashlib
import io
import re
import zipfile
from collections.abc import Callable, Iterator
from typing import NamedTuple

READERS = {
    "apple": "Apple Mail",
    "clamd": "ClamAV on the whole mail",
    "email-mime": "Email::MIME",
    "exim": "Exim's MIME ACL",
    "gmail": "Gmail's web page",
    "gmime": "GMime: Evolution, Geary, notmuch",
    "javamail": "JavaMail, also Zimbra and James",
    "mblaze": "mblaze",
    "mailparser": "nodemailer's mailparser",
    "mime-tools": "MIME::Parser, as it is or as its changelog says",
    "mimekit": "MimeKit",
    "munpack": "munpack of mpack",
    "mutt": "mutt",
    "outlook": "Outlook and Outlook Express",
    "php": "php-imap and PHP's mailparse: web mail",
    "postal-mime": "postal-mime",
    "python": "Python's email",
    "ripmime": "ripMIME",
    "rspamd": "rspamd",
    "thunderbird": "Thunderbird",
}
INBOX = "Inbox Invasion, CCS 2024"
NOXXI = "noxxi: MIME is broken"
TOOLS = "MIME-tools changelog 5.513-5.522"
TWO = "CVE-2024-28054"
CLAM = "ClamAV PRs 1720, 1814"
CHEN = "draft-chen-email-mime-ambiguity-defense"
CRISPIN = "Crispin: MIME torture test"
FUZZED = "found by mutation, with the readers named"
CVE2003 = "CVE-2003-0121 and kin"

MARK = b"=_7a1b2c"
"""The boundary, unless a technique wants another."""
TEXT = b"Content-Type: text/plain; charset=us-ascii\n\nPlease see the file.\n"
Change = Callable[["Draft"], None]


class Technique(NamedTuple):
    """One way to hide a file: its name in this area, who shows the file, who told of it, what it changes.

    name_only  it hides the name, not the bytes
    alone      it writes slots of other areas too, so it can't be one of a pair
    raw        the file stands unencoded, so it has to be text
    """

    name: str
    area: str
    opens: str
    source: str
    change: Change
    name_only: bool = False
    alone: bool = False
    raw: bool = False

    def build(self, payload: bytes, filename: bytes = b"report.exe") -> bytes:
        """A mail with `payload` under `filename`; line ends are LF."""
        return build(payload, filename, self)


class Draft:
    """The slots of a mail with a text and a file; what each says by default is beyond reproach.

    lead         bytes before the first field
    top          fields of the mail, but for its type
    kind         the lines of the mail's Content-Type (a multipart's)
    top_blank    what ends the mail's head
    mark         the boundary as the delimiters in the body have it
    disposition, file_kind, encoding   the lines of the file's fields
    head         how the file's fields become its head, the empty line included
    body         the file's bytes, encoded
    arrange      how text and file become the body of the multipart
    top_change   what to do to the mail's head, a list of lines
    wraps        what to do to the whole mail, in order
    """

    def __init__(self, payload: bytes, filename: bytes) -> None:
        self.payload = payload
        self.filename = filename
        self.lead = b""
        self.top = [b"From: a@example.org", b"To: b@example.net", b"Subject: report", b"MIME-Version: 1.0"]
        self.mark = MARK
        self.kind = [b'Content-Type: multipart/mixed; boundary="%s"' % MARK]
        self.top_blank = b"\n"
        self.top_change: Callable[[list[bytes]], list[bytes]] = list
        self.file_kind = [b'Content-Type: application/octet-stream; name="%s"' % filename]
        self.disposition = [b'Content-Disposition: attachment; filename="%s"' % filename]
        self.encoding = [b"Content-Transfer-Encoding: base64"]
        self.head: Callable[[list[bytes]], bytes] = plain_head
        self.body = base64.encodebytes(payload)
        self.arrange: Callable[[Draft], bytes] = arranged
        self.wraps: list[Callable[[bytes, Draft], bytes]] = []

    def file(self) -> bytes:
        """The entity of the file: head and encoded body."""
        return self.head([*self.file_kind, *self.encoding, *self.disposition]) + self.body

    def mail(self) -> bytes:
        lines = self.top_change([*self.top, *self.kind])
        mail = self.lead + b"".join(line + b"\n" for line in lines) + self.top_blank + self.arrange(self)
        for wrap in self.wraps:
            mail = wrap(mail, self)
        return mail


def build(payload: bytes, filename: bytes, *techniques: Technique) -> bytes:
    """A mail in which the file is hidden by all these techniques at once."""
    draft = Draft(payload, filename)
    for technique in sorted(techniques, key=lambda one: ORDER.index(one.area)):
        technique.change(draft)
    return draft.mail()


ORDER = ("names", "encoding", "base64", "header", "boundary", "multipart", "container")


def plain_head(lines: list[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in lines) + b"\n"


def arranged(draft: Draft) -> bytes:
    """The text, then the file, each behind a delimiter; and the end."""
    return delimited(draft.mark, TEXT, draft.file())


def delimited(mark: bytes, *entities: bytes) -> bytes:
    """These entities (each ends with a line end) between delimiters, closed."""
    return b"".join(b"--%s\n" % mark + one for one in entities) + b"--%s--\n" % mark


def attached(draft: Draft, fields: list[bytes], body: bytes) -> None:
    """Put an entity of one's own in the place of the file."""
    draft.file_kind, draft.encoding, draft.disposition = fields, [], []
    draft.body = body


def unencoded(draft: Draft) -> None:
    """Let the file stand as it is."""
    draft.encoding = [b"Content-Transfer-Encoding: 7bit"]
    draft.body = draft.payload + b"\n"


def crlf(mail: bytes) -> bytes:
    """The mail with CRLF for each LF that has no CR before it."""
    return re.sub(rb"(?<!\r)\n", b"\r\n", mail)


def marker() -> bytes:
    """The file to be found: one line of words that occur nowhere else; its base64 ends in padding."""
    digits = hashlib.shake_256(b"the marker of the hostile mails").hexdigest(300)
    words = [digits[at : at + 6] for at in range(0, 540, 6)]
    return ("~ marker: " + " ".join(words)).encode()[:598]


def zipped(data: bytes, name: str = "inside.txt") -> bytes:
    """The same in a zip, deflated; the same bytes each time, as many as need padding in base64."""
    for comment in (b"", b".", b".."):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(zipfile.ZipInfo(name, (2024, 1, 2, 3, 4, 6)), data, zipfile.ZIP_DEFLATED, 9)
            archive.comment = comment
        if len(out.getvalue()) % 3 == 1:
            break
    return out.getvalue()


PAYLOADS = {"plain": marker(), "zip": zipped(marker())}


def techniques() -> list[Technique]:
    """All of them, by area."""
    from hostile import base64_, boundary, container, encoding, header, multipart, names

    areas = (header, boundary, encoding, base64_, multipart, container, names)
    return [technique for area in areas for technique in area.TECHNIQUES]


def pairs(each: int = 30) -> Iterator[tuple[Technique, Technique]]:
    """Pairs of techniques of different areas that one reader sees through both; `each` for two areas."""
    found: dict[str, list[Technique]] = {}
    for technique in techniques():
        if not technique.name_only and not technique.alone:
            found.setdefault(technique.area, []).append(technique)
    areas = [area for area in ORDER if area in found]
    for at, first in enumerate(areas):
        for second in areas[at + 1 :]:
            if (first, second) not in ALONE:
                yield from _some_pairs(found[first], found[second], each)


ALONE = {("encoding", "base64"), ("header", "container"), ("encoding", "container"), ("base64", "container")}
"""Areas that write the same slot: a container in place of the file has a head of its own."""


def _some_pairs(
    firsts: list[Technique], seconds: list[Technique], each: int
) -> Iterator[tuple[Technique, Technique]]:
    """`each` pairs that walk through both lists at different speeds, so that all get a turn."""
    made, step = 0, 0
    while made < each and step < len(firsts) * len(seconds):
        one = firsts[step * 7 % len(firsts)]
        two = seconds[(step * 5 + step // len(seconds)) % len(seconds)]
        step += 1
        if readers(one) & readers(two):
            made += 1
            yield one, two


def readers(technique: Technique) -> set[str]:
    return set(technique.opens.split())
