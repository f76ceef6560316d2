"""The EICAR check: the one scanner that is always there, to show that mail is looked at.

https://www.eicar.org/download-anti-malware-testfile: the 68 bytes stand at the start of the file,
nothing but blanks may follow, and the file is at most 128 bytes long.
"""

from amavis_pipe.model import Finding, Stamp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from amavis_pipe.settings import Row
    from amavis_pipe.spool import Blob

NAME = "Eicar-Test-Signature"
LONGEST = 128


def eicar() -> bytes:
    """The test file's 68 bytes, put together here so that this file trips no scanner."""
    start = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$"
    return start + b"-".join([b"EICAR", b"STANDARD", b"ANTIVIRUS", b"TEST", b"FILE!$H+H*"])


class Scanner:
    """The check as a scanner; see amavis_pipe.inquire for what is expected of one."""

    def __init__(self, row: "Row") -> None:
        self.row = row
        self.version = ""
        self.steady = True
        self.said: dict[str, list[Finding]] = {}

    def stamp(self, until: float = 0) -> Stamp:
        """Its answers change only with this file."""
        return Stamp(b"builtin 1", True)

    def scan(self, items: "list[tuple[str, Blob]]", until: float = 0) -> dict[str, list[Finding]]:
        """Findings by path, an entry for every item."""
        name = self.row.name
        return {path: [Finding("virus", NAME, path, name)] if _is_eicar(blob) else [] for path, blob in items}


def _is_eicar(blob: "Blob") -> bool:
    return 68 <= blob.size <= LONGEST and blob.head(LONGEST).rstrip(b" \t\r\n\x1a") == eicar()
