"""Fuzzes lists of addresses and networks, and how they are looked up.

What must hold: nothing is raised, faults are bounded; what is looked up is found if and only if a plain
reading of the list says so: an address by its words one after the other, a client by `ipaddress`.
"""

import ipaddress
import os
import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from amavis_pipe import rules
from amavis_pipe.config import maps
from fuzz import driver
from fuzz.mutants import changed

LARGEST = 3000
ENTRIES = b"""\
# a list
user@example.org
USER+x@Example.ORG  # with an extension
root@
example.net
.example.com
.
<>
192.0.2.0/24
10.1.2.3
2001:db8::/32
::ffff:192.0.2.7
user:me
user:.
"""
WORDS = [
    b"\n", b"@", b".", b"/", b"/0", b"/33", b"/255.255.255.0", b":", b"::", b"%eth0", b"user:", b"<>", b" #", b"#", b"\0", b"\xff",
    b"xn--a", "ä.example".encode(), b"1.2.3", b"0x7f.1", b"fe80::1%1/64", b"\xe2\x80\xae", b"\r\n", b"a" * 400, b"010.1.1.1",
]  # fmt: skip
ADDRESSES = [
    b"user@example.org", b"User+x@example.org", b"root@host.example", b"a@b.example.com", b"a@example.net", b"", b"a", b"@",
    b"a@b@c", b"a@\xff", "ä@ä.example".encode(), b"a\nb@example.net", b"+x@example.org", b'"a b"@example.org', b"a@.",
]  # fmt: skip
CLIENTS = [
    b"192.0.2.9", b"192.0.3.1", b"10.1.2.3", b"2001:db8::1", b"::1", b"::ffff:192.0.2.7", b"unknown", b"", b"IPv6:2001:db8::5",
    b"[192.0.2.1]", b"\xff", b"0.0.0.0", b"1.2.3", b"fe80::1%eth0",
]  # fmt: skip


@cache
def _file() -> Path:
    return driver.scratch() / "list"


def fuzz(source: random.Random) -> None:
    """Read one list, and look up some addresses in it."""
    data = changed(ENTRIES, [ENTRIES], WORDS, source, 6)[:LARGEST]
    _file().write_bytes(data)
    faults: list[str] = []
    words = (
        f"/{os.fspath(_file())[1:]}",
        *source.sample(["example.org", ".", "a@b", "map:x", "no such", "\udcff"], 2),
    )
    words = tuple(word for word in words if word.isascii())
    found = maps.addresses(words, b"/nowhere", [], faults.append)
    users, nets = maps.clients(words, b"/nowhere", [], faults.append)
    assert all(len(fault) < 1500 and fault.isprintable() for fault in faults), faults
    for address in [
        *source.sample(ADDRESSES, 4),
        changed(source.choice(ADDRESSES), ADDRESSES, WORDS, source, 3),
    ]:
        _check_address(address, found)
    for client in [*source.sample(CLIENTS, 4), changed(source.choice(CLIENTS), CLIENTS, WORDS, source, 3)]:
        _check_client(client, users, nets, data)


def _check_address(address: bytes, entries: bytes) -> None:
    names = rules.keys(address)
    plain = any(name in entries.split(b"\n")[1:-1] for name in names)
    assert rules.is_among(address, entries) == plain, address
    if not entries:
        return
    big = (
        b"\n"
        + b"\n".join(sorted([*entries.split(b"\n")[1:-1], *(b"zz%04d.example" % n for n in range(400))]))
        + b"\n"
    )
    assert len(big) <= rules.SHORT or rules.is_among(address, big) == plain, (address, "bisected")


def _check_client(client: bytes, users: bytes, nets: tuple[tuple[bytes, int], ...], data: bytes) -> None:
    text = client.decode("latin-1").strip("[]").removeprefix("IPv6:")
    try:
        known = ipaddress.ip_address(text)
    except ValueError:
        known = None
    told = rules._is_from(rules._packed(client), b"", users, nets)
    if known is None or "%" in text:
        assert not told, client
        return
    known = getattr(known, "ipv4_mapped", None) or known
    assert told == any(known in net for net in _networks(data)), (client, nets)


def _networks(data: bytes) -> Iterator[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """The networks that a list names, and what in it is IPv4 though it is written as IPv6."""
    for _, entry in maps.lines(data):
        try:
            net = ipaddress.ip_network(entry, strict=False)
        except ValueError:
            continue
        yield net
        if net.version == 6 and net.subnet_of(ipaddress.ip_network("::ffff:0:0/96")):
            yield ipaddress.ip_network((int(net.network_address) & 0xFFFFFFFF, net.prefixlen - 96))
