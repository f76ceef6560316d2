"""Rows of words as a table with aligned columns, for people."""

from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The rows below their heads, two blanks between columns, no line end at the last."""
    lines = [[word or "-" for word in row] for row in [head, *rows]]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def amount(size: int) -> str:
    """A number of bytes as people read it: "812 bytes", "1.5 MiB"."""
    if size < 1024:
        return f"{size} byte" + ("" if size == 1 else "s")
    number = float(size)
    for unit in ("KiB", "MiB", "GiB", "TiB"):
        number /= 1024
        if number < 1024 or unit == "TiB":
            break
    return f"{number:.1f} {unit}"


def counted(number: int, word: str, plural: str = "") -> str:
    """A number with its word: "1 file", "2 files"."""
    return f"{number:,} {word if number == 1 else plural or word + 's'}"
