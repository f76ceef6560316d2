"""Whether viruses are found: each scanner's answer, its signatures, its limits, and a real find."""

import base64
import io
import zipfile
from collections.abc import Iterator

from amavis_pipe import intake
from amavis_pipe.cache import Cache
from amavis_pipe.desk import ages, scanners
from amavis_pipe.desk.checks import Result, ok, problem, warning
from amavis_pipe.desk.table import amount
from amavis_pipe.examine import examine
from amavis_pipe.model import Trouble
from amavis_pipe.settings import Row, Settings
from amavis_pipe.text import readable

_RAISE = "raise MaxFileSize, MaxScanSize and StreamMaxLength in clamd.conf"
ALMOST = "an out-of-date scanner is almost as bad as none"


def check_scanners(site: Settings) -> Iterator[Result]:
    """Whether each configured scanner answers, and how old it is."""
    seen = {row.name: scanners.look(row, site) for row in (*site.rows, *site.backups)}
    for one in seen.values():
        if one.trouble:
            yield _missing(one, site, seen)
        else:
            yield ok(str(one))
    for one in seen.values():
        yield from _check_ages(one, site)
        yield from _check_limits(one)
    if all(row.via == "builtin" for row in site.rows):
        yield warning("only the built-in EICAR check looks at mail", 'install clamd, scanners = ["clamd"]')


def check_unused(site: Settings) -> Iterator[Result]:
    """Scanners that are installed, but not used."""
    for one in scanners.unused(site):
        if one.is_found:
            yield ok(str(one))


def _missing(one: scanners.Seen, site: Settings, seen: dict[str, scanners.Seen]) -> Result:
    """What it means that a configured scanner does not answer."""
    if one.row in site.backups:
        return warning(str(one), "start it, or take it out of `backups`: it stands in for nobody now")
    backups = [row.name for row in site.backups if row.backup_of in (one.name, "*")]
    stand_in = next((name for name in backups if not seen[name].trouble), None)
    if stand_in:
        return warning(str(one), f"start it, or take it out of `scanners`; {stand_in} stands in for it")
    if not site.need_all and any(not seen[row.name].trouble for row in site.rows):
        return warning(str(one), "start it, or take it out of `scanners`; others are asked")
    advice = "start it, or take it out of `scanners`; until then the filter defers all mail"
    return problem(str(one), advice)


def _check_ages(one: scanners.Seen, site: Settings) -> Iterator[Result]:
    """Whether signatures and engine are as young as the settings want."""
    row = one.row
    if row is None or row.via == "builtin":
        return
    old = list(ages.too_old(one.signatures, one.engine, site))
    for each in old:
        yield warning(f"{one.name}: {each}", f"{_remedy(row, each)}; {ALMOST}")
    if one.signatures is None:
        advice = "clean answers are then remembered by what the scanner says of itself alone"
        if row.via != "clamd":
            advice = "no answer of it is remembered then: name the files in `stamp` of its row"
        yield warning(f"{one.name}: its signatures can't be seen from here", advice)
    elif not any(each.what == "signatures" for each in old):
        yield ok(f"{one.name}: signatures {ages.in_words(one.signatures)} old")


def _remedy(row: Row, old: ages.Old) -> str:
    """How to make what is old new."""
    is_clam = "freshclam" in row.more.get("update", ())
    if old.what == "engine":
        return "apt-get install --only-upgrade clamav-daemon clamav" if is_clam else "upgrade the scanner"
    if is_clam:
        return "run freshclam, or `amavis-pipe signatures update` from cron"
    if row.more.get("update") or row.more.get("mirror"):
        return "`amavis-pipe signatures update` from cron"
    return "update it as its vendor says; `update` of its row tells `amavis-pipe signatures update` how"


def _check_limits(one: scanners.Seen) -> Iterator[Result]:
    """Whether a clamd says that something is over its limits; else it is OK to it."""
    more = one.row.more if one.row else {}
    if more.get("conf_read") and not more["tells_limits"]:
        yield warning(
            f"{one.name} says OK to what is over one of its limits",
            f"add to {readable(more['conf_read'])}: AlertExceedsMax yes",
        )


def check_sizes(site: Settings, message_size_limit: int) -> Iterator[Result]:
    """Whether each scanner looks at mail as large as Postfix takes; 0 means no limit."""
    for row in site.rows:
        if not row.largest:
            continue
        if not message_size_limit or message_size_limit > row.largest:
            limit = amount(message_size_limit) if message_size_limit else "no limit"
            yield warning(
                f"{row.name} looks at no more than {amount(row.largest)}, Postfix takes mail of {limit}: "
                "what is larger is graded unchecked",
                _RAISE if row.via == "clamd" else f"raise max_file_size of {row.name}",
            )
        else:
            yield ok(f"{row.name} looks at {amount(row.largest)}, Postfix takes {amount(message_size_limit)}")


def check_find(site: Settings) -> Iterator[Result]:
    """Whether the test virus in a zip in a zip is found by each that answers, by the filter's own way."""
    mail = intake.of_bytes(nested_eicar(), site.work)
    try:
        facts = examine(mail, site, Cache(b"", 0)).facts
    except Trouble as trouble:
        yield problem(
            f"a test mail could not be examined: {trouble}", "until then the filter defers such mail"
        )
        return
    deepest = max((part.path for part in facts.parts), key=lambda path: path.count("."), default="")
    finders = {found.source for found in facts.findings if found.grade == "virus" and found.part == deepest}
    answered = {answer.name for answer in facts.answers if not answer.trouble}
    for row in (*site.rows, *site.backups):
        if row.name in answered:
            yield _found(row, row.name in finders)


def _found(row: Row, there: bool) -> Result:
    if there:
        return ok(f"{row.name} finds the EICAR test file in a zip in a zip")
    advice = "see what `amavis-pipe --debug` says of such a mail; are there signatures?"
    return problem(f"{row.name} does not find the EICAR test file in a zip in a zip", advice)


def nested_eicar() -> bytes:
    """A mail with the EICAR test file in a zip in a zip."""
    from amavis_pipe.scan.builtin import eicar

    inner = _zipped("eicar.com", eicar())
    body = base64.encodebytes(_zipped("inner.zip", inner))
    return (
        b"From: check@localhost\nSubject: check\nMIME-Version: 1.0\n"
        b'Content-Type: application/zip; name="outer.zip"\nContent-Transfer-Encoding: base64\n\n' + body
    )


def _zipped(name: str, data: bytes) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(name, data)
    return archive.getvalue()
