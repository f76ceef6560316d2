"""The command `quarantine show`: one mail that is held back, in a way that a terminal is safe with.

Nothing of it is decoded or run: its parts are those that its record names.
"""

import os
import sys
from collections.abc import Iterator
from typing import Any

from amavis_pipe.desk.held import stock
from amavis_pipe.desk.held.copy import Copy, Known, dicts, line
from amavis_pipe.mime import header
from amavis_pipe.model import Trouble
from amavis_pipe.spool import Blob
from amavis_pipe.text import readable

LARGEST_HEAD = 1 << 20
LINES, LONGEST = 40, 500
"""Lines of the body that are shown, and bytes of a line."""
HEAD_LINES = 2000
TO_SHOWN = 50


def run(config: bytes | None, word: str, what: str, force: bool) -> int:
    """Show it: `what` is "header", "raw", "parts", or "" for a summary with the beginning of the text."""
    if what == "raw" and sys.stdout.isatty() and not force:
        raise Trouble("--raw writes what a mail holds as it is: not to a terminal, but with --force")
    found = stock.of(config)
    (copy,) = found.chosen((word,))
    known = copy.known()
    if what == "parts":
        print("\n".join(_parts(known)))
        return 0
    if not what:
        print("\n".join([*_summary(copy, known), "", *_parts(known), ""]))
    with copy.original(found.site.settings.work) as blob:
        if what == "raw":
            _write(blob)
            return 0
        head, body = _halves(blob)
        print("\n".join(_lines(head, HEAD_LINES)))
        if not what:
            print("\n".join(["", *_lines(body, LINES)]))
    return 0


def _write(blob: Blob) -> None:
    """The bytes to standard output, as they are."""
    sys.stdout.flush()
    for chunk in blob.chunks():
        view = memoryview(chunk)
        while view:
            view = view[os.write(1, view) :]


def _halves(blob: Blob) -> tuple[bytes, bytes]:
    """Header and beginning of the body, as far as they are to be shown."""
    head = blob.head(min(blob.size, LARGEST_HEAD))
    end = header.read(head, 0, len(head)).body
    return head[:end].rstrip(b"\r\n"), blob.at(end, (LINES + 1) * LONGEST)


def _lines(text: bytes, most: int) -> Iterator[str]:
    """The first lines, each with everything escaped that a terminal would obey."""
    lines = text.split(b"\n")
    for one in lines[:most]:
        yield readable(one.removesuffix(b"\r").replace(b"\t", b"    "), LONGEST)
    if len(lines) > most:
        yield "[...]"


def _summary(copy: Copy, known: Known) -> list[str]:
    to = [readable(one) for one in known.recipients]
    lines = [
        f"{copy.name}",
        f"  file      {readable(copy.file)}",
        f"  kept      {known.time}, {known.size:,} bytes, sha256 {known.sha256}",
        f"  why       {line(' '.join([known.label, ', '.join(known.names)]))}",
        f"  from      {readable(known.sender) or '<>'}",
        *(f"  to        {one}" for one in to[:TO_SHOWN]),
    ]
    if len(to) > TO_SHOWN:
        lines.append(f"            and {len(to) - TO_SHOWN} more")
    for one in known.released:
        whom = ", ".join(readable(str(address).encode("latin-1", "replace")) for address in one["to"])
        queue_id = f", queued as {one['queue_id']}" if one.get("queue_id") else ""
        lines.append(line(f"  released  {one.get('time')} to {whom} by {one.get('route')}{queue_id}"))
    if known.trouble:
        lines.append(f"  trouble   {known.trouble}")
    return lines


def _parts(known: Known) -> list[str]:
    """A line for each part that the record names, and for what was found in it."""
    rows = []
    found = dicts(known.record.get("findings"))
    for part in dicts(known.record.get("parts")):
        path = str(part.get("path"))
        rows.append(f"  {path:<12} {part.get('size')!s:>11}  {part.get('kind')}  {part.get('name')}")
        rows += [f"  {'':<12} {_said(one)}" for one in found if one.get("part") == path]
    rows += [f"  {_said(one)}, of the whole mail" for one in found if not one.get("part")]
    return [
        "parts",
        *(line(row, LONGEST) for row in rows or ["  not known: there is no record"]),
    ]


def _said(found: dict[str, Any]) -> str:
    return f"{found.get('grade')} {found.get('name')}, says {found.get('source')}"
