"""Ciphers of Office documents, and whether a password is the one ([MS-OFFCRYPTO]).

Promises: what the file says of key sizes and rounds is bounded; anything else in it that makes no sense
is Broken. RC4 is done here: it is a cipher of few lines, and libraries give it up. AES needs the package
cryptography. Sources: [MS-OFFCRYPTO] 2.3.4 (AES), 2.3.5 (RC4 CryptoAPI), 2.3.6 (RC4), 2.3.7 (XOR).
"""

from amavis_pipe.decompose.streams import Broken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Protocol

    class Cipher(Protocol):
        """Finds out whether a password is right; from then on decrypts with it."""

        rounds: int

        def opens(self, password: str) -> bool: ...

    class KeyStream(Cipher, Protocol):
        """A cipher that gives bytes to be combined with those of a numbered block."""

        def stream(self, block: int, size: int) -> bytes: ...

    class Package(Cipher, Protocol):
        """A cipher for a whole file."""

        def decrypted(self, pieces: Iterator[bytes]) -> Iterator[bytes]: ...


SEGMENT = 4096
_ROUNDS = 10_000_000
_HASHES = ("sha1", "sha256", "sha384", "sha512", "md5")
_INPUT = b"\xfe\xa7\xd2\x76\x3b\x4b\x9e\x79"
_VALUE = b"\xd7\xaa\x0f\x6d\x30\x61\x34\x4e"
_KEY = b"\x14\x6e\x0b\xe7\xab\xac\xd0\xd6"


class Agile:
    """AES as Office 2010 and later use it (2.3.4.10): all is in an XML text."""

    def __init__(self, text: bytes) -> None:
        data, key = _element(text, b"keyData"), _element(text, b"encryptedKey")
        self._salt, self._hash = _base64(data, b"saltValue"), _hash_name(data)
        self._key_salt, self._key_hash = _base64(key, b"saltValue"), _hash_name(key)
        self._bits = _decimal(key, b"keyBits")
        self.rounds = _decimal(key, b"spinCount")
        self._input = _base64(key, b"encryptedVerifierHashInput")
        self._value = _base64(key, b"encryptedVerifierHashValue")
        self._packed_key = _base64(key, b"encryptedKeyValue")
        self._key = b""
        if self._bits not in (128, 192, 256) or self.rounds > _ROUNDS or not self._input or not self._value:
            raise Broken("no key")

    def opens(self, password: str) -> bool:
        """Whether it is the password."""
        state = _digest(self._key_hash, self._key_salt + password.encode("utf-16-le", "replace"))
        for count in range(self.rounds):
            state = _digest(self._key_hash, count.to_bytes(4, "little") + state)
        told = _digest(self._key_hash, self._part(state, _INPUT, self._input))
        if not self._part(state, _VALUE, self._value).startswith(told):
            return False
        self._key = self._part(state, _KEY, self._packed_key)[: self._bits // 8]
        return len(self._key) == self._bits // 8

    def decrypted(self, pieces: "Iterator[bytes]") -> "Iterator[bytes]":
        """The file, with what fills up its last segment."""
        for number, segment in enumerate(_segments(pieces)):
            iv = _digest(self._hash, self._salt + number.to_bytes(4, "little"))
            yield _aes(self._key, segment, iv)

    def _part(self, state: bytes, name: bytes, data: bytes) -> bytes:
        key = _digest(self._key_hash, state + name)[: self._bits // 8]
        return _aes(key.ljust(self._bits // 8, b"\x36"), data, self._key_salt)


class Standard:
    """AES as Office 2007 uses it (2.3.4.5)."""

    rounds = 50_000

    def __init__(self, header: bytes, verifier: bytes) -> None:
        self._size = int.from_bytes(header[16:20], "little") // 8
        self._salt, self._input, self._value = verifier[4:20], verifier[20:36], verifier[40:72]
        self._key = b""
        if self._size not in (16, 24, 32) or len(self._value) < 32:
            raise Broken("no key")

    def opens(self, password: str) -> bool:
        """Whether it is the password."""
        state = _digest("sha1", self._salt + password.encode("utf-16-le", "replace"))
        for count in range(self.rounds):
            state = _digest("sha1", count.to_bytes(4, "little") + state)
        state = _digest("sha1", state + bytes(4))
        halves = (
            _digest("sha1", bytes(one ^ byte for one in state.ljust(64, b"\0"))) for byte in (0x36, 0x5C)
        )
        self._key = b"".join(halves)[: self._size]
        return _aes(self._key, self._value).startswith(_digest("sha1", _aes(self._key, self._input)))

    def decrypted(self, pieces: "Iterator[bytes]") -> "Iterator[bytes]":
        """The file, with what fills up its last block."""
        return (_aes(self._key, segment) for segment in _segments(pieces))


class Rc4:
    """RC4 with a key of 40 bits (2.3.6)."""

    rounds = 1

    def __init__(self, raw: bytes) -> None:
        self._salt, self._check = raw[:16], raw[16:48]
        self._key = b""
        if len(self._check) < 32:
            raise Broken("no key")

    def opens(self, password: str) -> bool:
        """Whether it is the password."""
        state = _digest("md5", password.encode("utf-16-le", "replace"))[:5]
        self._key = _digest("md5", (state + self._salt) * 16)[:5]
        plain = combined(self._check, self.stream(0, 32))
        return _digest("md5", plain[:16]) == plain[16:]

    def stream(self, block: int, size: int) -> bytes:
        """What a block is combined with."""
        return _rc4(_digest("md5", self._key + block.to_bytes(4, "little")), size)


class Rc4Api:
    """RC4 with a longer key (2.3.5)."""

    rounds = 1

    def __init__(self, header: bytes, verifier: bytes) -> None:
        bits = int.from_bytes(header[16:20], "little") or 40
        self._salt, self._check = verifier[4:20], verifier[20:36] + verifier[40:60]
        self._size = bits // 8
        self._state = b""
        if not 5 <= self._size <= 16 or len(self._check) < 36:
            raise Broken("no key")

    def opens(self, password: str) -> bool:
        """Whether it is the password."""
        self._state = _digest("sha1", self._salt + password.encode("utf-16-le", "replace"))
        plain = combined(self._check, self.stream(0, 36))
        return _digest("sha1", plain[:16]) == plain[16:]

    def stream(self, block: int, size: int) -> bytes:
        """What a block is combined with."""
        key = _digest("sha1", self._state + block.to_bytes(4, "little"))[: self._size]
        return _rc4(key.ljust(16, b"\0") if self._size == 5 else key, size)


class Xor:
    """Obfuscation of Excel (2.3.7.2, method 1): sixteen bytes of the password's, over and over."""

    rounds = 1
    _FILL = bytes.fromhex("bbffffbaffffb98000be0f00bf0f00")

    def __init__(self, raw: bytes) -> None:
        self._told = int.from_bytes(raw[:2], "little"), int.from_bytes(raw[2:4], "little")
        self.array = b""

    def opens(self, password: str) -> bool:
        """Whether it is the password."""
        letters = password.encode("latin-1", "replace")[:15]
        if not letters or (_xor_key(letters), _xor_verifier(letters)) != self._told:
            return False
        key = self._told[0].to_bytes(2, "little")
        filled = (letters + self._FILL)[:16]
        self.array = bytes(_rotated(one ^ key[at & 1], 2) for at, one in enumerate(filled))
        return True


def combined(data: bytes, stream: bytes) -> bytes:
    """Exclusive or of the two, as long as the first."""
    size = len(data)
    both = int.from_bytes(data, "little") ^ int.from_bytes(stream[:size], "little")
    return both.to_bytes(size, "little")


def _rotated(one: int, left: int) -> int:
    return (one << left | one >> 8 - left) & 0xFF


def _xor_verifier(letters: bytes) -> int:
    """2.3.7.1"""
    value = 0
    for one in reversed(bytes((len(letters), *letters))):
        value = (value >> 14 & 1 | value << 1 & 0x7FFF) ^ one
    return value ^ 0xCE4B


def _xor_key(letters: bytes) -> int:
    """2.3.7.2"""
    key = _XOR_FIRST[len(letters) - 1]
    element = 0x68
    for one in reversed(letters):
        for bit in range(7):
            if one >> 6 - bit & 1:
                key ^= _XOR_MATRIX[element]
            element -= 1
    return key


_XOR_FIRST = (
    0xE1F0, 0x1D0F, 0xCC9C, 0x84C0, 0x110C, 0x0E10, 0xF1CE, 0x313E,
    0x1872, 0xE139, 0xD40F, 0x84F9, 0x280C, 0xA96A, 0x4EC3,
)  # fmt: skip
_XOR_MATRIX = (
    0xAEFC, 0x4DD9, 0x9BB2, 0x2745, 0x4E8A, 0x9D14, 0x2A09, 0x7B61, 0xF6C2, 0xFDA5, 0xEB6B, 0xC6F7,
    0x9DCF, 0x2BBF, 0x4563, 0x8AC6, 0x05AD, 0x0B5A, 0x16B4, 0x2D68, 0x5AD0, 0x0375, 0x06EA, 0x0DD4,
    0x1BA8, 0x3750, 0x6EA0, 0xDD40, 0xD849, 0xA0B3, 0x5147, 0xA28E, 0x553D, 0xAA7A, 0x44D5, 0x6F45,
    0xDE8A, 0xAD35, 0x4A4B, 0x9496, 0x390D, 0x721A, 0xEB23, 0xC667, 0x9CEF, 0x29FF, 0x53FE, 0xA7FC,
    0x5FD9, 0x47D3, 0x8FA6, 0x0F6D, 0x1EDA, 0x3DB4, 0x7B68, 0xF6D0, 0xB861, 0x60E3, 0xC1C6, 0x93AD,
    0x377B, 0x6EF6, 0xDDEC, 0x45A0, 0x8B40, 0x06A1, 0x0D42, 0x1A84, 0x3508, 0x6A10, 0xAA51, 0x4483,
    0x8906, 0x022D, 0x045A, 0x08B4, 0x1168, 0x76B4, 0xED68, 0xCAF1, 0x85C3, 0x1BA7, 0x374E, 0x6E9C,
    0x3730, 0x6E60, 0xDCC0, 0xA9A1, 0x4363, 0x86C6, 0x1DAD, 0x3331, 0x6662, 0xCCC4, 0x89A9, 0x0373,
    0x06E6, 0x0DCC, 0x1021, 0x2042, 0x4084, 0x8108, 0x1231, 0x2462, 0x48C4,
)  # fmt: skip


def _rc4(key: bytes, size: int) -> bytes:
    box = list(range(256))
    j = 0
    for i in range(256):
        j = j + box[i] + key[i % len(key)] & 0xFF
        box[i], box[j] = box[j], box[i]
    out = bytearray(size)
    i = j = 0
    for at in range(size):
        i = i + 1 & 0xFF
        one = box[i]
        j = j + one & 0xFF
        other = box[j]
        box[i], box[j] = other, one
        out[at] = box[one + other & 0xFF]
    return bytes(out)


def _digest(name: str, data: bytes) -> bytes:
    import hashlib

    function = getattr(hashlib, name)
    return bytes(function(data, usedforsecurity=False).digest())


def _aes(key: bytes, data: bytes, iv: bytes | None = None) -> bytes:
    """Decrypted with AES, chained if there is an initial vector; without what is no whole block."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    mode = modes.ECB() if iv is None else modes.CBC(iv[:16].ljust(16, b"\x36"))  # noqa: S305 - Office's
    decryptor = Cipher(algorithms.AES(key), mode).decryptor()
    return decryptor.update(data[: len(data) & ~15]) + decryptor.finalize()


def _segments(pieces: "Iterator[bytes]") -> "Iterator[bytes]":
    """The bytes SEGMENT at a time."""
    kept = b""
    for piece in pieces:
        kept += piece
        whole = len(kept) // SEGMENT * SEGMENT
        for at in range(0, whole, SEGMENT):
            yield kept[at : at + SEGMENT]
        kept = kept[whole:]
    if kept:
        yield kept


def _element(text: bytes, name: bytes) -> dict[bytes, bytes]:
    """The attributes of the first element of that name."""
    import re

    found = re.search(rb"<(?:\w{1,20}:)?" + name + rb"\s([^<>]*)>", text)
    return dict(re.findall(rb"""(\w+)\s*=\s*["']([^"'<>]*)["']""", found[1])) if found else {}


def _base64(attributes: dict[bytes, bytes], name: bytes) -> bytes:
    from binascii import Error, a2b_base64

    try:
        return a2b_base64(attributes.get(name, b""))
    except Error:
        raise Broken("no base64") from None


def _decimal(attributes: dict[bytes, bytes], name: bytes) -> int:
    raw = attributes.get(name, b"")
    return int(raw) if raw.isdigit() and len(raw) < 10 else 0


def _hash_name(attributes: dict[bytes, bytes]) -> str:
    name = attributes.get(b"hashAlgorithm", b"").decode("latin-1").lower().replace("-", "")
    if name not in _HASHES:
        raise Broken("unknown hash")
    return name
