"""What the product says to syslog, on a machine where nothing listens there (a container)."""

import contextlib
import socket
import threading
from pathlib import Path

PLACE = Path("/dev/log")


class Syslog:
    """Takes /dev/log while nobody else has it; `lines` is what came, nothing where a daemon is."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._ours = not _is_taken()
        if self._ours:
            PLACE.unlink(missing_ok=True)  # of a run that could not clean up
            self._socket.bind(str(PLACE))
            PLACE.chmod(0o666)
            self._thread = threading.Thread(target=self._listen, name="syslog")
            self._thread.start()

    def close(self) -> None:
        """Take it away again."""
        if self._ours:
            self._socket.shutdown(socket.SHUT_RDWR)
            self._thread.join(20)
            PLACE.unlink(missing_ok=True)
        self._socket.close()

    def _listen(self) -> None:
        while data := self._socket.recv(8192):
            self.lines.append(data.decode("utf-8", "backslashreplace").rstrip("\n\0"))


def _is_taken() -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
        probe.connect(str(PLACE))
        return True
    return False
