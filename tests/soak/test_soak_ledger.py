"""The books of the soak tell each thing that may not be; the soak itself is under_load.py."""

from collections.abc import Callable

import pytest
from harness.smtp import Arrived
from soak.ledger import Ledger
from soak.mixed import MIX, Made, made

CLEAN, INFECTED, TWO = made(1), made(4), made(11)
TOP = b"Received: from localhost (unknown [127.0.0.1])\r\n\tby mx.site.example (Postfix) with ESMTP id %s;\r\n\t%s\r\n"
DOOR = (
    b"X-Virus-Scanned: by amavis-pipe\r\nReceived: from client.example (x [127.0.0.1])\r\n\tby y; today\r\n"
)
THEN = b"Wed, 25 Nov 2026 14:00:00 +0000 (UTC)"


def at_sink(mail: Made, queue_id: bytes = b"4bQ7Xz", cut: int | None = None) -> Arrived:
    return Arrived(b"a@b.example", mail.recipients, TOP % (queue_id, THEN) + DOOR + mail.data[:cut])


def books(*sent: Made) -> Ledger:
    ledger = Ledger()
    for mail in sent:
        ledger.offer(mail)
        ledger.took(mail, is_certain=True)
    return ledger


def lf(mail: Made) -> bytes:
    return mail.data.replace(b"\r\n", b"\n")


def test_mail_that_arrives_once_or_is_kept_once_is_right() -> None:
    ledger = books(CLEAN, TWO, INFECTED)
    ledger.arrived(at_sink(CLEAN))
    ledger.arrived(at_sink(TWO, b"4bQ7Y0"))
    assert ledger.lost([b"X-Envelope-From: x\n" + lf(INFECTED)]) == []
    assert (ledger.wrong, ledger.doubled(), ledger.waiting) == ([], ({}, {}), 0)


@pytest.mark.parametrize(
    ("happens", "word"),
    [
        pytest.param(lambda ledger: ledger.arrived(at_sink(CLEAN, cut=-3)), "cut or changed", id="cut"),
        pytest.param(lambda ledger: ledger.arrived(at_sink(INFECTED)), "and delivered", id="a virus"),
        pytest.param(lambda ledger: ledger.arrived(at_sink(made(21))), "nobody sent", id="from nowhere"),
        pytest.param(lambda ledger: ledger.lost([lf(CLEAN)]), "in the quarantine", id="clean, kept"),
        pytest.param(lambda ledger: ledger.lost([lf(INFECTED)] * 2), "2 times", id="kept twice"),
        pytest.param(lambda ledger: ledger.lost([lf(INFECTED)[:-1]]), "cut or changed", id="kept, cut"),
        pytest.param(lambda ledger: ledger.lost([b"what"]), "never sent", id="kept, unknown"),
    ],
)
def test_what_must_not_be_is_told(happens: Callable[[Ledger], object], word: str) -> None:
    ledger = books(CLEAN, INFECTED)
    happens(ledger)
    assert any(word in line for line in ledger.wrong)


def test_what_is_nowhere_is_lost_unless_the_door_never_took_it() -> None:
    ledger = books(CLEAN, INFECTED)
    ledger.offer(TWO)
    ledger.took(TWO, is_certain=False)
    assert ledger.lost([]) == [CLEAN.number, INFECTED.number]


def test_a_mail_that_comes_to_one_of_two_recipients_is_lost() -> None:
    ledger = books(TWO)
    whole = at_sink(TWO)
    ledger.arrived(Arrived(whole.sender, whole.recipients[:1], whole.data))
    assert ledger.lost([]) == [TWO.number]


def test_a_released_mail_that_has_not_arrived_is_told_of() -> None:
    ledger = books(INFECTED)
    ledger.released.add(INFECTED.number)
    ledger.lost([lf(INFECTED)])
    assert any("not arrived" in line for line in ledger.wrong)


def test_doubled_mail_is_told_by_who_doubled_it() -> None:
    ledger = books(CLEAN, TWO)
    for queue_id in (b"4bQ7Xz", b"4bQ7Y0"):
        ledger.arrived(at_sink(CLEAN, queue_id))
        ledger.arrived(at_sink(TWO))
    by_filter, by_postfix = ledger.doubled()
    assert (list(by_filter), list(by_postfix)) == ([CLEAN.number], [TWO.number])
    assert by_filter[CLEAN.number] == [1795615200.0] * 2


@pytest.mark.parametrize("number", range(len(MIX)), ids=[f"{at} {kind}" for at, (kind, _) in enumerate(MIX)])
def test_each_number_has_one_mail_of_whole_lines(number: int) -> None:
    mail, again = made(number), made(number)
    assert mail == again
    assert mail.data.endswith(b"\r\n")
    assert b"\n" not in mail.data.replace(b"\r\n", b"")
    assert mail.infected == mail.kind.startswith("infected")
