"""A real, private Postfix: Debian's own configuration, moved to a folder and a port of its own.

Two things of this machine are touched: `alternate_config_directories` in /etc/postfix/main.cf gets one
word more while it exists (else sendmail(1) run by an ordinary user refuses the private configuration),
and stop() ends by its pid only what start() started. Nothing is sent anywhere but to the sink.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness import host, smtp
from harness.waiting import wait_for

DEBIAN = Path("/usr/share/postfix")
SENDMAIL = "/usr/sbin/sendmail"
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C"}
OLD_LIMIT = 31_000_000
"""message_size_limit before the set-up script raises it."""
MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/spool
data_directory = {folder}/data
meta_directory = {folder}/etc
maillog_file = {folder}/mail.log
maillog_file_prefixes = {folder}
mail_owner = postfix
setgid_group = postdrop
myhostname = mx.site.example
mydomain = site.example
mydestination =
local_transport = error:none
alias_maps =
alias_database =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
# tests say by XCLIENT who they are: somebody of a network for documentation
mynetworks = 127.0.0.0/8, 192.0.2.0/24
smtpd_authorized_xclient_hosts = 127.0.0.1
relayhost = [127.0.0.1]:{sink}
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_peername_lookup = no
smtp_host_lookup = native
smtp_line_length_limit = 0
disable_dns_lookups = yes
allow_min_user = yes
virtual_alias_maps = inline:{{ {{ team@site.example = dave@site.example, erin@site.example }} }}
recipient_bcc_maps = inline:{{ watched@site.example=archive@site.example }}
biff = no
in_flow_delay = 0
message_size_limit = {limit}
# deferred mail waits until it is asked for, and what broke is tried again soon
queue_run_delay = 3000s
minimal_backoff_time = 3000s
transport_retry_time = 1s
service_throttle_time = 1s
"""


class Postfix:
    """One instance below `folder`, taking mail on `port`, giving it on to the port `sink`.

    unfiltered  a second port, which the set-up script does not touch
    """

    def __init__(self, folder: Path, sink: int) -> None:
        self.folder = folder
        self.config = folder / "etc"
        self.spool = folder / "spool"
        self.port = smtp.free_port()
        self.service = f"127.0.0.1:{self.port}"
        self.unfiltered = smtp.free_port()
        for name in ("etc", "spool", "data"):
            (folder / name).mkdir(parents=True)
        shutil.chown(folder / "data", "postfix")
        shutil.copy(host.ETC / "postfix-files", self.config)
        shutil.copy(DEBIAN / "dynamicmaps.cf", self.config)
        (self.config / "main.cf").write_text(MAIN.format(folder=folder, sink=sink, limit=OLD_LIMIT))
        master = (DEBIAN / "master.cf.dist").read_text()
        master = re.sub(r"(?m)^smtp( +inet)", self.service + r"\1", master)
        master = re.sub(r"(?m)^(\S+ +(?:inet|unix) +\S+ +\S+ +)y ", r"\1n ", master)  # no chroot to fill
        master += f"\n127.0.0.1:{self.unfiltered} inet n - n - - smtpd\n"
        (self.config / "master.cf").write_text(master)
        self.age()

    def start(self) -> None:
        """Start it, and wait until it takes mail."""
        self._announce()
        self._control("start")
        wait_for(self._answers, f"Postfix on port {self.port}")

    def ensure(self) -> None:
        """See to it that it runs, and that sendmail(1) knows it: another test may have reset main.cf."""
        if not self._master():
            self.start()
        elif not host.names(self.config):
            self._announce()

    def stop(self) -> None:
        """End it, however it stands."""
        master = self._master()
        if master:
            subprocess.run(self._words("stop"), env=ENVIRONMENT, capture_output=True, check=False)
        with contextlib.suppress(ProcessLookupError):
            if master and self._master() == master:
                os.killpg(master, signal.SIGKILL)

    def forget(self) -> None:
        """Leave /etc/postfix/main.cf as it was."""
        with host.alternate_folders() as folders:
            if str(self.config) in folders:
                folders.remove(str(self.config))

    def reload(self) -> None:
        """Let it read its configuration, and wait until nobody works by the old one."""
        self.age()
        before = children(self._master())
        self._control("reload")
        wait_for(lambda: not before & children(self._master()), "the end of Postfix's old processes")

    def reload_lazily(self) -> None:
        """Tell it to read its configuration; who is at work by the old one goes on."""
        self.age()
        self._control("reload")

    def postconf(self, *words: str) -> str:
        """What postconf prints."""
        done = subprocess.run(
            ["/usr/sbin/postconf", "-c", str(self.config), *words], capture_output=True, text=True, check=True
        )
        self.age()
        return done.stdout

    def picture(self) -> str:
        """All that Postfix knows of its configuration."""
        return self.postconf("-n") + self.postconf("-M") + self.postconf("-P")

    def age(self) -> None:
        """Let the configuration look old: Postfix waits a second before it believes in a new file."""
        for name in ("main.cf", "master.cf"):
            with contextlib.suppress(FileNotFoundError):
                os.utime(self.config / name, (1_600_000_000, 1_600_000_000))

    @contextlib.contextmanager
    def ageing(self) -> Iterator[None]:
        """age(), all the time, while a script changes the configuration step by step."""
        done = threading.Event()

        def keep_on() -> None:
            while not done.wait(0.005):
                self.age()

        thread = threading.Thread(target=keep_on)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def send(
        self,
        sender: bytes,
        recipients: tuple[bytes, ...],
        mail: bytes,
        helo: bytes = smtp.CLIENT,
        parameters: bytes = b"",
        port: int = 0,
        xclient: bytes = b"",
    ) -> str:
        """Send a mail by SMTP, to `port` or the door; its queue id."""
        return smtp.send(port or self.port, sender, recipients, mail, helo, parameters, xclient)

    def submit(self, sender: str, recipient: str, mail: bytes, user: str) -> None:
        """Hand a mail to sendmail(1), as a local program of `user` does."""
        subprocess.run(
            [SENDMAIL, "-i", "-f", sender, "--", recipient],
            env=ENVIRONMENT | {"MAIL_CONFIG": str(self.config)},
            input=mail,
            user=user,
            cwd="/",
            check=True,
        )

    def queue(self) -> list[dict[str, Any]]:
        """What postqueue -j tells of each mail in the queue."""
        words = ["/usr/sbin/postqueue", "-c", str(self.config), "-j"]
        done = subprocess.run(words, env=ENVIRONMENT, capture_output=True, text=True, check=False)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def is_empty(self) -> bool:
        """Whether no mail is in any queue; looked at twice, since mails move from one to the next."""
        for _ in range(2):
            for name in ("maildrop", "incoming", "active", "deferred", "hold"):
                if any(files for _, _, files in os.walk(self.spool / name)):
                    return False
            time.sleep(0.03)
        return True

    def flush(self) -> None:
        """Have everything in the queue tried again now."""
        words = ["/usr/sbin/postqueue", "-c", str(self.config), "-f"]
        subprocess.run(words, env=ENVIRONMENT, check=True)

    def delete_all(self) -> None:
        """Empty the queue."""
        words = ["/usr/sbin/postsuper", "-c", str(self.config), "-d", "ALL"]
        subprocess.run(words, env=ENVIRONMENT, capture_output=True, check=False)

    def log(self) -> str:
        """The mail log so far."""
        path = self.folder / "mail.log"
        return path.read_text(errors="backslashreplace") if path.exists() else ""

    def _announce(self) -> None:
        with host.alternate_folders() as folders:
            if str(self.config) not in folders:
                folders.append(str(self.config))

    def _words(self, action: str) -> list[str]:
        return ["/usr/sbin/postfix", "-c", str(self.config), action]

    def _control(self, action: str) -> None:
        # into a file: its daemons keep what they get as standard output
        with (self.folder / "control.log").open("a") as said:
            subprocess.run(self._words(action), env=ENVIRONMENT, stdout=said, stderr=said, check=True)

    def _answers(self) -> bool:
        try:
            with socket.create_connection((smtp.HOST, self.port), 5) as connection:
                return connection.recv(3).startswith(b"220")
        except OSError:
            return False

    def _master(self) -> int:
        """The master's process id, 0 if it isn't there."""
        try:
            pid = int((self.spool / "pid/master.pid").read_text())
            return pid if "(master)" in Path(f"/proc/{pid}/stat").read_text() and alive(pid) else 0
        except (OSError, ValueError):
            return 0


def alive(pid: int) -> bool:
    """Whether the process runs; one that has ended, and only waits to be reaped, does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def children(pid: int) -> set[int]:
    """The processes that `pid` started and that are still there."""
    try:
        return {int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}
    except OSError:
        return set()
