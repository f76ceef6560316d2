"""How a message and its envelope look in SMTP (RFC 5321): bytes in, bytes out, no I/O.

Lines end in CR LF, and one that begins with a dot gets another one (4.5.2). What that can't carry
unchanged is named by Survey.obstacle(). XFORWARD is Postfix's, its values xtext (RFC 3461 4).
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from amavis_pipe.model import Envelope

COMMAND_MAX = 512
"""Bytes of an XFORWARD command (RFC 5321 4.5.3.1.4)."""

_ATOM = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-/=?^_`{|}~"
_ATOM += bytes(range(128, 256))
_DOMAIN = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:[]" + bytes(range(128, 256))


class Survey:
    """What a message needs of the connection.

    size       bytes on the wire, without stuffed dots (RFC 1870 3)
    eight_bit  whether any byte is above 127
    nul        whether there is a NUL
    stray      how many CRs end no line
    """

    __slots__ = ("eight_bit", "nul", "size", "stray")

    def __init__(self, chunks: "Iterable[bytes]") -> None:
        self.size, self.stray = 0, 0
        self.eight_bit = self.nul = False
        last = b"\n"
        for text in _lf_only(chunks):
            self.size += len(text) + text.count(b"\n")
            self.stray += text.count(b"\r")
            self.nul = self.nul or b"\0" in text
            self.eight_bit = self.eight_bit or not text.isascii()
            last = text[-1:]
        if last != b"\n":
            self.size += 2

    def obstacle(self, addresses: tuple[bytes, ...], stray_cr: str) -> str:
        """Why the message can't go by SMTP as it is, or ""."""
        if self.nul:
            return "a NUL cannot go by smtp"
        if self.stray and stray_cr != "blank":
            return "a stray CR cannot go by smtp"
        if not all(map(_is_plain, addresses)):
            return "an address cannot go by smtp"
        return ""


def wire(chunks: "Iterable[bytes]") -> "Iterator[bytes]":
    """The message as it goes over the line, the final dot not included.

    Every line ends in CR LF, one that begins with a dot begins with two, a stray CR is a blank.
    """
    last = b"\n"
    for text in _lf_only(chunks):
        if last == b"\n" and text.startswith(b"."):
            yield b"."
        last = text[-1:]
        yield text.replace(b"\r", b" ").replace(b"\n.", b"\n..").replace(b"\n", b"\r\n")
    if last != b"\n":
        yield b"\r\n"


def path(address: bytes) -> bytes:
    """The address as it stands between "<" and ">": its local part quoted where it has to be."""
    if not address:
        return address
    local, at, domain = address.rpartition(b"@")
    if not at:
        local, domain = address, b""
    if not _is_quoted(local) and (not all(local.split(b".")) or local.translate(None, _ATOM + b".")):
        local = b'"' + local.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
    return local + at + domain


def _is_quoted(local: bytes) -> bool:
    """Whether the local part is one quoted string (RFC 5321 4.1.2), from end to end."""
    if len(local) < 2 or local[:1] != b'"' or local[-1:] != b'"':
        return False
    inner = local[1:-1].replace(b"\\\\", b"").replace(b'\\"', b"")
    return b'"' not in inner and not inner.endswith(b"\\")


def _is_plain(address: bytes) -> bool:
    """Whether the address is one that path() can write: nothing in it ends or begins something else."""
    domain = address.rpartition(b"@")[2] if b"@" in address else b""
    return not domain.translate(None, _DOMAIN) and not any(code < 32 or code == 127 for code in address)


def _lf_only(chunks: "Iterable[bytes]") -> "Iterator[bytes]":
    """The bytes with every CR LF as LF; a CR that is still there ends no line."""
    held = b""
    for chunk in chunks:
        text = held + chunk if held else chunk
        held = b""
        if text.endswith(b"\r"):
            text, held = text[:-1], b"\r"
        if b"\r" in text:
            text = text.replace(b"\r\n", b"\n")
        if text:
            yield text
    if held:
        yield held


def is_refusal(code: int, text: bytes) -> bool:
    """Whether a reply to RCPT says that this recipient will never do (RFC 5321 4.2.3, RFC 3463 3).

    That is of the address or its mailbox: 5.1.x, 5.2.x, or 550, 551, 553 or 556 without such a code. What
    else is permanent is the server's or our own doing (a command out of order, no TLS, relay access
    denied): a bounce for it could not be taken back.
    """
    enhanced = text.split(b" ", 1)[0].split(b".")
    if len(enhanced) == 3 and all(step.isdigit() for step in enhanced):
        return code >= 500 and enhanced[0] == b"5" and enhanced[1] in (b"1", b"2")
    return code in (550, 551, 553, 556)


def xforward(envelope: "Envelope", offers: dict[bytes, bytes]) -> list[bytes]:
    """The commands that tell who the client was: one, or one for each attribute if that is too long.

    What is not known is [UNAVAILABLE]; so is what does not fit.
    """
    wanted = offers.get(b"XFORWARD", b"").upper().split()
    address = envelope.client_address
    if not wanted or not (address or envelope.queue_id):
        return []
    known = {
        b"NAME": envelope.client_name,
        b"ADDR": address if address.count(b":") < 2 else b"IPV6:" + address,
        b"HELO": envelope.helo,
        b"IDENT": envelope.queue_id,
    }
    if address:
        # LOCAL lets Postfix complete and map the header as it does for mail of its own host
        here = address == b"::1" or address.startswith(b"127.")
        known[b"SOURCE"] = b"LOCAL" if here else b"REMOTE"
    words = [b" %s=%s" % (name, _xtext(value)) for name, value in known.items() if name in wanted]
    if sum(map(len, words)) > COMMAND_MAX - 10:
        return [b"XFORWARD" + word for word in words]
    return [b"XFORWARD" + b"".join(words)] if words else []


def _xtext(value: bytes) -> bytes:
    """RFC 3461 4; [UNAVAILABLE] for what is unknown or too long for a command."""
    coded = b"".join(
        b"%c" % code if 33 <= code <= 126 and code not in b"+=" else b"+%02X" % code for code in value
    )
    return coded if 0 < len(coded) <= COMMAND_MAX - 32 and value != b"unknown" else b"[UNAVAILABLE]"
