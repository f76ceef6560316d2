"""Encrypted members of a zip, by passwords that the mail or the site tells.

A password is tried on the few bytes by which unpackers know a wrong one (APPNOTE 6.1; WinZip's "AES
Encryption Information", 2.3), and if it passes on a whole member, whose checksum then decides. libarchive
deciphers.
"""

from amavis_pipe.decompose.api import Blob, Broken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from amavis_pipe.decompose.zipmember import Member
    from amavis_pipe.spool import View
    from amavis_pipe.walk import Sink

_AES, _METHOD_AES = 0x9901, 99
_STRONG = 1 << 6
_HEAD = 12
_ROUNDS = 1000
_FAILURES = 4
"""Members that a password doesn't open, after which it is given up."""
_SHORT = 4
"""The smallest members, of which one has to pass the short test."""
_WORDS = 16
"""Passwords that pass the short test and are tried in full."""


def add_locked(blob: Blob, sink: "Sink", members: "list[Member]") -> None:
    """Add the contents of these members, if a password is found; say `encrypted:zip` if one stays closed."""
    view, left = blob.view(), sorted(members, key=lambda member: member.packed)
    tried = 0
    for word in sink.passwords():
        sink.tick()
        if not any(is_likely(view, member, word) for member in left[:_SHORT]):
            continue
        tried += 1
        left = _closed(view, sink, left, word)
        if not left or tried >= _WORDS:
            break
    if len(left) < len(members):
        sink.note("decrypted:zip")
    closed = {*left}
    for member in members:
        if member in closed and not member.doubted:
            sink.add((), member.names, flags=("encrypted",))
    if left:
        sink.unchecked("encrypted:zip")


def _closed(view: "View", sink: "Sink", members: "list[Member]", word: bytes) -> "list[Member]":
    """Add those of the members that the password opens; the others."""
    closed, failed = [], 0
    for member in members:
        sink.tick()
        likely = failed < _FAILURES and is_likely(view, member, word)
        if not likely or not _is_taken(view, sink, member, word):
            failed += likely  # not by this password: the others may be
            closed.append(member)
    return closed


def _is_taken(view: "View", sink: "Sink", member: "Member", word: bytes) -> bool:
    """Whether the password opens the member, which is added then."""
    from amavis_pipe.decompose.zipmember import content

    for method in member.methods:
        try:
            chunks = content(view, member, method, word)
            sink.add(_whole(next(chunks), chunks), member.names)
        except Broken:
            continue
        return True
    return False


def _whole(first: bytes, rest: "Iterator[bytes]") -> "Iterator[bytes]":
    yield first
    yield from rest


def is_likely(view: "View", member: "Member", word: bytes) -> bool:
    """Whether the password passes the test that is cheap: one wrong one in 256 does, or in 65536 for AES."""
    if member.flags & _STRONG:
        return False
    if _METHOD_AES in member.methods:
        return _is_likely_aes(view, member, word)
    keys = _Keys(word)
    head = view[member.body : member.body + _HEAD]
    plain = bytes(keys.decipher(byte) for byte in head)
    # the byte is of the checksum, or of the time where that isn't known yet
    return len(head) == _HEAD and plain[-1:] in (bytes((member.crc >> 24,)), member.check)


def _is_likely_aes(view: "View", member: "Member", word: bytes) -> bool:
    from hashlib import pbkdf2_hmac

    strength = member.extra.get(_AES, b"")[4:5]
    if strength not in (b"\1", b"\2", b"\3"):
        return False
    size = 8 + 8 * strength[0]
    salt = view[member.body : member.body + size // 2]
    check = view[member.body + size // 2 : member.body + size // 2 + 2]
    return pbkdf2_hmac("sha1", word, salt, _ROUNDS, 2 * size + 2)[-2:] == check


class _Keys:
    """The three keys of the traditional encryption (APPNOTE 6.1.5)."""

    def __init__(self, word: bytes) -> None:
        self._keys = [0x12345678, 0x23456789, 0x34567890]
        for byte in word:
            self._update(byte)

    def decipher(self, byte: int) -> int:
        """The next byte in plain."""
        word = self._keys[2] | 2
        plain = byte ^ (word * (word ^ 1) >> 8 & 0xFF)
        self._update(plain)
        return plain

    def _update(self, byte: int) -> None:
        keys = self._keys
        keys[0] = _crc(keys[0], byte)
        keys[1] = ((keys[1] + (keys[0] & 0xFF)) * 134775813 + 1) & 0xFFFFFFFF
        keys[2] = _crc(keys[2], keys[1] >> 24)


def _crc(value: int, byte: int) -> int:
    """CRC-32 of one byte more, without the inversions that zlib's has at both ends."""
    from zlib import crc32

    return crc32(bytes((byte,)), value ^ 0xFFFFFFFF) ^ 0xFFFFFFFF
