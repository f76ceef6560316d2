"""A site for black-box tests of the filter form: a readable copy of the package, settings, a state folder.

The filter form refuses root, so it runs as nobody, who must be able to read all of it; the user also
owns `state` and `out`.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
PYTHON = "/usr/bin/python3"
USER, GROUP = "nobody", "nogroup"


class FilterSite:
    """The copy and what belongs to it, below `folder`; `out` is where mail is forwarded to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.chmod(0o755)
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(PROJECT / "amavis_pipe", folder / "amavis_pipe", ignore=ignore)
        (folder / "contrib/postfix").mkdir(parents=True)
        self.launcher = folder / "contrib/postfix/amavis-pipe"
        shutil.copy(PROJECT / "contrib/postfix/amavis-pipe", self.launcher)
        self.state, self.out = folder / "state", folder / "out"
        for place in (self.state, self.out):
            place.mkdir(mode=0o700)
            shutil.chown(place, USER, GROUP)
        self.settings = folder / "settings.toml"
        self.configure()

    def configure(self, more: str = "", scanners: str = '["builtin"]', forward: str = "") -> None:
        """Write the settings: `more` is TOML that follows the top-level keys."""
        forward = forward or f"file:{self.out}"
        self.settings.write_text(
            f'state = "{self.state}"\nforward = "{forward}"\nscanners = {scanners}\n{more}\n'
        )

    def run(self, mail: bytes, *arguments: str | bytes, config: bool = True, **options: object) -> "Done":
        """Start the launcher with these arguments and the mail on stdin, as nobody."""
        words = [PYTHON, "-I", "-S", str(self.launcher)]
        words += ["--config", str(self.settings)] if config else []
        return self.start([*words, *arguments], mail, **options)

    def filter(self, mail: bytes, sender: str | bytes = "a@example.org", *recipients: str) -> "Done":
        """The filter form with an envelope."""
        return self.run(mail, "-f", sender, "--", *(recipients or ("b@example.org",)))

    def start(self, words: list, mail: bytes, user: str = USER, **options: object) -> "Done":
        """Start any command as the filter's user."""
        ended = subprocess.run(
            words,
            input=mail,
            capture_output=True,
            check=False,
            timeout=60,
            user=user,
            group=GROUP,
            extra_groups=[],
            env={"PATH": "/usr/bin:/bin", "LANG": "C", **options.pop("env", {})},
            cwd="/",
            **options,
        )
        return Done(ended.returncode, ended.stdout, ended.stderr)

    def forwarded(self) -> list[bytes]:
        """The mails that went on."""
        return [path.read_bytes() for path in sorted(self.out.iterdir())]

    def records(self) -> list[str]:
        """The journal's lines."""
        files = sorted((self.state / "journal").iterdir())
        return [line for path in files for line in path.read_text().splitlines()]


class Done:
    """How a run ended."""

    def __init__(self, status: int, out: bytes, err: bytes) -> None:
        self.status, self.out, self.err = status, out, err

    def __repr__(self) -> str:
        return f"status {self.status}, stdout {self.out!r}, stderr {self.err!r}"


def make(compiled: bool = True) -> FilterSite:
    """A site in a new folder that nobody can reach (pytest's own are private to root)."""
    site = FilterSite(Path(tempfile.mkdtemp(prefix="amavis-pipe-test-")))
    if compiled:
        subprocess.run([PYTHON, "-m", "compileall", "-q", str(site.folder / "amavis_pipe")], check=True)
    os.umask(0o022)
    return site
