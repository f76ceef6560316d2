"""Faults that can be made and taken away again, each a context manager on a site; and what became of a mail.

A fault yields the words that the filter is started behind (prlimit(1), strace(1), env(1)), or nothing.
"""

import os
import pwd
import shutil
import socket
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

from stand_in import filter_site
from stand_in.filter_site import GROUP, USER, Done, FilterSite

Words = list[str]
Fault = Callable[["FaultSite"], AbstractContextManager[Words | None]]

SENDMAIL = "#!/bin/sh\n{first}\ncat >{out}/$$.part && mv {out}/$$.part {out}/$$.eml || exit 75\n{last}\n"


class FaultSite(FilterSite):
    """A site whose program, settings and folders a test breaks, and finds mended afterwards.

    The launcher is run as pipe(8) does it. `sendmail` is a program in the place of Postfix's, which puts what
    it is given into `out`, too; `quick` submissions are given a second.
    """

    def __init__(self, folder: Path) -> None:
        self.told = folder / "told"
        super().__init__(folder)
        self.sendmail = folder / "sendmail"
        self.told.mkdir(mode=0o700)
        owned(self.told)
        self.obey()
        for name in ("jinja2", "markupsafe"):  # what notices are made with
            found = Path(str(find_spec(name).origin)).parent
            shutil.copytree(found, folder / "third" / name, ignore=shutil.ignore_patterns("__pycache__"))
        folders = [str(folder), str(folder / "third")]
        self.rewrite("contrib/postfix/amavis-pipe", "FOLDERS = []", f"FOLDERS = {folders}")
        self.rewrite("amavis_pipe/forward/sendmail.py", "/usr/sbin/sendmail", str(self.sendmail))
        self.rewrite("amavis_pipe/entry.py", "FIRST_ALARM = 540", "FIRST_ALARM = 8")
        self.rewrite("amavis_pipe/perform.py", "timeout = int(min(", "timeout = 1 or int(min(")
        self.arguments = ["--config", str(self.settings), "--queue-id", "4bQ7Xz"]
        self.arguments += ["-f", "a@example.org", "--", "b@example.org"]
        subprocess.run(
            [filter_site.PYTHON, "-m", "compileall", "-q", str(folder / "amavis_pipe")], check=True
        )

    def configure(self, more: str = "", scanners: str = '["builtin"]', forward: str = "") -> None:
        """As a site does; notices go into a folder of their own, `told`, and there are but seconds for a mail.

        An interpreter that is short of memory may try for ever to raise MemoryError: only its alarm ends it.
        """
        top = f'notify = "file:{self.told}"\nlimits.hard_seconds = 10\n'
        top += "" if "limits.seconds" in more else "limits.seconds = 5\n"
        super().configure(top + more, scanners, forward)

    def rewrite(self, name: str, old: str, new: str) -> None:
        """Change a file of the copy for good."""
        path = self.folder / name
        text = path.read_text()
        assert text.count(old) == 1, (name, old)
        path.write_text(text.replace(old, new))

    def obey(self, first: str = "", last: str = "exit 0", out: Path | None = None) -> None:
        """Have sendmail do this before and after it took the mail, into `out`."""
        self.sendmail.write_text(SENDMAIL.format(first=first, out=out or self.out, last=last))
        self.sendmail.chmod(0o755)

    def launch(self, mail: bytes, words: Words | None) -> Done:
        """The filter form behind these words, by its first line, as Postfix runs it; 75 if that can't be."""
        try:
            return self.start([*(words or []), str(self.launcher), *self.arguments], mail)
        except OSError:
            return Done(75, b"", b"")  # pipe(8)'s child ends so where execvp(3) fails

    def taken(self) -> list[bytes]:
        """What was forwarded, by file or sendmail."""
        return [path.read_bytes() for path in self.out.glob("*.eml")]

    def kept(self) -> list[bytes]:
        """What is in the quarantine, whole."""
        paths = [path for path in (self.state / "quarantine").glob("*/*-4bQ7Xz-*") if path.suffix != ".json"]
        return [path.read_bytes() for path in paths if not path.name.startswith(".")]

    def clear(self) -> None:
        """Forget all earlier mails."""
        for path in (*self.out.iterdir(), *(self.state / "quarantine").glob("*/*")):
            path.unlink()
        for name in ("sent", "tries", "cache/current", "cache/previous"):
            (self.state / name).unlink(missing_ok=True)


def owned(path: Path) -> None:
    """Give it to the filter's user."""
    shutil.chown(path, USER, GROUP)


@contextmanager
def hidden(path: Path) -> Iterator[None]:
    """It is not there; what is made in its place meanwhile goes again."""
    aside = path.with_name("aside-" + path.name)
    path.rename(aside)
    try:
        yield
    finally:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        aside.rename(path)


@contextmanager
def replaced(path: Path, made: Callable[[Path], object]) -> Iterator[None]:
    """Something else stands in its place, made by a function."""
    if not path.exists():
        path.touch()
        path.chmod(0o600)
        owned(path)
    with hidden(path):
        made(path)
        if not path.is_symlink():
            owned(path)
        yield


@contextmanager
def mode(path: Path, bits: int, user: str = USER) -> Iterator[None]:
    """It has other permissions, and another owner."""
    found = path.stat()
    path.chmod(bits)
    os.chown(path, pwd.getpwnam(user).pw_uid, found.st_gid)
    try:
        yield
    finally:
        path.chmod(stat.S_IMODE(found.st_mode))
        os.chown(path, found.st_uid, found.st_gid)


@contextmanager
def changed(path: Path, old: str, new: str) -> Iterator[None]:
    """A file reads otherwise; its times are as before afterwards, so that its byte code counts again."""
    found, text = path.stat(), path.read_text()
    assert text.count(old) >= 1, (path, old)
    path.write_text(text.replace(old, new, 1))
    try:
        yield
    finally:
        path.write_text(text)
        os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


@contextmanager
def full(path: Path, kilobytes: int) -> Iterator[None]:
    """A file system of this size lies over the folder, all but a page of it taken."""
    user, group = path.stat().st_uid, path.stat().st_gid
    options = f"size={kilobytes}k,mode=700,uid={user},gid={group}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", path], check=True)
    try:
        for folder in ("cache", "journal", "quarantine", "work"):
            if path.name == "state":
                (path / folder).mkdir(mode=0o700)
                owned(path / folder)
        with suppress(OSError), open(path / "ballast", "wb", buffering=0) as file:
            while file.write(bytes(4096)) == 4096:
                pass
        yield
    finally:
        subprocess.run(["umount", "-l", path], check=True)


@contextmanager
def read_only(path: Path) -> Iterator[None]:
    """Nothing below the folder can be written."""
    subprocess.run(["mount", "--bind", path, path], check=True)
    subprocess.run(["mount", "-o", "remount,ro,bind", path], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", path], check=True)


@contextmanager
def behind(*words: str) -> Iterator[Words]:
    """The filter is started behind these words."""
    yield list(words)


@contextmanager
def appended(path: Path, text: str) -> Iterator[None]:
    """A file goes on with this."""
    whole = path.read_text()
    with changed(path, whole, whole + text):
        yield


def injected(call: str, error: str) -> AbstractContextManager[Words]:
    """A system call fails whenever it is made."""
    return behind(
        "strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:error={error}"
    )


def shell(*lines: str) -> AbstractContextManager[Words]:
    """A shell does this before it becomes the filter."""
    return behind("/bin/sh", "-c", "\n".join((*lines, 'exec "$@"')), "sh")


@contextmanager
def settled(
    site: FaultSite, more: str = "", scanners: str = '["builtin"]', forward: str = ""
) -> Iterator[None]:
    """Other settings hold, afterwards too: there is nothing wrong with them."""
    site.configure(more, scanners, forward)
    yield


@contextmanager
def stuck_socket(path: Path) -> Iterator[None]:
    """A log that takes nothing any more."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one, ExitStack() as stack:
        one.bind(str(path))
        path.chmod(0o666)
        sender = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        sender.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                sender.sendto(b"x" * 100, str(path))
        try:
            yield
        finally:
            path.unlink()


@contextmanager
def both(*faults: AbstractContextManager[Words | None]) -> Iterator[Words | None]:
    """Several at once; the last one's words."""
    with ExitStack() as stack:
        yield [stack.enter_context(fault) for fault in faults][-1]
