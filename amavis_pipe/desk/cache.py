"""The command `cache`: how much is remembered, how often that helped, and forgetting all of it."""

import json
import os
from time import gmtime, strftime, time
from typing import NamedTuple

from amavis_pipe.desk import hits, site, store
from amavis_pipe.desk.table import amount, counted
from amavis_pipe.generation import contents
from amavis_pipe.model import SpoolTrouble
from amavis_pipe.settings import Settings
from amavis_pipe.text import readable

DAYS = 7
"""How far back hits are counted."""


class Stock(NamedTuple):
    """What is in the cache: entries, bytes on disk, the times of the oldest and the newest entry (0 = none).

    An entry that was put a second time since the last change of generations counts twice.
    """

    entries: int
    size: int
    oldest: float
    newest: float


def stats(config: bytes | None, as_json: bool) -> int:
    """Print where the cache is, its entries, bytes, their times, and how many mails it answered."""
    settings, folder = _place(config)
    try:
        with store.opened(folder) as cache:
            stock = take_stock(cache)
    except OSError as error:
        raise SpoolTrouble(store.said(error, folder)) from None
    found = hits.count(folder.rpartition(b"/")[0] + b"/journal", time() - DAYS * 86400)
    print(_as_json(folder, settings, stock, found) if as_json else _as_text(folder, settings, stock, found))
    return 0


def clear(config: bytes | None) -> int:
    """Remove every entry, and say how many there were."""
    _, folder = _place(config)
    number = 0
    try:
        with store.opened(folder) as cache:
            for kept in store.cache_files(cache):
                entries = _contents(kept)[1]
                number += entries if kept.remove() else 0
            number += sum(kept.remove() for kept in store.former_cache(cache))
    except OSError as error:
        raise SpoolTrouble(store.said(error, folder)) from None
    print(f"{counted(number, 'entry', 'entries')} removed from {readable(folder)}")
    return 0


def take_stock(cache: int) -> Stock:
    """What is in the open folder of the cache. OSError if it can't be read."""
    number, size, births, writes = 0, 0, [0.0], [0.0]
    for kept in store.cache_files(cache):
        birth, entries = _contents(kept)
        number, size = number + entries, size + kept.blocks
        if entries:  # a generation is made for its first entry, and last written for its last
            births.append(birth)
            writes.append(kept.time)
    return Stock(number, size, min(births[1:], default=0.0), max(writes))


def _contents(kept: store.Kept) -> tuple[int, int]:
    """When a generation began, and its entries; zeros if it is gone, damaged, or only being made."""
    if store.is_temporary(kept.name):
        return 0, 0
    try:
        fd = os.open(
            kept.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=kept.folder
        )
    except FileNotFoundError:
        return 0, 0
    try:
        return contents(fd)
    finally:
        os.close(fd)


def _place(config: bytes | None) -> tuple[Settings, bytes]:
    """The settings and the cache's folder; SpoolTrouble if there is none."""
    site.become_filter_user(config)
    here = site.find(config)
    if here.folder is None:
        raise SpoolTrouble(f"no cache: {readable(here.settings.state)} can't be used by this user")
    return here.settings, here.folder + b"/cache"


def _as_text(folder: bytes, settings: Settings, stock: Stock, found: hits.Hits | None) -> str:
    lines = [
        f"folder   {readable(folder)}",
        f"entries  {stock.entries:,}",
        f"on disk  {amount(stock.size)} of {amount(settings.cache_size)}",
    ]
    if stock.entries:
        lines += [f"oldest   {_shown(stock.oldest)}", f"newest   {_shown(stock.newest)}"]
    if found is None:
        why = "journal.days is 0" if not settings.journal_days else f"none of the last {DAYS} days"
        return "\n".join([*lines, f"hits     not known: no journal ({why})"])
    share = f" ({found.hits * 100 / found.mails:.0f} %)" if found.mails else ""
    lines.append(f"hits     {found.hits:,} of {counted(found.mails, 'mail')} in {DAYS} days{share}")
    lines.append(f"parts    {found.parts:,} of the other mails had nothing that scanners did not know")
    return "\n".join(lines)


def _as_json(folder: bytes, settings: Settings, stock: Stock, found: hits.Hits | None) -> str:
    return json.dumps(
        {
            "folder": readable(folder),
            "entries": stock.entries,
            "bytes": stock.size,
            "size": settings.cache_size,
            "oldest": _iso(stock.oldest),
            "newest": _iso(stock.newest),
            "hits": None if found is None else {"days": DAYS, **found._asdict()},
        }
    )


def _shown(time: float) -> str:
    return strftime("%Y-%m-%d %H:%M:%S UTC", gmtime(time))


def _iso(time: float) -> str | None:
    return strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(time)) if time else None
