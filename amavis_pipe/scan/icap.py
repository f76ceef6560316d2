"""ICAP (RFC 3507), as c-icap and the engines of many vendors speak it: one connection for all parts.

Each part is shown as the body of an HTTP response (RESPMOD, 4.9) or of a request (REQMOD, 4.8), with a
preview (4.5) where the service wants one. 204 says that nothing is to be changed: clean. A virus is told
of by a header field of the answer; an answer that sends other content, and has no such field, is a
failure, as is all else. The ISTag (4.7) is what answers depend on.
"""

from amavis_pipe.cache import Cache
from amavis_pipe.model import Finding, ScannerTrouble, Stamp
from amavis_pipe.scan.base import FOREVER, Answers, Items, found
from amavis_pipe.scan.channel import LARGEST, Channel, Daemon
from amavis_pipe.settings import Row, Settings
from amavis_pipe.spool import Blob
from amavis_pipe.text import ascii_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

PORT = 1344
STEP = 1 << 17
FIELDS = 200
LARGEST_PREVIEW = 1 << 16
_VIRUS_FIELDS = (
    b"x-infection-found",
    b"x-violations-found",
    b"x-virus-id",
    b"x-virus-name",
    b"x-fsecure-infection-name",
)
"""Of the ICAP answer; the first that is there counts. All but the first two hold a name and nothing else."""
_NOTHING = (b"", b"0", b"none", b"no", b"-", b"clean")

Fields = dict[bytes, bytes]


class Options:
    """What a service says of itself: the ISTag, bytes of preview that it wants (-1: none), its name."""

    __slots__ = ("name", "preview", "tag")

    def __init__(self, fields: Fields) -> None:
        self.tag = fields.get(b"istag", b"").strip(b'"')
        self.name = fields.get(b"service", b"")
        preview = fields.get(b"preview", b"")
        size = int(preview) if preview.isdigit() and len(preview) < 9 else -1
        self.preview = size if size <= LARGEST_PREVIEW else -1


class Icap(Daemon):
    """A row with via = "icap": `at` is icap://HOST:PORT/SERVICE."""

    def __init__(self, row: Row, settings: Settings, cache: Cache | None) -> None:
        super().__init__(row, settings, cache)
        self._tag: bytes | None = None
        self._method = b"REQMOD" if row.more.get("method") == "reqmod" else b"RESPMOD"

    def place(self, address: str) -> str:
        """HOST:PORT of an address."""
        host = _split(address)[0]
        return host if ":" in host.rpartition("]")[2] else f"{host}:{PORT}"

    def stamp(self, until: float = FOREVER) -> Stamp:
        """From the ISTag, which a service changes with its signatures, and its options."""
        options = self.asked(self._options, until)
        self._tag = options.tag
        if not options.tag:
            return Stamp(b"", False)
        more = sorted(self.row.more.items())
        return Stamp(repr((self.row.pool, self.row.largest, more, options.tag)).encode(), True)

    def ask(self, items: Items, until: float) -> Answers:
        """Each item's findings; a server ends a connection when it has answered so many questions on it."""
        answers = super().ask(items, until)
        while len(answers) < len(items):
            answers |= super().ask([item for item in items if item[0] not in answers], until)
        return answers

    def talk(self, channel: Channel, items: Items) -> Answers:
        """The parts in turn, at least one, as far as the server goes; steady while the ISTag is the same."""
        options = self._options(channel)
        if self._tag not in (None, options.tag):  # of several, another one than the stamp is made of
            self.steady = False
        answers: Answers = {}
        for path, blob in items:
            channel.begin(LARGEST + 2 * blob.size)  # it may send all of it back, in small chunks
            try:
                self.said[path] = answers[path] = self._scanned(channel, path, blob, options)
            except ScannerTrouble as error:
                if error.kind != "away" or not answers:
                    raise
                break
        return answers

    def _options(self, channel: Channel) -> Options:
        service = self._service(channel)
        channel.send(b"OPTIONS %s ICAP/1.0\r\nHost: %s\r\nUser-Agent: amavis-pipe\r\n\r\n" % service)
        status, fields = _head(channel)
        _skip_body(channel, fields)
        if status != 200:
            raise channel.trouble(f"OPTIONS: status {status}")
        options = Options(fields)
        self.version = ascii_of(b" ".join(word for word in (options.name, options.tag) if word), 200)
        return options

    def _scanned(self, channel: Channel, path: str, blob: Blob, options: Options) -> list[Finding]:
        preview = min(options.preview, blob.size) if options.preview >= 0 else -1
        channel.send(self._request(channel, preview), *_chunk(blob.head(max(preview, 0))))
        if preview < 0:
            self._rest(channel, blob, 0)
        elif preview == blob.size:
            channel.send(b"0; ieof\r\n\r\n")
        else:
            channel.send(b"0\r\n\r\n")
        status, fields = _head(channel)
        if status == 100 and 0 <= preview < blob.size:
            self._rest(channel, blob, preview)
            status, fields = _head(channel)
        if fields.get(b"istag", b"").strip(b'"') != options.tag:
            self.steady = False
        same = _is_same(channel, fields, blob) if status == 200 else status == 204
        findings = judged(status, fields, same, path, self.row.name)
        if findings is None:
            raise channel.trouble(f"status {status} for part {path or 'mail'}")
        return findings

    def _request(self, channel: Channel, preview: int) -> bytes:
        """The heads of ICAP and HTTP; no word of the mail is in them."""
        get = b"GET http://mail.invalid/part HTTP/1.1\r\nHost: mail.invalid\r\n\r\n"
        if self._method == b"REQMOD":
            http = b"POST http://mail.invalid/part HTTP/1.1\r\nHost: mail.invalid\r\n"
            http += b"Content-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
            parts = b"req-hdr=0, req-body=%d" % len(http)
        else:
            answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
            answer += b"Transfer-Encoding: chunked\r\n\r\n"
            parts = b"req-hdr=0, res-hdr=%d, res-body=%d" % (len(get), len(get) + len(answer))
            http = get + answer
        head = b"%s %s ICAP/1.0\r\nHost: %s\r\n" % (self._method, *self._service(channel))
        head += b"User-Agent: amavis-pipe\r\nAllow: 204\r\n"
        if preview >= 0:
            head += b"Preview: %d\r\n" % preview
        return head + b"Encapsulated: %s\r\n\r\n%s" % (parts, http)

    def _rest(self, channel: Channel, blob: Blob, start: int) -> None:
        for chunk in blob.chunks(start, STEP):
            channel.send(*_chunk(chunk))
        channel.send(b"0\r\n\r\n")

    def _service(self, channel: Channel) -> tuple[bytes, bytes]:
        """The service's URL, and its host."""
        name = next((_split(one)[1] for one in self.row.pool if self.place(one) == channel.at), "")
        return f"icap://{channel.at}/{name}".encode(), channel.at.encode()


def judged(status: int, fields: Fields, same: bool, path: str, scanner: str) -> list[Finding] | None:
    """[] for clean, findings, or None for a failure.

    `same` tells that the content is to be, or was, left as it is.
    """
    names = virus_names(fields)
    if names:
        return [found(name, path, scanner) for name in dict.fromkeys(names)]
    return [] if same and status in (200, 204) else None


def virus_names(fields: Fields) -> list[bytes]:
    """The names that an answer's fields tell; [] if they tell of no virus.

    X-Infection-Found: Type=0; Resolution=2; Threat=NAME;
    X-Violations-Found: count; then of each, a line for the file, the name, its number, and what was done
    """
    for field in _VIRUS_FIELDS:
        value = fields.get(field)
        if value is None or value.strip().lower() in _NOTHING:
            continue
        if field == b"x-infection-found":
            _, _, name = value.partition(b"Threat=")
            return [name.partition(b";")[0].strip()]
        if field == b"x-violations-found":
            lines = [line.strip() for line in value.split(b"\n")]
            return lines[2::4] or [b""]
        return [value.strip()]
    return []


def read_head(lines: list[bytes]) -> tuple[int, Fields] | None:
    """Status and fields (names in lower case) of an answer; None if it is none.

    Lines that continue a field are put to it, with a line end between.
    """
    words = lines[0].split(None, 2) if lines else []
    if len(words) < 2 or not words[0].startswith(b"ICAP/1.") or len(words[1]) != 3 or not words[1].isdigit():
        return None
    fields: Fields = {}
    last = b""
    for line in lines[1:]:
        if line[:1] in (b" ", b"\t") and last:
            fields[last] += b"\n" + line.strip()
            continue
        name, colon, value = line.partition(b":")
        if not colon:
            return None
        last = name.strip().lower()
        fields[last] = value.strip()
    return int(words[1]), fields


def _head(channel: Channel) -> tuple[int, Fields]:
    lines: list[bytes] = []
    while not lines or lines[-1]:
        lines.append(channel.line())
        if len(lines) > FIELDS:
            raise channel.trouble("a head without end")
    told = read_head(lines[:-1])
    if told is None:
        raise channel.trouble("odd answer", lines[0])
    return told


def _encapsulated(fields: Fields) -> list[tuple[bytes, int]]:
    """Names and offsets of what an answer holds (RFC 3507, 4.4.1)."""
    entries = []
    for entry in fields.get(b"encapsulated", b"").split(b","):
        name, _, offset = entry.strip().partition(b"=")
        if name and offset.isdigit() and len(offset) < 7:
            entries.append((name, int(offset)))
    return entries


def _is_same(channel: Channel, fields: Fields, blob: Blob) -> bool:
    """Read the HTTP message of an answer; whether its body is what was shown."""
    entries = _encapsulated(fields)
    if not entries:
        return False
    name, size = entries[-1]
    channel.take(size)
    if name == b"null-body":
        return False
    at, same = 0, name in (b"res-body", b"req-body")
    for piece in _chunks(channel):
        same = same and blob.at(at, len(piece)) == piece
        at += len(piece)
    return same and at == blob.size


def _skip_body(channel: Channel, fields: Fields) -> None:
    """Read what an answer to OPTIONS may hold."""
    for name, size in _encapsulated(fields)[-1:]:
        channel.take(size)
        if name != b"null-body":
            for _ in _chunks(channel):
                pass


def _chunks(channel: Channel) -> "Iterator[bytes]":
    """The pieces of a chunked body (RFC 9112, 7.1); the channel bounds their sum."""
    while True:
        line = channel.line()
        digits = line.partition(b";")[0].strip()
        if not digits or len(digits) > 8 or digits.strip(b"0123456789abcdefABCDEF"):
            raise channel.trouble("odd chunk", line)
        size = int(digits, 16)
        while size:
            piece = channel.take(min(size, STEP))
            size -= len(piece)
            yield piece
        if channel.line():
            raise channel.trouble("odd end of a chunk")
        if not digits.strip(b"0"):
            return


def _chunk(data: bytes) -> tuple[bytes, ...]:
    return (b"%x\r\n" % len(data), data, b"\r\n") if data else ()


def _split(address: str) -> tuple[str, str]:
    """Host (with a port, if there is one) and service of icap://HOST:PORT/SERVICE."""
    host, _, service = address.removeprefix("icap://").partition("/")
    return host, service
