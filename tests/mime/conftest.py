"""What the tests of the mail readers share: a mail taken apart, and a view that counts its work."""

import pytest

from amavis_pipe.budget import Budget, Limits
from amavis_pipe.mime.reader import MAIL, hot_openers
from amavis_pipe.spool import Blob, Store
from amavis_pipe.walk import Walk


class Counted(bytes):
    """A view that counts the bytes its readers look at."""

    work = 0

    def find(self, sub, start=0, end=None):
        end = len(self) if end is None else min(end, len(self))
        at = bytes.find(self, sub, start, end)
        self.work += max(0, (end if at < 0 else at + len(sub)) - start)
        return at

    def rfind(self, sub, start=0, end=None):
        end = len(self) if end is None else min(end, len(self))
        at = bytes.rfind(self, sub, start, end)
        self.work += max(0, end - max(at, start))
        return at

    def __getitem__(self, key):
        piece = bytes.__getitem__(self, key)
        self.work += len(piece) if isinstance(key, slice) else 1
        return piece


@pytest.fixture(scope="session")
def counted():
    return Counted


@pytest.fixture(scope="session")
def walked(tmp_path_factory):
    """A function: the Walk of a mail given as bytes, with the openers of the filter itself."""
    folder = str(tmp_path_factory.mktemp("spool")).encode()

    def walk(data: bytes, limits: Limits | None = None) -> Walk:
        walk = Walk(Budget.of(limits or Limits(), len(data)), Store(folder), hot_openers)
        walk.mail(Blob(data), MAIL)
        return walk

    return walk


@pytest.fixture(scope="session")
def bytes_of():
    """A function: path -> bytes, of all parts of a Walk that have any."""

    def kept(walk: Walk) -> dict[str, bytes]:
        return {part.path: b"".join(part.blob.chunks()) for part in walk.parts if part.blob is not None}

    return kept
