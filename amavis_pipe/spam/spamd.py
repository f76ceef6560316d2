"""spamd of SpamAssassin, asked by its protocol (SPAMC/1.5, the file spamd/PROTOCOL of SpamAssassin).

SYMBOLS tells score, required score and the names of the tests; REPORT, where a report is wanted, the points
of each test besides, in a table that a site may have changed: then the report is the names alone. HEADERS and
PROCESS would send the mail back. Nothing of the mail's text that a report quotes is taken over.
"""

from amavis_pipe.model import ScannerTrouble
from amavis_pipe.scan.channel import LONGEST_LINE, Channel
from amavis_pipe.spam.score import MOST_TESTS, Score, name_of, number, report_line
from amavis_pipe.text import ascii_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from amavis_pipe.spam.given import Given
    from amavis_pipe.spam.score import Test

LARGEST = 1 << 19
"""Bytes of an answer."""
FIELDS = 50
_SAFE = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+=@-"
_ELSEWHERE = (69, 71, 74, 75)
"""EX_UNAVAILABLE, EX_OSERR, EX_IOERR, EX_TEMPFAIL: it does not work there now; another one may."""
_TIMEOUT = 79
_RULE = b"---- -"
"""What the line below the heads of the columns of a report begins with."""


def ask(channel: Channel, given: "Given", user: bytes = b"", report: bool = False) -> Score:
    """What the spamd at the other end says of a mail, under the preferences of `user`; ScannerTrouble."""
    channel.begin(LARGEST)
    channel.send(request(given.size, user, report))
    channel.send_all(given.chunks())
    channel.end()  # it reads by lines, and waits for the end of the last one, whatever length it was told
    lines = [channel.line()]
    _check_status(lines[0])  # what it could not do has no further lines
    while lines[-1]:
        lines.append(channel.line())
        if len(lines) > FIELDS:
            raise channel.trouble("a head without end")
    head = b"\r\n".join(lines) + b"\r\n"
    size = _length(head)
    if size > LARGEST:
        raise channel.trouble("an answer without end")
    return reply(head + channel.take(size), report)


def request(size: int, user: bytes = b"", report: bool = False) -> bytes:
    """The head of a question about `size` bytes."""
    lines = [b"%s SPAMC/1.5" % (b"REPORT" if report else b"SYMBOLS"), b"Content-length: %d" % size]
    if is_user(user):
        lines.append(b"User: " + user)
    return b"\r\n".join([*lines, b"", b""])


def is_user(user: bytes) -> bool:
    """Whether a name is safe to be told: spamd makes the path of a file of preferences of it."""
    if not 0 < len(user) <= 255 or user.translate(None, _SAFE):
        return False
    return user[:1] not in (b".", b"-") and b".." not in user


def reply(data: bytes, report: bool = False) -> Score:
    """A whole answer, as a Score; ScannerTrouble if it is none, or only a part of one."""
    _check_status(data.partition(b"\n")[0].removesuffix(b"\r"))
    head, empty, body = data.partition(b"\r\n\r\n")
    size = _length(head + empty)
    if not empty or len(body) != size:
        raise ScannerTrouble(f"spamd: {len(body)} bytes of an answer of {size}", "away")
    words = _fields(head).get(b"spam", b"").split()
    # "True ; 15.3 / 5.0"
    if len(words) != 5 or words[1::2] != [b";", b"/"]:
        raise ScannerTrouble(f"spamd: no score in {ascii_of(head, 200)}")
    score, required = number(words[2]), number(words[4])
    if score is None or required is None:
        raise ScannerTrouble(f"spamd: odd score {ascii_of(b' '.join(words), 100)}")
    if not report:
        return Score(score, required, _symbols(body), checker="spamd")
    rows = _table(body)
    lines = [report_line(points, name, told) for name, points, told in rows]
    return Score(score, required, tuple([row[:2] for row in rows]), "\n".join(lines), "spamd")


def _check_status(line: bytes) -> None:
    """ScannerTrouble unless an answer's first line says that all is well: "SPAMD/1.1 0 EX_OK"."""
    words = line.split()
    if len(words) < 2 or not words[0].startswith(b"SPAMD/1.") or not words[1].isdigit() or len(words[1]) > 3:
        raise ScannerTrouble(f"spamd: odd answer: {ascii_of(line, 200)}")
    status = int(words[1])
    if status:
        kind = "slow" if status == _TIMEOUT else "away" if status in _ELSEWHERE else ""
        raise ScannerTrouble(f"spamd: {ascii_of(line, 200)}", kind)


def _fields(head: bytes) -> dict[bytes, bytes]:
    """The fields below the first line, names in lower case."""
    fields: dict[bytes, bytes] = {}
    for line in head.split(b"\r\n")[1 : FIELDS + 1]:
        name, colon, value = line.partition(b":")
        if colon:
            fields.setdefault(name.strip().lower(), value.strip())
    return fields


def _length(head: bytes) -> int:
    """Bytes that follow the head."""
    digits = _fields(head).get(b"content-length", b"")
    if not digits.isdigit() or len(digits) > 9:
        raise ScannerTrouble(f"spamd: no length in {ascii_of(head, 200)}")
    return int(digits)


def _symbols(body: bytes) -> "tuple[Test, ...]":
    """The tests of an answer to SYMBOLS: "BAYES_00,GTUBE"."""
    names = body[:LONGEST_LINE].replace(b",", b" ").split()[:MOST_TESTS]
    return tuple([(name_of(name), None) for name in names])


def _table(body: bytes) -> list[tuple[str, float | None, bytes]]:
    """The rows of a report's last table: name, points, what it means; [] if there is none.

     pts rule name              description
    ---- ---------------------- ------------------------------
     0.6 MISSING_MID            Missing Message-Id: header
    1000 GTUBE                  BODY: Generic Test …
                                [goes on here: words of the mail, or of a name server]
    """
    rows: list[tuple[str, float | None, bytes]] = []
    lines = body.split(b"\n")
    starts = [place for place, line in enumerate(lines) if line.startswith(_RULE)]
    # the last: a mail whose preview looks like a table is quoted before it
    for line in lines[starts[-1] + 1 :][:MOST_TESTS] if starts else ():
        words = line.split(None, 2)
        points = number(words[0]) if len(words) > 1 and not line.startswith(b"      ") else None
        if points is not None:
            rows.append((name_of(words[1]), points, words[2].rstrip() if len(words) > 2 else b""))
    return rows
