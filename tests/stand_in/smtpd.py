"""A scripted smtpd on a loopback port: says what a test wants it to say, and records what it is told."""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

OFFERS = (
    "PIPELINING",
    "SIZE 50000000",
    "8BITMIME",
    "SMTPUTF8",
    "XFORWARD NAME ADDR PROTO HELO SOURCE PORT IDENT",
)
TAKEN = "250 2.0.0 Ok: queued as 4bQ7Xz1y"
CLOSE = "(close)"
"""A reply that hangs up."""
SILENCE = "(silence)"
"""A reply that never comes."""


class Smtpd:
    """Takes one conversation after another.

    replies   what is said by verb ("connect", "EHLO", "MAIL" ... "DATA", ".") or by whole command; the
              default is yes; bytes go out as they are
    offers    what EHLO offers
    commands  all commands of all conversations, without line ends
    batches   how many commands came in each packet that was read
    messages  the messages that were sent to their end: raw, as on the wire, without the final dot
    cut       messages whose connection ended first
    """

    def __init__(self) -> None:
        self.offers: tuple[str, ...] = OFFERS
        self.replies: dict[str, str | bytes] = {}
        self.commands: list[bytes] = []
        self.batches: list[int] = []
        self.messages: list[bytes] = []
        self.cut: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.route = f"smtp:127.0.0.1:{self._listener.getsockname()[1]}"
        self._over = threading.Event()
        self._ended = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        """Stop listening, and wait for the end of every conversation."""
        self._over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._listener.close()

    def wait(self) -> None:
        """Wait for the end of one more conversation."""
        assert self._ended.acquire(timeout=10)

    def said(self, verb: bytes) -> list[bytes]:
        """The commands that begin with `verb`."""
        return [command for command in self.commands if command.upper().startswith(verb)]

    def _serve(self) -> None:
        while not self._over.is_set():
            try:
                connection = self._listener.accept()[0]
            except OSError:
                return
            with connection:
                connection.settimeout(10)
                with suppress(OSError):  # the other side left
                    self._converse(connection)
            self._ended.release()

    def _converse(self, connection: socket.socket) -> None:
        buffer = b""
        if not self._say(connection, "connect", "220 smtpd.example ESMTP"):
            return
        while data := connection.recv(1 << 16):
            buffer += data
            self.batches.append(buffer.count(b"\r\n"))
            while b"\r\n" in buffer:
                line, _, buffer = buffer.partition(b"\r\n")
                self.commands.append(line)
                verb = line.partition(b" ")[0].decode("latin-1").upper()
                default = "354 go on" if verb == "DATA" else "250 2.1.0 Ok"
                if verb == "EHLO":
                    default = "\r\n".join(
                        ["250-smtpd.example", *(f"250-{word}" for word in self.offers), "250 HELP"]
                    )
                if not self._say(connection, line.decode("latin-1"), default, verb) or verb == "QUIT":
                    return
                if verb == "DATA" and self._reply("DATA", default, "DATA").startswith(b"354"):
                    buffer = self._take(connection, buffer)

    def _take(self, connection: socket.socket, buffer: bytes) -> bytes:
        """Read the message; what came behind it."""
        buffer = b"\r\n" + buffer
        while b"\r\n.\r\n" not in buffer:
            data = connection.recv(1 << 16)
            if not data:
                self.cut.append(buffer[2:])
                raise OSError
            buffer += data
        message, _, rest = buffer.partition(b"\r\n.\r\n")
        self.messages.append(message[2:] + b"\r\n")
        if not self._say(connection, ".", TAKEN):
            raise OSError
        return rest

    def _say(self, connection: socket.socket, what: str, default: str, verb: str = "") -> bool:
        """Give the reply; False if the conversation is over with it."""
        reply = self._reply(what, default, verb)
        if reply == CLOSE.encode():
            return False
        if reply == SILENCE.encode():
            self._over.wait(10)
            return False
        connection.sendall(reply)
        return True

    def _reply(self, what: str, default: str, verb: str) -> bytes:
        reply = self.replies.get(what, self.replies.get(verb, default))
        return (
            reply
            if isinstance(reply, bytes)
            else reply.encode() + (b"" if reply in (CLOSE, SILENCE) else b"\r\n")
        )


@contextmanager
def running() -> Iterator[Smtpd]:
    """One that listens, and ends with the block."""
    server = Smtpd()
    try:
        yield server
    finally:
        server.close()


def unstuffed(message: bytes) -> bytes:
    """A recorded message as its receiver keeps it: dots unstuffed, LF line ends."""
    return re.sub(rb"(?m)^\.", b"", message).replace(b"\r\n", b"\n")
