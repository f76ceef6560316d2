"""One file packed by lrzip, without compression."""

import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path

TOOL = "lrzip"


@lru_cache(maxsize=8)
def pack(data: bytes) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "file").write_bytes(data)
        subprocess.run([TOOL, "-q", "-n", folder + "/file"], check=True, stdout=subprocess.DEVNULL)
        return Path(folder, "file.lrz").read_bytes()
