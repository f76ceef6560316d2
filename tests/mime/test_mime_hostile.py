"""dissect: no mail hides a file from us that some mail reader would open; see tests/mime/hostile."""

import pytest
from hostile import PAYLOADS, Technique, build, crlf, marker, pairs, techniques, unencoded
from hostile.apart import bodies, is_found, is_named, taker
from hostile.container import partial_pieces

from amavis_pipe import dissect, intake

ENDS = {"LF": lambda mail: mail, "CRLF": crlf}
FILENAME = b"report.exe"
SINGLE = {f"{one.area}: {one.name}": (one,) for one in techniques()}
PAIRS = {f"{one.area}: {one.name} + {two.area}: {two.name}": (one, two) for one, two in pairs()}
PLAIN = Technique("not encoded", "encoding", "python", "RFC 2045", unencoded, raw=True)
IN_THE_SANDBOX = [
    "boundary: two, the first counts",
    "encoding: base64: two, the last counts",
    "container: mail in base64",
    "container: mail in a zip",
    "container: opaque S/MIME around hostile MIME",
    "container: opaque S/MIME in BER",
    "container: TNEF",
    "container: MHTML as octets",
    "container: mbox as octets",
    "container: data: URI in an attached page",
    "encoding: BinHex in base64",
    "encoding: yEnc in two parts",
]


@pytest.fixture
def taken_apart(settings_of, monkeypatch):
    return taker(settings_of(), monkeypatch)


def chosen(hidden: str) -> tuple[Technique, ...]:
    return SINGLE.get(hidden) or PAIRS[hidden]


RAW = [key for key, (one,) in SINGLE.items() if one.raw]
CODED = [*(key for key in SINGLE if key not in RAW), *PAIRS]
UNDER_ITS_NAME = [
    key
    for key, (one,) in SINGLE.items()
    if one.name_only or (one.area != "container" and "no name" not in key)
]
PLACED = [
    key
    for key, (one,) in SINGLE.items()
    if one.area in ("boundary", "header", "multipart") and not one.raw and "in the file" not in one.name
]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("hidden", CODED)
def test_the_hidden_file_is_found(hidden, payload, end, taken_apart):
    assert is_found(taken_apart(ENDS[end](build(PAYLOADS[payload], FILENAME, *chosen(hidden)))))


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("hidden", RAW)
def test_the_hidden_file_is_found_as_it_stands(hidden, end, taken_apart):
    assert is_found(taken_apart(ENDS[end](build(PAYLOADS["plain"], FILENAME, *chosen(hidden)))))


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("hidden", PLACED)
def test_a_file_that_is_not_encoded_is_a_part_of_its_own(hidden, end, taken_apart):
    facts = taken_apart(ENDS[end](build(PAYLOADS["plain"], FILENAME, PLAIN, *chosen(hidden))))
    assert marker() in bodies(facts)
    assert is_named(facts, FILENAME)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("hidden", UNDER_ITS_NAME)
def test_the_hidden_name_is_found(hidden, end, taken_apart):
    facts = taken_apart(ENDS[end](build(PAYLOADS["plain"], FILENAME, *SINGLE[hidden])))
    assert is_named(facts, FILENAME)


def test_pieces_of_a_mail_are_not_clean(taken_apart):
    """Only their reader puts them together; so they are said to be unread."""
    facts = taken_apart(partial_pieces(build(PAYLOADS["plain"], FILENAME)))
    assert is_found(facts) or "undecoded:partial" in {found.name for found in facts.findings}


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_mail_without_tricks_shows_the_file_and_its_name(payload, taken_apart):
    facts = taken_apart(build(PAYLOADS[payload], FILENAME))
    assert is_found(facts)
    assert is_named(facts, FILENAME)


@pytest.mark.parametrize("hidden", IN_THE_SANDBOX)
def test_in_the_sandbox_the_hidden_file_is_found_too(hidden, settings_of):
    settings = settings_of()
    mail = build(PAYLOADS["zip"], FILENAME, *SINGLE[hidden])
    assert is_found(dissect.decompose(intake.of_bytes(mail, settings.work).canonical, settings))


@pytest.mark.parametrize("hidden", CODED)
def test_no_mail_shows_the_file_undecoded(hidden):
    assert marker() not in build(PAYLOADS["plain"], FILENAME, *chosen(hidden))


def test_there_are_enough_of_them():
    assert len(SINGLE) >= 150
    assert len(PAIRS) >= 150
    assert len({one.area for (one,) in SINGLE.values()}) == 7
