"""The command `quarantine release`: sends mail on that was held back, as it came, past the filter.

It goes the way that the settings name for mail that was filtered (`forward`), from its sender, to those for
whom it was kept or to others. One line of ours, X-Amavis-Released, stands on top; nothing else is changed.
What is called released was taken: by Postfix's sendmail(1) with its status, by a server with its reply to the
final dot. That is put down beside the mail, and whoever has it already does not get it again unasked.
"""

import posix
import sys
from dataclasses import dataclass, field
from time import gmtime, strftime

from amavis_pipe import forward, intake
from amavis_pipe.desk import site
from amavis_pipe.desk.held import stock
from amavis_pipe.desk.held.copy import NAME, Copy, Known
from amavis_pipe.model import Envelope, ForwardTrouble, Receipt, Reply, SpoolTrouble
from amavis_pipe.text import readable

LINE = b"X-Amavis-Released: "
DONE, REFUSED, TROUBLE = 0, 1, 2
_TOLD = 20
"""Recipients that are named in a line."""


@dataclass(frozen=True)
class Order:
    """To whom mail is to be released, if not to those it was kept for; `again`: though they have it."""

    to: tuple[bytes, ...] = ()
    again: bool = False


@dataclass
class Result:
    """How that ended: lines for the user, those that tell of a failure, and the status."""

    said: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    status: int = DONE


def run(config: bytes | None, words: tuple[str, ...], order: Order, postfix: bytes) -> int:
    """Release the mails that the words name: 0, 1 if some recipient was refused, 2 for trouble."""
    found = stock.of(config)
    use_postfix(postfix)
    status = DONE
    for copy in found.chosen(words):
        status = max(status, tell(copy, released(copy, order, found.site)))
    return status


def use_postfix(folder: bytes) -> None:
    """Have sendmail(1) use the Postfix that is configured in this folder; b"" for the machine's own."""
    if folder:
        posix.environ[b"MAIL_CONFIG"] = folder


def tell(copy: Copy, result: Result) -> int:
    """Say how it ended; the status."""
    for line in result.said:
        print(f"{copy.name}: {line}", flush=True)
    for line in result.failed:
        print(f"{copy.name}: {line}", file=sys.stderr, flush=True)
    return result.status


def released(copy: Copy, order: Order, here: site.Site) -> Result:
    """Release one mail."""
    try:
        known = copy.known()
        to, result = _recipients(known, order)
        if to:
            _send(copy, known, to, here, result)
    except (OSError, SpoolTrouble, ForwardTrouble) as error:
        return Result(failed=[f"not released: {getattr(error, 'strerror', None) or error}"], status=TROUBLE)
    return result


def _recipients(known: Known, order: Order) -> tuple[tuple[bytes, ...], Result]:
    """Whom it is to go to now, and what is to be said of the others."""
    wanted = tuple(dict.fromkeys(order.to or known.recipients))
    had = known.released_to() | (frozenset() if order.to else known.served)
    again = [] if order.again else [one for one in wanted if one in had]
    left = tuple(one for one in wanted if one not in again)
    if not wanted:
        return (), Result(failed=["not released: no recipient is known; name one with --to"], status=TROUBLE)
    if not again:
        return left, Result()
    how = (
        "was released before to"
        if known.released_to() & {*again}
        else "was kept beside the mail that went to"
    )
    what = f"{how} {shown(again)}; --again sends it once more"
    return left, Result(failed=[what], status=REFUSED if left else TROUBLE)


def _send(copy: Copy, known: Known, to: tuple[bytes, ...], here: site.Site, result: Result) -> None:
    settings = here.settings
    found = NAME.fullmatch(copy.name)
    envelope = known.envelope((found[4] or "").encode() if found else b"")
    with copy.original(settings.work) as blob:
        mail = intake.Mail(blob, known.sha256, settings.work)
        stamp = strftime("%Y-%m-%dT%H:%M:%SZ", gmtime())
        message = forward.Message(mail, [LINE + f"<{copy.name}> {stamp}".encode()])
        receipt = forward.submit(
            settings.forward,
            message,
            envelope.only(to),
            to,
            _nothing,
            settings.hard_seconds,
            settings.work,
            settings.stray_cr,
        )
    _judge(copy, receipt, to, envelope, stamp, result)


def _judge(
    copy: Copy, receipt: Receipt, to: tuple[bytes, ...], envelope: Envelope, stamp: str, result: Result
) -> None:
    """Say what was taken and refused, and put down what was taken."""
    refused = {reply.recipient for reply in receipt.refused}
    taken = [one for one in to if one not in refused] if receipt.taken else []
    for reply in receipt.refused:
        result.failed.append(f"refused for {readable(reply.recipient)}: {reply.text}")
        result.status = max(result.status, REFUSED)
    if not taken:
        return
    queued = f", queued as {receipt.queue_id}" if receipt.queue_id else ""
    note = f" ({receipt.note})" if receipt.note else ""
    sender = readable(envelope.sender) or "<>"
    result.said.append(f"released from {sender} to {shown(taken)} by {receipt.route}{queued}{note}")
    release = {
        "time": stamp,
        "to": [one.decode("latin-1") for one in taken],
        "route": receipt.route,
        "queue_id": receipt.queue_id or None,
    }
    try:
        copy.note_release(release)
    except (OSError, SpoolTrouble) as error:
        result.failed.append(f"this could not be put down: {getattr(error, 'strerror', None) or error}")
        result.status = TROUBLE


def shown(addresses: "list[bytes] | tuple[bytes, ...]") -> str:
    """The addresses for a line."""
    more = f" and {len(addresses) - _TOLD} more" if len(addresses) > _TOLD else ""
    return ", ".join(readable(one) for one in addresses[:_TOLD]) + more


def _nothing(_: list[Reply]) -> None:
    """Nobody else is told of refused recipients."""
