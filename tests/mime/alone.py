"""A converter on its own: what it alone finds in some bytes."""

import tempfile

from amavis_pipe.budget import Budget, Limits
from amavis_pipe.spool import Blob, Store
from amavis_pipe.walk import Decoder, Walk


def walked(data: bytes, decoder: Decoder, **limits: int) -> Walk:
    """The Walk of some bytes that only `decoder` opens; what comes out is not opened."""
    walk = Walk(
        Budget.of(Limits(**limits), len(data)), Store(tempfile.gettempdir().encode()), lambda part: ()
    )
    walk.mail(Blob(data), decoder)
    return walk


def dissected(data: bytes, decoder: Decoder) -> list[tuple[bytes, bytes]]:
    """First name and bytes of each part; nothing may have been said of the rest."""
    walk = walked(data, decoder)
    # a container is left closed here
    assert [found.name for found in walk.findings if not found.name.startswith("undecoded:")] == []
    return [
        (part.names[0] if part.names else b"", b"".join(part.blob.chunks()))
        for part in walk.parts
        if part.blob is not None
    ]
