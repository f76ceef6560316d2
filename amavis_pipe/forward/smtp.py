"""Hands a message to an smtpd by SMTP (RFC 5321): its reply to the final dot is the commit.

What a server says decides like this; "tried again" is ForwardTrouble, and nothing was taken then:

| at                     | for a while, garbage, closed, late | for good (wire.is_refusal)             |
|------------------------|------------------------------------|----------------------------------------|
| connection, EHLO, MAIL | tried again                        | tried again: not the mail's doing      |
| RCPT of some           | tried again, for all               | sent to the others; the sender is told |
| RCPT of all            | tried again                        | not taken                              |
| DATA, final dot        | tried again                        | tried again                            |
| XFORWARD               | goes on without; closed: as above  | goes on without                        |

Commands go out together where the server allows it (PIPELINING, RFC 2920), DATA among them only if
there is one recipient: once the server waits for the message it can't be called off but by hanging up.
SIZE is RFC 1870, 8BITMIME RFC 6152, SMTPUTF8 RFC 6531.
"""

import posix
from _socket import (
    AF_INET,
    AF_INET6,
    IPPROTO_TCP,
    MSG_PEEK,
    SOCK_CLOEXEC,
    SOCK_STREAM,
    TCP_NODELAY,
    socket,
)
from itertools import chain
from time import monotonic

from amavis_pipe.forward.wire import is_refusal, path, wire, xforward
from amavis_pipe.model import ForwardTrouble, Receipt, Reply
from amavis_pipe.text import ascii_of, why

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from amavis_pipe.forward import Before, Message
    from amavis_pipe.forward.wire import Survey
    from amavis_pipe.model import Envelope
    from amavis_pipe.spool import Blob

    Said = tuple[int, bytes]
    """A reply's code and its lines' texts, LF between them."""

AT_ONCE = 100
"""Commands sent before their replies are read: those fit the buffers of the connection."""
STEP = 1 << 17
"""Bytes of the message that are sent in one piece, about."""
LONGEST_LINE = 4096
LINES_MAX = 100
"""Lines of one reply (RFC 5321 4.5.3.1.5 has 512 bytes a line)."""
SHOWN = 200
"""Bytes of a reply that are kept."""

_ID = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def submit(
    route: str,
    message: "Message | Blob",
    survey: "Survey",
    envelope: "Envelope",
    recipients: tuple[bytes, ...],
    smtputf8: bool,
    before: "Before",
    timeout: int,
) -> Receipt:
    """Send the message to the server of `route`; how it was taken. As forward.submit.

    `smtputf8` says that whoever sent the mail asked for it. A stray CR becomes a blank, as Postfix's
    cleanup(8) does it.
    """
    receipt = Receipt(route, f"{survey.stray} stray CR became blanks" if survey.stray else "")
    conversation = Conversation(route[5:], timeout)
    try:
        conversation.open()
        conversation.introduce(xforward(envelope, conversation.offers))
        said = conversation.envelope(survey, envelope.sender, recipients, smtputf8)
        receipt.replies = [Reply(to, _shown(reply)) for to, reply in zip(recipients, said, strict=True)]
        receipt.refused = [
            one for one, reply in zip(receipt.replies, said, strict=True) if is_refusal(*reply)
        ]
        receipt.taken = len(receipt.refused) < len(recipients)
        if receipt.taken:
            before(receipt.refused)
            code, text = conversation.data(message.chunks())
            receipt.queue_id = _queue_id(text)
            final = _shown((code, text))
            for reply in receipt.replies:
                if reply not in receipt.refused:
                    reply.text = final
    finally:
        conversation.close()
    return receipt


class Conversation:
    """One connection to an smtpd, and one message over it; ForwardTrouble from every step.

    offers  the EHLO keywords in upper case, with their parameters
    """

    def __init__(self, at: str, timeout: int) -> None:
        self.offers: dict[bytes, bytes] = {}
        self._at = at
        self._timeout = timeout
        self._deadline = monotonic() + timeout
        self._buffer = b""
        self._stage = "connection"
        self._first: list[bytes] = []
        self._takes_commands = False
        self._takes_message = False
        self._socket: socket | None = None

    def open(self) -> None:
        """Connect, and learn what the server offers."""
        host, _, port = self._at.rpartition(":")
        try:
            self._socket = socket(AF_INET6 if ":" in host else AF_INET, SOCK_STREAM | SOCK_CLOEXEC)
            self._patience().connect((host.strip("[]"), int(port)))
            self._socket.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        except (OSError, ValueError, OverflowError) as error:
            raise self._trouble(why(error)) from None
        self._check(self._reply(), 2)
        self._takes_commands = True
        (said,) = self._exchange([b"EHLO " + _own_name()])
        self._check(said, 2)
        for line in said[1].split(b"\n")[1:]:
            keyword, _, parameters = line.partition(b" ")
            self.offers[keyword.upper()] = parameters

    def introduce(self, commands: list[bytes]) -> None:
        """Have these commands go out before the envelope; what is said to them does not matter."""
        self._first = commands

    def envelope(
        self, survey: "Survey", sender: bytes, recipients: tuple[bytes, ...], smtputf8: bool
    ) -> "list[Said]":
        """Name sender and recipients; the reply for each recipient, none of them temporary."""
        ascii_only = all(word.isascii() for word in (sender, *recipients))
        mail = b"MAIL FROM:<%s>" % path(sender) + self._parameters(survey, smtputf8 or not ascii_only)
        commands = [*self._first, mail, *(b"RCPT TO:<%s>" % path(address) for address in recipients)]
        together = len(recipients) == 1 and b"PIPELINING" in self.offers
        said = self._exchange([*commands, b"DATA"] if together else commands)
        at = len(self._first)
        self._stage = "MAIL"
        self._check(said[at], 2)
        replies = said[at + 1 : len(commands)]
        self._stage = "RCPT"
        for reply in replies:
            if not is_refusal(*reply):
                self._check(reply, 2)
        if together:
            self._takes_message = said[-1][0] == 354
            self._takes_commands = not self._takes_message
            if not is_refusal(*replies[0]):
                self._stage = "DATA"
                self._check_go_ahead(said[-1])
        return replies

    def data(self, chunks: "Iterable[bytes]") -> "Said":
        """Send the message; the reply by which it is committed."""
        if not self._takes_message:
            (said,) = self._exchange([b"DATA"])
            self._check_go_ahead(said)
        self._takes_commands = False
        together = b"PIPELINING" in self.offers
        end = b".\r\nQUIT\r\n" if together else b".\r\n"
        self._stage = "DATA"
        for piece in _gathered(chain(wire(chunks), (end,))):
            self._check_silence()
            self._send(piece)
        self._stage = "final dot"
        said = self._reply()
        self._takes_commands = not together
        self._check(said, 2)
        return said

    def close(self) -> None:
        """End it; never fails. A message that was not sent to its end is thrown away by the server."""
        if self._socket is None:
            return
        if self._takes_commands:
            try:
                self._socket.settimeout(0)  # who does not take it is not waited for
                self._socket.send(b"QUIT\r\n")
            except OSError:
                pass
        self._socket.close()

    def _parameters(self, survey: "Survey", smtputf8: bool) -> bytes:
        """The parameters of MAIL: those that are offered and needed."""
        words = b" SIZE=%d" % survey.size if b"SIZE" in self.offers else b""
        if survey.eight_bit and b"8BITMIME" in self.offers:
            words += b" BODY=8BITMIME"
        if smtputf8 and b"SMTPUTF8" in self.offers:
            words += b" SMTPUTF8"
        return words

    def _exchange(self, commands: list[bytes]) -> "list[Said]":
        """The replies to these commands, sent together if that is allowed."""
        step = AT_ONCE if b"PIPELINING" in self.offers else 1
        replies = []
        for at in range(0, len(commands), step):
            batch = commands[at : at + step]
            self._send(b"".join([command + b"\r\n" for command in batch]))
            for command in batch:
                self._stage = command[:4].decode("ascii", "replace")
                replies.append(self._reply())
        return replies

    def _check(self, said: "Said", kind: int) -> None:
        if said[0] // 100 != kind:
            raise self._trouble(_shown(said))

    def _check_go_ahead(self, said: "Said") -> None:
        """Trouble unless the server waits for the message now, by the one code that says so."""
        if said[0] != 354:
            raise self._trouble(_shown(said))

    def _check_silence(self) -> None:
        """Trouble if the server has said anything more: it would pass for the reply to the final dot."""
        connection = self._patience()
        connection.settimeout(0)
        try:
            more = self._buffer or connection.recv(1, MSG_PEEK)
        except BlockingIOError:
            return
        except OSError as error:
            raise self._trouble(why(error)) from None
        raise self._trouble("a reply before its time" if more else "closed the connection")

    def _reply(self) -> "Said":
        """The next reply; 421, by which a server takes its leave, is trouble at any stage."""
        lines: list[bytes] = []
        while len(lines) < LINES_MAX:
            line = self._line()
            code, mark = line[:3], line[3:4]
            if not code.isdigit() or not b"200" <= code <= b"599" or mark not in (b"", b" ", b"-"):
                raise self._trouble("odd reply: " + ascii_of(line, SHOWN))
            lines.append(line[4:])
            if mark != b"-":
                said = int(code), b"\n".join(lines)
                if said[0] == 421:
                    raise self._trouble(_shown(said))
                return said
        raise self._trouble("a reply without end")

    def _line(self) -> bytes:
        while b"\n" not in self._buffer[:LONGEST_LINE]:
            if len(self._buffer) >= LONGEST_LINE:
                raise self._trouble("a reply without end")
            try:
                more = self._patience().recv(1 << 14)
            except OSError as error:
                raise self._trouble(why(error)) from None
            if not more:
                raise self._trouble("closed the connection")
            self._buffer += more
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.removesuffix(b"\r")

    def _send(self, data: bytes) -> None:
        try:
            self._patience().sendall(data)
        except OSError as error:
            raise self._trouble(why(error)) from None

    def _patience(self) -> socket:
        """The socket, on which the next step may take what is left of the time."""
        left = self._deadline - monotonic()
        if left <= 0 or self._socket is None:
            raise TimeoutError("timed out")
        self._socket.settimeout(left)
        return self._socket

    def _trouble(self, what: str) -> ForwardTrouble:
        self._takes_commands = False
        what = what.replace("timed out", f"no answer in {self._timeout} s")
        return ForwardTrouble(f"smtp:{self._at}: {self._stage}: {what}")


def _queue_id(text: bytes) -> str:
    """The id in "2.0.0 Ok: queued as 4bQ7Xz1y", or ""."""
    word = text.partition(b"queued as ")[2].partition(b"\n")[0].partition(b" ")[0]
    return word.decode() if 0 < len(word) <= 64 and not word.translate(None, _ID) else ""


def _own_name() -> bytes:
    """This host's name for EHLO."""
    name = posix.uname().nodename.encode("utf-8", "replace")
    return name if name and not name.translate(None, _ID + b"-.") else b"localhost"


def _shown(said: "Said") -> str:
    code, text = said
    return f"{code} " + ascii_of(text.replace(b"\n", b" "), SHOWN)


def _gathered(pieces: "Iterable[bytes]") -> "Iterator[bytes]":
    """The same bytes in larger pieces: one system call each."""
    held, size = [], 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size > STEP:
            yield b"".join(held)
            held, size = [], 0
    yield b"".join(held)
