"""Chooses between the trial form and the commands, and turns errors into status 2 and one line."""

import os
import sys
from io import TextIOWrapper

from amavis_pipe.arguments import UsageError, parse
from amavis_pipe.model import AmavisPipeError

COMMANDS = frozenset(
    (
        "cache",
        "check",
        "config",
        "explain",
        "formats",
        "metrics",
        "prune",
        "quarantine",
        "report",
        "scan",
        "scanners",
        "signatures",
    )
)
ASKED_FOR_HELP = frozenset(("--help", "-h", "--version"))
COMPLETION = "_AMAVIS_PIPE_COMPLETE"


def run(words: list[bytes], error: UsageError | None) -> int:
    """Run what `words` ask for; the exit status. `error` says why they are no filter or trial form."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a name the terminal can't show must not end the run
            stream.reconfigure(errors="backslashreplace")
    try:
        status = _run([os.fsdecode(word) for word in words], words, error)
        sys.stdout.flush()
    except AmavisPipeError as trouble:
        print(f"amavis-pipe: {trouble}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the reader left; nothing more to say
        return 2
    except KeyboardInterrupt:
        return 2
    return status


def _run(shown: list[str], words: list[bytes], error: UsageError | None) -> int:
    if (not words and os.isatty(0)) or COMPLETION in os.environ or _is_command(shown):
        return _commands(shown or ["--help"])
    if error is not None:
        print(f"amavis-pipe: {error}", file=sys.stderr)
        print("Try 'amavis-pipe --help'.", file=sys.stderr)
        return 2
    from amavis_pipe.desk import trial

    return trial.run(parse(words))


def _is_command(shown: list[str]) -> bool:
    """Whether the first word behind any `-c FILE` is a command, or asks for help."""
    words = iter(shown)
    for word in words:
        if word in ("-c", "--config"):
            next(words, None)
        elif not word.startswith("--config="):
            return word in COMMANDS or word in ASKED_FOR_HELP
    return False


def _commands(shown: list[str]) -> int:
    try:
        from amavis_pipe.desk import cli
    except ModuleNotFoundError as missing:
        if missing.name != "click":
            raise
        print("amavis-pipe: commands want the Python package click (README, Install)", file=sys.stderr)
        return 2
    return cli.run(shown)
