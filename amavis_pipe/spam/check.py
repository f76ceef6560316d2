"""Asks the spam checker of the settings about a mail, or remembers what it said of the very same.

    question = Question(mail, envelope, checker, user, until, cache)
    question.run()              in a thread beside the virus scanners, or not at all
    score = question.answer()   asks, if that was not done yet

An answer is remembered for a short while, since it depends on name servers, too; a mail that was too large
to be asked about, and a failure, never.
"""

import marshal
from time import monotonic, perf_counter

from amavis_pipe.cache import digest
from amavis_pipe.clamd import ask as ask_address
from amavis_pipe.model import ScannerTrouble
from amavis_pipe.scan.channel import Channel
from amavis_pipe.settings import Row
from amavis_pipe.spam import spamd
from amavis_pipe.spam.given import Given
from amavis_pipe.spam.score import Score, unpack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from amavis_pipe.cache import Cache
    from amavis_pipe.intake import Mail
    from amavis_pipe.model import Envelope

AT = {"spamd": "127.0.0.1:783", "rspamd": "127.0.0.1:11333"}
"""Where each listens, if nothing else is set."""
RETRY = 2.0
VERSION = b"spam 1"
"""Changes with what is shown or read."""


class Checker:
    """A spam checker as the settings describe it; all fields are values that marshal takes.

    via        "spamd" or "rspamd"
    pool       sockets' paths and HOST:PORT: one at random is asked, another if that is away
    timeout    seconds that it may take for an answer
    retry      seconds for which it is tried again when it is away
    max_size   bytes; of a larger mail only so many are shown ("head"), or it is not asked about ("skip")
    over_size  which of both
    password   rspamd's, or b""
    report     whether a report is wanted
    """

    __slots__ = ("over_size", "password", "report", "row", "via")

    def __init__(
        self,
        via: str,
        pool: tuple[str, ...] = (),
        timeout: float = 60,
        retry: float = RETRY,
        max_size: int = 65536,
        over_size: str = "skip",
        password: bytes = b"",
        report: bool = False,
    ) -> None:
        self.via = via
        self.over_size = over_size
        self.password = password
        self.report = report
        self.row = Row(
            {
                "name": via,
                "via": via,
                "at": pool or (AT[via],),
                "how": "",
                "timeout": timeout,
                "retry": retry,
                "databases": b"",
                "watched": (),
                "self_check": 0,
                "largest": max_size,
                "longest": 0.0,
                "sees": "mail",
                "kinds": (),
                "backup_of": "",
                "more": {},
            }
        )

    def skips(self, mail: "Mail") -> bool:
        """Whether a mail is too large to be asked about."""
        return self.over_size != "head" and mail.raw.size > self.row.largest


class Question:
    """What a checker is asked of one mail, for one user; asked once, by whoever comes first.

    name    of the checker
    cached  whether the answer was remembered
    """

    def __init__(
        self,
        mail: "Mail",
        envelope: "Envelope",
        checker: Checker,
        user: bytes,
        until: float,
        cache: "Cache | None" = None,
        seconds: int = 0,
    ) -> None:
        """`until` is the monotonic time at which the answer must be there; one is believed for `seconds`."""
        self._asked = (mail, envelope, checker, user)
        self._until = until
        self._cache = cache
        self._seconds = seconds
        self._answer: list[Score | None] = []
        self._error: BaseException | None = None
        self.name = checker.via
        self.cached = False

    def run(self) -> None:
        """Ask; what comes of it, even an exception, is kept for answer()."""
        if self._answer or self._error is not None:
            return
        try:
            self._answer.append(self._remembered() or self._new())
        except BaseException as error:  # raised again where it is waited for
            self._error = error

    def answer(self) -> Score | None:
        """The score, None if the mail is too large to be asked about; ScannerTrouble."""
        self.run()
        if self._error is not None:
            raise self._error
        return self._answer[0]

    def _remembered(self) -> Score | None:
        mail, envelope, checker, user = self._asked
        if self._cache is None or not self._seconds or checker.skips(mail):
            return None
        found = self._cache.get(key(mail.sha256, envelope, checker, user))
        if found is None or found[0] > self._seconds:
            return None
        self.cached = True
        return unpack(marshal.loads(found[1]))  # noqa: S302 - whole, and ours: cache.opened()

    def _new(self) -> Score | None:
        mail, envelope, checker, user = self._asked
        score = check(mail, envelope, checker, user, self._until, self._cache)
        if score is not None and self._cache is not None and self._seconds:
            self._cache.put(key(mail.sha256, envelope, checker, user), marshal.dumps(score.pack()))
        return score


def check(
    mail: "Mail",
    envelope: "Envelope",
    checker: Checker,
    user: bytes,
    until: float,
    cache: "Cache | None" = None,
) -> Score | None:
    """What the checker says of the mail now, under the preferences of `user`; None if the mail is too large.

    `until` is the monotonic time at which that must end. `cache` tells of addresses where nobody answers.
    ScannerTrouble: "away" if it is not there, "slow" if it gives no answer in time, "" for any other failure.
    """
    if checker.skips(mail):
        return None
    begun = perf_counter()
    given = Given(mail, envelope, checker.row.largest)
    end = min(until, monotonic() + checker.row.timeout + checker.row.retry)

    def at(address: str) -> Score:
        channel = Channel(checker.row, address, end)
        try:
            if checker.via == "spamd":
                return spamd.ask(channel, given, user, checker.report)
            from amavis_pipe.spam import rspamd

            return rspamd.ask(channel, given, envelope, user, checker.password, checker.report)
        finally:
            channel.close()

    score = ask_address(checker.row, at, end, cache)
    score.ms = (perf_counter() - begun) * 1000
    return score


def key(sha256: str, envelope: "Envelope", checker: Checker, user: bytes) -> bytes:
    """The key of what a checker says of a mail: all that it is shown and told, and who is asked, how.

    sha256  of the raw mail, in hex: trace fields are shown, too
    """
    told = (
        envelope.sender,
        envelope.recipients,
        envelope.queue_id,
        envelope.client_address,
        envelope.client_name,
        envelope.helo,
        envelope.sasl_username,
    )
    row = checker.row
    asked = (checker.via, sorted(row.pool), row.largest, checker.over_size, checker.password, checker.report)
    return digest(VERSION, sha256.encode(), repr(told).encode(), repr(asked).encode(), user)


__all__ = ["AT", "Checker", "Question", "ScannerTrouble", "check", "key"]
