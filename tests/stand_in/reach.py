"""Files of a test within reach of another user."""

import os
from pathlib import Path


def open_to_all(folder: Path) -> None:
    """Let all users reach and read the folder, which is below pytest's own folders: these are private."""
    for one in (folder, *folder.parents):
        status = one.stat()
        if status.st_uid == os.geteuid() and status.st_mode & 0o005 != 0o005:
            one.chmod(status.st_mode | 0o005)
