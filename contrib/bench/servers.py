"""Everything that mail goes through: a private Postfix with one door for each filter, clamd, daemons, a sink.

All of it is below one folder, on 127.0.0.1, and ended by its pid. Postfix and clamd are those of the
end-to-end tests (tests/e2e/harness). Filters that are not installed are left out, and `absent` says why.
"""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(CHECKOUT / "tests/e2e")]

import filler  # noqa: E402
import load  # noqa: E402
from account import Account  # noqa: E402
from harness import clamd, postfix, smtp  # noqa: E402
from harness.waiting import wait_for  # noqa: E402
from run import NOBODY, PYTHON, installed, owned  # noqa: E402

AMAVISD = next((path for path in ("/usr/sbin/amavisd-new", "/usr/sbin/amavisd") if Path(path).exists()), "")
CLAMDSCAN = "/usr/bin/clamdscan"
PIPES, CHILDREN = 4, 6
"""Processes at once: of a filter that pipe(8) starts, and of a daemon."""
SETTLED = "settle_minutes = 0"
"""A site's signatures are hours old, and what was clean is kept; here they are a few seconds old."""
WANTED = {
    postfix.SENDMAIL: "postfix",
    load.Sink.COMMAND: "postfix",
    str(clamd.COMMAND): "clamav-daemon",
    str(clamd.SAMPLE): "clamav-testfiles",
}
SHELL = """\
# The simple content filter of Postfix's FILTER_README, {what}
cd {spool} || exit 75
trap "rm -f in.$$" 0 1 2 3 15
cat >in.$$ || exit 75
{scan}/usr/sbin/sendmail -G -i "$@" <in.$$
exit $?
"""
SCAN = """\
{clamdscan} --config-file={conf} --quiet --no-summary --fdpass in.$$
case $? in 0) ;; 1) exit 0 ;; *) exit 75 ;; esac
"""
SPAWN = """\
# The least that a filter in Python can do: no module is imported but what the interpreter has in it
import posix, sys
fd = posix.memfd_create("mail", 0)
while data := posix.read(0, 1 << 16):
    posix.write(fd, data)
posix.lseek(fd, 0, 0)
words = ["sendmail", "-G", "-i", *sys.argv[1:]]
actions = [(posix.POSIX_SPAWN_DUP2, fd, 0)]
child = posix.posix_spawn("/usr/sbin/sendmail", words, posix.environ, file_actions=actions)
status = posix.waitpid(child, 0)[1]
posix._exit(posix.waitstatus_to_exitcode(status) if posix.WIFEXITED(status) else 75)
"""
AMAVISD_CONF = """\
use strict;
$MYHOME = '{home}';
include_config_files('/etc/amavis/conf.d/01-debian', '/etc/amavis/conf.d/20-debian_defaults',
  '/etc/amavis/conf.d/30-template_localization');
$TEMPBASE = "$MYHOME/tmp"; $ENV{{TMPDIR}} = $TEMPBASE; $db_home = "$MYHOME/db"; $helpers_home = "$MYHOME/var";
$QUARANTINEDIR = "$MYHOME/quarantine"; $pid_file = "$MYHOME/pid"; $lock_file = "$MYHOME/lock";
$mydomain = 'site.example'; $myhostname = 'mx.site.example'; @local_domains_acl = ('.site.example');
@mynetworks = qw(127.0.0.0/8); @inet_acl = qw(127.0.0.1); $inet_socket_bind = '127.0.0.1';
$inet_socket_port = {port}; $unix_socketname = undef; $max_servers = {children};
$forward_method = 'smtp:[127.0.0.1]:{back}'; $notify_method = $forward_method;
$DO_SYSLOG = 0; $LOGFILE = "$MYHOME/log"; $log_level = 0;
$virus_admin = undef; $virus_quarantine_to = undef; $final_virus_destiny = D_DISCARD;
$final_banned_destiny = D_PASS; $warnbannedsender = 0;
@bypass_virus_checks_maps = (0); @bypass_spam_checks_maps = (1);
@av_scanners = (['ClamAV-clamd', \\&ask_daemon, ["CONTSCAN {{}}\\n", "{clamd}"],
  qr/\\bOK$/m, qr/\\bFOUND$/m, qr/^.*?: (?!Infected Archive)(.*) FOUND$/m]);
@av_scanners_backup = ();
{more}
1;
"""
IN_PROCESS = "@decoders = grep { !(ref $_->[0] && grep($_ eq 'zip', @{$_->[0]}) && ref $_->[2]) } @decoders;"
AMAVISDS = {"amavisd": "", "amavisd-tuned": IN_PROCESS, "amavisd-nodec": "$bypass_decode_parts = 1;"}
"""Debian's settings (7z for zip); zip and kinds of files without other programs; nothing taken apart."""
OURS = {"amavis-pipe, sendmail": ("sendmail", ""), "amavis-pipe, smtp": ("smtp", "")}
"""How mail is given back, and settings of the cache."""
VARIANTS = {"amavis-pipe, no cache": ("smtp", "days = 0\n")}
"""The same, for those who ask for it by name."""
FLOORS = ("none", "shell", "py-spawn")
PEERS = ("clamdscan", *AMAVISDS)
FILTERS = (*FLOORS, *PEERS, *OURS)
SCANNING = (*PEERS, *OURS, *VARIANTS)
ARGUMENTS = (
    "--queue-id ${queue_id} --client-address ${client_address} --client-name=${client_hostname} "
    "--helo=${client_helo} --sasl-username=${sasl_username} --size=${size} -f ${sender} -- ${recipient}"
)


class Door(NamedTuple):
    """A filter: the port it is reached by, and the daemon's process, 0 if pipe(8) starts it."""

    port: int
    daemon: int = 0


class Servers:
    """Everything, below a folder that others can enter.

    mail    the account of Postfix and of what it starts, `scanner` clamd's, `daemons` that of the rest
    doors   the filters that are there
    absent  why others are not
    states  the state folders of ours
    """

    def __init__(self, folder: Path) -> None:
        missing = sorted({package for path, package in WANTED.items() if not Path(path).exists()})
        if missing:
            raise SystemExit(f"wants apt-get install --no-install-recommends {' '.join(missing)}")
        self.folder = folder
        self.doors: dict[str, Door] = {}
        self.absent: dict[str, str] = {}
        self._undo = contextlib.ExitStack()
        self.mail, self.scanner, self.daemons = (Account(name) for name in ("mail", "scanner", "daemons"))
        for account in (self.mail, self.scanner, self.daemons):
            self._undo.callback(account.close)
        self.states: list[Path] = []
        self._back = smtp.free_port()
        self._entries = [
            f"127.0.0.1:{self._back} inet n - n - - smtpd\n"
            "  -o receive_override_options=no_unknown_recipient_checks,no_header_body_checks,no_milters\n"
            "  -o smtpd_authorized_xforward_hosts=127.0.0.0/8"
        ]

    def start(self, wanted: Sequence[str] = FILTERS, fill: int = 0) -> None:
        """Start what these filters need, with so many signatures besides; close() ends it, come what may."""
        sink = smtp.free_port()
        self.clamd = self._clamd(fill)
        self.postfix = postfix.Postfix(self.folder / "postfix", sink)
        self.sink = load.Sink(sink)
        self._undo.callback(self.sink.close)
        for name in wanted:
            self._add(name)
        master = self.postfix.config / "master.cf"
        master.write_text(master.read_text() + "\n".join([*self._entries, ""]))
        self.postfix.age()
        self._undo.callback(self.postfix.forget)
        self._undo.callback(self.postfix.stop)
        with self.mail.billed():
            self.postfix.start()

    def close(self) -> None:
        """End everything."""
        self._undo.close()

    def used(self) -> dict[str, float]:
        """Milliseconds of CPU so far, of each account."""
        accounts = {"mail": self.mail, "scanner": self.scanner, "daemons": self.daemons}
        return {name: account.used() for name, account in accounts.items()}

    def forget(self) -> None:
        """Empty the caches of ours: nothing was ever seen."""
        for state in self.states:
            shutil.rmtree(state / "cache", ignore_errors=True)
            owned(state / "cache")

    def rest(self) -> None:
        """Wait until no mail is anywhere."""
        wait_for(self.postfix.is_empty, "an empty queue")

    def _clamd(self, fill: int) -> clamd.Clamd:
        made = clamd.Clamd(self.folder / "clamd", smtp.free_port())
        if fill:
            for name, lines in filler.signatures(fill).items():
                made.add(name, lines)
        with self.scanner.billed():
            made.start()
        self._undo.callback(made.stop)
        return made

    def _add(self, name: str) -> None:
        """Make a filter's door, if it can be had."""
        if name == "none":
            self._door(name, "")
        elif name in OURS | VARIANTS:
            self._pipe(name, f"{' '.join(self._ours(*(OURS | VARIANTS)[name]))} {ARGUMENTS}", "q")
        elif name in AMAVISDS:
            self._amavisd(name)
        elif name == "clamdscan" and not Path(CLAMDSCAN).exists():
            self.absent[name] = "package clamdscan is not installed"
        else:
            self._pipe(name, f"{self._script(name)} -f ${{sender}} -- ${{recipient}}", "Rq")

    def _door(self, name: str, options: str, daemon: int = 0) -> None:
        port = smtp.free_port()
        self.doors[name] = Door(port, daemon)
        self._entries.append(f"127.0.0.1:{port} inet n - n - - smtpd\n{options}".rstrip())

    def _pipe(self, name: str, command: str, flags: str) -> None:
        service = f"filter{len(self.doors)}"
        self._door(name, f"  -o content_filter={service}:dummy")
        self._entries.append(
            f"{service} unix - n n - {PIPES} pipe\n  flags={flags} user=nobody null_sender=\n  argv={command}"
        )

    def _script(self, name: str) -> str:
        """How a floor is called."""
        spool = self.folder / "spool"
        if not spool.exists():
            owned(spool)
        path = self.folder / name
        scan = SCAN.format(clamdscan=CLAMDSCAN, conf=self.clamd.conf) if name == "clamdscan" else ""
        what = "with clamdscan" if scan else "without a filter in it"
        path.write_text(SPAWN if name == "py-spawn" else SHELL.format(what=what, spool=spool, scan=scan))
        return f"{PYTHON} -I -S {path}" if name == "py-spawn" else f"/bin/sh {path}"

    def _ours(self, way: str, more: str) -> list[str]:
        """How this checkout is called, with settings that say where things are, and no more unless told."""
        folder = self.folder / f"ours{len(self.states)}"
        folder.mkdir()
        state = owned(folder / "state")
        self.states.append(state)
        settings = folder / "settings.toml"
        forward = way if way == "sendmail" else f"smtp:127.0.0.1:{self._back}"
        settings.write_text(
            f'state = "{state}"\nforward = "{forward}"\n[cache]\n{SETTLED}\n{more}'
            f'[[scanner]]\nname = "clamd"\nat = "{self.clamd.socket}"\nconf = "{self.clamd.conf}"\n'
        )
        return [*installed(folder), "--config", str(settings)]

    def _amavisd(self, name: str) -> None:
        """A daemon with its own home; not without its package."""
        if not AMAVISD:
            self.absent[name] = "package amavisd-new is not installed"
            return
        if (
            name == "amavisd-tuned"
            and subprocess.run(["/usr/bin/perl", "-MFile::LibMagic", "-e1"], check=False).returncode
        ):
            self.absent[name] = "package libfile-libmagic-perl is not installed"
            return
        home, port = self.folder / name, smtp.free_port()
        for room in ("tmp", "db", "var", "quarantine"):
            (home / room).mkdir(parents=True)
        for path in (home, *home.iterdir()):
            shutil.chown(path, "amavis", "amavis")
        conf = self.folder / f"{name}.conf"
        values = {"home": home, "port": port, "children": CHILDREN, "back": self._back}
        conf.write_text(AMAVISD_CONF.format(**values, clamd=self.clamd.socket, more=AMAVISDS[name]))
        words = [
            "/usr/bin/perl",
            "-T",
            AMAVISD,
            "-u",
            "amavis",
            "-g",
            "amavis",
            "-c",
            str(conf),
            "foreground",
        ]
        with self.daemons.billed(), (self.folder / f"{name}.out").open("w") as said:
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                env=postfix.ENVIRONMENT,
                start_new_session=True,
            )
        self._undo.callback(_ended, process)
        wait_for(lambda: _listens(port), f"{name}; see {self.folder}/{name}.out")
        service = f"filter{len(self.doors)}"
        self._door(name, f"  -o content_filter={service}:[127.0.0.1]:{port}", process.pid)
        self._entries.append(
            f"{service} unix - - n - {CHILDREN} smtp\n  -o smtp_send_xforward_command=yes\n"
            "  -o smtp_data_done_timeout=1200 -o max_use=20"
        )


@contextlib.contextmanager
def servers(wanted: Sequence[str] = FILTERS, below: str = "", fill: int = 0) -> Iterator[Servers]:
    """All of it below a new folder, in memory unless told otherwise, and nothing left of it afterwards."""
    place = below or ("/dev/shm" if os.access("/dev/shm", os.W_OK) else tempfile.gettempdir())  # noqa: S108 - for all of a run, in a folder of its own
    folder = Path(tempfile.mkdtemp(prefix="ap-bench-", dir=place))
    folder.chmod(0o755)
    try:
        made = Servers(folder)
        try:
            made.start(wanted, fill)
            yield made
        finally:
            made.close()
    finally:
        shutil.rmtree(folder)


def user_of(name: str) -> int:
    """Whose memory counts."""
    return pwd.getpwnam("amavis").pw_uid if name in AMAVISDS else NOBODY


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((smtp.HOST, port), 5):
        return True
    return False


def _ended(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
