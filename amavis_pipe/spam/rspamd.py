"""rspamd, asked over HTTP by /checkv2 of its normal worker or proxy (rspamd's "Protocol" page).

Spoken by hand, as HTTP/1.0: a server must not send chunks then, and http.client costs more than the filter.
Score, required score and symbols are read; the action and the changes to the header that rspamd proposes are
not: what is done is policy's affair. Symbols' options are words of the mail, and left out.
"""

from _json import make_scanner

from amavis_pipe.model import ScannerTrouble
from amavis_pipe.scan.channel import Channel
from amavis_pipe.spam.given import address, visible, word
from amavis_pipe.spam.score import MOST_TESTS, Score, bounded, name_of, report_line
from amavis_pipe.text import ascii_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from amavis_pipe.model import Envelope
    from amavis_pipe.spam.given import Given
    from amavis_pipe.spam.score import Test

LARGEST = 1 << 20
"""Bytes of an answer."""
FIELDS = 100
RECIPIENTS = 32 << 10
"""Bytes of recipients that are told at most: rspamd takes no head of more than 80 KiB."""


def ask(
    channel: Channel, given: "Given", envelope: "Envelope", user: bytes, password: bytes, report: bool
) -> Score:
    """What the rspamd at the other end says of a mail that is delivered to `user`; ScannerTrouble."""
    channel.begin(LARGEST)
    channel.send(request(given.size, envelope, user, password))
    channel.send_all(given.chunks())
    lines = [channel.line()]
    while lines[-1]:
        lines.append(channel.line())
        if len(lines) > FIELDS:
            raise channel.trouble("a head without end")
    size = length(lines)
    if size > LARGEST:
        raise channel.trouble("an answer without end")
    return read(channel.take(size), report)


def request(size: int, envelope: "Envelope", user: bytes = b"", password: bytes = b"") -> bytes:
    """The head of a question about `size` bytes.

    "Pass: all" has rspamd go on beyond its own limits: a site's levels may be higher.
    """
    fields = [
        (b"Password", visible(password)),
        (b"IP", address(envelope)),
        (b"Helo", visible(envelope.helo)),
        (b"Hostname", visible(envelope.client_name)),
        (b"User", visible(envelope.sasl_username)),
        (b"Deliver-To", word(user)),
        (b"Queue-Id", visible(envelope.queue_id)),
        (b"Pass", b"all"),
    ]
    lines = [b"POST /checkv2 HTTP/1.0", b"Content-Length: %d" % size, b"From: <%s>" % word(envelope.sender)]
    room = RECIPIENTS
    for recipient in envelope.recipients:
        room -= len(recipient) + 10
        if room >= 0:
            lines.append(b"Rcpt: <%s>" % word(recipient))
    lines += [b"%s: %s" % field for field in fields if field[1]]
    return b"\r\n".join([*lines, b"", b""])


def length(lines: list[bytes]) -> int:
    """Bytes of the body that follows an answer's head; ScannerTrouble if that tells of a failure."""
    words = lines[0].split(None, 2) if lines else []
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or len(words[1]) != 3 or not words[1].isdigit():
        raise ScannerTrouble(f"rspamd: odd answer: {ascii_of(b' '.join(lines[:1]), 200)}")
    if words[1] != b"200":
        # 5xx: overloaded, or a proxy that reaches nobody
        raise ScannerTrouble(f"rspamd: {ascii_of(lines[0], 200)}", "away" if words[1][:1] == b"5" else "")
    lengths = []
    for line in lines[1:]:
        name, _, value = line.partition(b":")
        name = name.strip().lower()
        if name == b"content-length":
            lengths.append(value.strip())
        elif name in (b"transfer-encoding", b"content-encoding"):
            raise ScannerTrouble(f"rspamd: an answer with {ascii_of(line, 100)}")
    if len(lengths) != 1 or not lengths[0].isdigit() or len(lengths[0]) > 9:
        raise ScannerTrouble("rspamd: an answer without a length")
    return int(lengths[0])


def reply(data: bytes, report: bool = False) -> Score:
    """A whole answer, head and body, as a Score; ScannerTrouble if it is none, or only a part of one."""
    head, empty, body = data.partition(b"\r\n\r\n")
    size = length(head.split(b"\r\n")[:FIELDS])
    if not empty or len(body) != size:
        raise ScannerTrouble(f"rspamd: {len(body)} bytes of an answer of {size}", "away")
    return read(body, report)


def read(body: bytes, report: bool = False) -> Score:
    """The JSON of an answer as a Score; ScannerTrouble."""
    try:
        told = parsed(body)
    except (ValueError, RecursionError):
        raise ScannerTrouble(f"rspamd: odd JSON: {ascii_of(body, 200)}") from None
    if not isinstance(told, dict):
        raise ScannerTrouble(f"rspamd: odd JSON: {ascii_of(body, 200)}")
    score, required = bounded(told.get("score")), bounded(told.get("required_score"))
    if score is None:
        raise ScannerTrouble(f"rspamd: no score in {ascii_of(body, 200)}")
    symbols = told.get("symbols")
    rows = sorted(_symbols(symbols), key=lambda row: -abs(row[1] or 0)) if isinstance(symbols, dict) else []
    tests: tuple[Test, ...] = tuple([row[:2] for row in rows])
    lines = [report_line(points, name, text) for name, points, text in rows] if report else []
    return Score(score, required, tests, "\n".join(lines), "rspamd")


def parsed(data: bytes) -> object:
    """A JSON text's value; ValueError, RecursionError.

    By the C half of the json module alone: the other half loads `re`, which costs more than rspamd takes.
    """
    text = data.decode().strip(" \t\r\n")
    try:
        value, end = make_scanner(_Rules())(text, 0)  # type: ignore[arg-type]
    except StopIteration:
        raise ValueError("no value") from None
    except SystemError:  # what it means to raise is of the other half, which nobody has loaded
        raise ValueError("no JSON") from None
    if end != len(text):
        raise ValueError("more than one value")
    return value


def _constant(name: str) -> object:
    raise ValueError(name)


class _Rules:
    """How JSON is read (json.JSONDecoder has the same attributes)."""

    strict = False
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = staticmethod(_constant)
    """NaN and Infinity, which are no JSON."""


def _symbols(symbols: "dict[str, object]") -> list[tuple[str, float | None, bytes]]:
    """Name, points and description of each symbol."""
    rows: list[tuple[str, float | None, bytes]] = []
    for name, told in symbols.items():
        if len(rows) == MOST_TESTS:
            break
        points, text = None, b""
        if isinstance(told, dict):
            points, about = bounded(told.get("score")), told.get("description")
            text = about.encode("utf-8", "replace") if isinstance(about, str) else b""
        rows.append((name_of(name.encode("utf-8", "replace")), points, text))
    return rows
