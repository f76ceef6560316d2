#!/usr/bin/env python3
"""CPU time of one run of the filter, as a ratio to a bare interpreter; nothing but Python is needed.

    /usr/bin/python3 contrib/bench/run.py [RUNS]

Mails of several shapes go through the filter form of this checkout, from a pipe into a folder, with the
built-in scanner: once as mail never seen before (its zip was), once as mail that is remembered. Each run
is followed by one of the bare interpreter, so that a machine whose speed drifts does not show in the
ratios. The costs of Postfix, sendmail and a real scanner come on top.
"""

import io
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
PYTHON = "/usr/bin/python3"
NOBODY = 65534
BARE = [PYTHON, "-I", "-S", "-c", "pass"]


def mails() -> dict[str, EmailMessage]:
    """One mail of each shape; the caller gives it a subject of its own."""
    words = "the quick brown fox jumps over the lazy dog while nobody is looking\n"
    plain, attached, packed = EmailMessage(), EmailMessage(), EmailMessage()
    plain.set_content(words * 70)
    attached.set_content(words * 20)
    attached.add_attachment(os.urandom(150_000), maintype="application", subtype="pdf", filename="a.pdf")
    packed.set_content(words * 20)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as members:
        for number in range(20):
            members.writestr(f"file{number}.txt", words * 100 + str(number))
    packed.add_attachment(archive.getvalue(), maintype="application", subtype="zip", filename="a.zip")
    return {"plain text, 5 KB": plain, "attachment, 150 KB": attached, "known zip, 20 files": packed}


@contextmanager
def site() -> Iterator[tuple[Path, list[str]]]:
    """A compiled copy of the package that any user can read; the folder, and the filter's command."""
    folder = Path(tempfile.mkdtemp(prefix="amavis-pipe-bench-"))
    try:
        folder.chmod(0o755)
        launcher = installed(folder)
        for name in ("state", "out"):
            owned(folder / name)
        settings = folder / "settings.toml"
        settings.write_text(
            f'state = "{folder}/state"\nforward = "file:{folder}/out"\nscanners = ["builtin"]\n'
        )
        command = [*launcher, "--config", str(settings)]
        yield folder, [*command, "-f", "a@example.org", "--", "b@example.org"]
    finally:
        shutil.rmtree(folder)


def installed(folder: Path) -> list[str]:
    """Copy this checkout's package there, compiled and bundled; how its launcher is called."""
    shutil.copytree(CHECKOUT / "amavis_pipe", folder / "amavis_pipe")
    (folder / "contrib/postfix").mkdir(parents=True)
    launcher = shutil.copy(CHECKOUT / "contrib/postfix/amavis-pipe", folder / "contrib/postfix")
    subprocess.run([PYTHON, "-m", "compileall", "-q", str(folder / "amavis_pipe")], check=True)
    environment = {"PYTHONPATH": str(folder)}
    subprocess.run([PYTHON, "-P", "-S", "-m", "amavis_pipe.desk.bundle"], check=True, env=environment)
    return [PYTHON, "-I", "-S", str(launcher)]


def owned(folder: Path) -> Path:
    """Make a folder of the filter's user."""
    folder.mkdir(mode=0o700)
    if os.geteuid() == 0:
        shutil.chown(folder, NOBODY, NOBODY)
    return folder


def forget(folder: Path, command: list[str]) -> None:
    """Nothing was ever seen; then one small mail, so that the next one finds a cache and need not make it."""
    shutil.rmtree(folder / "state/cache", ignore_errors=True)
    owned(folder / "state/cache")
    cost(command, b"Subject: the first\n\nhello\n")


def begun(command: list[str]) -> "subprocess.Popen[bytes]":
    """The command, started as nobody where this is root, its standard input and output pipes."""
    user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PATH": "/usr/bin:/bin", "LANG": "C"},
        **user,
    )


def cost(command: list[str], mail: bytes) -> float:
    """Milliseconds of CPU, user and system, that the command takes with the mail on a pipe."""
    started = begun(command)
    assert started.stdin and started.stdout
    try:
        started.stdin.write(mail)
        started.stdin.close()
    except BrokenPipeError:
        pass  # the bare interpreter reads nothing
    line = started.stdout.read()
    _, status, used = os.wait4(started.pid, 0)
    started.returncode = os.waitstatus_to_exitcode(status)
    if started.returncode:
        raise SystemExit(f"status {started.returncode}: {line!r}")
    return (used.ru_utime + used.ru_stime) * 1000


def main(runs: int) -> None:
    """Print the table."""
    print(f"median of {runs} runs: CPU ms, and the ratio to a bare interpreter beside it")
    print(f"{'':<22}{'new':>16}{'remembered':>18}")
    with site() as (folder, command):
        for name, mail in mails().items():
            rows: tuple[list[float], list[float], list[float]] = ([], [], [])
            for number in range(runs + 1):
                del mail["Subject"]
                mail["Subject"] = f"run {number}"
                data = mail.as_bytes()
                figures = (cost(command, data), cost(command, data), cost(BARE, data))
                for row, figure in zip(rows, figures, strict=True):
                    row.append(figure)
            new, again, bare = (statistics.median(row[1:]) for row in rows)  # the first run warms up
            print(f"{name:<22}{new:>8.2f}{new / bare:>8.2f}{again:>10.2f}{again / bare:>8.2f}")
            for sent in (folder / "out").iterdir():
                sent.unlink()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 30)
