"""What options take: each type says what is wanted, and reads a TOML value into base units.

Bytes, seconds, bytes strings; ValueError for what is not wanted. Used by the tables of options.
"""

import ipaddress
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

ACTIONS = ("pass", "tag", "defer", "bounce", "discard")
MOST = 10_000
"""Of points, either way."""
SIZES = {"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "kB": 10**3, "MB": 10**6, "GB": 10**9}


@dataclass(frozen=True)
class Type:
    """What an option takes: the words for the user, and the reader."""

    wants: str
    read: Callable[[Any], Any]


@dataclass(frozen=True)
class Option:
    """One option: dotted key, type, default as it is written in TOML, text, amavisd-new's name for it."""

    key: str
    type: Type
    default: Any
    text: str
    amavis: str = ""


def is_a(kind: type) -> Callable[[Any], Any]:
    """A reader that takes values of this type alone."""

    def read(value: Any) -> Any:
        if type(value) is not kind:
            raise ValueError
        return value

    return read


def integer(low: int, high: int) -> Type:
    """An integer from low to high, both included."""

    def read(value: Any) -> int:
        if type(value) is not int or not low <= value <= high:
            raise ValueError
        return value

    return Type(f"an integer from {low} to {high}", read)


def choice(*words: str) -> Type:
    """One of the words."""

    def read(value: Any) -> str:
        if value not in words:
            raise ValueError
        return str(value)

    return Type("one of " + ", ".join(words), read)


def _size(value: Any) -> int:
    if type(value) is int and value >= 0:
        return value
    if not isinstance(value, str) or not value.isascii():
        raise ValueError
    unit = value.lstrip("0123456789")
    digits = value[: len(value) - len(unit)]
    if not digits or unit.strip() not in SIZES:
        raise ValueError
    return int(digits) * SIZES[unit.strip()]


def _folder(value: Any) -> bytes:
    if not isinstance(value, str) or not value.startswith("/") or "\0" in value:
        raise ValueError
    return value.rstrip("/").encode() or b"/"


def _file(value: Any) -> bytes:
    return b"" if value == "" else _folder(value)


def _route(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise ValueError
    if (
        value == "sendmail"
        or value.startswith("file:/")
        or (value.startswith("smtp:") and _is_host(value[5:]))
    ):
        return value
    raise ValueError


def _is_host(value: str) -> bool:
    """HOST:PORT with an IP address for HOST, in brackets if it is IPv6: names would have to be looked up."""
    host, _, port = value.rpartition(":")
    try:
        address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    brackets = host.startswith("[") and host.endswith("]")
    return (
        brackets == (address.version == 6) and port.isdecimal() and port.isascii() and 0 < int(port) < 65536
    )


def _line(value: Any) -> bytes:
    """Printable ASCII that fits one header line."""
    if not isinstance(value, str) or len(value) > 900 or not value.isascii() or not _printable(value):
        raise ValueError
    return value.encode()


def _printable(value: str) -> bool:
    return all(" " <= char <= "~" for char in value)


def _field_name(value: Any) -> bytes:
    if value == "":
        return b""
    if not isinstance(value, str) or len(value) > 70 or not value.replace("-", "a").isalnum():
        raise ValueError
    return _line(value)


def _address(value: Any) -> bytes:
    """An address for `-f` or a recipient: no blanks or controls; empty means none."""
    if not isinstance(value, str) or len(value) > 320 or not _printable(value) or " " in value:
        raise ValueError
    if value and not 0 < value.find("@") < len(value) - 1:
        raise ValueError
    return value.encode()


def _words(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(word, str) and word for word in value):
        raise ValueError
    return tuple(value)


def _name(value: Any) -> str:
    if (
        not isinstance(value, str)
        or not value.isascii()
        or not value.replace("-", "a").replace("_", "a").isalnum()
    ):
        raise ValueError
    return value


def _texts(value: Any) -> tuple[str, ...]:
    """A command line: a list of its words, or one text that is split as a shell would."""
    words = shlex.split(value) if isinstance(value, str) else value
    if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
        raise ValueError
    if any("\0" in word for word in words):
        raise ValueError
    return tuple(words)


def _addresses(value: Any) -> tuple[str, ...]:
    """One address or several: a socket's path, HOST:PORT, a URL."""
    several = [value] if isinstance(value, str) and value else value
    if not isinstance(several, list) or not all(
        isinstance(one, str) and one.isprintable() for one in several
    ):
        raise ValueError
    return tuple(several)


def _judgement(value: Any) -> tuple[int, ...] | str:
    """Exit statuses, or a pattern."""
    if isinstance(value, str) and value:
        return value
    if isinstance(value, list) and value and all(type(one) is int and 0 <= one < 256 for one in value):
        return tuple(value)
    raise ValueError


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 1000:
        raise ValueError
    return value


def _quarantine(value: Any) -> bool | str:
    return value if type(value) is bool else _place(value)


def _place(value: Any) -> str:
    """A folder, a mailbox file (*.mbox), or an address."""
    if not isinstance(value, str) or "\0" in value or ".." in value.split("/"):
        raise ValueError
    if "@" in value and "/" not in value:
        return _address(value).decode()
    return value


def _address_map(value: Any) -> bytes | dict[bytes, bytes]:
    """One address for all, or a table of addresses by domain."""
    if not isinstance(value, dict):
        return _address(value)
    if not all(name and name.isascii() and _printable(name) for name in value):
        raise ValueError
    return {name.lower().encode(): _address(address) for name, address in value.items()}


def _fields(value: Any) -> tuple[bytes, ...]:
    """Header lines of the site's own, "X-Name: text"."""
    lines = [_line(one) for one in (value if isinstance(value, list) else [None])]
    for line in lines:
        name, colon, text = line.partition(b": ")
        if (
            not colon
            or not text.strip()
            or not name.lower().startswith(b"x-")
            or not _field_name(name.decode())
        ):
            raise ValueError
    return tuple(lines)


def _subject(value: Any) -> bytes:
    line = _line(value)
    if len(line) > 60:
        raise ValueError
    return line


def _extension(value: Any) -> bytes:
    if not isinstance(value, str) or len(value) > 40 or not value.isascii():
        raise ValueError
    if value and not value.replace("-", "a").replace("_", "a").isalnum():
        raise ValueError
    return value.encode()


def _delimiter(value: Any) -> bytes:
    if value not in ("", "+", "-", "_", "=", "."):
        raise ValueError
    return str(value).encode()


def _number(value: Any) -> float:
    if type(value) not in (int, float) or not -MOST <= value <= MOST:  # no NaN either
        raise ValueError
    return float(value)


def words_of(*known: str) -> Type:
    """A list of some of these words."""

    def read(value: Any) -> tuple[str, ...]:
        if not isinstance(value, list) or any(word not in known for word in value):
            raise ValueError
        return tuple(dict.fromkeys(value))

    return Type("a list of some of " + ", ".join(known), read)


def _action(value: Any) -> str:
    """An action; the seed's word for bounce is taken, too."""
    word = "bounce" if value == "reject" else value
    if word not in ACTIONS:
        raise ValueError
    return str(word)


BOOL = Type("true or false", is_a(bool))
SIZE = Type('a size such as 4096 or "100 KiB"', _size)
FOLDER = Type("an absolute path", _folder)
FILE = Type('an absolute path, or ""', _file)
PATH = Type("an absolute path", is_a(str))
ROUTE = Type('"sendmail", "smtp:ADDRESS:PORT" with an IP address, or "file:/FOLDER"', _route)
LINE = Type("printable ASCII, one line", _line)
FIELD = Type('the name of a header field, or ""', _field_name)
FIELDS = Type('a list of header lines such as "X-Checked: yes", their names beginning with X-', _fields)
SUBJECT = Type("printable ASCII, at most 60 characters", _subject)
EXTENSION = Type('letters, digits, - and _, or ""', _extension)
DELIMITER = Type('one of "+", "-", "_", "=", ".", or "" for none', _delimiter)
ADDRESS = Type('an address, or ""', _address)
ADDRESS_MAP = Type('an address, "", or a table of addresses by sender domain ("." = any)', _address_map)
WORDS = Type("a list of words", _words)
NAME = Type("a name of letters, digits, - and _", _name)
PLACE = Type(
    'a folder (below state, or absolute), a mailbox file (named *.mbox), an address, or "" for none',
    _place,
)
QUARANTINE = Type("true, false, or a place as quarantine.place", _quarantine)
NUMBER = Type(f"a number from -{MOST} to {MOST}", _number)
ACTION = Type("one of " + ", ".join(ACTIONS), _action)
TEXT = Type("a text", _text)
PATTERN = Type("a pattern", _text)
COMMAND = Type("a command line, as text or as a list of words", _texts)
JUDGEMENT = Type("a list of exit statuses, or a pattern", _judgement)
ADDRESSES = Type('a socket path, "HOST:PORT" or "icap://HOST:PORT/SERVICE", or a list of such', _addresses)
