"""Whether a PDF is pages alone, as most are: nothing is in it to be opened, and no child has to see that.

A search for the few names that would say otherwise, in bytes as they are, nothing is decoded; at most
1 MB, and so many escapes, are searched: beyond that, as with any doubt, the child looks. It costs 0.2 ms,
the child 5.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from amavis_pipe.spool import Blob, View

WORTH = ("EF", "EmbeddedFile", "JS", "OnInstantiate", "XFA", "3DD", "Encrypt", "ObjStm", "First")
"""Names of what decompose.formats.pdf looks into: files, scripts, forms, models, locks, object streams."""
LARGEST = 1 << 20
ESCAPES = 10_000
_HIGH, _LOW = b"34567", b"0123456789abcdefABCDEF"
_IN_NAMES = b"#0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_REACH = 64
"""Bytes before an escaped letter within which its name begins: all of its letters may be escaped."""


def is_only_pages(blob: "Blob") -> bool:
    """Whether it surely is; False for what is no PDF, too."""
    if blob.size > LARGEST:
        return False
    view = blob.view()
    return view.find(b"obj") >= 0 and not is_hinted(view)


def is_hinted(view: "View") -> bool:
    """Whether a name worth a look may be there, some of its letters as #xx (ISO 32000-1, 7.3.5)."""
    return any(view.find(b"/" + name.encode()) >= 0 for name in WORTH) or _has_escape(view)


def _has_escape(view: "View") -> bool:
    at = view.find(b"#")
    for _ in range(ESCAPES):
        if at < 0:
            return False
        high, low = view[at + 1 : at + 2], view[at + 2 : at + 3]
        if high and low and high in _HIGH and low in _LOW:
            _, slash, name = view[max(0, at - _REACH) : at].rpartition(b"/")
            if slash and not name.strip(_IN_NAMES):
                return True
        at = view.find(b"#", at + 1)
    return at >= 0
