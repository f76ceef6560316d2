#!/usr/bin/env python3
"""Where a run of the filter spends itself: instructions by stage, counted by valgrind, not timed.

    /usr/bin/python3 contrib/bench/stages.py

A plain mail that was never seen goes from a pipe into a folder, with the built-in scanner, by this
checkout's code and its bundle; each stage ends a run of its own, and the difference to the one before is its
cost. Counts are the same on a busy machine, to a tenth of a percent. They leave out what the kernel does.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from run import NOBODY, PYTHON, site

STAGES = {
    "interpreter": "",
    "package": "from amavis_pipe import bundle",
    "bundle": "bundle.use()",
    "modules for every mail": (
        "from amavis_pipe import entry, cache, intake, policy, settings, perform, journal, record"
    ),
    "modules for a new mail": (
        "from amavis_pipe import examine, dissect, ask\nfrom amavis_pipe.scan import builtin"
    ),
    "settings": "site = settings.read(CONFIG)\nsettings.prepare(site)",
    "read": "mail = intake.read(0, site.work)",
    "examine": (
        "kept = cache.Cache(site.state + b'/cache', site.cache_days, site.cache_size)\n"
        "found = examine.examine(mail, site, kept, guarded=True)"
    ),
    "decide": (
        "from amavis_pipe.model import Envelope\n"
        "to = Envelope(b'a@example.org', (b'b@example.org',))\n"
        "decision = policy.decide(found.facts, to, site, mail)"
    ),
    "act": "perform.Actor(site, lambda: None, 1e12).perform(mail, to, decision, found.facts)",
    "journal": (
        "made = record.record('pipe', to, 1, mail.sha256, found.facts, decision, [], {})\n"
        "journal.append(site.state + b'/journal', record.to_json(made))\n"
        "journal.log(6, journal.summary(to, found.facts, decision, False, 0.0))"
    ),
}
"""What is done, in order."""
BARE = "interpreter"


def counted(code: str, mail: bytes) -> int:
    """Instructions of a run of this code by the interpreter that the filter has, with the mail on a pipe.

    Not isolated (-I), but for where it looks: then hashes can be the same each time, and so can counts.
    """
    user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    command = [
        "valgrind",
        "--tool=callgrind",
        "--callgrind-out-file=/dev/null",
        PYTHON,
        "-P",
        "-s",
        "-S",
        "-c",
    ]
    done = subprocess.run(
        [*command, code + "\nimport posix\nposix._exit(0)"],
        input=mail,
        capture_output=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "LANG": "C", "PYTHONHASHSEED": "0"},
        cwd="/",
        **user,
    )
    found = re.search(rb"Collected : (\d+)", done.stderr)
    if done.returncode or found is None:
        raise SystemExit(done.stderr.decode("utf-8", "replace"))
    return int(found[1])


def stages() -> dict[str, int]:
    """Instructions of each stage; the interpreter's among them."""
    with site() as (folder, command):
        config = command[command.index("--config") + 1].encode()
        code = (
            f"import sys\nsys.path.insert(0, {str(folder)!r})\nimport gc\ngc.disable()\nCONFIG = {config!r}\n"
        )
        mail = (
            "From: a@example.org\nSubject: stages {}\n\n"
            + "the quick brown fox jumps over the lazy dog\n" * 110
        )
        counted(code + "\n".join(STAGES.values()), mail.format("first").encode())  # makes the snapshot
        found, before, done = {}, 0, code
        for number, (name, step) in enumerate(STAGES.items()):
            done += step + "\n"
            total = counted(done, mail.format(number).encode())
            found[name] = total - before
            before = total
    return found


def main() -> None:
    """Print the table."""
    found = stages()
    print(f"{'stage':<26}{'instructions':>14}{'of the interpreter':>20}")
    for name, number in found.items():
        print(f"{name:<26}{number:>14,}{number / found[BARE]:>20.3f}")
    total = sum(found.values())
    print(f"{'all':<26}{total:>14,}{total / found[BARE]:>20.3f}")


if __name__ == "__main__":
    main()
