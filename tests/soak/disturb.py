"""What happens to a site while mail flows: one disturbance after the other, each ended before the next begins."""

import json
import threading
from collections import Counter
from collections.abc import Callable
from signal import SIGKILL, SIGTERM
from subprocess import CalledProcessError
from time import time
from typing import Any

from harness.site import Site
from harness.smtp import Refused
from harness.waiting import wait_for
from soak.ledger import Ledger
from soak.mixed import Made, marked

PAUSE = 2.0
"""Seconds of quiet between two disturbances."""
DOWN = 4.0
"""Seconds that clamd or Postfix is away."""
REFUSING = b'state = "/nowhere"\nlimits.depth = "ten"\n'
WAYS: tuple[dict[str, Any], ...] = (
    {"forward": "sendmail"},
    {"cache": {"settle_minutes": 0, "days": 1}, "limits": {"depth": 9}},
    {"forward": "sendmail", "limits": {"files": 900}, "journal": {"days": 3}},
    {},
)
"""Settings that are taken in turn: other limits, other ways of re-entry."""


class Disturbance:
    """All that can happen to `site`, in turn, in a thread of its own, until close().

    counts   how often each was done
    cuts     times when Postfix was going down or away: mail that was at its commit may come twice
    failed   what did not go as it must, in words
    """

    def __init__(self, site: Site, ledger: Ledger, send: Callable[[Made], bool]) -> None:
        self.counts: Counter[str] = Counter()
        self.cuts: list[tuple[float, float]] = []
        self.failed: list[str] = []
        self._site, self._ledger, self._send = site, ledger, send
        self._ways = 0
        self._dump = site.folder / "conf/partners"
        self._dump.write_text("partner.example\n")
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._go_on, name="disturbance")

    def start(self) -> None:
        self._configure()
        self._refresh()
        self._thread.start()

    def close(self) -> None:
        """End after the one that is going on; everything runs then."""
        self._done.set()
        if self._thread.ident:
            self._thread.join()

    def _go_on(self) -> None:
        turn = (
            ("clamd stopped and started", self._clamd),
            ("signature added, clamd reloaded", self._signature),
            ("prune", lambda: self._command("prune")),
            ("quarantined mail released", self._release),
            ("settings changed", self._configure),
            ("config refresh", self._refresh),
            ("settings broken and mended", self._break),
            ("postfix reload", self._reload),
            ("postfix stop and start", self._postfix),
        )
        while True:
            for name, disturb in turn:
                if self._done.wait(PAUSE):
                    return
                try:
                    disturb()
                    self.counts[name] += 1
                except (AssertionError, OSError, Refused, CalledProcessError) as error:
                    self.failed.append(f"{name}: {error!r}")

    def _clamd(self) -> None:
        """Ended in good order, and the next time killed."""
        number = self.counts["clamd stopped and started"]
        self._site.clamd.stop(SIGKILL if number % 2 else SIGTERM)
        self._done.wait(DOWN)
        self._site.clamd.start()

    def _signature(self) -> None:
        """A mail goes through and is known; a signature for it comes; it is caught from then on."""
        number = self._ledger.number()
        marker = b"soak marker %d of %d" % (number, int(time()))
        before = marked(number, marker, infected=False)
        self._send(before)
        wait_for(lambda: self._ledger.is_here(number), "the marked mail to arrive", 120)
        self._site.clamd.add(f"soak{number}.ndb", f"Soak.Marker{number}:0:*:{marker.hex()}")
        self._site.clamd.reload(marker)
        for _ in range(3):
            self._send(marked(self._ledger.number(), marker, infected=True))

    def _release(self) -> None:
        """The newest that was not released yet."""
        listed = self._command("quarantine", "list", "--json")
        entries = [json.loads(line) for line in listed.splitlines()]
        entry = next(one for one in reversed(entries) if not one["released"])
        shown = self._command("quarantine", "show", "--raw", entry["quarantine_id"])
        number = int(shown.partition("Message-ID: <soak.")[2].partition("@")[0])
        self._ledger.released.add(number)
        self._command(
            "quarantine",
            "release",
            "--postfix-config",
            str(self._site.postfix.config),
            entry["quarantine_id"],
        )

    def _configure(self) -> None:
        way = WAYS[self._ways % len(WAYS)]
        self._ways += 1
        scanner = {"at": str(self._site.clamd.socket)}
        known = {"name": "partners", "command": ["/bin/cat", str(self._dump)]}
        self._site.configure(
            scanner, map=[known], sender=[{"match": ["map:partners"], "bypass": ["spam"]}], **way
        )

    def _refresh(self) -> None:
        """A map that grows."""
        with self._dump.open("a") as file:
            file.write(f"partner{self.counts['config refresh']}.example\n")
        self._command("config", "refresh")

    def _break(self) -> None:
        """Settings with a fault: all mail waits."""
        good = self._site.settings.read_bytes()
        self._site.write_settings(REFUSING)
        try:
            self._done.wait(DOWN / 2)
        finally:
            self._site.write_settings(good)

    def _reload(self) -> None:
        self._site.postfix.reload_lazily()

    def _postfix(self) -> None:
        begun = time()
        self._site.postfix.stop()
        self._done.wait(DOWN)
        self._site.postfix.start()
        self.cuts.append((begun, time()))

    def _command(self, *words: str) -> str:
        """What a command of the product prints; AssertionError unless it ends well."""
        done = self._site.command(*words)
        assert done.returncode == 0, (
            f"{' '.join(words)}: {done.returncode}\n{done.stdout[-500:]}{done.stderr[-1000:]}"
        )
        return done.stdout
