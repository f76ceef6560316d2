"""The two ends of the road: mails go in over several connections at once, and are counted at the end.

Both are processes of their own, whose CPU time nobody counts.
"""

import contextlib
import os
import re
import select
import socket
import subprocess
import threading
from collections.abc import Sequence
from time import monotonic

HOST = "127.0.0.1"
PATIENCE = 120
"""Seconds that a reply, or the next mail, may take."""


def push(port: int, mails: Sequence[bytes], connections: int) -> float:
    """Send the mails, each as soon as a connection is free; monotonic seconds when that began.

    In a forked child: a thread of ours would wait for the one that counts.
    """
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.write(write, b"%.6f" % monotonic())
            status = _sent(port, [_wire(mail) for mail in mails], connections)
        finally:
            os._exit(status)
    os.close(write)
    begun = float(os.read(read, 100))
    os.close(read)
    if os.waitpid(child, 0)[1]:
        raise SystemExit("a mail was refused at the door")
    return begun


def _sent(port: int, mails: list[bytes], connections: int) -> int:
    """0 if every mail was taken."""
    left, failed = iter(enumerate(mails)), []

    def work() -> None:
        with contextlib.suppress(StopIteration):
            try:
                _speak(port, left)
            except (OSError, ValueError) as error:
                failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(min(connections, len(mails)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(failed)


def _speak(port: int, left: "enumerate[bytes]") -> None:
    """One connection, as long as there are mails; StopIteration at their end."""
    with socket.create_connection((HOST, port), PATIENCE) as connection, connection.makefile("rb") as replies:

        def hear(hoped: bytes) -> None:
            line = replies.readline()
            while line[3:4] == b"-":
                line = replies.readline()
            if not line.startswith(hoped):
                raise ValueError(line)

        hear(b"220")
        connection.sendall(b"EHLO client.example\r\n")
        hear(b"250")
        while True:
            number, mail = next(left)
            connection.sendall(
                b"MAIL FROM:<sender%d@sender.example>\r\nRCPT TO:<user%d@site.example>\r\nDATA\r\n"
                % (number % 17, number % 101)
            )
            for hoped in (b"250", b"250", b"354"):
                hear(hoped)
            connection.sendall(mail)
            hear(b"250")


def _wire(mail: bytes) -> bytes:
    """The mail as SMTP has it."""
    return re.sub(rb"(?m)^\.", b"..", mail).replace(b"\n", b"\r\n") + b".\r\n"


class Sink:
    """Postfix's own smtp-sink; `count` mails have arrived."""

    COMMAND = "/usr/sbin/smtp-sink"

    def __init__(self, port: int) -> None:
        words = [self.COMMAND, "-u", "nobody", "-c", f"{HOST}:{port}", "512"]
        self._process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert self._process.stdout
        self._said = self._process.stdout.fileno()
        os.set_blocking(self._said, False)
        self._tail = b""
        self.count = 0

    def wait(self, wanted: int, patience: float = PATIENCE) -> bool:
        """Until so many have arrived in all; False if none came for so many seconds."""
        while self.count < wanted:
            if not select.select([self._said], [], [], patience)[0]:
                return False
            piece = os.read(self._said, 1 << 16)
            if not piece:
                return False
            self._tail += piece
            told = re.findall(rb"mesg=(\d+)", self._tail)
            self.count = int(told[-1]) if told else self.count
            self._tail = self._tail[-60:]
        return True

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait()
        assert self._process.stdout
        self._process.stdout.close()
