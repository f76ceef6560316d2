"""Whether an smtpd takes back what was checked, for `forward` and `notify` of smtp:HOST:PORT.

Two looks: a conversation with whatever listens there, up to RCPT and no further, so that no mail is
sent; and Postfix's entry for that address in master.cf. What it must hold, and why, is in
contrib/postfix/master.cf, 3b.
"""

import contextlib
import smtplib
import socket
from collections.abc import Iterator
from time import monotonic

from amavis_pipe.desk.checks import Result, ok, problem, warning
from amavis_pipe.desk.checks.postfix import Postfix
from amavis_pipe.desk.table import amount
from amavis_pipe.settings import Settings
from amavis_pipe.text import readable

WANTED = {
    "pipelining": "every mail takes more time",
    "8bitmime": "mail with 8-bit text goes without its keyword, and a later host may refuse or change it",
    "xforward": "smtpd_authorized_xforward_hosts: the log loses the client, and headers are completed here",
}
"""EHLO keywords, and what is lost without them."""
OUTSIDE = "postmaster@example.invalid"
"""A recipient for whom nobody but a re-entry takes mail (RFC 2606 2)."""
OVERRIDES = {
    "no_header_body_checks": "header_checks and body_checks are applied twice",
    "no_unknown_recipient_checks": "a recipient that was let in may be refused now, which bounces mail",
    "no_milters": "milters see every mail twice",
}
"""Words of receive_override_options, and what happens without them."""
UNMAPPED = "no_address_mappings"
SECONDS = 10
"""For the whole conversation."""
LARGEST = 1 << 16
"""Bytes that are read of it at most."""
SHOWN = 200
"""Bytes of a reply that are shown."""
LOOPBACK = ("127.", "[::1]", "localhost")


def check(site: Settings, postfix: Postfix | None) -> Iterator[Result]:
    """All that can be wrong with the re-entry; nothing where no setting is smtp:HOST:PORT."""
    routes = {"forward": site.forward, "notify": site.notify}
    for at in dict.fromkeys(route[5:] for route in routes.values() if route.startswith("smtp:")):
        names = " and ".join(name for name, route in routes.items() if route == f"smtp:{at}")
        where = f"{names} = smtp:{readable(at.encode())}"
        yield from check_answers(where, at)
        if postfix is not None and postfix.is_readable:
            yield from check_entry(where, at, postfix)


def check_answers(where: str, at: str) -> Iterator[Result]:
    """What the server at HOST:PORT says when it is asked to take a mail for somebody outside."""
    host, _, port = at.rpartition(":")
    client = _Client(timeout=SECONDS, local_hostname="localhost")
    try:
        code, text = client.connect(host.strip("[]"), int(port))
        if code == 220:
            code, text = client.ehlo()
        if code != 250:
            yield _deferred(f"{where}: the server does not talk to us", code, text)
            return
        yield from _check_offers(where, client)
        yield _taken(where, client)
        with contextlib.suppress(smtplib.SMTPException):
            client.docmd("RSET")
            client.docmd("QUIT")
    except (OSError, ValueError, smtplib.SMTPException) as error:
        advice = f"start the smtpd ({at} in master.cf; postfix reload); checked mail waits in the queue"
        yield problem(f"{where}: {_why(error)}", advice)
    finally:
        client.close()


def _check_offers(where: str, client: "_Client") -> Iterator[Result]:
    missing = {name.upper(): loss for name, loss in WANTED.items() if name not in client.esmtp_features}
    for name, loss in missing.items():
        yield warning(f"{where}: the server does not offer {name}", loss)


def _taken(where: str, client: "_Client") -> Result:
    code, text = client.docmd("MAIL FROM:<>")
    if code != 250:
        return _deferred(f"{where}: the null sender is refused", code, text)
    code, text = client.docmd(f"RCPT TO:<{OUTSIDE}>")
    if code in (250, 251):
        return ok(f"{where}: an smtpd answers, and takes mail for any recipient")
    if code >= 500:
        advice = "checked mail would wait or bounce; restrictions as in contrib/postfix/master.cf, 3b, please"
        return problem(f"{where}: mail for {OUTSIDE} is refused: {code} {_line(text)}", advice)
    return _deferred(f"{where}: mail for {OUTSIDE} is not taken", code, text)


def _deferred(what: str, code: int, text: bytes) -> Result:
    advice = "checked mail waits in the queue until this is mended; see the mail log"
    return problem(f"{what}: {code} {_line(text)}", advice)


def check_entry(where: str, at: str, postfix: Postfix) -> Iterator[Result]:
    """The entry of master.cf for HOST:PORT: no filter behind it, its checks left out, its size limit."""
    name = postfix.smtpd_at(at)
    if not name:
        if at.startswith(LOOPBACK):
            advice = "what listens there is not this Postfix: contrib/postfix/setup install --reentry smtp:"
            yield warning(f"{where}: master.cf has no smtpd for {at}", advice + at)
        return
    wrong = [
        *_check_filter(name, postfix),
        *_check_overrides(name, postfix),
        *_check_size(name, postfix),
    ]
    yield from wrong or [ok(f"master.cf: mail comes back by {name}, and is not filtered again")]


def _check_filter(name: str, postfix: Postfix) -> Iterator[Result]:
    content_filter = postfix.setting(name, "content_filter")
    if not content_filter:
        return
    advice = f"-o content_filter= below the entry {name.rpartition('/')[0]} of master.cf"
    if content_filter.partition(":")[0] in {entry.name for entry in postfix.entries}:
        yield problem(f"master.cf: {name}: mail that comes back is filtered again, without end", advice)
    else:
        shown = readable(content_filter.encode())
        yield problem(f"master.cf: {name}: mail that comes back goes on to the filter {shown}", advice)


def _check_overrides(name: str, postfix: Postfix) -> Iterator[Result]:
    words = _words(postfix.setting(name, "receive_override_options"))
    for word, loss in OVERRIDES.items():
        if word not in words:
            yield warning(f"master.cf: {name}: no {word} in receive_override_options", loss)
    yield from _check_mappings(name, UNMAPPED in words, postfix)


def _check_mappings(name: str, unmapped: bool, postfix: Postfix) -> Iterator[Result]:
    """Whether aliases, virtual maps and automatic copies are applied once: here, or at the doors."""
    doors = [door for door in postfix.doors if door != name]
    leaving = [
        door for door in doors if UNMAPPED in _words(postfix.setting(door, "receive_override_options"))
    ]
    mapping = [door for door in doors if door not in leaving]
    if unmapped and (leaving or not doors):
        advice = f"take it out there: {', '.join(leaving) or 'the smtpd before the filter'} has it already"
        yield problem(f"master.cf: {name}: {UNMAPPED}: aliases and virtual maps are never applied", advice)
    elif mapping and not unmapped:
        yield warning(
            f"master.cf: addresses are mapped at {', '.join(mapping)}, and again at {name}",
            f"-o receive_override_options={UNMAPPED} before the filter: else automatic copies go out twice",
        )


def _check_size(name: str, postfix: Postfix) -> Iterator[Result]:
    """The limit where mail comes back, against the largest one where it came in; 0 is no limit."""
    back = _number(postfix.setting(name, "message_size_limit"))
    limits = [_number(postfix.setting(door, "message_size_limit")) for door in postfix.doors if door != name]
    if not back or not limits:
        return
    largest = 0 if 0 in limits else max(limits)
    if 0 < largest < back:
        return
    door = amount(largest) if largest else "none"
    what = f"message_size_limit is {amount(back)} at {name}, {door} at the door"
    advice = f"raise it above the door's (contrib/postfix/main.cf), and take it from the entry {name}"
    if largest == back:
        yield warning(f"{what}: a mail just below it is refused when it comes back", advice)
    else:
        yield problem(f"{what}: larger mail is refused when it comes back, and waits for days", advice)


def _words(value: str) -> list[str]:
    return value.replace(",", " ").split()


def _number(value: str) -> int:
    return int(value) if value.isdigit() else 0


def _line(text: bytes) -> str:
    """A reply on one line, bounded, safe to print."""
    return readable(b" ".join(text.split()), SHOWN)


def _why(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer in {SECONDS} s"
    if isinstance(error, smtplib.SMTPException):
        return _line(str(error).encode("utf-8", "backslashreplace"))
    return getattr(error, "strerror", None) or "wants HOST:PORT"


class _Client(smtplib.SMTP):
    """An SMTP client that reads LARGEST bytes at most, for SECONDS at most: a server may talk forever."""

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None and self.sock is not None:
            self.file = _Replies(self.sock)
        return super().getreply()


class _Replies:
    """The lines that come over a socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._deadline = monotonic() + SECONDS
        self._left = LARGEST
        self._held = b""

    def readline(self, longest: int) -> bytes:
        """The next line, b"" at the end or when it has been enough; TimeoutError when it took too long."""
        while b"\n" not in self._held and len(self._held) < longest and self._left:
            self._connection.settimeout(max(self._deadline - monotonic(), 0.001))
            more = self._connection.recv(min(self._left, 1 << 12))
            if not more:
                break
            self._left -= len(more)
            self._held += more
        end = self._held.find(b"\n") + 1 or len(self._held)
        line, self._held = self._held[:end], self._held[end:]
        return line

    def close(self) -> None:
        """Nothing: the socket is its client's."""
