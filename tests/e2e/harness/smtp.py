"""The two ends of the road: a client that sends exact bytes, and a sink that records exact bytes.

Both speak just enough of RFC 5321, on raw sockets: a library would mend line ends and addresses.
"""

import contextlib
import random
import re
import socket
import threading
from dataclasses import dataclass
from io import BufferedReader

HOST = "127.0.0.1"
OFFERS = (b"8BITMIME",)
CLIENT = b"client.example"
PATIENCE = 60
"""Seconds that a reply may take."""
SERVERS = range(15_000, 32_000)
"""Ports of our servers (ip_local_port_range in tcp(7) begins at 32768)."""


FOLDED = rb"[^\r\n]*\r\n(?:\t[^\r\n]*\r\n)*"
BACK = (
    rb"Received: (?:by mx\.site\.example \(Postfix, from userid \d+\)|from \S+ \(\S+ \[127\.0\.0\.1\]\))"
    + FOLDED
)
IN = rb"Received: from client\.example " + FOLDED
FILTERED = re.compile(BACK + rb"X-Virus-Scanned: by amavis-pipe\r\n" + IN)
"""What stands on top of a mail that was filtered: Postfix's field from re-entry, ours, Postfix's from the door."""


class Refused(Exception):
    """The server said something else than what was hoped for; the text is its reply."""


def free_port() -> int:
    """A port of this machine that nobody listens on, and below those that the kernel gives to clients.

    Else a client might have it while its server is stopped, and the server could not be started again.
    """
    while True:
        with contextlib.suppress(OSError), socket.create_server((HOST, random.choice(SERVERS))) as listener:
            return int(listener.getsockname()[1])


def send(
    port: int,
    sender: bytes,
    recipients: tuple[bytes, ...],
    mail: bytes,
    helo: bytes = CLIENT,
    parameters: bytes = b"",
    xclient: bytes = b"",
) -> str:
    """Send a mail with CRLF line ends, dots stuffed and nothing else done to it; its queue id.

    `parameters` stand behind MAIL FROM; `xclient` is said of the client: "ADDR=192.0.2.7 LOGIN=erin".
    """
    assert mail.endswith(b"\r\n")
    with socket.create_connection((HOST, port), PATIENCE) as connection, connection.makefile("rb") as replies:

        def say(line: bytes, hoped: bytes) -> bytes:
            if line:
                connection.sendall(line + b"\r\n")
            reply = replies.readline()
            while reply[3:4] == b"-":
                reply = replies.readline()
            if not reply.startswith(hoped):
                raise Refused(f"{line[:100]!r}: {reply!r}")
            return reply

        say(b"", b"220")
        say(b"EHLO " + helo, b"250")
        if xclient:  # the session begins anew, as that of whoever this is
            say(b"XCLIENT " + xclient, b"220")
            say(b"EHLO " + helo, b"250")
        say(b"MAIL FROM:<%s> %s" % (sender, parameters), b"250")
        for address in recipients:
            say(b"RCPT TO:<%s>" % address, b"250")
        say(b"DATA", b"354")
        connection.sendall(re.sub(rb"(?m)^\.", b"..", mail))
        reply = say(b".", b"250")
        say(b"QUIT", b"221")
    return reply.split()[-1].decode()


@dataclass(frozen=True)
class Arrived:
    """A mail as the sink got it: envelope, and its bytes with CRLF, dots unstuffed.

    parameters  what stood behind MAIL FROM, in upper case
    """

    sender: bytes
    recipients: tuple[bytes, ...]
    data: bytes
    parameters: tuple[bytes, ...] = ()

    @property
    def head(self) -> bytes:
        return self.data.partition(b"\r\n\r\n")[0] + b"\r\n"

    def field(self, name: bytes) -> bytes | None:
        """The first field of that name, unfolded; None if there is none."""
        found = re.search(rb"(?im)^" + re.escape(name) + rb":[ \t]*((?:.|\r\n[ \t])*)", self.head)
        return re.sub(rb"\r\n[ \t]+", b" ", found[1]).rstrip(b"\r") if found else None


def original(arrived: Arrived) -> bytes:
    """The mail less what Postfix and the filter have put on top, which is all they may have done."""
    added = FILTERED.match(arrived.data)
    assert added, f"other fields were added: {arrived.data[:1500]!r}"
    return arrived.data[added.end() :]


class Sink:
    """A server that takes every mail and keeps it.

    busy    makes it answer RCPT with 451
    offers  what it says to EHLO
    """

    def __init__(self) -> None:
        self.busy = False
        self.offers: tuple[bytes, ...] = OFFERS
        self.mails: list[Arrived] = []
        self._listener = socket.create_server((HOST, 0))
        self.port = int(self._listener.getsockname()[1])
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._accept, name="sink")
        self._thread.start()

    def close(self) -> None:
        """Stop listening, and end every conversation."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(PATIENCE)
        for connection in list(self._open):
            connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                connection = self._listener.accept()[0]
            except OSError:
                return
            self._open.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, connection.makefile("rb") as lines:
                self._converse(connection, lines)
        except OSError:
            pass  # Postfix went away; what was not confirmed did not arrive
        finally:
            self._open.discard(connection)

    def _converse(self, connection: socket.socket, lines: BufferedReader) -> None:
        sender, recipients, parameters = b"", list[bytes](), tuple[bytes, ...]()
        connection.sendall(b"220 sink.example ESMTP\r\n")
        for line in lines:
            verb, reply = line[:4].upper(), b"250 ok"
            if verb == b"EHLO":
                reply = b"\r\n".join(
                    (b"250-sink.example", *(b"250-" + word for word in self.offers), b"250 HELP")
                )
            elif verb == b"MAIL":
                sender, recipients = _path(line), []
                parameters = tuple(line.rpartition(b">")[2].upper().split())
            elif verb == b"RCPT" and self.busy:
                reply = b"451 4.3.2 not now"
            elif verb == b"RCPT":
                recipients.append(_path(line))
            elif verb == b"DATA":
                connection.sendall(b"354 go on\r\n")
                data = b"".join(iter(lambda: _unstuffed(lines.readline()), b""))
                self.mails.append(Arrived(sender, tuple(recipients), data, parameters))
            elif verb == b"QUIT":
                connection.sendall(b"221 bye\r\n")
                return
            connection.sendall(reply + b"\r\n")


def _path(line: bytes) -> bytes:
    return line[line.index(b"<") + 1 : line.rindex(b">")]


def _unstuffed(line: bytes) -> bytes:
    """A line of the mail; nothing for the dot that ends it."""
    if not line:
        raise OSError("the mail was cut")
    return b"" if line == b".\r\n" else line.removeprefix(b".")
