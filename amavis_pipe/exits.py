"""The only way out of the filter form: 0, 69 or 75, with one short line, and nothing after it.

pipe(8) reads the line (postfix.md: at most 4096 bytes; the first 100 characters of a success are
logged; "4.x.x text" and "5.x.x text" decide by themselves) and waits for the end of file, so the
descriptor is written once and the process ends by _exit, past all clean-up of the interpreter.

| what happened                                  | status | first bytes    |
|------------------------------------------------|--------|----------------|
| passed, discarded, quarantined                 | 0      | "passed clean" |
| bounced by policy, or refused by the next host | 69     | "5.x.x text"   |
| any trouble, bug, bad settings or arguments    | 75     | "4.3.x text"   |
"""

import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

DONE = 0
REJECTED = 69
TRY_AGAIN = 75

LONGEST = 100
"""Characters of the line that Postfix logs."""


class Outcome:
    """How a mail's handling ended: exit status and the line for Postfix's log."""

    __slots__ = ("line", "status")

    def __init__(self, status: int, line: str) -> None:
        self.status = status
        self.line = line


def done(line: str) -> Outcome:
    """The mail is taken care of."""
    return Outcome(DONE, line)


def rejected(text: str) -> Outcome:
    """The sender gets the mail back from Postfix, with this text."""
    return Outcome(REJECTED, "5.7.1 " + text)


def refused(reply: str) -> Outcome:
    """As rejected(), with what the next host said ("550 5.1.1 <a@b>: unknown"): it refuses for good."""
    code, _, rest = reply[4:].partition(" ")
    if is_permanent(code):
        return Outcome(REJECTED, f"{code} {rest.strip() or 'refused'}")
    return Outcome(REJECTED, f"5.0.0 {reply[4:].strip() or 'refused'}")


def is_permanent(code: str) -> bool:
    """Whether a word is an enhanced status code for a permanent failure (RFC 3463): "5.1.1"."""
    steps = code.split(".")
    return len(steps) == 3 and steps[0] == "5" and all(step.isdecimal() and len(step) < 4 for step in steps)


def try_again(text: str, code: str = "4.3.0") -> Outcome:
    """Postfix keeps the mail and tries again. The text goes to the sender one day: nothing internal."""
    return Outcome(TRY_AGAIN, f"{code} {text}")


def leave(outcome: Outcome, fd: int) -> "NoReturn":
    """Write the line to `fd` (if it is one) and end the process. Does not return."""
    status = outcome.status if outcome.status in (DONE, REJECTED, TRY_AGAIN) else TRY_AGAIN
    line = "".join(char if " " <= char <= "~" else "?" for char in outcome.line[:LONGEST])
    try:
        if fd >= 0:
            posix.write(fd, line.encode() + b"\n")
    finally:
        posix._exit(status)  # whoever does not read the line still gets the status
