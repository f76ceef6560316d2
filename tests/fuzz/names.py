"""Fuzzes names, arguments and addresses from outside, and all that escapes or hides them.

What must hold: nothing is raised but UsageError for arguments; what is shown is printable and bounded, and what
can be undone is undone to the same bytes; no address stays in a text that is veiled; a pattern fits as
`fnmatch` says.
"""

import fnmatch
import os
import random
import re
from functools import cache

from amavis_pipe import arguments, kept, rules
from amavis_pipe.forward import wire
from amavis_pipe.judge import glob, names
from amavis_pipe.model import Envelope, Part
from amavis_pipe.record import to_json
from amavis_pipe.subtree import is_volume
from amavis_pipe.text import ascii_of, readable
from amavis_pipe.veil import BREAKS, Veil
from fuzz import driver
from fuzz.mutants import changed

SAMPLES = [
    b"invoice.pdf.exe", b"a.part01.rar", b"..\\..\\a.txt::$DATA", b"a.exe\0.txt", "\u202excod.exe".encode(), b"C:\\a\\b.c",
    "ä é ﬁ İ.doc".encode(), b"a" * 3000 + b".exe   ...", b"\xff\xfe.vbs", b"a\r\nX: y", b"\x1b[2Jx", b"a.z01", b"a.001",
]  # fmt: skip
WORDS = [
    b".", b"..", b"/", b"\\", b":", b"::$DATA", b"\0", b"\n", b"\r", b" ", b"\xa0", "\u200b".encode(), "\u202e".encode(), b"\xff",
    b"\xed\xa0\x80", b".exe", b"\\x41", b"*", b"?", b"[!a-z]", b"[]", b"\x7f", b"\x1b]0;x\x07", "\ufeff".encode(), "\u017f".encode(),
]  # fmt: skip
ARGUMENTS = [
    [b"-f", b"a@example.org", b"--", b"b@example.net"], [b"--dry-run", b"-f", b"", b"--", b"-x", b"--"], [b"--json"],
    [b"--config", b"/x", b"--queue-id=4b", b"--client-address", b"192.0.2.1", b"--size=5", b"-f", b"-", b"--", b"c"], [],
]  # fmt: skip
ODD_WORDS = [b"--", b"-f", b"--config", b"--size=", b"--json="]
SECRET = "secret7person"


@cache
def _veil() -> Veil:
    return Veil(os.fsencode(driver.scratch()))


def fuzz(source: random.Random) -> None:
    """Look at one name, one argument list, one text."""
    data = changed(source.choice(SAMPLES), SAMPLES, WORDS, source, 5)
    _check_shown(data)
    _check_names(data, source)
    _check_arguments(source)
    _check_glob(data, source)
    _check_veil(source)
    _check_smtp(data)


def _check_shown(data: bytes) -> None:
    longest = 80
    short, long = ascii_of(data, longest), ascii_of(data, 1 << 20)
    assert short.isascii() and short.isprintable() and len(short) <= 4 * longest + 3
    assert kept.addresses_in(kept.SENDER + b"<" + long.encode() + b">", kept.SENDER) == [data]
    text = readable(data, longest)
    assert text.isprintable() and len(text) <= 10 * longest + 3
    assert to_json(text).isascii() and to_json(text).isprintable()
    assert to_json(data.decode("utf-8", "surrogateescape")).isprintable()


def _check_names(data: bytes, source: random.Random) -> None:
    part = Part("1", names=(data,) * source.choice((1, 1, 200)), decoder=source.choice(("zip", "pdf")))
    forms = names.names_of(part)
    assert len(forms) <= 64 * 20 and all(0 < len(one) <= 3 * names.NAME for one in forms)
    for form in forms[:20]:
        assert names.shown(form).isprintable()
        names.is_double(form, (".pdf", ".doc"), (".exe", ".vbs"))
    if (
        data.isascii()
        and data.decode().isprintable()
        and data[-4:].lower() == b".exe"
        and "::" not in data.decode()
    ):
        assert any(form.endswith(".exe") for form in forms), data
    is_volume(data)


def _check_arguments(source: random.Random) -> None:
    words = [*source.choice(ARGUMENTS)]
    for _ in range(source.randint(0, 3)):
        at = source.randrange(len(words) + 1)
        words[at : at + source.randrange(2)] = [
            source.choice(
                [
                    *source.choice([*SAMPLES, *ODD_WORDS]).split(b"\n"),
                    b"x" * 9000,
                ]
            )
        ]
    try:
        found = arguments.parse(words)
    except arguments.UsageError as error:
        assert str(error).isprintable() and str(error).isascii() and len(str(error)) < 500, error
        return
    if found.envelope is not None:
        assert found.envelope.recipients == tuple(words[words.index(b"--", _behind(words)) + 1 :])
        told = (found.envelope.sender, *found.envelope.recipients, found.envelope.queue_id)
        assert not any(byte in word for word in told for byte in b"\r\n\0")


def _behind(words: list[bytes]) -> int:
    """Where the recipients' mark is looked for: behind what an option has taken verbatim."""
    at = 0
    while words[at] != b"--":
        takes = words[at] == b"-f" or words[at] in arguments.VALUES
        at += 2 if takes else 1
    return at


def _check_glob(data: bytes, source: random.Random) -> None:
    """As fnmatch has it, for names that it and we compare alike."""
    pattern = source.choice((b"*.exe", b"a*.?", b"[!a-f]*", b"*[0-9]*", b"*", b"?*?", b"i*p*e*", b"*.*.*"))
    name = bytes(byte for byte in data if 32 < byte < 127)[:60]
    plain = re.compile(fnmatch.translate(pattern.decode().lower())).match(name.decode().lower())
    assert glob.matches(pattern, name) == bool(plain), (pattern, name)
    glob.matches(changed(pattern, SAMPLES, WORDS, source, 3), data)


def _check_veil(source: random.Random) -> None:
    around = b" ".join(
        changed(b"host said: 550 5.1.1", [b"x@y.z <b@c> (a)"], WORDS, source, 3) for _ in range(2)
    )
    text = around.decode("utf-8", "surrogateescape")
    at = source.randrange(len(text) + 1)
    before, after = source.choice(BREAKS.replace('"', "")), source.choice(BREAKS + "'!")
    told = _veil().text(text[:at] + before + SECRET + "@example.org" + after + text[at:])
    assert SECRET not in told, told
    assert _veil().of(SECRET + "@" + text).find(SECRET) < 0
    envelope = Envelope(
        SECRET.encode() + b"@x", (around, SECRET.encode()), b"4b", around, around, around, around
    )
    hidden = _veil().envelope(envelope)
    assert SECRET.encode() not in b" ".join((hidden.sender, *hidden.recipients))


def _check_smtp(data: bytes) -> None:
    """An address or a client's word can end no command."""
    if wire._is_plain(data):
        path = wire.path(data)
        assert not any(byte in path for byte in b"\r\n\0")
        inner = re.sub(rb'"(?:[^"\\]|\\.)*"', b"", path)
        assert b">" not in inner and b" " not in inner, path
    envelope = Envelope(b"", (), data[:40], data[:90], data, data)
    for command in wire.xforward(envelope, {b"XFORWARD": b"NAME ADDR HELO SOURCE IDENT"}):
        assert command.isascii() and command.decode().isprintable() and len(command) <= wire.COMMAND_MAX
    rules.keys(data)
