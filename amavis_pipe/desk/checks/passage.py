"""Whether mail passes through Postfix's other parts once, and the machine has room for the filters.

Asked of postconf(1), as in postfix.py; why each is wanted is in contrib/postfix/master.cf.
"""

import os
from collections.abc import Iterator

from amavis_pipe.desk.checks import Result, deeds, ok, problem, warning
from amavis_pipe.desk.checks.postfix import Postfix
from amavis_pipe.desk.table import amount
from amavis_pipe.quarantine import MAILBOX, folder_of, is_address
from amavis_pipe.settings import Settings
from amavis_pipe.text import readable

UNMAPPED = "no_address_mappings"
PICKUP = ("pickup/unix", "pickup/fifo")
OWN = 64 << 20
"""Bytes of memory of a filter besides its decoder."""
SHARE = 0.8
"""Of the machine's memory that all filters together may take."""
LEAST = 1 << 30
"""Bytes that should be free where mail is kept and spooled,"""
FILES = 10_000
"""and files that can still be made."""


def check(site: Settings, postfix: Postfix) -> Iterator[Result]:
    """What is done twice on the way, and what may be short."""
    if not postfix.is_readable or not postfix.entries:
        return
    wrong = [*_mappings(postfix), *_pickup(site, postfix), *_memory(site, postfix), *_at_once(postfix)]
    yield from wrong or [
        ok("aliases, milters and addresses are looked at once; there is memory for all filters")
    ]


def check_room(site: Settings, postfix: Postfix | None = None) -> Iterator[Result]:
    """Whether there is space on disk for spool, cache, journal, quarantine, and Postfix's queue."""
    kept = "mail is deferred when it is full: make room, or lower quarantine.size and journal.size"
    wanted = [(site.state, LEAST, kept)]
    wanted += [(folder, LEAST, kept) for folder in _quarantines(site)]
    if postfix is not None and postfix.queue:
        # smtpd(8) takes no mail with less than one and a half times message_size_limit free (queue_minfree)
        least = max(LEAST, postfix.message_size_limit * 2)
        wanted.append(
            (os.fsencode(postfix.queue), least, "Postfix takes no mail when it is nearly full: make room")
        )
    seen = set()
    for folder, least, advice in wanted:
        try:
            device, found = os.stat(folder).st_dev, os.statvfs(folder)
        except OSError:
            continue  # folders are looked at elsewhere
        if device not in seen:
            seen.add(device)
            yield _room(readable(folder), found, least, advice)


def _quarantines(site: Settings) -> Iterator[bytes]:
    for place in deeds.places(site):
        if not is_address(place):
            path = folder_of(site.state, place)
            yield os.path.dirname(path) if path.endswith(MAILBOX.encode()) else path


def _room(where: str, found: os.statvfs_result, least: int, advice: str) -> Result:
    free = found.f_bavail * found.f_frsize
    if free < least:
        return warning(f"only {amount(free)} free for {where}", advice)
    if found.f_files and found.f_favail < FILES:
        return warning(f"only {found.f_favail:,} files can still be made in {where}", advice)
    return ok(f"{amount(free)} free for {where}")


def _mappings(postfix: Postfix) -> Iterator[Result]:
    for door in postfix.doors:
        if UNMAPPED not in postfix.setting(door, "receive_override_options").replace(",", " ").split():
            yield problem(
                f"master.cf: {door} has no {UNMAPPED}: aliases are expanded before the filter, and automatic "
                "copies go out twice",
                f"-o receive_override_options={UNMAPPED} below it",
            )


def _pickup(site: Settings, postfix: Postfix) -> Iterator[Result]:
    """What pickup(8) does to mail that sendmail(1) brings back."""
    if site.forward != "sendmail":
        return
    overrides = _of_pickup(postfix, "receive_override_options").replace(",", " ").split()
    milters = _of_pickup(postfix, "non_smtpd_milters") or postfix.value("non_smtpd_milters")
    if milters and "no_milters" not in overrides and not _is_set(postfix, "non_smtpd_milters"):
        yield warning(
            f"milters see every mail twice: non_smtpd_milters = {readable(milters.encode(), 80)}",
            "-o non_smtpd_milters= below the entry pickup of master.cf, or forward by smtp",
        )
    classes = _of_pickup(postfix, "smtputf8_autodetect_classes")
    if classes != "verify" and postfix.value("smtputf8_enable") != "no":
        yield problem(
            "mail with a raw 8-bit byte in its header bounces where the next host has no SMTPUTF8, and the "
            "bounce is lost",
            "-o smtputf8_autodetect_classes=verify below the entry pickup of master.cf",
        )


def _memory(site: Settings, postfix: Postfix) -> Iterator[Result]:
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    default = postfix.value("default_process_limit")
    for entry in postfix.entries:
        if entry.unbounded:
            yield warning(
                f"master.cf: {entry.name} has maxproc 0: as many filters at once as there is mail",
                "about one for each processor is fastest",
            )
            continue
        most = entry.most or (int(default) if default.isdigit() else 100)
        wanted = most * (site.limits.memory + OWN)
        if wanted > total * SHARE:
            yield warning(
                f"master.cf: {most} filters of {entry.name} at once may take {amount(wanted)} of "
                f"{amount(total)} memory",
                "lower maxproc (about one for each processor is fastest), or limits.memory",
            )


def _at_once(postfix: Postfix) -> Iterator[Result]:
    for entry in postfix.entries:
        name = f"{entry.name}_destination_concurrency_limit"
        limit = postfix.value(name)
        if limit.isdigit() and 0 < int(limit) < entry.most:  # all mail has one next hop
            yield warning(
                f"master.cf: {entry.name} has maxproc {entry.most}, and never more than {limit} of them run",
                f"postconf -e {name}={entry.most}, or lower maxproc",
            )


def _of_pickup(postfix: Postfix, name: str) -> str:
    return next(
        (postfix.services[f"{one}/{name}"] for one in PICKUP if f"{one}/{name}" in postfix.services), ""
    )


def _is_set(postfix: Postfix, name: str) -> bool:
    return any(f"{one}/{name}" in postfix.services for one in PICKUP)
