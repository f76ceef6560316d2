"""A real rspamd with one worker, its state in a private folder, and no name server."""

import shutil
import socket
import subprocess
from pathlib import Path

from harness.waiting import wait_for

COMMAND = Path("/usr/bin/rspamd")
USER = "_rspamd"
CONF = """\
.include "$CONFDIR/common.conf"
options {{
    pidfile = "{folder}/rspamd.pid";
    .include "$CONFDIR/options.inc"
    disable_hyperscan = true;
    dns {{ nameserver = ["127.0.0.1:{closed}"]; timeout = 0.1s; retransmits = 0; }}
}}
logging {{ type = "console"; level = "info"; }}
worker "normal" {{ bind_socket = "127.0.0.1:{port}"; count = 1; }}
"""


class Rspamd:
    """rspamd below `folder`, which its user must be able to enter, on a port of 127.0.0.1."""

    def __init__(self, folder: Path, port: int, closed: int) -> None:
        """`closed` is a port on which nobody listens: its name server."""
        self.at = f"127.0.0.1:{port}"
        self._port = port
        self._log = folder / "rspamd.log"
        for name in ("state", "local"):
            (folder / name).mkdir(parents=True)
        shutil.chown(folder / "state", USER)
        shutil.chown(folder, USER)
        conf = folder / "rspamd.conf"
        conf.write_text(CONF.format(folder=folder, port=port, closed=closed))
        names = {"DBDIR": "state", "RUNDIR": "state", "LOGDIR": "state", "LOCAL_CONFDIR": "local"}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *(str(COMMAND), "-f", "-c", str(conf), "-u", USER, "-g", USER),
                    *(f"--var={name}={folder}/{inside}" for name, inside in names.items()),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": "/usr/bin:/bin", "LANG": "C"},
                cwd="/",
                start_new_session=True,
            )
        wait_for(self._answers, f"rspamd; see {self._log}", 60)

    def stop(self) -> None:
        """End it, and its worker with it."""
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def log(self) -> str:
        """What it has logged."""
        return self._log.read_text(errors="replace")

    def _answers(self) -> bool:
        assert self._process.poll() is None, self.log()[-2000:]
        try:
            with socket.create_connection(("127.0.0.1", self._port), 5) as connection:
                connection.sendall(b"GET /ping HTTP/1.0\r\n\r\n")
                return connection.recv(100).startswith(b"HTTP/1.1 200")
        except OSError:
            return False
