"""One whole site: Postfix, clamd, a relay between filter and clamd, a sink, and the product set up by
its own script, contrib/postfix/setup.
"""

import contextlib
import importlib.util
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness import smtp
from harness.clamd import Clamd, Relay
from harness.line import Line
from harness.postfix import ENVIRONMENT, Postfix, children
from harness.smtp import Arrived, Sink
from harness.syslog import Syslog
from harness.waiting import wait_for

CHECKOUT = Path(__file__).resolve().parents[3]
SETUP = CHECKOUT / "contrib/postfix/setup"
PYTHON = "/usr/bin/python3"
USER = f"vscan{os.getpid()}"
"""Made, and removed, by the set-up script; of this test run alone."""
THIRD_PARTY = ("click", "jinja2", "markupsafe")
ALICE, BOB = b"alice@sender.example", b"bob@site.example"


class Site:
    """Everything below `folder`, which other users can enter.

    way     how mail comes back: "sendmail" or "smtp"
    line    leads to the smtpd where mail comes back, for tests that are to hold something on it
    before  what Postfix knew of its configuration before it was set up for the filter
    """

    def __init__(self, folder: Path, way: str) -> None:
        folder.chmod(0o755)
        self.way = way
        self.folder = folder
        self.package = folder / "package"
        self.program = folder / "bin/amavis-pipe"
        self.settings = folder / "conf/amavis-pipe.toml"
        self.state = folder / "state"
        for name in ("bin", "conf", "out"):
            (folder / name).mkdir()
        self._copy_package()
        self.syslog = Syslog()
        self.sink = Sink()
        self.clamd = Clamd(folder / "clamd", smtp.free_port())
        self.relay = Relay(folder / "relay.ctl", self.clamd.socket)
        self.relay.open()
        self.postfix = Postfix(folder / "postfix", self.sink.port)
        self.line = Line(smtp.free_port())
        self.reentry = f"smtp:127.0.0.1:{self.line.target}" if way == "smtp" else way
        self.before = self.postfix.picture()

    def start(self) -> None:
        """Set the product up, and start everything."""
        self.clamd.start()
        self.install()
        self.postfix.start()

    def close(self) -> None:
        """End everything, and take out of this machine what was put in."""
        with contextlib.ExitStack() as undone:
            undone.callback(self.syslog.close)
            undone.callback(self.sink.close)
            undone.callback(self.line.close)
            undone.callback(self.clamd.stop)
            undone.callback(self.relay.close)
            undone.callback(self.postfix.forget)
            undone.callback(self.setup, "undo", "--purge")
            undone.callback(self._end_filters)
            undone.callback(self.postfix.stop)

    def install(self) -> str:
        """Run the set-up script; what it said."""
        options = {
            "--state": self.state,
            "--settings": self.settings,
            "--launcher": self.program,
            "--package-path": self.package,
            "--service": self.postfix.service,
            "--user": USER,
            "--reentry": self.reentry,
            "--cron": "none",
        }
        return self.setup("install", *(str(word) for pair in options.items() for word in pair))

    def setup(self, action: str, *options: str) -> str:
        """Run contrib/postfix/setup on the private Postfix; what it said. AssertionError if it fails."""
        words = ["sh", str(SETUP), action, "--postfix-config", str(self.postfix.config), *options]
        with self.postfix.ageing():
            done = subprocess.run(words, env=ENVIRONMENT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"setup {action}: status {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def reset(self) -> None:
        """As after the start: defaults, no mail anywhere, nothing remembered, everything running."""
        self.relay.close()
        self.clamd.ensure()
        self.postfix.ensure()
        self.sink.busy, self.sink.offers = False, smtp.OFFERS
        self.line.reset()
        self.postfix.delete_all()
        self._end_filters()
        wait_for(self._is_empty, "an empty queue")
        for name in ("cache", "journal", "quarantine"):
            for path in (self.state / name).iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        (self.state / "sent").unlink(missing_ok=True)
        for path in (self.folder / "out").iterdir():
            path.unlink()
        self.sink.mails.clear()
        self.relay.open()  # a socket younger than all signatures: the filter then knows that clamd has them
        self.configure()

    def configure(
        self, scanner: dict[str, Any] | None = None, row: dict[str, Any] | None = None, **values: Any
    ) -> None:
        """Write the settings: clamd behind the relay, another scanner's row, and what is given by name.

        A dict is a section, a list of dicts are tables such as [[recipient]], anything else an option.
        """
        known = {"name": "clamd", "at": str(self.relay.path), "conf": str(self.clamd.conf), "timeout": 20}
        known |= scanner or {}
        tables = {key: value for key, value in values.items() if _are_tables(value)}
        top = {"state": str(self.state), "forward": self.reentry} | {
            key: value for key, value in values.items() if not isinstance(value, dict) and key not in tables
        }
        sections = {"cache": {"settle_minutes": 0}} | {
            key: value for key, value in values.items() if isinstance(value, dict)
        }
        lines = _toml(top)
        for name, section in sections.items():
            lines += [f"[{name}]", *_toml(section)]
        for name, table in (
            ("scanner", known),
            ("scanner", row),
            *((name, one) for name, several in tables.items() for one in several),
        ):
            lines += [f"[[{name}]]", *_toml(table)] if table else []
        self.write_settings("\n".join([*lines, ""]).encode())

    def write_settings(self, content: bytes) -> None:
        """Write the settings file as it is given, for the filter to read and for nobody to write."""
        new = self.settings.with_suffix(".new")
        new.write_bytes(content)
        new.chmod(0o640)
        shutil.chown(new, "root", pwd.getpwnam(USER).pw_gid)
        new.rename(self.settings)

    def send(
        self,
        mail: bytes,
        sender: bytes = ALICE,
        recipients: tuple[bytes, ...] = (BOB,),
        helo: bytes = smtp.CLIENT,
        parameters: bytes = b"",
        xclient: bytes = b"",
    ) -> str:
        """Send a mail to the front door; its queue id."""
        return self.postfix.send(sender, recipients, mail, helo, parameters, xclient=xclient)

    def finished(self) -> list[Arrived]:
        """What has arrived when no mail is left anywhere in Postfix."""
        wait_for(self._is_empty, "Postfix to be done with all mail")
        return self.sink.mails

    def deferred(self) -> str:
        """Why the one mail in the queue stays there, once it has been tried; nothing was bounced."""

        def at_rest() -> list[dict[str, Any]]:
            entries = self.postfix.queue()
            return entries if all(entry["queue_name"] == "deferred" for entry in entries) else []

        (entry,) = wait_for(at_rest, "the mail to be deferred")
        assert not self.sink.mails, "something was sent all the same"
        reasons: list[str] = [recipient["delay_reason"] for recipient in entry["recipients"]]
        return reasons[0]

    def retried(self) -> list[Arrived]:
        """Have deferred mail tried until all is gone; what has arrived then."""

        def gone() -> bool:
            self.postfix.flush()
            return self._is_empty()

        wait_for(gone, "deferred mail to be delivered")
        return self.sink.mails

    def filters(self) -> list[int]:
        """The filters that run now."""
        found = []
        for name in os.listdir("/proc"):
            with contextlib.suppress(OSError):
                words = Path(f"/proc/{name}/cmdline").read_bytes().split(b"\0") if name.isdigit() else []
                if os.fsencode(self.program) in words[:3] and b"-f" in words:
                    found.append(int(name))
        # a fork of the filter shows the same words: count the one that pipe(8) started
        return [pid for pid in found if not any(pid in children(other) for other in found)]

    def journal(self) -> list[dict[str, Any]]:
        """The records of all runs that decided over a mail, oldest first."""
        return [record for record in self.records() if not record["trouble"]]

    def records(self) -> list[dict[str, Any]]:
        """The same, and those of runs that left the mail in the queue."""
        files = sorted((self.state / "journal").iterdir())
        return [json.loads(line) for path in files for line in path.read_text().splitlines()]

    def today(self) -> str:
        """The name of the journal's file for this day."""
        return time.strftime("%Y-%m-%d.jsonl", time.gmtime())

    def quarantined(self) -> list[bytes]:
        """What is in quarantine, one file each."""
        paths = (self.state / "quarantine").glob("[0-9a-f][0-9a-f]/*")
        return [path.read_bytes() for path in sorted(paths) if path.suffix != ".json"]

    def kept(self) -> list[dict[str, Any]]:
        """The records that lie beside what is in quarantine."""
        paths = (self.state / "quarantine").glob("[0-9a-f][0-9a-f]/*.json")
        return [json.loads(path.read_text()) for path in sorted(paths)]

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the product as the filter's user does."""
        return subprocess.run(
            [self.program, "--config", self.settings, *words],
            capture_output=True,
            text=True,
            check=False,
            user=USER,
            group=USER,
            extra_groups=[],
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "LANG": "C"},
        )

    @contextlib.contextmanager
    def broken(self, path: Path, content: bytes | None, mode: int = 0o755) -> Iterator[None]:
        """For a while, `path` has this content and mode; None takes it away."""
        aside = path.with_name(path.name + ".aside")
        path.rename(aside)
        try:
            if content is not None:
                path.write_bytes(content)
                path.chmod(mode)
            yield
        finally:
            path.unlink(missing_ok=True)
            aside.rename(path)

    def _is_empty(self) -> bool:
        return self.postfix.is_empty()

    def _end_filters(self) -> None:
        for pid in self.filters():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not self.filters(), "the end of all filters")

    def _copy_package(self) -> None:
        """The product and what it imports, owned by root, compiled, in one folder."""
        cache = shutil.ignore_patterns("__pycache__")
        shutil.copytree(CHECKOUT / "amavis_pipe", self.package / "amavis_pipe", ignore=cache)
        for name in THIRD_PARTY:
            found = importlib.util.find_spec(name)
            assert found and found.origin, f"{name} is not installed for {sys.executable}"
            shutil.copytree(Path(found.origin).parent, self.package / name, ignore=cache)
        subprocess.run(["/bin/chmod", "-R", "u=rwX,go=rX", str(self.package)], check=True)
        subprocess.run([PYTHON, "-I", "-S", "-m", "compileall", "-q", str(self.package)], check=True)


def _are_tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _toml(values: dict[str, Any], prefix: str = "") -> list[str]:
    """One line for each value; of a table in it, one for each of its own: `spam.tag = 4.0`."""
    lines = []
    for key, value in values.items():
        name = prefix + key
        lines += _toml(value, name + ".") if isinstance(value, dict) else [f"{name} = {json.dumps(value)}"]
    return lines
