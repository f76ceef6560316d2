"""Where figures are kept: contrib/bench/results, a text for people and JSON for programs beside it.

BENCH_RESULTS in the environment names another folder, for trials.
"""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FOLDER = Path(os.environ.get("BENCH_RESULTS") or Path(__file__).resolve().parent / "results")
DEBIAN = ("postfix", "clamav-daemon", "amavisd-new", "libfile-libmagic-perl", "clamdscan", "valgrind")


def machine() -> dict[str, Any]:
    """What the figures depend on: kernel, processors and how busy they were, versions."""
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    python = subprocess.run(["/usr/bin/python3", "-V"], capture_output=True, text=True, check=True).stdout
    return {
        "made": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "kernel": platform.release(),
        "processors": f"{os.cpu_count()} x {models[0] if models else platform.machine()}",
        "load": round(os.getloadavg()[0], 1),
        "python": python.split()[1],
        "packages": {name: version for name in DEBIAN if (version := _version(name))},
    }


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Rows below their heads: the first column to the left, numbers to the right."""
    lines = [[str(word) for word in line] for line in (head, *rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            word.rjust(width) if column else word.ljust(width)
            for column, (word, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def write(name: str, command: str, texts: Sequence[str], figures: dict[str, Any]) -> None:
    """Print the texts, and keep them and the figures, with the command that makes them and the machine."""
    here = machine()
    head = (
        f"Made by `{command}` on {here['made']}: {here['processors']}, Linux {here['kernel']}, "
        f"Python {here['python']}; load {here['load']} at the end.\n"
    )
    text = "\n\n".join([head.rstrip(), *texts]) + "\n"
    print(text, end="")
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.txt").write_text(text)
    made = {"command": command, "machine": here} | figures
    (FOLDER / f"{name}.json").write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n")


def progress(text: str) -> None:
    """What is being done, to stderr."""
    print(text, file=sys.stderr, flush=True)


def _version(package: str) -> str:
    words = ["dpkg-query", "-W", "-f", "${Version}", package]
    try:
        return subprocess.run(words, capture_output=True, text=True, check=False).stdout
    except OSError:
        return ""
