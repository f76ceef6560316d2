"""Whether what policy wants done can be done, and hits nobody who has not sent the mail."""

import os
import stat
import sys
from collections.abc import Iterator
from importlib.util import find_spec

from amavis_pipe.desk import digest
from amavis_pipe.desk.checks import Result, ok, problem, warning
from amavis_pipe.desk.checks.postfix import Postfix
from amavis_pipe.quarantine import MAILBOX, folder_of, is_address
from amavis_pipe.settings import Settings
from amavis_pipe.text import readable

FORGED = ("infected", "spam", "banned")
"""Categories of which the sender is seldom who it says."""
LIMIT = "_destination_recipient_limit"


def check(site: Settings, postfix: Postfix | None) -> Iterator[Result]:
    """What is wrong with actions, places and marks."""
    found = [*_bounces(site), *_places(site), *_marks(site), *_notices(site), *_limits(site, postfix)]
    yield from found or [ok("policy: what the settings want done can be done")]


def _bounces(site: Settings) -> Iterator[Result]:
    """Bounces of mail from outside go to forged senders: backscatter, which gets a host blacklisted."""
    advice = "discard (with quarantine) or tag; keep bounce for a [[client]] rule of your own users"
    for label in FORGED:
        if site.profile.category(label).action == "bounce":
            yield warning(f'{label}.action = "bounce" returns mail from outside to forged senders', advice)
    for kind, conditions, options, line in site.rules:
        if any(condition == "client" for condition, _ in conditions):
            continue
        for label in FORGED:
            if options.get(label + ".action") == "bounce":
                text = f'line {line}, [[{kind}]]: {label}.action = "bounce" returns mail to forged senders'
                yield warning(text, advice)


def _places(site: Settings) -> Iterator[Result]:
    for place in places(site):
        path = folder_of(site.state, place)
        if is_address(place):
            continue
        is_mailbox = path.endswith(MAILBOX.encode())
        if is_mailbox:
            path = os.path.dirname(path)
        try:
            found = os.lstat(path)
            if stat.S_ISLNK(found.st_mode):
                yield problem(
                    f"quarantine {readable(path)} is a link, which is not followed: such mail is deferred",
                    "name the folder itself",
                )
                continue
        except FileNotFoundError:
            if is_mailbox or not _is_ours(os.path.dirname(path)):  # else it is made by the filter
                yield problem(
                    f"quarantine {readable(path)} is not there: such mail is deferred",
                    f"install -d -o {_owner(site)} -m 700 {readable(path)}",
                )
            continue
        if found.st_uid != os.geteuid() or found.st_mode & 0o022:
            yield problem(
                f"quarantine {readable(path)}: wants a folder that only the filter's user can write",
                f"chown {_owner(site)} {readable(path)}; chmod 700 {readable(path)}",
            )


def _is_ours(folder: bytes) -> bool:
    """Whether a folder is there, and the filter's user's alone."""
    try:
        found = os.lstat(folder)
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022


def places(site: Settings) -> list[str]:
    """Every place where mail may be kept, by any category or rule."""
    found = [site.values["quarantine.place"]]
    for key, value in [*site.values.items(), *(item for rule in site.rules for item in rule[2].items())]:
        if key.endswith(".quarantine") and isinstance(value, str):
            found.append(value)
    return list(dict.fromkeys(place for place in found if place))


def _marks(site: Settings) -> Iterator[Result]:
    wanted = [site.values, *(rule[2] for rule in site.rules)]
    if not site.local and any(options.get(f"{label}.extension") for options in wanted for label in _labels()):
        yield warning(
            "address extensions are set for local recipients, and `local` names none", "local = [...]"
        )


def _notices(site: Settings) -> Iterator[Result]:
    """What stands in the way of mail of our own."""
    if find_spec("jinja2") is None:
        yield warning(
            "no notice can be sent, not even of mail kept back after a crash: there is no Jinja2 for "
            f"{sys.executable}",
            "apt-get install python3-jinja2, or pip install Jinja2 beside this program",
        )
    if not site.journal_days and digest.is_wanted(site):
        yield warning("digests are wanted, and journal.days = 0 keeps nothing to tell of", "journal.days = 7")
    if site.values["notices.digest_recipients"] and site.values["journal.hash_addresses"]:
        yield warning(
            "recipients are to get digests, and journal.hash_addresses hides who they are: none is sent",
            "one of both must go",
        )
    if site.values["notices.digest_recipients"] and not site.local:
        yield warning("recipients are to get digests, and `local` names no domain", "local = [...]")


def _labels() -> tuple[str, ...]:
    from amavis_pipe.policy import CATEGORIES

    return CATEGORIES


def _limits(site: Settings, postfix: Postfix | None) -> Iterator[Result]:
    if site.bounces != "postfix" or postfix is None:
        return
    for entry in postfix.entries:
        if postfix.value(entry.name + LIMIT) != "1":
            yield problem(
                f'bounces = "postfix": mail whose recipients fare differently is deferred, for {entry.name} '
                "takes several recipients at once",
                f'postconf {entry.name}{LIMIT}=1, or bounces = "mixed"',
            )


def _owner(site: Settings) -> str:
    import pwd

    try:
        return pwd.getpwuid(os.stat(site.state).st_uid).pw_name
    except (OSError, KeyError):
        return "vscan"
