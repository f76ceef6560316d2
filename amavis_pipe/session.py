"""One session with clamd: many questions over one connection, a deadline on every read and write.

Protocol: clamd(8), IDSESSION with z-terminated commands; parts go as descriptors over a unix socket
(FILDES), as a stream over TCP (INSTREAM). Anything but a plain OK or FOUND is ScannerTrouble, or, where
clamd says that it did not look, an *unchecked* finding; never clean.
"""

import posix
from _socket import AF_INET, AF_INET6, AF_UNIX, SCM_RIGHTS, SOCK_CLOEXEC, SOCK_STREAM, SOL_SOCKET, socket
from sys import byteorder
from time import monotonic

from amavis_pipe.model import Finding, ScannerTrouble
from amavis_pipe.text import ascii_of, why

TYPE_CHECKING = False
if TYPE_CHECKING:
    from amavis_pipe.settings import Row
    from amavis_pipe.spool import Blob

    Asked = tuple[str, Blob]
    Waiting = dict[int, tuple[str, Blob, float] | None]
    """What was asked by number: part and time, or None for VERSION."""

LONGEST_REPLY = 4096
IN_FLIGHT = 8
"""Parts given to clamd before the first answer is waited for."""
STEP = 1 << 17
"""Bytes of one INSTREAM chunk."""

_TOO_LONG = b"INSTREAM size limit exceeded"
_UNCHECKED = ((b"Heuristics.Limits.Exceeded", "limit:"), (b"Heuristics.Encrypted", "encrypted:"))
_SUSPECT = (b"Heuristics.", b"PUA.", b"Phishing.")


class Session:
    """A connection to the clamd at `at` that can be asked many things; ScannerTrouble from every method.

    `until` is the monotonic time at which the last answer must be there.
    """

    def __init__(self, row: "Row", at: str, folder: bytes, until: float) -> None:
        self._row = row
        self._at = at
        self._folder = folder
        self._until = until
        self._before = ""
        self._open()

    def _open(self) -> None:
        self._buffer = b""
        self._asked = 0
        self._first = b"zIDSESSION\0"  # goes with the first command: a packet less
        try:
            self._socket = connected(self._at, self._left())
        except (OSError, ValueError, OverflowError) as error:
            raise self._failed(error) from None

    def close(self) -> None:
        """End the session; never fails."""
        try:
            self._socket.settimeout(0)  # who does not take it is not waited for
            self._socket.send(b"zEND\0")
        except OSError:
            pass
        self._socket.close()

    def version(self) -> str:
        """clamd's VERSION: "ClamAV 1.4.3/27500/Sat Nov 21 …", printable ASCII."""
        self._command(b"VERSION")
        number, text = self._reply()
        if number != self._asked:
            raise self._trouble(f"odd answer to VERSION: {ascii_of(text, 200)}")
        return self._read_version(text)

    def scan(self, items: "list[Asked]", answers: "dict[str, list[Finding]]") -> str:
        """Put into `answers` what clamd says of each (path, blob), by path; its VERSION before that.

        Path "" is the whole mail. Every item has an entry in the end; an empty list means clean.
        """
        self._command(b"VERSION")  # answered in the order asked, while the first parts are on their way
        self._before = ""
        waiting: Waiting = {self._asked: None}
        for path, blob in items:
            # a stream over clamd's limit ends the session: nothing else may be on the line then
            while len(waiting) >= (1 if self._row.how == "stream" and blob.size > STEP else IN_FLIGHT):
                self._collect(waiting, answers)
            if self._give(blob):
                waiting[self._asked] = (path, blob, monotonic())
            else:
                answers[path] = [self._unchecked("limit:", path)]
        while waiting:
            self._collect(waiting, answers)
        return self._before

    def _collect(self, waiting: "Waiting", answers: "dict[str, list[Finding]]") -> None:
        """Take one answer off the line."""
        number, text = self._reply()
        if number not in waiting:
            raise self._trouble(f"answered what it was not asked: {ascii_of(text, 200)}")
        item = waiting.pop(number)
        if item is None:
            self._before = self._read_version(text)
            return
        path, blob, since = item
        row = self._row
        found = read_reply(row.name, path, text)
        if found is None:
            raise self._trouble(ascii_of(text, 200))
        if text.startswith(_TOO_LONG) and not waiting:  # it hangs up then
            self._socket.close()
            self._open()
        if not found and (0 < row.largest < blob.size or 0 < row.longest <= monotonic() - since):
            # clamd says OK of what is over its limits, having looked at a part of it or at nothing
            found = [self._unchecked("limit:", path)]
        answers[path] = found

    def _read_version(self, text: bytes) -> str:
        if not text.startswith(b"ClamAV"):
            raise self._trouble(f"odd answer to VERSION: {ascii_of(text, 200)}")
        return ascii_of(text, 200)

    def _unchecked(self, why: str, path: str) -> Finding:
        return Finding("unchecked", why + self._row.name, path, self._row.name)

    def _give(self, blob: "Blob") -> bool:
        """Send one part; False if clamd would not look at it for its size."""
        if self._row.how == "descriptor":
            self._pass(blob)
            return True
        if 0 < self._row.largest < blob.size:
            return False
        self._command(b"INSTREAM")
        try:
            for chunk in blob.chunks(0, STEP):
                self._send(len(chunk).to_bytes(4, "big") + chunk)
            self._send(b"\0\0\0\0")
        except ScannerTrouble:  # it may have said why it hung up
            if self._reply()[1].startswith(_TOO_LONG):
                self._socket.close()
                self._open()
                return False
            raise
        return True

    def _pass(self, blob: "Blob") -> None:
        fd = blob.descriptor(self._folder)
        try:
            self._command(b"FILDES")
            passed = [(SOL_SOCKET, SCM_RIGHTS, fd.to_bytes(4, byteorder))]
            self._socket.sendmsg([b"\0"], passed)
        except OSError as error:
            raise self._failed(error) from None
        finally:
            posix.close(fd)

    def _command(self, name: bytes) -> None:
        self._asked += 1
        self._send(b"%sz%s\0" % (self._first, name))
        self._first = b""

    def _reply(self) -> tuple[int, bytes]:
        """The next answer: its number and text."""
        while b"\0" not in self._buffer:
            try:
                self._socket.settimeout(self._left())
                more = self._socket.recv(LONGEST_REPLY)
            except OSError as error:
                raise self._failed(error) from None
            if not more:
                raise ScannerTrouble(self._said("closed the connection"), "away")
            self._buffer += more
            if len(self._buffer) > LONGEST_REPLY * IN_FLIGHT:
                raise self._trouble("answers without end")
        line, _, self._buffer = self._buffer.partition(b"\0")
        number, colon, text = line.partition(b": ")
        if not colon or not number.isdigit() or len(number) > 9:
            raise self._trouble(ascii_of(line, 200))
        return int(number), text

    def _send(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise self._failed(error) from None

    def _left(self) -> float:
        """Seconds for the next step; ScannerTrouble if there are none."""
        left = self._until - monotonic()
        if left <= 0:
            raise ScannerTrouble(self._said("no answer in the time there is for the mail"), "slow")
        return min(left, self._row.timeout)

    def _failed(self, error: Exception) -> ScannerTrouble:
        """What it means that a call to the system failed."""
        if isinstance(error, TimeoutError):
            return ScannerTrouble(self._said(f"no answer in {self._row.timeout} s"), "slow")
        away = isinstance(error, ConnectionError | FileNotFoundError)
        return ScannerTrouble(self._said(why(error)), "away" if away else "")

    def _trouble(self, what: str) -> ScannerTrouble:
        return ScannerTrouble(self._said(what))

    def _said(self, what: str) -> str:
        return f"{self._row.name} at {self._at}: {what}"


def connected(at: str, seconds: float) -> socket:
    """A connection to a socket's path or HOST:PORT, time-limited; OSError, ValueError, OverflowError."""
    host, _, port = at.rpartition(":")
    family = AF_UNIX if at.startswith("/") else AF_INET6 if ":" in host else AF_INET
    connection = socket(family, SOCK_STREAM | SOCK_CLOEXEC)
    try:
        connection.settimeout(seconds)
        if family == AF_UNIX:
            connection.connect(at)
        else:
            connection.connect((host.strip("[]"), int(port)))
    except BaseException:
        connection.close()
        raise
    return connection


def read_reply(scanner: str, path: str, text: bytes) -> "list[Finding] | None":
    """What one answer says of a part: [] for clean, findings, or None for trouble.

    `text` is what follows the number: "fd[9]: OK", "stream: Eicar FOUND", "… ERROR".
    """
    said = text.partition(b": ")[2] or text
    if said == b"OK":
        return []
    if said.startswith(_TOO_LONG):
        return [Finding("unchecked", "limit:" + scanner, path, scanner)]
    name = said.removesuffix(b" FOUND")
    if name == said or not name or len(name) > 512:
        return None
    for start, reason in _UNCHECKED:
        if name.startswith(start):
            return [Finding("unchecked", reason + scanner, path, scanner)]
    return [Finding("suspect" if name.startswith(_SUSPECT) else "virus", ascii_of(name, 200), path, scanner)]
