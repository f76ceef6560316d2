"""Fuzzes the import of an amavisd.conf.

What must hold: nothing is raised, nothing is run; what is written are settings that are read without a fault;
what is told are bounded lines, printable.
"""

import io
import random
from contextlib import redirect_stderr
from functools import cache
from pathlib import Path

from amavis_pipe.config import load
from amavis_pipe.config.imported import perl
from amavis_pipe.desk import importing
from amavis_pipe.settings import SettingsError
from fuzz import driver
from fuzz.mutants import changed

WORDS = [
    b"$", b"@", b"%", b"&", b"'", b'"', b"`", b"(", b")", b"[", b"]", b"{", b"}", b"=>", b",", b";", b"qw(", b"qr'", b"<<EOT;\n", b"\n",
    b"=pod\n", b"=cut\n", b"__END__\n", b"#", b"\\", b"**", b"..", b"1..999999999", b"9" * 400, b"9" * 5000, b"1e999", b"(" * 2000,
    b"\\" * 500, b"-" * 500, b"$a = $a;\n", b"read_hash('/etc/passwd')", b"new_RE(", b"do '/etc/x';", b"system('touch /x');", b"\0",
    b"\xff", b"\xe2\x80\xae", b"0x", b"0b2", b"1_0", b". ", b"* 1024 * 1024", b"/ 0", b"$virus_admin = ", b"$path = ", b"@bypass_virus_checks_acl = ",
    b"\"\"\"", b"\x7f", b"x 99999999",
]  # fmt: skip
MOST = 200_000


@cache
def _samples() -> list[bytes]:
    """Whole files, and pieces of them, which are read faster."""
    folder = driver.HERE.parent / "config" / "samples"
    whole = [file.read_bytes() for file in sorted(Path(folder).glob("*.conf"))]
    pieces = [
        b"\n".join(file.split(b"\n")[at : at + 30])
        for file in whole
        for at in range(0, file.count(b"\n"), 30)
    ]
    return [*pieces, *whole]


def fuzz(source: random.Random) -> None:
    """Import one file."""
    data = changed(source.choice(_samples()), _samples(), WORDS, source)
    text = data.decode("utf-8", "backslashreplace")
    try:
        made = list(perl.tokens(text))
        assert len(made) <= len(text)
    except perl.UnclosedError:
        pass
    written, result = importing.settings_from({"amavisd.conf": text})
    assert len(written) < 40 * len(text) + MOST
    try:
        load.parsed(written.encode(), "written")
    except SettingsError as error:
        raise AssertionError(f"settings with faults: {error.faults[:3]}") from error
    with redirect_stderr(io.StringIO()) as said:
        importing._report(result)
    lines = said.getvalue().split("\n")
    assert all(line.isprintable() and len(line) < 10 * importing.SHOWN for line in lines), lines
