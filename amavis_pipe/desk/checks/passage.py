"""Whether mail passes through Postfix's other parts once, and the machine has room for the filters.

Asked of postconf(1), as in postfix.py; why each is wanted is in contrib/postfix/master.cf.
"""

import os
from collections.abc import Iterator

from amavis_pipe.desk.checks import Result, ok, problem, warning
from amavis_pipe.desk.checks.postfix import Postfix
from amavis_pipe.desk.table import amount
from amavis_pipe.settings import Settings
from amavis_pipe.text import readable

READ = "; contrib/postfix/master.cf says why"
UNMAPPED = "no_address_mappings"
PICKUP = ("pickup/unix", "pickup/fifo")
OWN = 64 << 20
"""Bytes of memory of a filter besides its decoder."""
SHARE = 0.8
"""Of the machine's memory that all filters together may take."""
LEAST = 1 << 30
"""Bytes that should be free where mail is kept and spooled."""


def check(site: Settings, postfix: Postfix) -> Iterator[Result]:
    """What is done twice on the way, and what may be short."""
    if not postfix.is_readable or not postfix.entries:
        return
    wrong = [*_mappings(postfix), *_pickup(site, postfix), *_memory(site, postfix)]
    yield from wrong or [
        ok("aliases, milters and addresses are looked at once; there is memory for all filters")
    ]


def check_room(site: Settings) -> Iterator[Result]:
    """Whether there is space on disk for spool, cache, journal and quarantine."""
    try:
        found = os.statvfs(site.state)
    except OSError:
        return  # its folders are looked at elsewhere
    free = found.f_bavail * found.f_frsize
    where = readable(site.state)
    if free < LEAST:
        advice = "mail is deferred when it is full: make room, or lower quarantine.size and journal.size"
        yield warning(f"only {amount(free)} free for {where}", advice)
    elif found.f_files and found.f_favail < 10_000:
        yield warning(f"only {found.f_favail:,} files can still be made in {where}", "make room")
    else:
        yield ok(f"{amount(free)} free for {where}")


def _mappings(postfix: Postfix) -> Iterator[Result]:
    for door in postfix.doors:
        if UNMAPPED not in postfix.setting(door, "receive_override_options").replace(",", " ").split():
            yield problem(
                f"master.cf: {door} has no {UNMAPPED}: aliases are expanded before the filter, and automatic "
                "copies go out twice",
                f"-o receive_override_options={UNMAPPED} below it{READ}",
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
            f"-o non_smtpd_milters= below the entry pickup of master.cf, or forward by smtp{READ}",
        )
    classes = _of_pickup(postfix, "smtputf8_autodetect_classes")
    if classes != "verify" and postfix.value("smtputf8_enable") != "no":
        yield problem(
            "mail with a raw 8-bit byte in its header bounces where the next host has no SMTPUTF8, and the "
            "bounce is lost",
            f"-o smtputf8_autodetect_classes=verify below the entry pickup of master.cf{READ}",
        )


def _memory(site: Settings, postfix: Postfix) -> Iterator[Result]:
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    default = postfix.value("default_process_limit")
    for entry in postfix.entries:
        most = entry.most or (int(default) if default.isdigit() else 100)
        wanted = most * (site.limits.memory + OWN)
        if wanted > total * SHARE:
            yield warning(
                f"master.cf: {most} filters of {entry.name} at once may take {amount(wanted)} of "
                f"{amount(total)} memory",
                "lower maxproc (about one for each processor is fastest), or limits.memory",
            )


def _of_pickup(postfix: Postfix, name: str) -> str:
    return next(
        (postfix.services[f"{one}/{name}"] for one in PICKUP if f"{one}/{name}" in postfix.services), ""
    )


def _is_set(postfix: Postfix, name: str) -> bool:
    return any(f"{one}/{name}" in postfix.services for one in PICKUP)
