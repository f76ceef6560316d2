"""CMS (S/MIME, .p7m, .p7s, .p7c): what is signed or compressed comes out; what is encrypted is said to be.

Certificates and signatures are not looked at. The reader of BER is our own: it keeps no tree and does not
recurse, takes lengths of either form, and gives the content of a file cut off as far as it goes. Armor
(PEM, base64) is mime.armor's. Sources: RFC 5652, RFC 3274 (compressed), RFC 5083, X.690 8.1.
"""

from amavis_pipe.decompose.api import Blob, Broken, Decoder, Inflate, Sink, Streams, without_suffix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from amavis_pipe.spool import View

KIND = "application/pkcs7-mime"
STEP = 1 << 16
_PKCS7 = b"*\x86H\x86\xf7\r\1\7"
_SMIME = b"*\x86H\x86\xf7\r\1\x09\x10\1"
STARTS = (b"\x30\x80\6\x09" + _PKCS7, b"\x30\x80\6\x0b" + _SMIME)
"""With a length there: kinds knows."""
SUFFIXES = {b".p7m": b"", b".p7s": b"", b".p7z": b"", b".p7c": b"", b".p7b": b"", b".tsd": b""}

_DATA = _PKCS7 + b"\1"
_INNER = {
    _PKCS7 + b"\2": 0,  # signed
    _PKCS7 + b"\5": 1,  # digested
    _SMIME + b"\2": 1,  # authenticated
    _SMIME + b"\x09": 1,  # compressed
}
"""Types that hold another content, and which SEQUENCE in them that is."""
_COMPRESSED, _STAMPED = _SMIME + b"\x09", _SMIME + b"\x1f"
_ENCRYPTED = (_PKCS7 + b"\3", _PKCS7 + b"\4", _PKCS7 + b"\6", _SMIME + b"\x17")

_OCTETS, _OCTETS_MANY, _OID, _SEQUENCE, _CONTENT = 0x04, 0x24, 0x06, 0x30, 0xA0
_OPEN = -1
_FIELDS = (b"content-", b"mime-version:", b"from:", b"to:", b"subject:", b"date:", b"received:", b"message-")
"""How a signed mail or entity may begin."""


def unpack(blob: Blob, sink: Sink) -> None:
    """The content, if there is one: a detached signature or a bundle of certificates has none."""
    view = blob.view()
    top = _element(view, 0)
    oid, content = _typed(view, top, sink)
    if oid in _ENCRYPTED:
        sink.unchecked("encrypted:smime")
    elif content is None:
        raise Broken("no content")
    elif oid == _DATA:
        _put(view, content, sink)
    elif oid == _STAMPED:
        for child in _children(view, content, sink):
            if child.tag in (_OCTETS, _OCTETS_MANY):
                _put(view, child, sink)
    elif oid in _INNER:
        _put_inner(view, content, oid, sink)
    else:
        raise Broken("unknown type")


class _Element:
    """One element: its tag, where it and its value begin, and where that ends (_OPEN: at an end mark)."""

    __slots__ = ("at", "end", "start", "tag")

    def __init__(self, tag: int, at: int, start: int, end: int) -> None:
        self.tag = tag
        self.at = at
        self.start = start
        self.end = end


def _element(view: "View", at: int) -> _Element:
    """The element at `at`; its end may lie behind the view."""
    head = view[at : at + 16]
    if len(head) < 2 or head[0] & 31 == 31:  # no tag here needs more than a byte
        raise Broken("no element")
    size = head[1]
    if size < 0x80:
        return _Element(head[0], at, at + 2, at + 2 + size)
    if size == 0x80:
        return _Element(head[0], at, at + 2, _OPEN)
    start = 2 + (size & 0x7F)
    if start > len(head):
        raise Broken("no length")
    return _Element(head[0], at, at + start, at + start + int.from_bytes(head[2:start], "big"))


def _after(view: "View", element: _Element, sink: Sink) -> int:
    """Offset of what follows an element; within open ones, each other is stepped over."""
    if element.end != _OPEN:
        return element.end
    at, depth = element.start, 1
    while depth:
        sink.tick()
        inner = _element(view, at)
        at = inner.start if inner.end == _OPEN else inner.end
        depth += (inner.end == _OPEN) - (inner.tag == 0)
    return at


def _children(view: "View", parent: _Element, sink: Sink) -> "Iterator[_Element]":
    """The elements in `parent`, in order."""
    at = parent.start
    while parent.end == _OPEN or at < parent.end:
        child = _element(view, at)
        if child.tag == 0 and parent.end == _OPEN:
            return
        yield child
        at = _after(view, child, sink)


def _typed(view: "View", pair: _Element, sink: Sink) -> tuple[bytes, _Element | None]:
    """The two of a ContentInfo: the type, and the content if there is one."""
    if pair.tag != _SEQUENCE:
        raise Broken("no sequence")
    children = _children(view, pair, sink)
    first, second = next(children, None), next(children, None)
    if first is None or first.tag != _OID:
        raise Broken("no type")
    if second is None or second.tag != _CONTENT:
        return view[first.start : first.end], None
    return view[first.start : first.end], next(_children(view, second, sink), None)


def _put_inner(view: "View", outer: _Element, oid: bytes, sink: Sink) -> None:
    """Add the content that is wrapped in `outer`."""
    wanted = _INNER[oid]
    for child in _children(view, outer, sink):
        if child.tag != _SEQUENCE:
            continue
        if wanted == 0:
            inner, content = _typed(view, child, sink)
            if content is None:
                return
            if content.tag in (_OCTETS, _OCTETS_MANY):
                _put(view, content, sink, oid == _COMPRESSED)
            else:  # of PKCS #7: any element; together with its type it is a file of this format again
                whole = content if inner == _DATA else child
                sink.add(_pieces(view, whole.at, _after(view, whole, sink)))
            return
        wanted -= 1
    raise Broken("nothing in it")


def _put(view: "View", octets: _Element, sink: Sink, packed: bool = False) -> None:
    """Add the bytes of a string, inflated if `packed`."""
    if octets.tag not in (_OCTETS, _OCTETS_MANY):
        raise Broken("no octets")
    chunks = _octets(view, octets, sink)
    if packed:
        from zlib import error

        # nothing but the stream's own end counts: what is behind it goes unread
        chunks = Streams(chunks, sink, lambda: Inflate(15), None, (error,)).output()
    first = next(chunks, b"")
    is_mail = first[:256].lstrip().lower().startswith(_FIELDS)
    names = () if is_mail else without_suffix(sink.names, SUFFIXES)
    sink.add(_again(first, chunks), names, b"message/rfc822" if is_mail else b"")


def _again(first: bytes, rest: "Iterator[bytes]") -> "Iterator[bytes]":
    if first:
        yield first
    yield from rest


def _octets(view: "View", string: _Element, sink: Sink) -> "Iterator[bytes]":
    """The bytes of a string, which may be made of strings, to any depth."""
    if string.tag == _OCTETS:
        yield from _pieces(view, string.start, string.end)
        return
    at, ends = string.start, [string.end]
    held, size = [], 0
    while ends and at < len(view):
        if ends[-1] != _OPEN and at >= ends[-1]:
            ends.pop()
            continue
        sink.tick()
        piece = _element(view, at)
        at = piece.start
        if piece.tag == 0 and ends[-1] == _OPEN:
            ends.pop()
        elif piece.tag == _OCTETS_MANY:
            ends.append(piece.end)
        elif piece.tag == _OCTETS and piece.end != _OPEN:
            for chunk in _slices(view, at, piece.end):
                held.append(chunk)
                size += len(chunk)
                if size >= STEP:
                    yield b"".join(held)
                    held, size = [], 0
            at = piece.end
        else:
            break
    if held:
        yield b"".join(held)
    if at > len(view) or any(end == _OPEN or end > at for end in ends):
        raise Broken("cut off")


def _pieces(view: "View", start: int, end: int) -> "Iterator[bytes]":
    yield from _slices(view, start, end)
    if end == _OPEN or end > len(view):
        raise Broken("cut off")


def _slices(view: "View", start: int, end: int) -> "Iterator[bytes]":
    """view[start:end] in steps; less if the view ends before."""
    for at in range(start, min(end, len(view)), STEP):
        yield view[at : min(at + STEP, end)]


DECODER = Decoder("cms", (KIND,), unpack, starts=STARTS, broken=(Broken,))
