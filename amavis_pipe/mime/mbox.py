"""mbox: several mails in one text, each behind a line that begins with "From ".

Promises: nothing raises but the limits of `out`; linear. A "From " line counts only with a header behind
it, and the first one at the start of the text; readers differ about an empty line before the others.
Source: RFC 4155.
"""

import re

from amavis_pipe.kinds import PLAIN
from amavis_pipe.mime import coding
from amavis_pipe.walk import Decoder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from amavis_pipe.spool import Blob
    from amavis_pipe.walk import Sink

_MAIL = b"message/rfc822"
_FROM = re.compile(rb"(?:\A\s{0,64}|\n)From [^\r\n]{0,1000}\r?\n(?=>?[!-9;-~]{1,76}[ \t]{0,8}:)")


def unpack(blob: "Blob", out: "Sink") -> None:
    """Each mail as a part, without its "From " line."""
    view = blob.view()
    start = -1
    for line in _FROM.finditer(view):
        if start < 0 and line.start():
            return
        if start >= 0:
            out.add(coding.pieces(view, start, line.start() + 1), claimed=_MAIL)
        start = line.end()
    if start >= 0:
        out.add(coding.pieces(view, start, len(view)), claimed=_MAIL)


DECODER = Decoder("mbox", (PLAIN, "application/mbox"), unpack)
