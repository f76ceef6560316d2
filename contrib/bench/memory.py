#!/usr/bin/env python3
"""How much memory a run of the filter takes: RssAnon of parent and children together, at the most.

    python3 contrib/bench/memory.py [RUNS]

Mails of several kinds go through the filter form of this checkout into a folder, the scanner is built in,
the spool is on disk. /proc tells every millisecond what each process has that is no file's: a page that a
child shares with its parent counts twice here. "over the interpreter" is less what a bare one has. The most
of all runs counts; "settings just changed" is the one run that compiles them. It leaves with 1 if a goal is
missed.
"""

import io
import lzma
import os
import random
import sys
import tarfile
import tempfile
import threading
import zipfile
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from time import sleep

sys.path.insert(0, str(Path(__file__).resolve().parent))

import corpus
import results
from account import status
from run import PYTHON, begun, forget, site

MB = 1 << 20
LARGE = 50 * MB
FIRST = "plain, settings just changed"
WAIT = [PYTHON, "-I", "-S", "-c", "import posix; posix.read(0, 1)"]
PAUSE = 0.001
GOALS = {
    "plain": (14.0, False),
    "plain, 50 MB": (32.0, True),
    "zip, 50 MB": (96.0, True),
    "tar.xz, 50 MB": (96.0, True),
}
"""MB at the most, and whether an interpreter's are taken off."""


def plain(size: int) -> bytes:
    """A mail of text alone."""
    chance = random.Random(1)  # noqa: S311 - the same each time
    mail = corpus.headed(chance, 0, "plain")
    block = corpus.text(chance, min(size, 64 << 10))
    mail.set_content("")
    head = corpus.finished(mail, chance)
    return head + (block * (size // len(block) + 1)).encode()[: size - len(head)] + b"\n"


def attached(size: int, packed: bool, seed: int = 1) -> bytes:
    """A mail of that many bytes with one attachment in base64: random bytes, or a zip of 20 such files."""
    chance = random.Random(seed)  # noqa: S311 - the same each time
    mail = corpus.headed(chance, 0, "attached")
    mail.set_content(corpus.text(chance, 1000))
    bare = size * 57 // 77
    if packed:
        files = [(f"file{number}.bin", mixed(chance, bare // 10)) for number in range(20)]
        corpus.attach(mail, corpus.zipped(files), "zip", "files.zip")
    else:
        corpus.attach(mail, chance.randbytes(bare), "octet-stream", "data.bin")
    return corpus.finished(mail, chance)


def mixed(chance: random.Random, size: int) -> bytes:
    """Bytes that a zip makes half as many of."""
    return b"".join(chance.randbytes(512) + bytes(512) for _ in range(size // 1024))


def squeezed(size: int) -> bytes:
    """A mail of that many bytes with a tar.xz as `xz -9` makes it; unpacking it takes 65 MB."""
    chance = random.Random(2)  # noqa: S311 - the same each time
    mail = corpus.headed(chance, 0, "squeezed")
    mail.set_content(corpus.text(chance, 1000))
    member = tarfile.TarInfo("data.bin")
    # the same block twice, too far apart for a smaller dictionary
    half = chance.randbytes(size * 57 // 77)
    member.size = 2 * len(half)
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        archive.addfile(member, io.BytesIO(half + half))
    corpus.attach(mail, lzma.compress(made.getvalue(), preset=9), "x-xz", "data.tar.xz")
    return corpus.finished(mail, chance)


def stored(size: int) -> bytes:
    """A zip of `size` bytes of zeros, packed to almost nothing, in a mail."""
    with tempfile.TemporaryFile() as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(zipfile.ZipInfo("zeros.bin", corpus.STAMP), bytes(size), zipfile.ZIP_DEFLATED)
        file.seek(0)
        data = file.read()
    chance = random.Random(1)  # noqa: S311 - the same each time
    mail = corpus.headed(chance, 0, "zeros")
    mail.set_content("zeros\n")
    corpus.attach(mail, data, "zip", "zeros.zip")
    return corpus.finished(mail, chance)


MAILS: dict[str, Callable[[], bytes]] = {
    FIRST: lambda: plain(5000),
    "plain": lambda: plain(5000),
    "usual, 260 KB": lambda: next(corpus.mails("R")),
    "archive, 40 KB": lambda: next(islice(corpus.mails("A"), 1, None)),
    "plain, 50 MB": lambda: plain(LARGE),
    "attachment, 50 MB": lambda: attached(LARGE, packed=False),
    "zip, 50 MB": lambda: attached(LARGE, packed=True),
    "tar.xz, 50 MB": lambda: squeezed(LARGE),
    "zip of 200 MB of zeros": lambda: stored(200 * MB),
}


def peak(command: list[str], mail: bytes) -> tuple[float, float]:
    """MB of RssAnon of the whole tree at the most, and of one process with its files (the kernel's figure).

    SystemExit if the mail did not pass.
    """
    started = begun(command)
    assert started.stdin and started.stdout
    most, done = [0], threading.Event()

    def watch() -> None:
        while not done.is_set():
            most[0] = max(most[0], tree(started.pid))
            sleep(PAUSE)

    watching = threading.Thread(target=watch)
    watching.start()
    started.stdin.write(mail)
    if command is WAIT:
        sleep(0.1)
    started.stdin.close()
    line = started.stdout.read()
    _, ended, used = os.wait4(started.pid, 0)
    done.set()
    watching.join()
    started.stdout.close()
    started.returncode = os.waitstatus_to_exitcode(ended)
    if started.returncode:
        raise SystemExit(f"status {started.returncode}: {line!r}")
    return most[0] / 1024, used.ru_maxrss / 1024


def fresh(folder: Path, command: list[str], mail: bytes) -> tuple[float, float]:
    """The same of a mail of which nothing was ever seen."""
    forget(folder, command)
    return peak(command, mail)


def tree(pid: int) -> int:
    """KiB of RssAnon of a process and its descendants."""
    found = int(status(pid).get("RssAnon", "0").split()[0])
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return found
    return found + sum(tree(int(child)) for child in children)


def main(runs: int) -> int:
    """Measure, print, keep; the status."""
    with site() as (folder, command):
        bare = max(peak(WAIT, b"")[0] for _ in range(3))
        found = {}
        for name, make in MAILS.items():
            mail = make()
            rows = []
            for number in range(1 if name == FIRST else runs):
                results.progress(f"{name}: {number}")
                rows.append(peak(command, mail) if name == FIRST else fresh(folder, command, mail))
                for sent in (folder / "out").iterdir():
                    sent.unlink()
            found[name] = {"mb": max(row[0] for row in rows), "maxrss_mb": max(row[1] for row in rows)}
    lines, failed = [], 0
    for name, one in found.items():
        goal, over = GOALS.get(name, (0.0, True))
        met = "" if not goal else "met" if one["mb"] - bare * over <= goal else "MISSED"
        failed |= met == "MISSED"
        told = f"{goal:.0f}{' over' if over else ''}" if goal else ""
        lines.append(
            [name, f"{one['mb']:.1f}", f"{one['mb'] - bare:.1f}", f"{one['maxrss_mb']:.1f}", told, met]
        )
    head = ["mail", "MB", "over the interpreter", "with files, one process", "goal", ""]
    text = f"a bare interpreter: {bare:.1f} MB; the most of {runs} runs\n" + results.table(head, lines)
    results.write("memory", "contrib/bench/memory.py", [text], {"bare_mb": bare, "mails": found})
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5))
