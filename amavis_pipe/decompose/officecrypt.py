"""Encrypted documents in compound files: finds them, tries passwords, gives them decrypted.

Promises: a document that stays closed is told of as `encrypted:ole`. The passwords that Office itself uses
where its user gave none are tried first, then those that may stand in the mail; how many depends on what
one costs. Documents that are only protected against changes are not encrypted, or by one of those
passwords. Leaves out: rights management, and XOR obfuscation of Word. Sources: [MS-OFFCRYPTO] 2.3,
[MS-DOC] 2.2.6, [MS-XLS] 2.2.10, [MS-PPT] 2.3.
"""

from amavis_pipe.decompose import officekeys
from amavis_pipe.decompose.api import Broken, Need
from amavis_pipe.decompose.cfb import Compound, Entry, Stream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from amavis_pipe.decompose.officekeys import Cipher, KeyStream, Package
    from amavis_pipe.walk import Sink

    Siblings = dict[str, Entry]

_DEFAULTS = ("VelvetSweatshop", "/01Hannes Ruescher/01")
_TRIES = 64
_ROUNDS = 8_000_000
"""Rounds of a hash that all tries together may take, about ten seconds."""
_INFO = 1 << 16
_STEP = 1 << 16
_SHEETS = 1024
"""Records of a workbook among which that of its key has to be."""
_KEY_RECORD, _BOF, _SHEET = 0x2F, 0x809, 0x85
_BARE = (_BOF, _KEY_RECORD, 0x194, 0x195, 0xE1, 0x196, 0x138)
"""Records that are never encrypted."""
_FIB = 68
"""Bytes at the beginning of a Word document that are never encrypted."""
_LOCKED = 0xF3D1C4DF
_OPEN = 0xE391C05F
_EDITS, _OBJECTS = 4096, 1 << 16
_SESSION = 0x2F14


def _places() -> tuple[str, ...]:
    from amavis_pipe.jail.programs import site_folders

    return tuple(f"{folder}/cryptography/__init__.py" for folder in site_folders())


NEEDS = (Need("cryptography", "python3-cryptography", _places),)


def open_locked(file: Compound, storages: "dict[int, Siblings]", sink: "Sink") -> None:
    """Add what each encrypted package holds, and a copy of the file in which other documents are open."""
    copy, keys = _Copy(file), _Keys(sink)
    for siblings in storages.values():
        streams = {name: entry for name, entry in siblings.items() if not entry.is_storage and entry.size}
        for opening in (_package, _word, _excel, _slides):
            sink.tick()
            try:
                opened = opening(file, streams, copy, keys)
            except Broken:
                opened = False
            if not opened:
                sink.unchecked("encrypted:ole")
    if copy.changed:
        sink.add(copy.chunks(), sink.names)


class _Keys:
    """The passwords there are, and how much may still be done to try them."""

    def __init__(self, sink: "Sink") -> None:
        self.sink = sink
        self._rounds = _ROUNDS

    def open(self, cipher: "Cipher") -> bool:
        """Whether one of the passwords that may be tried is right."""
        for password in _passwords(self.sink):
            self._rounds -= cipher.rounds + _ROUNDS // _TRIES
            if self._rounds < 0:
                break
            self.sink.tick()
            if cipher.opens(password):
                return True
        return False


class _Copy:
    """The file again, some of its streams decrypted."""

    def __init__(self, file: Compound) -> None:
        self._file = file
        self._data = bytearray()
        self.changed = False

    def put(self, stream: Stream, at: int, data: bytes) -> None:
        """Have `data` at `at` of a stream."""
        if not self.changed:
            self._data += self._file.view[:]
            self.changed = True
        done = 0
        while done < len(data):
            size = min(len(data) - done, 64 - (at + done) % 64)  # sectors are no smaller
            place = stream.place(at + done)
            if 0 <= place <= len(self._data) - size:
                self._data[place : place + size] = data[done : done + size]
            done += size

    def chunks(self) -> "Iterator[bytes]":
        """All of it."""
        return (bytes(self._data[at : at + _STEP]) for at in range(0, len(self._data), _STEP))


def _passwords(sink: "Sink") -> "Iterator[str]":
    """Those of Office, then those that the mail may tell of."""
    yield from _DEFAULTS
    for password in sink.passwords():
        yield password.decode("utf-8", "replace")


def _package(file: Compound, streams: "Siblings", copy: _Copy, keys: _Keys) -> bool:
    """Add the file in an encrypted package; False if there is one that stays closed."""
    content, info = streams.get("encryptedpackage"), streams.get("encryptioninfo")
    if content is None:
        return not any(name.endswith("drmcontent") for name in streams)
    if info is None or not NEEDS[0].path():
        return False
    cipher = _package_cipher(file.stream(info).read(0, _INFO))
    if not keys.open(cipher):
        return False
    stream = file.stream(content)
    size = _number(stream.read(0, 8))
    keys.sink.add(_limited(cipher.decrypted(stream.chunks(8)), size), keys.sink.names)
    return True


def _package_cipher(info: bytes) -> "Package":
    major, minor = _number(info[:2]), _number(info[2:4])
    if (major, minor) == (4, 4):
        return officekeys.Agile(info[8:])
    if minor == 2:
        return officekeys.Standard(*_headers(info[4:]))
    raise Broken("unknown encryption")


def _headers(info: bytes) -> tuple[bytes, bytes]:
    """EncryptionHeader and EncryptionVerifier ([MS-OFFCRYPTO] 2.3.2, 2.3.3)."""
    size = _number(info[4:8])
    return info[8 : 8 + size], info[8 + size :]


def _limited(chunks: "Iterator[bytes]", size: int) -> "Iterator[bytes]":
    for chunk in chunks:
        yield chunk[:size]
        size -= len(chunk)
        if size <= 0:
            return


def _word(file: Compound, streams: "Siblings", copy: _Copy, keys: _Keys) -> bool:
    """Have a Word document decrypted in the copy; False if it is encrypted and stays so."""
    entry = streams.get("worddocument")
    head = file.stream(entry).read(0, _FIB) if entry is not None else b""
    flags = _number(head[10:12])
    if len(head) < _FIB or entry is None or not flags & 0x100:
        return True
    table = streams.get("1table" if flags & 0x200 else "0table")
    if table is None or flags & 0x8000:
        return False
    size = min(_number(head[14:18]), _INFO)
    cipher = _cipher(file.stream(table).read(0, size))
    if not keys.open(cipher):
        return False
    for one, start in ((entry, _FIB), (table, 0), (streams.get("data"), 0)):
        if one is not None:
            _decrypt(file.stream(one), cipher, 512, start, copy, keys)
    flags &= ~0x8100
    copy.put(file.stream(entry), 10, flags.to_bytes(2, "little") + head[12:14] + bytes(4))
    return True


def _cipher(info: bytes) -> "KeyStream":
    """The cipher that an EncryptionInfo with its version in front tells of."""
    major, minor = _number(info[:2]), _number(info[2:4])
    if (major, minor) == (1, 1):
        return officekeys.Rc4(info[4:])
    if minor == 2:
        return officekeys.Rc4Api(*_headers(info[4:]))
    raise Broken("unknown encryption")


def _decrypt(stream: Stream, cipher: "KeyStream", block: int, start: int, copy: _Copy, keys: _Keys) -> None:
    """Decrypt a stream from `start` on; each `block` bytes have a key of their own."""
    at = 0
    while at < stream.size:
        keys.sink.tick()
        data = stream.read(at, block)
        if not data:
            return
        plain = officekeys.combined(data, cipher.stream(at // block, len(data)))
        skip = max(0, start - at)
        copy.put(stream, at + skip, plain[skip:])
        at += len(data)


def _excel(file: Compound, streams: "Siblings", copy: _Copy, keys: _Keys) -> bool:
    """Have workbooks decrypted in the copy; False if one is encrypted and stays so."""
    return all(
        _workbook(file.stream(streams[name]), copy, keys) for name in ("workbook", "book") if name in streams
    )


def _workbook(stream: Stream, copy: _Copy, keys: _Keys) -> bool:
    at = -1
    for count, (kind, start, _) in enumerate(_records(stream, keys.sink)):
        if kind == _KEY_RECORD:
            at = start
        if at >= 0 or count > _SHEETS:
            break
    if at < 0:
        return True
    info = stream.read(at, _INFO)
    method = _number(info[:2])
    if method == 0 or _number(stream.read(at - 2, 2)) == 4:
        weak = officekeys.Xor(info[2:] if _number(stream.read(at - 2, 2)) > 4 else info)
        return keys.open(weak) and _decrypt_weak(stream, weak, at, copy, keys)
    cipher = _cipher(info[2:])
    if not keys.open(cipher):
        return False
    block, key = -1, b""
    for kind, start, size in _records(stream, keys.sink):
        bare = size if kind in _BARE else 4 if kind == _SHEET else 0
        data = stream.read(start + bare, size - bare)
        done = 0
        while done < len(data):
            place = start + bare + done
            if place >> 10 != block:
                block, key = place >> 10, cipher.stream(place >> 10, 1024)
            part = data[done : done + 1024 - (place & 1023)]
            copy.put(stream, place, officekeys.combined(part, key[place & 1023 :]))
            done += len(part)
    copy.put(stream, at - 4, bytes(2))
    return True


def _decrypt_weak(stream: Stream, cipher: officekeys.Xor, at: int, copy: _Copy, keys: _Keys) -> bool:
    rotated = bytes((one << 3 | one >> 5) & 0xFF for one in range(256))
    for kind, start, size in _records(stream, keys.sink):
        bare = size if kind in _BARE else 4 if kind == _SHEET else 0
        data = stream.read(start + bare, size - bare).translate(rotated)
        turn = start + bare + size & 15
        key = (cipher.array[turn:] + cipher.array[:turn]) * (len(data) // 16 + 1)
        copy.put(stream, start + bare, officekeys.combined(data, key))
    copy.put(stream, at - 4, bytes(2))
    return True


def _records(stream: Stream, sink: "Sink") -> "Iterator[tuple[int, int, int]]":
    """The records of a workbook: kind, where the data is, its size ([MS-XLS] 2.1.4)."""
    at = 0
    while at < stream.size:
        sink.tick()
        head = stream.read(at, 4)
        if len(head) < 4:
            return
        size = _number(head[2:])
        yield _number(head[:2]), at + 4, size
        at += 4 + size


def _slides(file: Compound, streams: "Siblings", copy: _Copy, keys: _Keys) -> bool:
    """Have a presentation decrypted in the copy; False if it is encrypted and stays so."""
    entry, user = streams.get("powerpoint document"), streams.get("current user")
    if entry is None or user is None:
        return True
    current, stream = file.stream(user), file.stream(entry)
    head = current.read(0, 20)
    edits, session = _edits(stream, _number(head[16:20]), keys.sink)
    if _number(head[12:16]) != _LOCKED and not session:
        return True
    objects = _objects(stream, edits, keys.sink)
    info = stream.read(objects.get(session, -1), _INFO) if session in objects else b""
    if _number(info[2:4]) != _SESSION:
        return False
    cipher = _cipher(info[8:])
    if not keys.open(cipher):
        return False
    left = 2 * stream.size
    for number, at in objects.items():
        keys.sink.tick()
        if number != session and left > 0:
            left -= _decrypt_object(stream, cipher, number, at, copy)
    copy.put(current, 12, _OPEN.to_bytes(4, "little"))
    for at, _ in edits:
        copy.put(stream, at + 36, bytes(4))
    return True


def _edits(stream: Stream, at: int, sink: "Sink") -> tuple[list[tuple[int, int]], int]:
    """Where the edits of a presentation and their directories are; the object that tells of the key, or 0."""
    found: dict[int, int] = {}
    session = 0
    while at and at not in found and len(found) < _EDITS:
        sink.tick()
        atom = stream.read(at, 40)
        if _number(atom[2:4]) != 0x0FF5:
            break
        if len(atom) == 40 and _number(atom[4:8]) >= 32:
            session = session or _number(atom[36:40])
        found[at] = _number(atom[20:24])
        at = _number(atom[16:20])
    return list(found.items()), session


def _objects(stream: Stream, edits: list[tuple[int, int]], sink: "Sink") -> dict[int, int]:
    """Where each object is, by its number: the newest edit tells ([MS-PPT] 2.3.4)."""
    found: dict[int, int] = {}
    for _, at in edits:
        raw = stream.read(at + 8, min(_number(stream.read(at + 4, 4)), 4 * _OBJECTS))
        place = 0
        while place + 4 <= len(raw) and len(found) < _OBJECTS:
            sink.tick()
            first = _number(raw[place : place + 4])
            for index in range(first >> 20):
                where = raw[place + 4 + 4 * index : place + 8 + 4 * index]
                found.setdefault((first & 0xFFFFF) + index, _number(where))
            place += 4 + 4 * (first >> 20)
    return found


def _decrypt_object(stream: Stream, cipher: "KeyStream", number: int, at: int, copy: _Copy) -> int:
    """Decrypt the object that begins at `at`; its size."""
    head = stream.read(at, 8)
    size = _number(officekeys.combined(head, cipher.stream(number, 8))[4:8]) + 8
    data = stream.read(at, min(size, stream.size))
    copy.put(stream, at, officekeys.combined(data, cipher.stream(number, len(data))))
    return len(data)


def _number(raw: bytes) -> int:
    return int.from_bytes(raw, "little")
