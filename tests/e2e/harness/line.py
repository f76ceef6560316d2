"""The line between the filter and the smtpd where mail comes back: passes bytes on, and can hold them."""

import contextlib
import socket
import threading

from harness.smtp import HOST, PATIENCE
from harness.waiting import wait_for


class Line:
    """Listens at `route`, as in the settings, and passes everything on to and from the port `target`.

    After hold(WORD) what the filter says is passed on up to the first piece with WORD in it, and no
    further until release(); `held` tells that it came so far. After mute() replies are kept back from
    the first that begins with the given code on.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self._listener = socket.create_server((HOST, 0))
        self.route = f"smtp:{HOST}:{self._listener.getsockname()[1]}"
        self._go = threading.Event()
        self._held = threading.Event()
        self._word = self._code = b""
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._accept, name="line")
        self._go.set()
        self._thread.start()

    def hold(self, word: bytes) -> None:
        """Let nothing pass from the piece on that holds `word`."""
        self._word = word
        self._go.clear()

    def mute(self, code: bytes) -> None:
        """Let no reply pass from the one on that begins with `code`."""
        self._code = code
        self._go.clear()

    def wait(self) -> None:
        """Wait until something is held."""
        wait_for(self._held.is_set, "something to be held on the line")

    def release(self) -> None:
        """Let all pass again."""
        self._word = self._code = b""
        self._go.set()

    def reset(self) -> None:
        """As at the start, with no conversation left; what is held never arrives."""
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.release()
        self._held.clear()

    def close(self) -> None:
        """Stop listening, and end every conversation."""
        self.reset()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(PATIENCE)

    def _accept(self) -> None:
        while True:
            try:
                connection = self._listener.accept()[0]
            except OSError:
                return
            try:
                other = socket.create_connection((HOST, self.target), PATIENCE)
            except OSError:
                connection.close()  # nobody there: as near to "refused" as a line can be
                continue
            self._open |= {connection, other}
            for source, sink, mark in ((connection, other, False), (other, connection, True)):
                threading.Thread(target=self._pass, args=(source, sink, mark), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, is_reply: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                if (
                    data.startswith(self._code)
                    if is_reply and self._code
                    else not is_reply and self._holds(data)
                ):
                    self._held.set()
                    self._go.wait(PATIENCE)
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        if source in self._open:  # each direction closes the end it reads
            self._open.discard(source)
            source.close()

    def _holds(self, data: bytes) -> bool:
        return bool(self._word) and self._word in data
