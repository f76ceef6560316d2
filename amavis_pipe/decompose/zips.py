"""Encrypted members of a zip, by passwords that the mail or the site tells.

A password is tried on the few bytes by which unpackers know a wrong one (APPNOTE 6.1; WinZip's "AES
Encryption Information", 2.3), and if it passes on a whole member, whose checksum then decides. libarchive
deciphers.
"""

from amavis_pipe.decompose.api import LIBARCHIVE, Blob, Broken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from amavis_pipe.decompose.formats.zip import Header
    from amavis_pipe.spool import View
    from amavis_pipe.walk import Sink

_AES, _METHOD_AES = 0x9901, 99
_STRONG = 1 << 6
_HEAD = 12
_ROUNDS = 1000
_FAILURES = 4
_WORDS = 16
"""Passwords that pass the short test and are tried in full."""


def add_locked(blob: Blob, sink: "Sink", members: "list[Header]", doubtful: "set[tuple[bytes, ...]]") -> None:
    """Add the contents of these members, if a password is found; say `encrypted:zip` if one stays closed.

    Those that are `doubtful` were read as they stand, too.
    """
    left = dict.fromkeys(member.names for member in members)
    tried = 0
    for word in sink.passwords():
        sink.tick()
        smallest = min((one for one in members if one.names in left), key=lambda member: member.packed)
        if not is_likely(blob.view(), smallest, word):
            continue
        tried += 1
        for names in _taken(blob, sink, [*left], word):
            del left[names]
        if not left or tried >= _WORDS:
            break
    for names in (one for one in left if one not in doubtful):
        sink.add((), names, flags=("encrypted",))
    if left:
        sink.unchecked("encrypted:zip")


def _taken(
    blob: Blob, sink: "Sink", wanted: "list[tuple[bytes, ...]]", word: bytes
) -> "set[tuple[bytes, ...]]":
    """Add those of the members that the password opens; their names."""
    from amavis_pipe.decompose import libarchive

    done: set[tuple[bytes, ...]] = set()
    failed: set[tuple[bytes, ...]] = set()
    path = LIBARCHIVE.path()
    if not path:
        return done
    library = libarchive.library(path)
    by_name = {name: names for names in wanted for name in names}
    while len(failed) < _FAILURES:
        names: tuple[bytes, ...] = ()
        try:
            for name, chunks in libarchive.members(library, blob.view(), ("zip",), password=word):
                sink.tick()
                names = by_name.get(name, ())
                if names and names not in done and names not in failed:
                    sink.add(_whole(next(chunks, b""), chunks), names)
                    done.add(names)
            break
        except Broken:
            if not names or names in failed:
                break
            failed.add(names)  # not by this password: the others may be
            done.discard(names)
    if done:
        sink.note("decrypted:zip")
    return done


def _whole(first: bytes, rest: "Iterator[bytes]") -> "Iterator[bytes]":
    yield first
    yield from rest


def is_likely(view: "View", member: "Header", word: bytes) -> bool:
    """Whether the password passes the cheap test: of wrong ones one in 256 does, or in 65536 for AES."""
    if member.flags & _STRONG:
        return False
    if member.method == _METHOD_AES:
        return _is_likely_aes(view, member, word)
    keys = _Keys(word)
    head = view[member.body : member.body + _HEAD]
    plain = bytes(keys.decipher(byte) for byte in head)
    # the byte is of the checksum, or of the time where that isn't known yet
    return len(head) == _HEAD and plain[-1:] in (bytes((member.crc >> 24,)), member.check)


def _is_likely_aes(view: "View", member: "Header", word: bytes) -> bool:
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
