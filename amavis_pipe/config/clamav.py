"""Fills a clamd row in from clamd's own settings file (clamd.conf(5)).

What clamd says nothing about when it answers (which sizes it does not look at, when it reloads, where
its signatures are) stands there.
"""

import os
import socket
import sys
from typing import Any

from amavis_pipe import settings

Values = dict[str, Any]
Files = list[tuple[bytes, "settings.Identity"]]

USUAL = b"/etc/clamav/clamd.conf"
LOOPBACK = ("127.0.0.1", "[::1]", "localhost")
SIZES = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
DEFAULTS = {
    "DatabaseDirectory": "/var/lib/clamav",
    "LocalSocket": "/run/clamav/clamd.ctl",
    "SelfCheck": "600",
    "MaxFileSize": "100M",
    "MaxScanSize": "400M",
    "MaxScanTime": "120000",
    "StreamMaxLength": "100M",
    "AlertExceedsMax": "no",
}
"""clamd 1.4's own defaults, in force where a readable clamd.conf says nothing."""
YES = ("yes", "true", "1")
NEVER = 1 << 40
"""Seconds to the next self check of a clamd that does none (SelfCheck 0): it waits to be told."""
ENGINE = (b"/usr/sbin/clamd", b"/usr/local/sbin/clamd")


def clamd_row(row: Values, files: Files) -> Values:
    """The fields of the row that clamd.conf tells of; what was looked at is added to `files`.

    `at` is a tuple: of the addresses the first tells which clamd.conf it is. For people there are
    `conf_read`, the file that was believed (b"" for none), and `tells_limits`, its AlertExceedsMax.
    """
    path = str(row.get("conf") or "").encode() or USUAL
    conf = _read(path, files)
    pool = row["at"] or ((DEFAULTS | (conf or {}))["LocalSocket"],)
    at = pool[0]
    if not row.get("conf") and (conf is None or not _is_of(at, conf)):
        path, conf = _conf_of(at, files)
    known = DEFAULTS | (conf or {})
    ours = conf is not None and len(pool) == 1 and (at.startswith("/") or at.rpartition(":")[0] in LOOPBACK)
    how = row.get("how", "auto")
    stream = how == "stream" or (how == "auto" and not all(one.startswith("/") for one in pool))
    return {
        "at": pool,
        "how": "stream" if stream else "descriptor",
        "databases": (row.get("databases") or (known["DatabaseDirectory"] if ours else "")).encode(),
        "watched": (path, *ENGINE) if ours else (),
        "self_check": (_number(known["SelfCheck"]) if known["SelfCheck"].isdigit() else 600) or NEVER,
        "largest": _largest(row, known if conf is not None else None, stream),
        "longest": _number(known["MaxScanTime"]) / 1000,
        "conf_read": path if conf is not None else b"",
        "tells_limits": known["AlertExceedsMax"].lower() in YES,
    }


def looks_at(path: str, files: Files) -> int:
    """The size above which the clamd with these settings answers OK without having looked; 0 = no limit."""
    conf = _read(path.encode(), files)
    return _largest({}, None if conf is None else DEFAULTS | conf, stream=True)


def _conf_of(at: str, files: Files) -> tuple[bytes, dict[str, str] | None]:
    """The settings file of the clamd at `at`, where the usual one is about another; None if unknown.

    It is the one that the process was started with which listens there.
    """
    files.append((at.encode(), settings.identity(at.encode())))  # another clamd may listen there later
    path = _started_with(at) if at.startswith("/") else b""
    conf = _read(path, files) if path else None
    return path, conf if conf is not None and _is_of(at, conf) else None


def _started_with(at: str) -> bytes:
    """The settings file on the command line of the process that listens on a socket; b"" if unknown."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(2)
            connection.connect(at)
            peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        with open(f"/proc/{int.from_bytes(peer[:4], sys.byteorder)}/cmdline", "rb") as file:
            words = file.read(1 << 16).split(b"\0")
    except OSError:
        return b""
    for number, word in enumerate(words):
        option, equals, value = word.partition(b"=")
        if option in (b"-c", b"--config-file"):
            found = value if equals else (words[number + 1 : number + 2] or [b""])[0]
            return found if found.startswith(b"/") else b""
    return b""


def _is_of(at: str, conf: dict[str, str]) -> bool:
    """Whether a clamd.conf is that of the clamd at this socket path, or HOST:PORT of this machine."""
    if at.startswith("/"):
        return os.path.realpath(conf.get("LocalSocket", "")) == os.path.realpath(at)
    host, _, port = at.rpartition(":")
    return host in LOOPBACK and conf.get("TCPSocket") == port


def _largest(row: Values, known: dict[str, str] | None, stream: bool) -> int:
    """The size above which clamd answers OK without having looked at all bytes; 0 = no limit."""
    if known is None:
        return int(row.get("max_file_size", 25 << 20))
    names = ["MaxFileSize", "MaxScanSize"] + (["StreamMaxLength"] if stream else [])
    return min((size for size in (_number(known[name]) for name in names) if size), default=0)


def _number(text: str) -> int:
    """A number with clamd's suffixes K, M, G; 0 if it is none."""
    digits, factor = text, 1
    if text[-1:].upper() in SIZES:
        digits, factor = text[:-1], SIZES[text[-1:].upper()]
    return int(digits) * factor if digits.isascii() and digits.isdigit() else 0


def _read(path: bytes, files: Files) -> dict[str, str] | None:
    """The options of a clamd.conf, the last value of each; None if it can't be read."""
    files.append((path, settings.identity(path)))
    try:
        text = settings.slurp(path).decode("utf-8", "replace")
    except OSError:
        return None
    found = {}
    for line in text.split("\n"):
        words = line.partition("#")[0].split(None, 1)
        if len(words) == 2:
            found[words[0]] = words[1].strip().strip('"')
    return found
