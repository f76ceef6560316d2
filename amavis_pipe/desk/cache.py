"""The command `cache`: how much is remembered, and forgetting all of it."""

from time import gmtime, strftime

from amavis_pipe.desk import site, store
from amavis_pipe.desk.table import amount, counted
from amavis_pipe.model import SpoolTrouble
from amavis_pipe.text import readable


def stats(config: bytes | None) -> int:
    """Print where the cache is, its entries, bytes and their times."""
    folder = _folder(config)
    number, size, oldest, newest = 0, 0, 0.0, 0.0
    try:
        with store.opened(folder) as cache:
            for kept in store.cache_files(cache):
                if not store.is_temporary(kept.name):
                    number, size = number + 1, size + kept.size
                    oldest = min(oldest or kept.time, kept.time)
                    newest = max(newest, kept.time)
    except OSError as error:
        raise SpoolTrouble(store.said(error, folder)) from None
    print(f"folder   {readable(folder)}")
    print(f"entries  {number:,}")
    print(f"on disk  {amount(size)}")
    if number:
        print(f"oldest   {_shown(oldest)}")
        print(f"newest   {_shown(newest)}")
    return 0


def clear(config: bytes | None) -> int:
    """Remove every entry, and say how many there were."""
    folder = _folder(config)
    try:
        with store.opened(folder) as cache:
            number = sum(kept.remove() for kept in store.cache_files(cache))
    except OSError as error:
        raise SpoolTrouble(store.said(error, folder)) from None
    print(f"{counted(number, 'entry', 'entries')} removed from {readable(folder)}")
    return 0


def _folder(config: bytes | None) -> bytes:
    """The cache's folder; SpoolTrouble if there is none."""
    site.become_filter_user(config)
    here = site.find(config)
    if here.folder is None:
        raise SpoolTrouble(f"no cache: {readable(here.settings.state)} can't be used by this user")
    return here.folder + b"/cache"


def _shown(time: float) -> str:
    return strftime("%Y-%m-%d %H:%M:%S UTC", gmtime(time))
