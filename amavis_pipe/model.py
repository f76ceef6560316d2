"""The values that pass between the stages of one mail.

Plain classes with slots: dataclasses cost 15 ms at every start, these nothing. They promise only
their fields; no I/O here, no rules (rules are in policy.py).
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from amavis_pipe.spool import Blob

GRADES = ("note", "unchecked", "suspect", "virus")
"""Grades of facts, weakest first. Policy adds grades of its own: banned, spam, bad-header, oversized."""


class AmavisPipeError(Exception):
    """Base of all errors of this package: SettingsError, Trouble and its kin."""


class Trouble(AmavisPipeError):
    """The machine failed, not the mail: ends in 75 in the filter form, 2 in a command.

    The text says what was wanted, what was met, and where; it goes to the log, not to the sender.
    """


class SpoolTrouble(Trouble):
    """The mail could not be read or kept: no room, no folder, a read error."""


class SandboxTrouble(Trouble):
    """The sandbox could not be built; nothing was decoded outside it."""


class ScannerTrouble(Trouble):
    """A configured scanner gave no answer that means clean or infected.

    kind  "away": it is not there, or went away in mid sentence, and may be there again soon, or at another
          address; "slow": it gave no answer in time, and may still be at work; else ""
    """

    def __init__(self, text: str, kind: str = "") -> None:
        super().__init__(text)
        self.kind = kind


class ForwardTrouble(Trouble):
    """The mail was not accepted for delivery, or we can't know that it was."""


class Envelope:
    """Who sent the mail to whom, and what Postfix told of the connection; bytes as given."""

    __slots__ = (
        "client_address",
        "client_name",
        "helo",
        "queue_id",
        "recipients",
        "sasl_username",
        "sender",
    )

    def __init__(
        self,
        sender: bytes = b"",
        recipients: tuple[bytes, ...] = (),
        queue_id: bytes = b"",
        client_address: bytes = b"",
        client_name: bytes = b"",
        helo: bytes = b"",
        sasl_username: bytes = b"",
    ) -> None:
        self.sender = sender
        self.recipients = recipients
        self.queue_id = queue_id
        self.client_address = client_address
        self.client_name = client_name
        self.helo = helo
        self.sasl_username = sasl_username

    def only(self, recipients: tuple[bytes, ...]) -> "Envelope":
        """The same envelope for these recipients."""
        return Envelope(
            self.sender,
            recipients,
            self.queue_id,
            self.client_address,
            self.client_name,
            self.helo,
            self.sasl_username,
        )


class Reply:
    """What a server said of one recipient: the address, and the reply, printable ASCII ("250 2.1.5 Ok")."""

    __slots__ = ("recipient", "text")

    def __init__(self, recipient: bytes, text: str) -> None:
        self.recipient = recipient
        self.text = text


class Receipt:
    """How a message was handed on.

    route     the way it went, as in the settings: "smtp:127.0.0.1:10025"
    queue_id  its id there, "" where nobody tells it
    replies   one for each recipient, where the way gives any
    refused   those of them that refuse for good
    taken     whether the message is committed; it is not when every recipient was refused
    note      why it went another way than configured, or what was changed in it; "" for nothing
    """

    __slots__ = ("note", "queue_id", "refused", "replies", "route", "taken")

    def __init__(self, route: str, note: str = "") -> None:
        self.route = route
        self.note = note
        self.queue_id = ""
        self.replies: list[Reply] = []
        self.refused: list[Reply] = []
        self.taken = True


class Part:
    """One node of the tree a mail is made of: a MIME entity, an archive, a member of one.

    path     position, "1.2.1": the first member of the second entity of the first
    names    all candidate names, best first, bytes from outside: never a path on disk
    claimed  the type its container gives it ("application/zip"), lower case, or empty
    kind     the type its content shows
    size     bytes; of a structural node (multipart) the bytes between its boundaries
    sha256   of the bytes, in hex; empty for a structural node
    decoder  what produced it ("mime", "zip"), empty for the root
    flags    short words: "structure", "partial" …
    blob     the bytes, or None (structure, or facts that came from the cache)
    verbatim whether the bytes stand in a mail as they are, in no encoding
    """

    __slots__ = ("blob", "claimed", "decoder", "flags", "kind", "names", "path", "sha256", "size", "verbatim")

    def __init__(
        self,
        path: str,
        names: tuple[bytes, ...] = (),
        claimed: bytes = b"",
        kind: str = "",
        size: int = 0,
        sha256: str = "",
        decoder: str = "",
        flags: tuple[str, ...] = (),
        blob: "Blob | None" = None,
    ) -> None:
        self.path = path
        self.names = names
        self.claimed = claimed
        self.kind = kind
        self.size = size
        self.sha256 = sha256
        self.decoder = decoder
        self.flags = flags
        self.blob = blob
        self.verbatim = False

    def row(self) -> tuple[object, ...]:
        """Everything but the bytes, in the order that Part() takes it."""
        return (
            self.path,
            self.names,
            self.claimed,
            self.kind,
            self.size,
            self.sha256,
            self.decoder,
            self.flags,
        )


class Finding:
    """Something said of the mail: a grade, a name ("Eicar-Signature", "broken:gzip"), where, by whom.

    part is a Part's path, or "" for the mail as a whole; source a scanner's name, "decompose" or
    "policy".
    """

    __slots__ = ("grade", "name", "part", "source")

    def __init__(self, grade: str, name: str, part: str = "", source: str = "decompose") -> None:
        self.grade = grade
        self.name = name
        self.part = part
        self.source = source


class Answer:
    """That a scanner answered for every part it was asked about: name, version, cached, milliseconds.

    trouble is "", or why it did not, where the mail could be decided nevertheless.
    """

    __slots__ = ("cached", "ms", "name", "trouble", "version")

    def __init__(
        self, name: str, version: str = "", cached: bool = False, ms: float = 0.0, trouble: str = ""
    ) -> None:
        self.name = name
        self.version = version
        self.cached = cached
        self.ms = ms
        self.trouble = trouble


class Stamp:
    """What a scanner's answers depend on, and when they may be kept.

    text     changes whenever engine, options or signatures do; empty if nothing tells: then no answer is kept
    settled  whether the scanner must have loaded the signatures that are on disk
    """

    __slots__ = ("settled", "text")

    def __init__(self, text: bytes, settled: bool) -> None:
        self.text = text
        self.settled = settled


class Facts:
    """What is true of the content, whoever it is for: the parts, what was found, which limits were met.

    bodies  of a mail that all readers read alike, just taken apart: where in it attachments stand encoded
            in base64, as (start of the entity, start, end, bytes decoded)
    """

    __slots__ = ("answers", "bodies", "findings", "hit", "parts", "quota", "used")

    def __init__(
        self,
        parts: list[Part],
        findings: list[Finding],
        answers: list[Answer],
        quota: int = 0,
        used: int = 0,
        hit: tuple[str, ...] = (),
        bodies: "tuple[tuple[int, int, int, int], ...]" = (),
    ) -> None:
        self.bodies = bodies
        self.parts = parts
        self.findings = findings
        self.answers = answers
        self.quota = quota
        self.used = used
        self.hit = hit
