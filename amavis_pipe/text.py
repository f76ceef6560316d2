r"""Outside bytes as text that is safe in a log line, a header, a terminal or a record.

Backslash escapes as in Python and C: \xNN for a byte that is no UTF-8, \xNN or \uNNNN for a control,
bidirectional or otherwise invisible character. ascii_of() escapes the backslash, too, so that it can be
undone.
"""


def ascii_of(data: bytes, longest: int = 80) -> str:
    r"""Printable ASCII: every other byte, and the backslash, as \xNN; at most `longest` bytes, then "..."."""
    text = "".join(
        chr(byte) if 32 <= byte < 127 and byte != 92 else f"\\x{byte:02x}" for byte in data[:longest]
    )
    return text + "..." if len(data) > longest else text


def readable(data: bytes, longest: int = 1024) -> str:
    """UTF-8 shown as what it is, everything unprintable escaped; at most `longest` bytes of it."""
    text = data[:longest].decode("utf-8", "backslashreplace")
    if not text.isprintable():
        text = "".join(char if char.isprintable() else _escaped(char) for char in text)
    return text + "..." if len(data) > longest else text


def why(error: Exception) -> str:
    """What went wrong, without a number: "Connection refused"."""
    return getattr(error, "strerror", None) or str(error)


def _escaped(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"
