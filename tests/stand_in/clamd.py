"""A stand-in for clamd: speaks its protocol over a unix socket or TCP, counts, and fails as told.

A fault is one word:

  silent           takes everything, answers nothing
  closes-VERSION, closes-FILDES, closes-INSTREAM     hangs up when that is asked
  closes-connect   hangs up at once
  half             answers a scan with half a line, then hangs up
  bytewise         answers byte by byte
  garbage          answers a scan with bytes that are no answer
  unnumbered       leaves out the number of the question
  wrong-number     answers a question that was not asked
  twice            answers every scan twice
  endless          answers without end
  error            answers "… ERROR"
  size-limit       does not take the stream, and hangs up
  odd-version      is not clamd
"""

import os
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from amavis_pipe.scan.builtin import eicar

ENDLESS = b"x" * (1 << 20)


class Clamd:
    """The server, listening from its making to close().

    at           what a scanner row calls it
    connections  taken so far
    commands     how often each command came
    scanned      the bytes of every part given, in order
    viruses      what is found: bytes in a part, and the name
    versions     what it says of itself, one after the other, the last for good
    fault        a word of those above, or ""
    """

    def __init__(self, path: Path | None = None) -> None:
        self.connections = 0
        self.commands: Counter[str] = Counter()
        self.scanned: list[bytes] = []
        self.viruses = {eicar(): "Eicar-Signature"}
        self.versions = ["ClamAV 1.4.6/27500/Mon Nov 23 08:00:00 2026"]
        self.fault = ""
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._open: list[socket.socket] = []
        if path is not None:
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(str(path))
            self.at = str(path)
        else:
            self._listener = socket.socket()
            self._listener.bind(("127.0.0.1", 0))
            self.at = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._listener.listen(64)
        self._start(self._accept)

    @property
    def scans(self) -> int:
        """Questions about parts."""
        return self.commands["FILDES"] + self.commands["INSTREAM"]

    def close(self) -> None:
        """Hang up on everybody, and stop listening."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for connection in self._open:
                with suppress(OSError):  # it may have gone already
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)

    def _start(self, work, *words) -> None:
        thread = threading.Thread(target=work, args=words)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection = self._listener.accept()[0]
            except OSError:
                return
            self.connections += 1
            with self._lock:
                self._open.append(connection)
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        try:
            if self.fault != "closes-connect":
                _Conversation(self, connection).run()
        except OSError:
            pass  # the other side has gone
        finally:
            with self._lock:
                self._open.remove(connection)
                connection.close()

    def version(self) -> str:
        """What it says of itself now."""
        with self._lock:
            return self.versions.pop(0) if len(self.versions) > 1 else self.versions[0]

    def judge(self, data: bytes) -> str:
        """The verdict on a part."""
        self.scanned.append(data)
        return next((f"{name} FOUND" for sample, name in self.viruses.items() if sample in data), "OK")


class _Conversation:
    """One connection."""

    def __init__(self, clamd: Clamd, connection: socket.socket) -> None:
        self._clamd = clamd
        self._connection = connection
        self._data = b""
        self._fds: list[int] = []

    def run(self) -> None:
        """Answer until one side hangs up."""
        answers = {"VERSION": self._version, "FILDES": self._fildes, "INSTREAM": self._instream}
        number = 0
        for command in self._commands():
            self._clamd.commands[command] += 1
            if command == "END" or self._clamd.fault == f"closes-{command}":
                return
            if command == "IDSESSION":
                continue
            number += 1
            if not self._say(number, answers[command]()):
                return

    def _commands(self) -> Iterator[str]:
        while True:
            while b"\0" not in self._data:
                if not self._receive():
                    return
            command, _, self._data = self._data.partition(b"\0")
            assert command.startswith(b"z"), command
            yield command[1:].decode()

    def _receive(self) -> bool:
        data, fds, _, _ = socket.recv_fds(self._connection, 1 << 16, 16)
        self._data += data
        self._fds += fds
        return bool(data)

    def _take(self, size: int) -> bytes:
        while len(self._data) < size:
            if not self._receive():
                raise OSError("cut off")
        taken, self._data = self._data[:size], self._data[size:]
        return taken

    def _version(self) -> str:
        return "HELLO" if self._clamd.fault == "odd-version" else self._clamd.version()

    def _fildes(self) -> str:
        assert self._take(1) == b"\0"
        fd = self._fds.pop(0)
        with open(fd, "rb") as file:
            assert os.lseek(fd, 0, os.SEEK_CUR) == 0
            said = self._clamd.judge(file.read())
        return f"fd[{fd}]: {said}"

    def _instream(self) -> str:
        pieces = []
        while size := int.from_bytes(self._take(4), "big"):
            pieces.append(self._take(size))
            if self._clamd.fault == "size-limit":
                return "INSTREAM size limit exceeded. ERROR"
        return "stream: " + self._clamd.judge(b"".join(pieces))

    def _say(self, number: int, said: str) -> bool:
        """Answer as the fault wants; whether to go on."""
        fault, scan = self._clamd.fault, not said.startswith("ClamAV")
        line = f"{number}: {said}\0".encode()
        if fault == "silent":
            return True
        if fault == "bytewise":
            for byte in line:
                self._connection.sendall(bytes((byte,)))
            return True
        faulty = {
            "half": line[:5],
            "garbage": b"\xff\xfe\r\n\0",
            "unnumbered": said.encode() + b"\0",
            "wrong-number": f"{number + 7}: {said}\0".encode(),
            "twice": line + line,
            "endless": ENDLESS,
            "error": f"{number}: fd[9]: Can't allocate memory ERROR\0".encode(),
        }
        self._connection.sendall(faulty.get(fault, line) if scan else line)
        return not (scan and fault in ("half", "endless", "size-limit"))
