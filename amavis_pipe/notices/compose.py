"""Our own messages of plain text: header and body as RFC 5322, 2045 and 2047 want them, lines ended by LF."""

import os
import re
from email.header import Header
from email.message import EmailMessage
from time import gmtime, strftime

from amavis_pipe import notice
from amavis_pipe.settings import Settings
from amavis_pipe.text import readable

UNDISCLOSED = "undisclosed-recipients:;"
SUBJECT_SHOWN = 800
"""Bytes of a subject."""
LINE_MAX = 998
"""Bytes of a line that needs no encoding (RFC 5322 2.1.1)."""
_PLAIN = re.compile(rb"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Za-z0-9.-]+")
"""An address that can stand in a header as it is."""


def message(
    to: bytes, subject: str, body: str, settings: Settings, automatic: str = "auto-generated"
) -> bytes:
    """The message; `to` stands in its header, b"" for nobody. The subject is escaped, the text is not."""
    content = EmailMessage()
    content.set_content(body, charset="utf-8", cte="7bit" if _is_plain(body) else "quoted-printable")
    fields = (
        f"From: amavis-pipe <{author(settings).decode()}>",
        f"To: <{to.decode()}>" if _PLAIN.fullmatch(to) else "To: " + UNDISCLOSED,
        "Subject: " + _encoded(readable(subject.encode("utf-8", "backslashreplace"), SUBJECT_SHOWN)),
        strftime("Date: %a, %d %b %Y %H:%M:%S +0000", gmtime()),
        f"Message-ID: <{os.urandom(12).hex()}.amavis-pipe@{notice.host().decode()}>",
        "Auto-Submitted: " + automatic,
    )
    return "".join(field + "\n" for field in fields).encode("ascii") + content.as_bytes()


def author(settings: Settings) -> bytes:
    """The address that notices come from: the option `sender`, else amavis at this host."""
    chosen = settings.notice_sender
    return chosen if _PLAIN.fullmatch(chosen) else b"amavis@" + notice.host()


def _encoded(subject: str) -> str:
    """The subject for a header, folded: what is no ASCII, or looks like an encoded word, as encoded words."""
    plain = subject.isascii() and "=?" not in subject
    return Header(subject, "us-ascii" if plain else "utf-8", header_name="Subject").encode()


def _is_plain(body: str) -> bool:
    return body.isascii() and all(len(line) <= LINE_MAX for line in body.split("\n"))
