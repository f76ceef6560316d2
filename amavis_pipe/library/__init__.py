"""The public functions: take mail apart, have it scanned, decide, from any program. Cold.

They are called by the names in amavis_pipe, and have no state of their own:

    >>> import amavis_pipe
    >>> settings = amavis_pipe.load_settings({"scanners": ["builtin"]})
    >>> with open("msg.eml", "rb") as mail:
    ...     facts = amavis_pipe.examine(mail.fileno(), settings)
    >>> for finding in facts.findings:
    ...     print(finding.grade, finding.name, "in part", finding.part)
    virus Eicar-Test-Signature in part 1.2.1
    >>> envelope = amavis_pipe.Envelope(b"a@example.org", (b"b@example.net",))
    >>> verdict = amavis_pipe.decide(facts, envelope, settings)
    >>> print(verdict.action, "for:", verdict.reason)
    discard for: infected Eicar-Test-Signature

Descriptors are read from where they stand to the end of file, and stay the caller's.
"""

import copy
import os
import tempfile
from collections.abc import Iterable, Mapping
from typing import Any

from amavis_pipe import dissect, inquire, intake, settings
from amavis_pipe.ask import checked
from amavis_pipe.budget import Limits
from amavis_pipe.cache import Cache
from amavis_pipe.config import load
from amavis_pipe.examine import examine as _examine_mail
from amavis_pipe.examine import examine_file
from amavis_pipe.model import Facts, Finding, Part, SpoolTrouble
from amavis_pipe.settings import Row, Settings
from amavis_pipe.spool import Blob, write_all

__all__ = ("decompose", "examine", "load_settings", "release", "scan")

Path = str | bytes | os.PathLike[str]


def load_settings(source: Path | Mapping[str, Any] | None = None) -> Settings:
    """The settings in a file, or in a mapping shaped like one; all defaults for None.

    SettingsError with all faults if there are any.
    """
    if source is None or isinstance(source, Mapping):
        return Settings(load.read(dict(source or {}), "settings", "")[0])
    return Settings(load.load(os.path.abspath(os.fsencode(source)))[0])


def decompose(
    fd: int, limits: Limits | None = None, into: Path | None = None, name: bytes | None = None
) -> Facts:
    """The parts of the mail on `fd`, and what in it could not be looked at; nothing is scanned.

    Each part's `blob` holds its bytes until release(). With `into`, a folder, they are also written to
    files in it, named by position ("1.2.1") and never by a name from outside, mode 0600, none of which
    may exist. With `name` what is on `fd` is a file of that name (b"" for none), not a mail. Raises
    SpoolTrouble and SandboxTrouble.
    """
    site = load_settings({"scanners": ["builtin"]})
    site.limits = limits or site.limits
    site.work = os.fsencode(tempfile.gettempdir())
    raw = intake.take(fd, site.work)
    if name is not None:
        facts = dissect.decompose_file(raw, (name,) if name else (), None, site)
    else:
        mail = intake.Mail(raw, raw.sha256(), site.work)
        facts = dissect.decompose(mail.canonical, site)
        _close(raw, mail.canonical, mail.scanned)
    if into is not None:
        try:
            _write_parts(facts.parts, into)
        except BaseException:
            release(facts)
            raise
    return facts


def scan(parts: Iterable[Part], rows: Iterable[Row]) -> list[Finding]:
    """What these scanners find in parts that have their bytes, in the order of rows and parts.

    ScannerTrouble if one gives no answer that means clean or infected; no finding means clean.
    """
    site = load_settings({"scanners": ["builtin"]})
    site.work = os.fsencode(tempfile.gettempdir())
    items = [(part.path, part.blob) for part in parts if part.blob is not None and part.size]
    found: list[Finding] = []
    for row in rows:
        answers = checked(row.name, items, inquire.scanner_of(row, site).scan(items))
        paths = dict.fromkeys([*(path for path, _ in items), ""])  # "": found, but not said where
        found += [finding for path in paths for finding in answers.get(path, ())]
    return found


def examine(fd: int, settings: Settings, name: bytes | None = None) -> Facts:
    """All that is true of the mail on `fd`: its parts (without bytes), and what was found.

    What is remembered below `settings.state` is used, if that folder is the caller's. `name` as in
    decompose(). Raises SpoolTrouble, SandboxTrouble, ScannerTrouble.
    """
    site, cache = _usable(settings)
    raw = intake.take(fd, site.work)
    others: tuple[Blob, ...]
    if name is not None:
        facts, others = examine_file(raw, (name,) if name else (), None, site, cache).facts, (raw,)
    else:
        mail = intake.Mail(raw, raw.sha256(), site.work)
        facts, others = _examine_mail(mail, site, cache).facts, (raw, mail.canonical, mail.scanned)
    _release(facts, *others)
    return facts


def release(facts: Facts) -> None:
    """Give up the bytes of all parts: their files are closed, and gone."""
    _release(facts)


def _usable(given: Settings) -> tuple[Settings, Cache]:
    """The settings with a work folder that can be used, and the cache, which may be none."""
    site, days = copy.copy(given), given.cache_days
    try:
        settings.prepare(site)
    except SpoolTrouble:
        site.work, days = os.fsencode(tempfile.gettempdir()), 0
    return site, Cache(site.state + b"/cache", days, site.cache_size)


def _write_parts(parts: list[Part], into: Path) -> None:
    try:
        folder = os.open(into, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise SpoolTrouble(f"{os.fsdecode(into)}: {error.strerror}") from None
    try:
        for part in parts:
            if part.blob is not None:
                _write_part(part.blob, part.path, folder)
    except OSError as error:
        raise SpoolTrouble(f"{os.fsdecode(into)}: {error.strerror}") from None
    finally:
        os.close(folder)


def _write_part(blob: Blob, name: str, folder: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(name, flags, 0o600, dir_fd=folder)
    try:
        write_all(fd, blob.chunks())
    finally:
        os.close(fd)


def _release(facts: Facts, *others: Blob) -> None:
    blobs = [part.blob for part in facts.parts if part.blob is not None]
    for part in facts.parts:
        part.blob = None
    _close(*blobs, *others)


def _close(*blobs: Blob) -> None:
    """Close the files that these lie in, each once."""
    for fd in {blob.fd for blob in blobs if blob.fd >= 0}:
        os.close(fd)
