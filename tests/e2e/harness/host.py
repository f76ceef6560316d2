"""The one thing of this machine's own Postfix that is touched: alternate_config_directories in main.cf.

Without it sendmail(1) refuses a private configuration to all but root.
"""

import contextlib
import fcntl
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

ETC = Path("/etc/postfix")


def names(folder: Path) -> bool:
    """Whether main.cf says anything of this folder."""
    main = ETC / "main.cf"
    return main.exists() and str(folder) in main.read_text()


@contextlib.contextmanager
def alternate_folders() -> Iterator[list[str]]:
    """The folders in alternate_config_directories, to be changed; those that are no more leave, too.

    Locked, for several test runs may do this at once. A Postfix without configuration has no main.cf:
    it gets one for as long as there is something to say.
    """
    name = "alternate_config_directories"
    postconf = ["/usr/sbin/postconf", "-c", str(ETC)]
    lock = os.open(ETC, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (ETC / "main.cf").exists():
            (ETC / "main.cf").touch()
        done = subprocess.run([*postconf, "-h", name], capture_output=True, text=True, check=True)
        there = done.stdout.replace(",", " ").split()
        words = [word for word in there if Path(word).is_dir()]
        yield words
        if words:
            subprocess.run([*postconf, "-e", f"{name} = {' '.join(words)}"], check=True)
        else:
            subprocess.run([*postconf, "-X", name], check=True)
            if not (ETC / "main.cf").read_text().strip():
                (ETC / "main.cf").unlink()
    finally:
        os.close(lock)
