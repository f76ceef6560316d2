"""The command `quarantine delete`: removes mail that is held back, for good."""

import sys

import click

from amavis_pipe.desk.held import stock
from amavis_pipe.desk.held.listing import row
from amavis_pipe.desk.table import counted


def run(config: bytes | None, words: tuple[str, ...], sure: bool) -> int:
    """Remove the mails that the words name: 0, 2 if that fails or the user does not want it after all."""
    chosen = stock.of(config).chosen(words)
    if not sure and sys.stdin.isatty():
        for copy in chosen:
            print("  ".join(row(copy, copy.known())))
        if not click.confirm(f"Remove {counted(len(chosen), 'mail')} for good?"):
            return 2
    status = 0
    for copy in chosen:
        try:
            copy.remove()
        except OSError as error:
            status = 2
            print(f"{copy.name}: not removed: {error.strerror}", file=sys.stderr)
            continue
        print(f"{copy.name}: removed")
    return status
