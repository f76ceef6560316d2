"""All that is held back at a site, and the mails among it that someone names."""

import os
import sys
from collections.abc import Iterator

from amavis_pipe.desk import site, store
from amavis_pipe.desk.held import folder, mailboxes
from amavis_pipe.desk.held.copy import Copy
from amavis_pipe.desk.held.places import Place, places
from amavis_pipe.model import SpoolTrouble, Trouble
from amavis_pipe.text import readable

SHOWN = 10
"""Names that are shown where an ID may mean several mails."""


class Stock:
    """What the site holds back; iterate for all of it, place by place.

    failed  whether some place could not be read; stderr was told
    """

    def __init__(self, here: site.Site) -> None:
        self.site = here
        self.places = places(here.settings)
        self.failed = False

    def __iter__(self) -> Iterator[Copy]:
        for place in self.places:
            try:
                yield from copies(place)
            except FileNotFoundError:
                continue  # nothing was kept there yet
            except OSError as error:
                self.failed = True
                print(f"amavis-pipe: quarantine {store.said(error, place.path)}", file=sys.stderr)

    def sorted(self) -> list[Copy]:
        """All of it, oldest first."""
        return sorted(self, key=lambda copy: (copy.when, copy.name))

    def chosen(self, words: tuple[str, ...]) -> list[Copy]:
        """The mails that the words name, each by its name, an end or a part of that, or its file.

        Trouble unless each word names one mail.
        """
        found = list(self)
        chosen: dict[bytes, Copy] = {}
        for word in words:
            copy = _one(word, found)
            chosen[copy.file + b" " + copy.name.encode()] = copy
        return list(chosen.values())


def of(config: bytes | None) -> Stock:
    """The stock of the site; takes the rights of the filter's user before."""
    site.become_filter_user(config)
    here = site.find(config, use_cache=False)
    for note in here.notes:
        print(note, file=sys.stderr)
    if here.folder != here.settings.state:
        raise SpoolTrouble(f"no quarantine: {readable(here.settings.state)} can't be used by this user")
    return Stock(here)


def copies(place: Place) -> Iterator[Copy]:
    """All mail in one place; OSError if it can't be read, FileNotFoundError if it isn't there."""
    return mailboxes.copies(place) if place.is_mailbox else folder.copies(place)


def _one(word: str, found: list[Copy]) -> Copy:
    """The one mail that a word names: whole names before ends, ends before parts."""
    tests = (
        lambda copy: word in (copy.name, os.fsdecode(copy.file)),
        lambda copy: copy.name.endswith(word),
        lambda copy: word in copy.name,
    )
    for test in tests:
        named = [copy for copy in found if word and test(copy)]
        if len(named) == 1:
            return named[0]
        if named:
            shown = [f"  {readable(copy.file)}" for copy in named[:SHOWN]]
            if len({copy.file for copy in named}) < len(named):
                shown = [f"  {copy.name} in {readable(copy.file)}" for copy in named[:SHOWN]]
            more = f"\n  and {len(named) - SHOWN} more" if len(named) > SHOWN else ""
            raise Trouble(f"{readable(word.encode())} may mean any of\n" + "\n".join(shown) + more)
    raise Trouble(f"{readable(os.fsencode(word))}: no such mail is held back")
