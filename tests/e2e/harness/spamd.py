"""A real spamd of SpamAssassin with its own settings, no network tests, and no user's files."""

import shutil
import socket
import subprocess
from pathlib import Path

from harness.waiting import wait_for

COMMAND = Path("/usr/sbin/spamd")
RULES = Path("/usr/share/spamassassin")
PLUGINS = Path("/etc/spamassassin")
USER = "nobody"
CONF = """\
required_score 5
use_bayes 0
use_auto_whitelist 0
report_contact postmaster@example.org
"""
PREFERENCES = "required_score 3\nscore TVD_SPACE_RATIO 0\nscore MISSING_DATE 7.25\n"


class Spamd:
    """spamd below `folder`, which user nobody must be able to enter, on a port of 127.0.0.1.

    strict  a user whose own preferences differ
    """

    def __init__(self, folder: Path, port: int) -> None:
        self.at = f"127.0.0.1:{port}"
        self.strict = b"strict@example.org"
        self._port = port
        self._log = folder / "spamd.log"
        for name in ("site", "home", "users/strict@example.org"):
            (folder / name).mkdir(parents=True)
        for plugins in PLUGINS.glob("*.pre"):
            shutil.copy(plugins, folder / "site")
        (folder / "site/local.cf").write_text(CONF)
        (folder / "users/strict@example.org/user_prefs").write_text(PREFERENCES)
        for path in (folder / "home", folder / "users", *(folder / "users").rglob("*")):
            shutil.chown(path, USER)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    str(COMMAND),
                    "--local",
                    f"--listen=127.0.0.1:{port}",
                    "--nouser-config",
                    f"--virtual-config-dir={folder}/users/%u",
                    f"--helper-home-dir={folder}/home",
                    f"--configpath={RULES}",
                    f"--siteconfigpath={folder}/site",
                    f"--username={USER}",
                    "--max-children=2",
                    "--syslog=stderr",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": "/usr/bin:/bin", "LANG": "C"},
                cwd="/",
                start_new_session=True,
            )
        wait_for(self._listens, f"spamd; see {self._log}", 60)

    def stop(self) -> None:
        """End it, and its children with it."""
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def log(self) -> str:
        """What it has logged."""
        return self._log.read_text(errors="replace")

    def _listens(self) -> bool:
        assert self._process.poll() is None, self.log()[-2000:]
        try:
            with socket.create_connection(("127.0.0.1", self._port), 5) as connection:
                connection.sendall(b"PING SPAMC/1.5\r\n\r\n")
                return connection.recv(100).startswith(b"SPAMD/1.5 0 PONG")
        except OSError:
            return False
