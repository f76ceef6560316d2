"""The lines in which the sandboxed child answers, and how they are read again. No I/O.

The child may be in the hands of whoever wrote the mail: a line is believed only as far as it can be
checked, and no byte sequence makes read() raise. One line per event, ASCII, words between single
blanks, everything from outside in hex, at most LINE bytes with its newline:

    jailed LANDLOCK SECCOMP         the sandbox stands: version of Landlock, 1 or 0
    open PATH FORMAT                a decoder begins
    part PATH KIND SIZE OFFSET DECODER CLAIMED FLAGS NAMES     OFFSET is "-" for structure
    found NAME PATH                 an *unchecked* finding
    failed WHAT TEXT                the machine failed ("sandbox" or "spool"): Trouble
    run JOB PATHS WORDS             a helper program is wanted for the parts at PATHS (programs.py)
    stop                            its output is not wanted any more
    end                             all was done

The other way only one line goes: done(), that a helper has ended.
"""

from amavis_pipe.model import Finding, Part

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

LINE = 16384
VOLUMES = 128
"""Parts that one helper is given at most."""
MOST = 48
"""Names of a part that are told: of more, the first and the last."""
NAMES = 6000
"""Bytes of all names of a part together; of longer ones the ends are told, which have the suffix."""

_LOWER = b"abcdefghijklmnopqrstuvwxyz0123456789"
_WORD = _LOWER + b"-_."
_TYPE = _LOWER + b"-+."
_HEX = b"0123456789abcdef"
_GRADES = {
    "broken": "unchecked",
    "crash": "unchecked",
    "encrypted": "unchecked",
    "limit": "unchecked",
    "undecoded": "unchecked",
    "ambiguous": "note",
    "decrypted": "note",
    "external": "note",
}
"""The reasons of findings that a child may tell, and the grade of each: not for the child to say."""


class Jailed:
    """What sandbox stands: `landlock` is the kernel's version of it, 0 for none."""

    __slots__ = ("landlock", "seccomp")

    def __init__(self, landlock: int, seccomp: bool) -> None:
        self.landlock = landlock
        self.seccomp = seccomp

    def __str__(self) -> str:
        locks = [f"Landlock {self.landlock}"] if self.landlock else []
        return ", ".join([*locks, "seccomp"] if self.seccomp else locks) or "none"


class Opening:
    """That the decoder of format `name` begins with the part at `path`."""

    __slots__ = ("name", "path")

    def __init__(self, path: str, name: str) -> None:
        self.path = path
        self.name = name


class Listed:
    """A part, and where its bytes begin in the arena; -1 for a structural node."""

    __slots__ = ("offset", "part")

    def __init__(self, part: Part, offset: int) -> None:
        self.part = part
        self.offset = offset


class Failed:
    """That the machine failed the child: `what` is "sandbox" or "spool", `text` says how."""

    __slots__ = ("text", "what")

    def __init__(self, what: str, text: str) -> None:
        self.what = what
        self.text = text


class End:
    """That the child did all it was asked for."""

    __slots__ = ()


class Wanted:
    """That the program of `job` is to be run on the parts at `paths`, with these words."""

    __slots__ = ("job", "paths", "words")

    def __init__(self, job: str, paths: tuple[str, ...], words: tuple[bytes, ...]) -> None:
        self.job = job
        self.paths = paths
        self.words = words


class Stop:
    """That what the program still has to say is not wanted."""

    __slots__ = ()


Event = Jailed | Opening | Listed | Finding | Failed | Wanted | Stop | End

MISSING, KILLED = 1000, 1001
"""Statuses of a helper that isn't there, and of one that had to be ended."""


def done(status: int) -> bytes:
    """The line that tells the child of a helper's end: its exit status, MISSING or KILLED."""
    return b"%d\n" % status


def read_done(line: bytes) -> int:
    """The status in such a line; KILLED for anything else."""
    word = line.strip()
    return int(word) if word.isdigit() and len(word) < 5 else KILLED


def write(event: Event) -> bytes:
    """The event as one line; what doesn't fit the form is cut or bent to it."""
    return " ".join(_words(event)).encode("ascii", "replace") + b"\n"


def read(line: bytes) -> Event | None:
    """The event in a line (without its newline), or None if it is none."""
    if len(line) >= LINE:
        return None
    words = line.split(b" ")
    shape = _READERS.get(words[0])
    if shape is None or len(words) != shape[0] + 1:
        return None
    return shape[1](*words[1:])


def _words(event: Event) -> list[str]:
    words = ["end"]
    match event:
        case Jailed():
            words = ["jailed", str(event.landlock), str(int(event.seccomp))]
        case Opening():
            words = ["open", event.path, event.name]
        case Listed():
            words = _part_words(event.part, event.offset)
        case Finding():
            words = ["found", event.name, event.part]
        case Failed():
            words = ["failed", event.what, event.text.encode("utf-8", "replace")[:500].hex() or "-"]
        case Wanted():
            told = ",".join(word.hex() or "-" for word in event.words)
            words = ["run", event.job, ",".join(event.paths), told or "-"]
        case Stop():
            words = ["stop"]
    return words


def _part_words(part: Part, offset: int) -> list[str]:
    names = part.names if len(part.names) <= MOST else (*part.names[: MOST // 2], *part.names[-MOST // 2 :])
    most = NAMES // max(len(names), 1)
    return [
        "part",
        part.path,
        _bent(part.kind),
        str(part.size),
        str(offset) if offset >= 0 else "-",
        part.decoder or "-",
        part.claimed[:127].hex() or "-",
        ",".join(part.flags) or "-",
        ",".join(name[-most:].hex() for name in names if name) or "-",
    ]


def _bent(kind: str) -> str:
    """A kind with what is not in our form made "-": a multipart's is its header's word."""
    kept = kind.encode("ascii", "replace").lower()[:127]
    main, _, sub = kept.partition(b"/")
    return "/".join(_clean(half) for half in (main, sub))


def _clean(word: bytes) -> str:
    return bytes(byte if byte in _TYPE else 0x2D for byte in word).decode() or "-"


def _read_jailed(landlock: bytes, seccomp: bytes) -> Jailed | None:
    version = _number(landlock)
    if version < 0 or seccomp not in (b"0", b"1"):
        return None
    return Jailed(version, seccomp == b"1")


def _read_opening(path: bytes, name: bytes) -> Opening | None:
    if not _is_path(path) or not _is_word(name):
        return None
    return Opening(path.decode(), name.decode())


def _read_listed(
    path: bytes,
    kind: bytes,
    size: bytes,
    offset: bytes,
    decoder: bytes,
    claimed: bytes,
    flags: bytes,
    names: bytes,
) -> Listed | None:
    at = -1 if offset == b"-" else _number(offset)
    words = [] if flags == b"-" else flags.split(b",")
    if not (_is_path(path) and _is_kind(kind) and (decoder == b"-" or _is_word(decoder))):
        return None
    if _number(size) < 0 or (at < 0 and offset != b"-") or len(words) > 4 or not all(map(_is_word, words)):
        return None
    type_, listed = _bytes(claimed), [_bytes(name) for name in names.split(b",")]
    if type_ is None or len(listed) > MOST:
        return None
    part = Part(
        path.decode(),
        names=tuple(name for name in listed if name),
        claimed=type_,
        kind=kind.decode(),
        size=_number(size),
        decoder="" if decoder == b"-" else decoder.decode(),
        flags=tuple(word.decode() for word in words),
    )
    return None if None in listed else Listed(part, at)


def _read_finding(name: bytes, path: bytes) -> Finding | None:
    reason, colon, what = name.partition(b":")
    grade = _GRADES.get(reason.decode("latin-1"))
    if not colon or grade is None or not _is_word(what) or not _is_path(path):
        return None
    return Finding(grade, name.decode(), path.decode())


def _read_failed(what: bytes, text: bytes) -> Failed | None:
    told = _bytes(text)
    if what not in (b"sandbox", b"spool") or told is None:
        return None
    return Failed(what.decode(), told.decode("utf-8", "replace"))


def _read_wanted(job: bytes, paths: bytes, words: bytes) -> Wanted | None:
    where, told = paths.split(b","), [_bytes(word) for word in words.split(b",")]
    if not _is_word(job) or len(where) > VOLUMES or not all(map(_is_path, where)) or None in told:
        return None
    return Wanted(
        job.decode(), tuple(path.decode() for path in where), tuple(word for word in told if word is not None)
    )


def _read_stop() -> Stop:
    return Stop()


def _read_end() -> End:
    return End()


def _is_path(word: bytes) -> bool:
    steps = word.split(b".")
    return len(word) <= 200 and all(0 < len(step) <= 7 and _number(step) > 0 for step in steps)


def _is_word(word: bytes) -> bool:
    return 0 < len(word) <= 32 and not word.translate(None, _WORD) and word != b"-"


def _is_kind(word: bytes) -> bool:
    main, slash, sub = word.partition(b"/")
    return len(word) <= 127 and bool(main and slash and sub) and not (main + sub).translate(None, _TYPE)


def _number(word: bytes) -> int:
    """A number of at most 15 digits as we write it, without leading zeros; -1 if it is none."""
    if not 0 < len(word) <= 15 or word.translate(None, b"0123456789") or (word[0] == 0x30 and len(word) > 1):
        return -1
    return int(word)


def _bytes(word: bytes) -> bytes | None:
    if word == b"-":
        return b""
    if not word or len(word) % 2 or word.translate(None, _HEX):
        return None
    return bytes.fromhex(word.decode())


_READERS: "dict[bytes, tuple[int, Callable[..., Event | None]]]" = {
    b"jailed": (2, _read_jailed),
    b"open": (2, _read_opening),
    b"part": (8, _read_listed),
    b"found": (2, _read_finding),
    b"failed": (2, _read_failed),
    b"run": (3, _read_wanted),
    b"stop": (0, _read_stop),
    b"end": (0, _read_end),
}
