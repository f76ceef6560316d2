"""Where every start begins: the filter form, or the rooms for people; and the outermost guard.

The filter form (pipe(8) calls it) leaves with 0, 69 or 75, whatever happens: what escapes from any
stage is logged and becomes 75, so that Postfix keeps the mail. A form it does not know is never guessed.
"""

import gc
import posix
import sys
from _signal import SIG_DFL, SIGALRM, alarm, signal
from time import monotonic, perf_counter

from amavis_pipe import arguments, exits
from amavis_pipe.model import AmavisPipeError, Envelope, Trouble

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from amavis_pipe.arguments import Arguments
    from amavis_pipe.examine import Examination
    from amavis_pipe.exits import Outcome
    from amavis_pipe.intake import Mail
    from amavis_pipe.perform import Actor
    from amavis_pipe.policy import Decision
    from amavis_pipe.settings import Settings

FIRST_ALARM = 540
"""Seconds until a signal ends us, before the settings are known; below Postfix's own time limit."""
NOT_CHECKED = "mail could not be checked; see the mail log"
"""All that the status line says of trouble: the sender may read it one day."""


def main() -> None:
    """Run the form that the arguments ask for; ends the process."""
    gc.disable()  # the filter is short: collecting costs more than it frees
    if b"MAIL_CONFIG" not in posix.environ or posix.isatty(0):
        by_hand()
    try:
        found = arguments.parse(arguments.given())
        if found.envelope is None or found.switches & arguments.TRIAL:
            raise arguments.UsageError("not a complete filter form; nothing was done with the mail")
    except BaseException as error:
        _refuse(error)
    filter_form(found)


def by_hand() -> "NoReturn":
    """Whatever was not started by pipe(8)."""
    words = arguments.given()
    try:
        found = arguments.parse(words)
    except arguments.UsageError as error:
        _desk(words, error)
    if found.envelope and not found.switches & arguments.TRIAL:
        filter_form(found)
    _desk(words, None)


def filter_form(found: "Arguments") -> "NoReturn":
    """Filter the mail on stdin, and leave."""
    mail_filter = Filter(found)
    try:
        mail_filter.take_output()
        signal(SIGALRM, SIG_DFL)  # death by signal is a deferral, even from within a C library
        alarm(FIRST_ALARM)
        mail_filter.run()
        mail_filter.write_down()
    except BaseException as error:  # the guard: unknown means temporary; what was committed stays so
        mail_filter.fail(error)
    finally:  # also when the log fails
        exits.leave(mail_filter.outcome or exits.try_again(NOT_CHECKED), mail_filter.status_line)


class Filter:
    """One mail's way through the filter form.

    outcome      how it ended, from the moment when that can't be taken back; None before
    status_line  where the one line goes that we may print, or -1
    """

    def __init__(self, found: "Arguments") -> None:
        self.outcome: Outcome | None = None
        self.status_line = -1
        self._found = found
        self._envelope = found.envelope or Envelope()
        self._parent = posix.getppid()
        self._begun = perf_counter()
        self._deadline = monotonic() + FIRST_ALARM
        self._site: Settings | None = None
        self._mail: Mail | None = None
        self._actor: Actor | None = None
        self._decided: tuple[Examination, Decision] | None = None

    def take_output(self) -> None:
        """Keep fd 1 for the status line, and give /dev/null to everybody else."""
        self.status_line = _take_output()

    def run(self) -> None:
        """Read, examine, decide, perform; raises Trouble, or anything, for a mail to be tried again."""
        from amavis_pipe import cache, intake, policy, settings
        from amavis_pipe.examine import examine
        from amavis_pipe.perform import Actor

        if posix.geteuid() == 0:
            raise Trouble("the filter form must not run as root")
        posix.umask(0o077)
        self._site = site = settings.read(self._found.options.get(b"config", settings.DEFAULT_PATH))
        self._set_alarm(site.hard_seconds)
        settings.prepare(site)
        self._mail = mail = intake.read(0, site.work)
        read = perf_counter()
        kept = cache.Cache(site.state + b"/cache", site.cache_days, site.cache_size)
        until = self._deadline - site.hard_seconds + site.scan_seconds
        consultation = None
        if site.checker is not None:
            from amavis_pipe.spam import consult

            consultation = consult.begin(mail, self._envelope, site, until, kept)
        looked = site if policy.is_scanned(self._envelope, site) else site.without_scanners()
        examination = examine(mail, looked, kept, until, consultation.jobs if consultation else (), True)
        scores = consultation.scored(examination.facts, site) if consultation else None
        examination.times["read"] = (read - self._begun) * 1000
        decision = policy.decide(examination.facts, self._envelope, site, mail, scores)
        self._actor = Actor(site, self._ready, self._deadline)
        self.outcome = self._actor.perform(mail, self._envelope, decision, examination.facts)
        self._decided = examination, decision

    def write_down(self, trouble: str = "") -> None:
        """One line for the log and a record for the journal; a record alone where there was trouble."""
        from amavis_pipe import writing

        site, mail, actor, total = self._site, self._mail, self._actor, (perf_counter() - self._begun) * 1000
        if site is None or mail is None:
            return
        if trouble:
            writing.deferred(site, self._envelope, mail, actor, trouble, total)
        elif self._decided is not None and actor is not None:
            writing.decided(site, self._envelope, mail, *self._decided, actor, total)

    def fail(self, error: BaseException) -> None:
        """Have the mail tried again, unless it is committed, and write down what escaped."""
        is_open = self.outcome is None
        self.outcome = self.outcome or exits.try_again(NOT_CHECKED)
        what = shown = _said(error)
        if self._site is not None and self._site.values["journal.hash_addresses"]:
            from amavis_pipe.veil import Veil

            shown = Veil(self._site.state).text(what)
        _log(shown)
        if is_open:
            self.write_down(what)

    def _set_alarm(self, seconds: int) -> None:
        alarm(seconds)
        self._deadline = monotonic() + seconds

    def _ready(self) -> None:
        """Trouble unless pipe(8) is still there to hear how it ended; called before anything is sent.

        If it died, what we read may be a cut mail (its death looks like an end of file), and Postfix
        will deliver the whole one again.
        """
        import select

        if self.status_line < 0:
            raise Trouble("standard output is closed: nobody would hear how it ended")
        poll = select.poll()
        poll.register(self.status_line, 0)
        gone = any(events & (select.POLLERR | select.POLLNVAL) for _, events in poll.poll(0))
        if gone or posix.getppid() != self._parent or self._parent == 1:
            raise Trouble("whoever started this has gone; the mail may be cut")
        alarm(0)  # from here the submission's own deadline holds: killing us would not stop sendmail


def _take_output() -> int:
    """A private descriptor for the one line we may print; fds 1 and 2 become /dev/null.

    pipe(8) waits for the end of file on its pipe: a child of ours that kept it would hold up, and in
    the end bounce, a delivered mail. -1 if there is no fd 1.
    """
    try:
        kept = posix.dup(1)  # not inherited by children
    except OSError:
        kept = -1
    null = posix.open("/dev/null", posix.O_RDWR)
    for fd in (1, 2):
        posix.dup2(null, fd, True)
    if null > 2:
        posix.close(null)
    return kept


def _said(error: BaseException) -> str:
    """What went wrong, on one line; of a bug also where."""
    if isinstance(error, AmavisPipeError):
        return "trouble: " + "; ".join(str(error).split("\n"))
    import traceback

    last = traceback.extract_tb(error.__traceback__)[-4:]
    where = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(last))
    return f"bug: {type(error).__name__}: {str(error)[:200]} in {where}"


def _log(what: str) -> None:
    """Tell the log, and nobody else."""
    from amavis_pipe import journal

    journal.log(journal.ERR, ascii(what)[1:-1])


def _refuse(error: BaseException) -> "NoReturn":
    """75 from a start by pipe(8) that is no filter form."""
    status_line = -1
    try:
        status_line = _take_output()
        _log(f"trouble: arguments: {error}")
    finally:
        exits.leave(exits.try_again(NOT_CHECKED, "4.3.5"), status_line)


def _desk(words: list[bytes], error: "arguments.UsageError | None") -> "NoReturn":
    """Run what is for people, and end the process: the launcher takes a return for a failure."""
    import atexit

    gc.enable()
    from amavis_pipe.desk import front

    status = front.run(words, error)
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            status = status or 2  # a full disk, or a reader that left
    posix._exit(status)
