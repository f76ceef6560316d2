"""A real clamd with signatures of our own, and a relay before it that counts and can hold."""

import hashlib
import os
import signal
import socket
import subprocess
import threading
from collections import Counter
from pathlib import Path

from harness.waiting import wait_for

COMMAND = Path("/usr/sbin/clamd")
SAMPLE = Path("/usr/share/clamav-testfiles/clam.exe")
EICAR = b"-".join((rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR", b"STANDARD", b"ANTIVIRUS", b"TEST", b"FILE!$H+H*"))
"""Joined here: neither this file nor its byte code may hold it in one piece."""
EICAR_NAME = "Test.Eicar.UNOFFICIAL"
SAMPLE_NAME = "Test.ClamExe.UNOFFICIAL"
CONF = """\
DatabaseDirectory {folder}/signatures
LocalSocket {folder}/clamd.ctl
LocalSocketMode 666
FixStaleSocket yes
TCPAddr 127.0.0.1
TCPSocket {port}
LogFile {folder}/clamd.log
TemporaryDirectory {folder}/tmp
Foreground yes
MaxThreads 8
SelfCheck {self_check}
AlertExceedsMax yes
MaxFileSize 64M
MaxScanSize 128M
StreamMaxLength 64M
"""
SELF_CHECK = 3600


class Clamd:
    """A clamd of our own below `folder`: on a unix socket for everybody and on a TCP port."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self.socket = folder / "clamd.ctl"
        self.conf = folder / "clamd.conf"
        self._process: subprocess.Popen[bytes] | None = None
        for name in ("signatures", "tmp"):
            (folder / name).mkdir(parents=True)
        self.conf.write_text(CONF.format(folder=folder, port=port, self_check=SELF_CHECK))
        self.add("eicar.ndb", f"Test.Eicar:0:*:{EICAR.hex()}")
        sample = SAMPLE.read_bytes()
        digest = hashlib.md5(sample, usedforsecurity=False).hexdigest()
        self.add("sample.hdb", f"{digest}:{len(sample)}:Test.ClamExe")

    def add(self, name: str, signature: str) -> None:
        """Put a signature beside the others; a running clamd is not told."""
        (self.folder / "signatures" / name).write_text(signature + "\n")

    def remove(self, name: str) -> None:
        (self.folder / "signatures" / name).unlink(missing_ok=True)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._process = subprocess.Popen(
            [str(COMMAND), "-c", str(self.conf)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={"PATH": "/usr/bin:/bin", "LANG": "C"},
            start_new_session=True,
        )
        wait_for(lambda: self.ask(b"PING") == b"PONG", f"clamd's PONG; see {self.folder}/clamd.log")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it; SIGKILL leaves its socket behind, as a crash does."""
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def ensure(self) -> None:
        """See to it that it runs."""
        if self._process is None or self._process.poll() is not None:
            self.start()

    def reload(self, sample: bytes) -> None:
        """Have it load its signatures anew, and wait until it finds `sample`."""
        assert self.ask(b"RELOAD") == b"RELOADING"
        wait_for(lambda: self.scan(sample).endswith(b"FOUND"), "clamd finding what was just added")

    def ask(self, command: bytes, more: bytes = b"") -> bytes:
        """Its answer to one command, without the NUL; nothing if it can't be reached."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 20) as connection:
                connection.sendall(b"z" + command + b"\0" + more)
                answer = b""
                while not answer.endswith(b"\0"):
                    piece = connection.recv(4096)
                    if not piece:
                        break
                    answer += piece
                return answer.rstrip(b"\0")
        except OSError:
            return b""

    def scan(self, data: bytes) -> bytes:
        """What it says of these bytes, past every filter and cache."""
        return self.ask(b"INSTREAM", len(data).to_bytes(4, "big") + data + b"\0\0\0\0")


class Relay:
    """Stands before clamd's unix socket, passes everything on, descriptors too, and counts.

    connections  taken so far
    commands     how often each clamd command came by, by its name
    sizes        bytes of each file whose descriptor came by, in order
    """

    def __init__(self, path: Path, target: Path) -> None:
        self.path = path
        self.connections = 0
        self.commands: Counter[bytes] = Counter()
        self.sizes: list[int] = []
        self._target = target
        self._gate = threading.Event()

    def open(self) -> None:
        """Listen, on a new socket, and count from 0."""
        self.connections = 0
        self.commands.clear()
        self.sizes.clear()
        self.release()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self.path.chmod(0o666)
        self._listener.listen(64)
        self._thread = threading.Thread(target=self._accept, name="relay")
        self._thread.start()

    @property
    def scans(self) -> int:
        """How many parts clamd was asked about."""
        return self.commands[b"FILDES"] + self.commands[b"INSTREAM"]

    def hold(self) -> None:
        """Take connections, and let nothing through."""
        self._gate.clear()

    def release(self) -> None:
        """Let everything through, what was held back too."""
        self._gate.set()

    def close(self) -> None:
        """Stop listening; what is connected goes on to its end."""
        self.release()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(20)
        self.path.unlink()

    def _accept(self) -> None:
        while True:
            try:
                client = self._listener.accept()[0]
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as server:
            try:
                server.connect(str(self._target))
            except OSError:
                return
            back = threading.Thread(target=self._pass_on, args=(server, client, False), daemon=True)
            back.start()
            self._pass_on(client, server, True)
            back.join(60)

    def _pass_on(self, source: socket.socket, target: socket.socket, counting: bool) -> None:
        try:
            while True:
                data, descriptors, _, _ = socket.recv_fds(source, 1 << 17, 8)
                if not data:
                    break
                if counting:
                    self._count(data)
                    self.sizes += [os.fstat(descriptor).st_size for descriptor in descriptors]
                    self._gate.wait(120)
                try:
                    socket.send_fds(target, [data], descriptors)
                finally:
                    for descriptor in descriptors:
                        os.close(descriptor)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # one side has gone; the other will see it

    def _count(self, data: bytes) -> None:
        for name in (b"FILDES", b"INSTREAM", b"VERSION", b"IDSESSION"):
            self.commands[name] += data.count(b"z" + name + b"\0")
