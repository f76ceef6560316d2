"""Whether viruses are found: each scanner's answer, its signatures, its limits, and a real find."""

import base64
import io
import zipfile
from collections.abc import Iterator

from amavis_pipe import intake
from amavis_pipe.cache import Cache
from amavis_pipe.desk import scanners
from amavis_pipe.desk.checks import Result, ok, problem, warning
from amavis_pipe.desk.table import amount
from amavis_pipe.examine import examine
from amavis_pipe.model import Trouble
from amavis_pipe.settings import Row, Settings

OLD = 3 * 86400
"""Seconds after which signatures are called old."""


def check_scanners(site: Settings) -> Iterator[Result]:
    """Whether each configured scanner answers, and how old its signatures are."""
    for row in site.rows:
        seen = scanners.look(row, site)
        if seen.trouble:
            advice = "start it, or take it out of `scanners`; until then the filter defers all mail"
            yield problem(f"No av scanner: {row.name} ({seen.trouble})", advice)
        else:
            version = f" ({seen.version})" if seen.version else ""
            yield ok(f"Found av scanner {row.name} at {row.at or scanners.BUILT_IN}{version}")
        yield from _check_signatures(seen)
    if all(row.via == "builtin" for row in site.rows):
        yield warning("only the built-in EICAR check looks at mail", 'install clamd, scanners = ["clamd"]')


def _check_signatures(seen: scanners.Seen) -> Iterator[Result]:
    row = seen.row
    if row.via == "builtin":
        return
    if seen.age is None:
        advice = "clean answers are then remembered by what the scanner says of itself alone"
        yield warning(f"{row.name}: its signature folder can't be seen from here", advice)
    elif seen.age > OLD:
        age = scanners.age_in_words(seen.age)
        advice = "run freshclam; old signatures are almost as bad as none"
        yield warning(f"{row.name}: the newest signatures are {age} old", advice)
    else:
        yield ok(f"{row.name}: signatures {scanners.age_in_words(seen.age)} old")


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
                "raise MaxFileSize, MaxScanSize and StreamMaxLength in clamd.conf",
            )
        else:
            yield ok(f"{row.name} looks at {amount(row.largest)}, Postfix takes {amount(message_size_limit)}")


def check_find(site: Settings) -> Iterator[Result]:
    """Whether the test virus in a zip in a zip is found by every scanner, by the filter's own way."""
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
    for row in site.rows:
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
