"""A read-only mapping of a file that can be searched to its last byte.

mmap.find() of CPython before 3.11.4 reads one byte past the end of what it searches (gh-105235): where
the next page is not mapped, the process dies. So the last byte is never searched, but compared.
"""

import mmap


class Mapping(mmap.mmap):
    """mmap.mmap with a find() and rfind() that stay within."""

    def find(self, sub: bytes, start: int = 0, end: int | None = None) -> int:  # type: ignore[override]
        """As bytes.find()."""
        start, end = self._range(start, end)
        if start > end:
            return -1
        at = super().find(sub, start, max(start, end - 1))
        return at if at >= 0 else self._at_end(sub, start, end)

    def rfind(self, sub: bytes, start: int = 0, end: int | None = None) -> int:  # type: ignore[override]
        """As bytes.rfind()."""
        start, end = self._range(start, end)
        if start > end:
            return -1
        at = self._at_end(sub, start, end)
        return at if at >= 0 else super().rfind(sub, start, max(start, end - 1))

    def _at_end(self, sub: bytes, start: int, end: int) -> int:
        """Where `sub` is if it ends just at `end`, else -1."""
        at = end - len(sub)
        return at if at >= start and self[at:end] == sub else -1

    def _range(self, start: int, end: int | None) -> tuple[int, int]:
        begin, stop, _ = slice(start, end).indices(len(self))
        return max(begin, start), stop
