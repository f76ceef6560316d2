"""Which options are in force for whom: the site's rules looked up for one envelope. Pure; lean, since loaded
for every mail where there are rules.

Of the rules that hold for a recipient, each option comes from the first that names it (config/rules.py).
"""

from _socket import AF_INET, AF_INET6, inet_pton

from amavis_pipe.settings import Profile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from amavis_pipe.model import Envelope
    from amavis_pipe.settings import Rule, Settings

SHORT = 4096
"""Bytes of entries that are searched faster than bisected."""
_MAPPED = b"\0" * 10 + b"\xff\xff"
"""How an IPv6 address begins that stands for an IPv4 one (RFC 4291 2.5.5.2)."""


def profiles(envelope: "Envelope", settings: "Settings") -> list[tuple[Profile, tuple[bytes, ...]]]:
    """The options in force, each with the recipients for whom they are; in the recipients' order."""
    return [
        (_profile(settings, numbers), recipients) for numbers, recipients in held(envelope, settings).items()
    ]


def held(envelope: "Envelope", settings: "Settings") -> dict[tuple[int, ...], tuple[bytes, ...]]:
    """The recipients by the rules, as numbers into settings.rules, that hold for them."""
    delimiter = settings.delimiter
    sender, client = keys(envelope.sender, delimiter), _packed(envelope.client_address)
    groups: dict[tuple[int, ...], list[bytes]] = {}
    shared = {
        number for number, rule in enumerate(settings.rules) if _holds(rule, None, sender, client, envelope)
    }
    for recipient in envelope.recipients or (b"",):
        names = keys(recipient, delimiter)
        numbers = tuple(
            number
            for number in sorted(shared)
            if _holds(settings.rules[number], names, sender, client, envelope)
        )
        groups.setdefault(numbers, []).append(recipient)
    return {
        numbers: tuple(recipients) if envelope.recipients else () for numbers, recipients in groups.items()
    }


def keys(address: bytes, delimiter: bytes = b"+") -> list[bytes]:
    """The words under which an address is looked up, the most exact first.

    `Me+x@Sub.Example.org`: me+x@sub.example.org, me@sub.example.org, me+x@, me@, sub.example.org,
    .sub.example.org, .example.org, .org, "."
    """
    if not address:
        return [b"<>", b"."]
    local, at, domain = _lower(address).rpartition(b"@")
    if not at:
        local, domain = domain, b""
    # an extension of a mailing list's owner- or of a VERP sender is no extension of ours: only + and its like
    plain = local.partition(delimiter)[0] if delimiter and local.partition(delimiter)[0] else local
    locals_ = [local] if plain == local else [local, plain]
    found = [one + b"@" + domain for one in locals_] if at else []
    found += [one + b"@" for one in locals_]
    if domain:
        found.append(domain)
        parts = domain.split(b".")
        found += [b"." + b".".join(parts[at:]) for at in range(min(len(parts), 64))]
    return [*found, b"."]


def is_among(address: bytes, entries: bytes, delimiter: bytes = b"+") -> bool:
    """Whether an address is in compiled entries (config/maps.py)."""
    return bool(entries) and _has(entries, keys(address, delimiter))


def is_local(address: bytes, settings: "Settings") -> bool:
    """Whether an address is of a domain of the option `local`."""
    return is_among(address, settings.local, settings.delimiter)


def by_domain(table: "bytes | dict[bytes, bytes]", address: bytes, delimiter: bytes = b"+") -> bytes:
    """What a table says of an address: of the most exact of its keys; the one word if it is no table."""
    if isinstance(table, bytes):
        return table
    return next((table[key] for key in keys(address, delimiter) if key in table), b"")


def extended(recipients: tuple[bytes, ...], extension: bytes, settings: "Settings") -> tuple[bytes, ...]:
    """The addresses with that extension in place of one they have; those that aren't local as they are."""
    delimiter = settings.delimiter
    return tuple(
        _with_extension(one, extension, delimiter) if delimiter and is_local(one, settings) else one
        for one in recipients
    )


def _with_extension(address: bytes, extension: bytes, delimiter: bytes) -> bytes:
    """me+old@example.org -> me+virus@example.org; a quoted local part stays as it is."""
    local, at, domain = address.rpartition(b"@")
    plain = local.partition(delimiter)[0]
    if not at or not plain or b'"' in local:
        return address
    return plain + delimiter + extension + at + domain


def _profile(settings: "Settings", numbers: tuple[int, ...]) -> Profile:
    if not numbers:
        return settings.profile
    wanted: dict[str, Any] = {}
    for number in numbers:
        for key, value in settings.rules[number][2].items():
            wanted.setdefault(key, value)
    held_rules = [settings.rules[number] for number in numbers]
    return Profile(settings.values, wanted, tuple([f"{rule[0]}:{rule[3]}" for rule in held_rules]))


def _holds(
    rule: "Rule",
    recipient: list[bytes] | None,
    sender: list[bytes],
    client: bytes,
    envelope: "Envelope",
) -> bool:
    """Whether all conditions of a rule hold; those on the recipient are left out if it is None."""
    for kind, matched in rule[1]:
        if kind == "client":
            if not _is_from(client, envelope.sasl_username, *matched):
                return False
        elif kind == "sender":
            if not _has(matched, sender):
                return False
        elif recipient is not None and not _has(matched, recipient):
            return False
    return True


def _has(entries: bytes, names: list[bytes]) -> bool:
    """Whether one of the names is a line of the sorted entries."""
    if len(entries) <= SHORT:
        return any(b"\n" + name + b"\n" in entries for name in names)
    return any(_is_line(name, entries) for name in names if b"\n" not in name)


def _is_line(name: bytes, entries: bytes) -> bool:
    """By bisection: lines begin after a line end, the first of them at 1."""
    low, high = 1, len(entries)
    while low < high:
        middle = (low + high) // 2
        start = entries.rfind(b"\n", 0, middle) + 1
        line = entries[start : entries.find(b"\n", start)]
        if line == name:
            return True
        if line < name:
            low = start + len(line) + 1
        else:
            high = start
    return False


def _is_from(client: bytes, user: bytes, users: bytes, nets: tuple[tuple[bytes, int], ...]) -> bool:
    if user and users and (b"\n.\n" in users or (b"\n" not in user and b"\n" + user + b"\n" in users)):
        return True
    return bool(client) and any(
        len(net) == len(client) and _begins_alike(net, client, bits) for net, bits in nets
    )


def _begins_alike(net: bytes, client: bytes, bits: int) -> bool:
    rest = len(net) * 8 - bits
    return int.from_bytes(net, "big") >> rest == int.from_bytes(client, "big") >> rest


def _packed(address: bytes) -> bytes:
    """The address in binary, an IPv4 one also if it is written as IPv6; b"" for what is none ("unknown")."""
    text = address.decode("ascii", "replace").strip("[]").removeprefix("IPv6:")
    try:
        packed: bytes = inet_pton(AF_INET6 if ":" in text else AF_INET, text)
    except (OSError, ValueError):
        return b""
    return packed[12:] if packed.startswith(_MAPPED) else packed


def _lower(address: bytes) -> bytes:
    """Lower case as the settings were made: Unicode's where it is UTF-8."""
    if address.isascii():
        return address.lower()
    return address.decode("utf-8", "surrogateescape").lower().encode("utf-8", "surrogateescape")
