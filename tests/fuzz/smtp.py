"""Fuzzes the conversation with the server that mail goes on to: replies as no server should give them.

What must hold: nothing but ForwardTrouble is raised; a mail counts as taken only if the server said so, by a
reply of 2xx to the whole message; who was refused was refused by a reply for good; no command is more than one
line.
"""

import random

from amavis_pipe.forward import smtp
from amavis_pipe.forward.wire import Survey
from amavis_pipe.model import Envelope, ForwardTrouble
from amavis_pipe.spool import Blob
from fuzz.mutants import changed

HELLO = b"250-mail.example.org\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 XFORWARD NAME ADDR HELO\r\n"
PLAIN = b"250-mail.example.org\r\n250 SIZE\r\n"
OK, NO, LATER, GO = b"250 2.1.0 Ok\r\n", b"550 5.1.1 unknown\r\n", b"450 4.2.0 later\r\n", b"354 go\r\n"
DONE = b"250 2.0.0 Ok: queued as 4bQ7Xz\r\n"
REPLIES = [
    HELLO,
    PLAIN,
    OK,
    NO,
    LATER,
    GO,
    DONE,
    b"421 bye\r\n",
    b"554 5.7.1 no\r\n",
    b"220 hi\r\n",
    b"250-a\r\n250 b\r\n",
]
WORDS = [
    b"\r\n", b"\n", b"\r", b"250 ", b"250-", b"354 ", b"550 ", b"5.1.1", b"queued as ", b"\0", b"\xff", b"-", b" ", b"000", b"999",
    b"2", b"x" * 5000, b"250-x\r\n" * 150, "²50 ".encode(),
]  # fmt: skip
MAIL = b"From: a@example.org\n.dot\n\n..\nQUIT\ntext\xe4\r\nend"


class Server:
    """A socket whose other end says something to each command, and keeps what it is told."""

    def __init__(self, source: random.Random, greeting: bytes) -> None:
        self._source = source
        self._said = greeting
        self._ended = False
        self._in_data = False
        self.commands = b""
        self.message = b""
        self.last = b""
        self.pipelined = bool(source.randrange(2))

    def setsockopt(self, *_: object) -> None: ...
    def settimeout(self, *_: object) -> None: ...
    def connect(self, _: object) -> None: ...
    def close(self) -> None: ...

    def recv(self, size: int, peek: int = 0) -> bytes:
        if not self._said:
            if peek:
                raise BlockingIOError
            return b""  # nothing will come any more
        size = min(size, self._source.choice((1, 5, 100, 1 << 14))) if not peek else 1
        piece = self._said[:size]
        if not peek:
            self._said = self._said[size:]
        return piece

    def send(self, data: bytes) -> int:
        self.sendall(data)
        return len(data)

    def sendall(self, data: bytes) -> None:
        if self._in_data:
            self.message += data
            if b"\r\n.\r\n" in b"\r\n" + self.message and not self._ended:
                self._ended = True
                self.last = self._changed(DONE)
                self._said += self.last
            return
        self.commands += data
        for command in data.split(b"\r\n")[:-1]:
            self._said += self._answer(command[:4])

    def _answer(self, verb: bytes) -> bytes:
        usual = {
            b"EHLO": HELLO if self.pipelined else PLAIN,
            b"DATA": GO,
            b"RCPT": self._source.choice((OK, OK, NO)),
        }
        answer = self._changed(usual.get(verb, OK))
        if verb == b"DATA" and answer.startswith(b"354"):
            self._in_data = True
        return answer

    def _changed(self, reply: bytes) -> bytes:
        lot = self._source.randrange(30)
        if lot == 0:
            return changed(reply, REPLIES, WORDS, self._source, 3)
        return self._source.choice(REPLIES) if lot == 1 else b"" if lot == 2 else reply


def fuzz(source: random.Random) -> None:
    """Hand one mail to one server."""
    recipients = tuple(b"r%d@example.net" % number for number in range(source.choice((1, 1, 2, 5))))
    server = Server(
        source,
        changed(b"220 mail\r\n", REPLIES, WORDS, source, 2) if source.randrange(10) == 0 else b"220 mail\r\n",
    )
    smtp.socket = lambda *_: server
    envelope = Envelope(b"a@example.org", recipients, b"4bQ7Xz", b"192.0.2.1", b"mx", b"mx")
    before: list[object] = []
    message = Blob(MAIL)
    try:
        receipt = smtp.submit(
            "smtp:127.0.0.1:25",
            message,
            Survey(message.chunks()),
            envelope,
            recipients,
            False,
            before.append,
            10,
        )
    except ForwardTrouble as error:
        assert str(error).isascii() and str(error).isprintable() and len(str(error)) < 1200, str(error)
        return
    _check(server, receipt, before, recipients)


def _check(server: Server, receipt: object, before: list[object], recipients: tuple[bytes, ...]) -> None:
    assert [one.recipient for one in receipt.replies] == list(recipients)
    for reply in receipt.replies:
        assert reply.text.isascii() and reply.text.isprintable() and len(reply.text) < 1000
    assert all(one.text.startswith("5") for one in receipt.refused)
    assert receipt.taken == (len(receipt.refused) < len(recipients)) == bool(before)
    assert (receipt.queue_id.isascii() and receipt.queue_id.isalnum()) or not receipt.queue_id
    lines = server.commands.split(b"\r\n")
    assert all(line.isascii() and line.decode().isprintable() for line in lines), lines
    if receipt.taken:
        assert server.message.startswith(
            b"From: a@example.org\r\n..dot\r\n\r\n...\r\nQUIT\r\ntext\xe4\r\nend\r\n.\r\n"
        )
        assert server.last.lstrip(b"\n")[:1] == b"2", server.last
    else:
        assert not server.message or server.message.startswith(b"QUIT")
