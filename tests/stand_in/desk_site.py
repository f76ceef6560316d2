"""A site on which commands are run as people and cron run them: settings, a state folder, files.

As root the state folder belongs to nobody, whose rights a command then takes; for that the package is
a copy that everybody can read.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "amavis_pipe"
ROOT = os.geteuid() == 0
START = "import sys; sys.path.insert(0, {!r}); from amavis_pipe.entry import main; main()"


def copied() -> Path:
    """A folder with a copy of the package, compiled, readable for everybody."""
    folder = Path(tempfile.mkdtemp(prefix="amavis-pipe-desk-"))
    folder.chmod(0o755)
    shutil.copytree(PACKAGE, folder / "amavis_pipe", ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run([sys.executable, "-m", "compileall", "-q", str(folder)], check=True)
    return folder


class DeskSite:
    """The site, below `folder`; `files` is for what is to be scanned."""

    def __init__(self, package: Path) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="amavis-pipe-site-"))
        self.folder.chmod(0o755)
        self.package = package
        self.state = self.folder / "state"
        self.files = self.folder / "files"
        self.settings = self.folder / "settings.toml"
        self.state.mkdir(mode=0o700)
        self.files.mkdir()
        for name in ("cache", "journal", "quarantine", "work"):
            (self.state / name).mkdir(mode=0o700)
        self.own(self.state)
        self.configure()

    def own(self, top: Path) -> None:
        """Give a folder and all in it to the filter's user."""
        if ROOT:
            for path in [top, *top.rglob("*")]:
                os.chown(path, 65534, 65534, follow_symlinks=False)

    def configure(self, more: str = "", scanners: str = '["builtin"]') -> None:
        """Write the settings: `more` is TOML that follows the top-level keys."""
        self.settings.write_text(f'state = "{self.state}"\nscanners = {scanners}\n{more}\n')

    def put(self, name: str, data: bytes) -> Path:
        """A file to be scanned."""
        path = self.files / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def run(
        self, *words: "str | bytes | Path", stdin: bytes = b"", config: bool = True, user: str = "", **more
    ) -> "subprocess.CompletedProcess[str]":
        """Run the program with these arguments; -c is added unless `config` is false."""
        options = {"cwd": "/", "env": {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}} | more
        if user and ROOT:
            options |= {"user": user, "group": "nogroup", "extra_groups": []}
        command = [sys.executable, "-I", "-c", START.format(str(self.package)), *words]
        done = subprocess.run(
            [*command, "-c", self.settings] if config else command,
            input=stdin,
            capture_output=True,
            check=False,
            timeout=60,
            **options,
        )
        out, err = (text.decode("utf-8", "backslashreplace") for text in (done.stdout, done.stderr))
        return subprocess.CompletedProcess(done.args, done.returncode, out, err)

    def trial(self, mail: bytes, *words: str) -> "subprocess.CompletedProcess[str]":
        """The trial form on a mail."""
        return self.run(*words, "--config", str(self.settings), stdin=mail, config=False)
