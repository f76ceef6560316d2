"""One mail's questions to the checker, one for each user that it is checked for, and who gets which answer.

Recipients that are left out are asked for by nobody and have no score: what one is spared, or given, never
becomes another's. Each question is told of those recipients alone whose answer it is.
"""

from amavis_pipe.model import Answer, Envelope, ScannerTrouble
from amavis_pipe.spam.check import Checker, Question
from amavis_pipe.spam.users import groups

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from amavis_pipe.cache import Cache
    from amavis_pipe.intake import Mail
    from amavis_pipe.model import Facts
    from amavis_pipe.settings import Settings
    from amavis_pipe.spam.score import Score
    from amavis_pipe.spam.users import Users


class Consultation:
    """What is asked of a mail.

    jobs     to be run at the same time as scanners are asked; none need be
    scores   by recipient, once settle() was called; nothing for those without one
    answers  what the record keeps: who was asked, for how long, with what trouble
    """

    __slots__ = ("_questions", "answers", "scores")

    def __init__(
        self,
        mail: "Mail",
        envelope: Envelope,
        recipients: tuple[bytes, ...],
        checker: Checker,
        users: "Users",
        until: float,
        cache: "Cache | None" = None,
        seconds: int = 0,
    ) -> None:
        """`recipients` are those of the envelope that want a score; the rest as of Question."""
        self._questions = [
            (
                among,
                Question(
                    mail,
                    envelope.only(among) if any(among) else envelope,
                    checker,
                    user,
                    until,
                    cache,
                    seconds,
                ),
            )
            for user, among in groups(recipients, users).items()
        ]
        self.scores: dict[bytes, Score] = {}
        self.answers: list[Answer] = []

    @property
    def jobs(self) -> "list[Callable[[], None]]":
        return [question.run for _, question in self._questions]

    def scored(self, facts: "Facts", settings: "Settings") -> "dict[bytes, Score]":
        """The scores by recipient; of a virus that nobody gets none is waited for. Raises as settle()."""
        if any(found.grade == "virus" for found in facts.findings):
            if not settings.rules and "infected" not in settings.profile.get("bypass"):
                return {}
            self.settle(defer=False)
            return self.scores
        self.settle(settings.values["spam.trouble"] == "defer")
        facts.answers += self.answers
        return self.scores

    def settle(self, defer: bool) -> None:
        """Take the answers, asking for those that are not there yet, all at the same time.

        ScannerTrouble if one can't be had and `defer` is set; else its recipients go without a score.
        """
        if len(self._questions) > 1:
            from amavis_pipe.scan.together import together

            together(self.jobs)
        for among, question in self._questions:
            try:
                score = question.answer()
            except ScannerTrouble as error:
                if defer:
                    raise
                self.answers.append(Answer(question.name, trouble=str(error)))
                continue
            if score is None:
                continue
            self.scores.update(dict.fromkeys(among, score))
            self.answers.append(Answer(question.name, cached=question.cached, ms=score.ms))


def begin(
    mail: "Mail", envelope: Envelope, settings: "Settings", until: float, cache: "Cache | None"
) -> Consultation | None:
    """What is to be asked of a mail under these settings; None if nobody is, or no recipient wants it."""
    if settings.checker is None:
        return None
    recipients = _asking(envelope, settings)
    if envelope.recipients and not recipients:
        return None
    values = settings.values
    seconds = values["spam.cache_minutes"] * 60
    checker = Checker(*settings.checker)
    # without an envelope (a trial) the question is nobody's
    return Consultation(
        mail, envelope, recipients or (b"",), checker, values["spam.users"], until, cache, seconds
    )


def _asking(envelope: Envelope, settings: "Settings") -> tuple[bytes, ...]:
    """The recipients who are not spared the check, in their order."""
    if not settings.rules:
        return () if "spam" in settings.profile.get("bypass") else envelope.recipients
    from amavis_pipe.rules import profiles

    spared = {
        one
        for profile, several in profiles(envelope, settings)
        for one in several
        if "spam" in profile.get("bypass") or profile.get("list") == "white"
    }
    return tuple(one for one in envelope.recipients if one not in spared)
