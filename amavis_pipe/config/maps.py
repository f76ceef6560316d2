"""Lists of addresses and networks, from settings and files, in the form in which they are looked up.

An entry for senders and recipients: `user@example.org`, `user@` (in any domain), `example.org`,
`.example.org` (and all below it), `.` (any), `<>` (the null sender). For clients: an address, a network
(`192.0.2.0/24`), `user:NAME` (who authenticated so), `user:.` (who authenticated at all). `/FILE` stands
for the entries in a file, one a line, with `#` comments; `map:NAME` for what `config refresh` got.
"""

import ipaddress
from collections.abc import Callable, Iterator
from typing import Any

from amavis_pipe import settings
from amavis_pipe.text import readable

Fault = Callable[[str], None]
Files = list[tuple[bytes, "settings.Identity"]]
Nets = tuple[tuple[bytes, int], ...]

LARGEST = 64 << 20
"""Bytes of a file of entries."""
FOLDER = b"/maps/"
"""Below state: what `config refresh` keeps."""
FAULTS_SHOWN = 5
"""Of one file."""


def addresses(words: tuple[str, ...], state: bytes, files: Files, fault: Fault) -> bytes:
    """The entries as one text of lines, with a line end before each and after the last; none is b""."""
    found = list(_entries(words, _is_address, state, files, fault))
    return b"\n" + b"\n".join(sorted({entry.lower().encode() for entry in found})) + b"\n" if found else b""


def clients(words: tuple[str, ...], state: bytes, files: Files, fault: Fault) -> tuple[bytes, Nets]:
    """The users as such a text, and the networks as (packed address, bits)."""
    found = list(_entries(words, _is_client, state, files, fault))
    users = sorted({entry[5:].encode() for entry in found if entry.startswith("user:")})
    networks = {_network(entry) for entry in found if not entry.startswith("user:")}
    nets = sorted((net.network_address.packed, net.prefixlen) for net in networks)
    return b"\n" + b"\n".join(users) + b"\n" if users else b"", tuple(nets)


def _network(entry: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """The network; one of IPv4 that is written as IPv6 as what it is, as clients' addresses are read."""
    found = ipaddress.ip_network(entry, strict=False)
    mapped = found.network_address.ipv4_mapped if isinstance(found, ipaddress.IPv6Network) else None
    return (
        found
        if mapped is None or found.prefixlen < 96
        else ipaddress.IPv4Network((mapped, found.prefixlen - 96))
    )


def read(path: bytes) -> bytes:
    """The content of a file of entries; OSError if it can't be read or is too large."""
    return settings.slurp(path, LARGEST)


def lines(data: bytes) -> Iterator[tuple[int, str]]:
    """Line numbers and entries of such a file; what is no UTF-8 is no entry and shows as such."""
    for number, line in enumerate(data.split(b"\n"), 1):
        entry = (b" " + line).partition(b" #")[0].strip()
        if entry:
            yield number, entry.decode("utf-8", "backslashreplace")


def is_entry(entry: str, sorts: set[str]) -> bool:
    """Whether it may stand in a file that is used as such: "address", "client"; both if nothing uses it."""
    if sorts == {"address", "client"}:
        return _is_address(entry) or _is_client(entry)
    return all(_is_client(entry) if one == "client" else _is_address(entry) for one in sorts)


def _entries(
    words: tuple[str, ...], is_wanted: Callable[[str], bool], state: bytes, files: Files, fault: Fault
) -> Iterator[str]:
    for word in words:
        path = state + FOLDER + word[4:].encode() if word.startswith("map:") else word.encode()
        if not path.startswith(b"/"):
            if is_wanted(word):
                yield word
            else:
                fault(f'"{word[:80]}" is neither an entry nor the path of a file')
            continue
        yield from _of_file(path, word, is_wanted, files, fault)


def _of_file(
    path: bytes, word: str, is_wanted: Callable[[str], bool], files: Files, fault: Fault
) -> Iterator[str]:
    files.append((path, settings.identity(path)))
    try:
        data = read(path)
    except OSError as error:
        hint = "; `amavis-pipe config refresh` makes it" if word.startswith("map:") else ""
        fault(f"{readable(path)}: {error.strerror}{hint}")
        return
    bad = 0
    for number, entry in lines(data):
        if is_wanted(entry):
            yield entry
        elif bad < FAULTS_SHOWN:
            bad += 1
            fault(f'{readable(path)}:{number}: no entry: "{ascii(entry)[1:-1][:80]}"')


def _is_address(entry: str) -> bool:
    if entry in (".", "<>"):
        return True
    if any(char <= " " or char == "\x7f" for char in entry) or len(entry) > 320:
        return False
    local, at, domain = entry.rpartition("@")
    if at:
        return bool(local) and (not domain or _is_domain(domain))
    return not domain.startswith("..") and _is_domain(domain)


def _is_domain(domain: str) -> bool:
    return domain.strip(".-") != "" and not any(char in "/\\:\"'()<>,;" for char in domain)


def _is_client(entry: str) -> bool:
    if entry.startswith("user:"):
        return len(entry) > 5 and entry.isprintable()
    try:
        ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False
    return True


def words(value: Any) -> tuple[str, ...]:
    """What `match` takes: one entry or a list of them; ValueError else."""
    several = [value] if isinstance(value, str) else value
    if (
        not isinstance(several, list)
        or not several
        or not all(isinstance(one, str) and one for one in several)
    ):
        raise ValueError
    return tuple(several)
