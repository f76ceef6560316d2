"""A daemon that says what it is told to, piece by piece: for scanners that listen somewhere."""

import contextlib
import socket
import threading
from pathlib import Path


class Daemon:
    """Listens on a socket's path or a TCP port of 127.0.0.1; each connection is given the script.

    script  what is sent: the first piece at once, each other when something has come (b"" is sent as nothing);
            None closes the connection at once
    before  scripts of the first connections, in place of that
    slowly  a byte at a time
    stays   keeps a connection until close(), even if nothing more will come on it
    heard   all that came, by connection
    """

    def __init__(self, path: Path | None = None) -> None:
        self._socket = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        self._socket.bind(str(path) if path else ("127.0.0.1", 0))
        self._socket.listen()
        self.at = str(path) if path else f"127.0.0.1:{self._socket.getsockname()[1]}"
        self.script: list[bytes | None] = []
        self.before: list[list[bytes | None]] = []
        self.slowly = False
        self.stays = False
        self._closing = threading.Event()
        self.heard: list[bytes] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening, once what was begun has ended."""
        self._closing.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(10)

    def _serve(self) -> None:
        while True:
            try:
                connection = self._socket.accept()[0]
            except OSError:
                return
            with connection:
                connection.settimeout(10)
                number = len(self.heard)
                self.heard.append(b"")
                with contextlib.suppress(OSError):
                    self._talk(connection, number)

    def _talk(self, connection: socket.socket, number: int) -> None:
        for place, piece in enumerate(self.before.pop(0) if self.before else self.script):
            if piece is None:
                return
            if place:
                came = connection.recv(1 << 20)
                if not came:
                    return
                self.heard[number] += came
            for at in range(0, len(piece), 1 if self.slowly else len(piece)) if piece else ():
                connection.sendall(piece[at : at + 1] if self.slowly else piece)
        while True:
            came = connection.recv(1 << 20)
            if not came:
                if self.stays:
                    self._closing.wait(30)
                return
            self.heard[number] += came
