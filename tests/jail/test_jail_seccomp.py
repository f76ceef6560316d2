"""seccomp: the filter, run by a small interpreter of classic BPF, on both machines."""

import posix
import struct
from errno import ENOSYS, EPERM

import pytest

from amavis_pipe.jail import seccomp

ALLOWED, KILLED = "allowed", "killed"
ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
PID = 4242


def verdict(machine: str, number: int, *arguments: int, arch: int | None = None):
    """What the filter says to a call: ALLOWED, KILLED, or an error number."""
    code = list(struct.iter_unpack("<HBBI", seccomp.program(machine, PID)))
    padded = [*arguments, *[0] * 6][:6]
    data = struct.pack("<IIQ6Q", number, ARCH[machine] if arch is None else arch, 0, *padded)
    at, held = 0, 0
    while True:
        operation, yes, no, value = code[at]
        at += 1
        match operation:
            case 0x20:
                held = struct.unpack_from("<I", data, value)[0]
            case 0x15:
                at += yes if held == value else no
            case 0x25:
                at += yes if held > value else no
            case 0x35:
                at += yes if held >= value else no
            case 0x45:
                at += yes if held & value else no
            case 0x06:
                return {0x7FFF0000: ALLOWED, 0x80000000: KILLED}.get(value, value & 0xFFFF)


def calls(machine: str) -> list[tuple[str, int]]:
    column = {"x86_64": 1, "aarch64": 2}[machine]
    rows = [row.split() for part in seccomp.DENIED for row in part.replace("\n", " ").split(",")]
    return [(row[0], int(row[column])) for row in rows if row[column] != "-1"]


@pytest.mark.parametrize("machine", ARCH)
def test_every_listed_call_fails(machine):
    assert {name: verdict(machine, number) for name, number in calls(machine)} == {
        name: EPERM for name, _ in calls(machine)
    }


@pytest.mark.parametrize("machine", ARCH)
def test_no_call_is_listed_twice(machine):
    numbers = [number for _, number in calls(machine)]
    assert len(numbers) == len(set(numbers)) == len(seccomp.numbers({"x86_64": 1, "aarch64": 2}[machine]))


@pytest.mark.parametrize("machine", ARCH)
def test_the_filter_fits_what_the_kernel_takes(machine):
    assert len(seccomp.program(machine, PID)) // 8 <= 4096


READ, CLONE, OPENAT, FCNTL, PRLIMIT, TGKILL = range(6)
NUMBERS = {"x86_64": (0, 56, 257, 72, 302, 234), "aarch64": (63, 220, 56, 25, 261, 131)}
THREAD = 0x10F00
TABLE = {
    "reading": (READ, (3,), ALLOWED),
    "a-thread": (CLONE, (THREAD,), ALLOWED),
    "a-process": (CLONE, (17,), EPERM),
    "open-to-read": (OPENAT, (0, 0, posix.O_RDONLY | posix.O_CLOEXEC), ALLOWED),
    "open-to-write": (OPENAT, (0, 0, posix.O_WRONLY), EPERM),
    "open-for-both": (OPENAT, (0, 0, posix.O_RDWR), EPERM),
    "open-to-make": (OPENAT, (0, 0, posix.O_CREAT), EPERM),
    "open-to-cut": (OPENAT, (0, 0, posix.O_TRUNC), EPERM),
    "fcntl-flags": (FCNTL, (3, 1), ALLOWED),
    "fcntl-owner": (FCNTL, (3, 8), EPERM),
    "fcntl-owner-by-thread": (FCNTL, (3, 15), EPERM),
    "fcntl-signal": (FCNTL, (3, 10), EPERM),
    "own-limits": (PRLIMIT, (0,), ALLOWED),
    "another's-limits": (PRLIMIT, (1,), EPERM),
    "abort": (TGKILL, (PID, PID, 6), ALLOWED),
    "signal-to-another": (TGKILL, (1, 1, 9), EPERM),
}


@pytest.mark.parametrize("machine", ARCH)
@pytest.mark.parametrize(("call", "arguments", "expected"), TABLE.values(), ids=TABLE)
def test_calls_are_let_through_by_their_arguments(machine, call, arguments, expected):
    assert verdict(machine, NUMBERS[machine][call], *arguments) == expected


@pytest.mark.parametrize("machine", ARCH)
@pytest.mark.parametrize(
    "number", [435, 437, seccomp.NEWEST + 1, 600, 5000], ids=["clone3", "openat2", "next", "600", "5000"]
)
def test_calls_newer_than_the_list_are_missing(machine, number):
    assert verdict(machine, number) == ENOSYS


def test_the_old_way_to_open_is_watched_too():
    assert verdict("x86_64", 2, 0, posix.O_RDONLY) == ALLOWED
    assert verdict("x86_64", 2, 0, posix.O_RDWR) == EPERM


@pytest.mark.parametrize("number", [0x40000000, 0x40000000 + 41, 0xFFFFFFFF], ids=["read", "socket", "last"])
def test_x32_numbers_fail(number):
    assert verdict("x86_64", number) == EPERM


@pytest.mark.parametrize("machine", ARCH)
def test_calls_of_another_architecture_kill(machine):
    assert verdict(machine, 0, arch=0x40000003) == KILLED


def test_a_machine_without_a_list_is_an_error():
    with pytest.raises(OSError, match="riscv64"):
        seccomp.program("riscv64", PID)
