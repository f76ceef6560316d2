"""A connection to a daemon, with a deadline on everything, and daemons in general."""

from _socket import SHUT_WR
from time import monotonic

from amavis_pipe.cache import Cache
from amavis_pipe.clamd import ask as ask_address
from amavis_pipe.model import ScannerTrouble
from amavis_pipe.scan.base import Answers, Base, Items
from amavis_pipe.session import connected
from amavis_pipe.settings import Row, Settings
from amavis_pipe.text import ascii_of, why

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeVar

    T = TypeVar("T")

LONGEST_LINE = 1 << 14
LARGEST = 1 << 20
"""Bytes that a daemon may say to one question."""


class Channel:
    """Bytes to and from the daemon at a socket's path or HOST:PORT; ScannerTrouble for all that fails.

    Each answer may take `row.timeout` seconds, all of them end at the monotonic time `until`.
    """

    def __init__(self, row: Row, at: str, until: float) -> None:
        self.at = at
        self._row = row
        self._until = until
        self._end = 0.0
        self._buffer = b""
        self._room = 0
        self.begin()
        try:
            self._socket = connected(at, self._left())
        except (OSError, ValueError, OverflowError) as error:
            raise self._failed(error) from None

    def close(self) -> None:
        """End the connection; never fails."""
        self._socket.close()

    def begin(self, room: int = LARGEST) -> None:
        """A new question begins: its answer has the row's time, and room for so many bytes."""
        self._end = min(self._until, monotonic() + self._row.timeout)
        self._room = room

    def send(self, *chunks: bytes) -> None:
        """Send them all."""
        self.send_all(chunks)

    def send_all(self, chunks: "Iterable[bytes]") -> None:
        """Send them as they come."""
        for chunk in chunks:
            try:
                self._socket.settimeout(self._left())
                self._socket.sendall(chunk)
            except OSError as error:
                raise self._failed(error) from None

    def end(self) -> None:
        """Tell that nothing more will be sent; answers can still be taken."""
        try:
            self._socket.shutdown(SHUT_WR)
        except OSError:
            pass  # it has hung up: taking the answer will tell

    def line(self) -> bytes:
        """The next line, without its end (LF or CR LF)."""
        while b"\n" not in self._buffer:
            if len(self._buffer) > LONGEST_LINE:
                raise self.trouble("a line without end")
            self._more()
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.removesuffix(b"\r")

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        while len(self._buffer) < size:
            self._more()
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken

    def quiet(self) -> None:
        """ScannerTrouble if more was said than was taken."""
        if self._buffer:
            raise self.trouble("says more than it was asked", self._buffer)

    def trouble(self, what: str, said: bytes = b"") -> ScannerTrouble:
        """An error that says who failed, where, how."""
        shown = f": {ascii_of(said, 200)}" if said else ""
        return ScannerTrouble(f"{self._row.name} at {self.at}: {what}{shown}")

    def _more(self) -> None:
        try:
            self._socket.settimeout(self._left())
            piece = self._socket.recv(1 << 16)
        except OSError as error:
            raise self._failed(error) from None
        if not piece:
            raise ScannerTrouble(f"{self._row.name} at {self.at}: closed the connection", "away")
        self._room -= len(piece)
        if self._room < 0:
            raise self.trouble("answers without end")
        self._buffer += piece

    def _left(self) -> float:
        left = self._end - monotonic()
        if left <= 0:
            raise self._slow()
        return left

    def _slow(self) -> ScannerTrouble:
        return ScannerTrouble(f"{self._row.name} at {self.at}: no answer in {self._row.timeout} s", "slow")

    def _failed(self, error: Exception) -> ScannerTrouble:
        """What it means that a call to the system failed."""
        if isinstance(error, TimeoutError):
            return self._slow()
        away = isinstance(error, ConnectionError | FileNotFoundError)
        return ScannerTrouble(f"{self._row.name} at {self.at}: {why(error)}", "away" if away else "")


class Daemon(Base):
    """A scanner that listens somewhere: one connection for all parts of a mail."""

    def __init__(self, row: Row, settings: Settings, cache: Cache | None) -> None:
        super().__init__(row, settings)
        self._cache = cache

    def ask(self, items: Items, until: float) -> Answers:
        """Each item's findings, all from one of its addresses."""
        return self.asked(lambda channel: self.talk(channel, items), until)

    def asked(self, question: "Callable[[Channel], T]", until: float) -> "T":
        """What `question` gives of a connection to one of its addresses."""

        def at(address: str) -> "T":
            channel = Channel(self.row, self.place(address), until)
            try:
                return question(channel)
            finally:
                channel.close()

        return ask_address(self.row, at, until, self._cache)

    def place(self, address: str) -> str:
        """Where the daemon of an address in the settings listens."""
        return address

    def talk(self, channel: Channel, items: Items) -> Answers:
        """The conversation, from the greeting to the last answer; ScannerTrouble."""
        raise NotImplementedError
