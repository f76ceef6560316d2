"""How the parts lie in the body: ends, preambles, epilogues, delimiters, nesting, numbers."""

from collections.abc import Callable

from hostile import (
    CHEN,
    CLAM,
    CRISPIN,
    CVE2003,
    FUZZED,
    INBOX,
    NOXXI,
    TEXT,
    TOOLS,
    Draft,
    Technique,
    delimited,
)

Arrange = Callable[[Draft], bytes]


def multi(mark: bytes, *entities: bytes, kind: bytes = b"mixed") -> bytes:
    """A multipart entity, its head included."""
    return b'Content-Type: multipart/%s; boundary="%s"\n\n' % (kind, mark) + delimited(mark, *entities)


def _open(draft: Draft) -> bytes:
    return b"--%s\n" % draft.mark


def _end(draft: Draft) -> bytes:
    return b"--%s--\n" % draft.mark


def _with_end(end: bytes) -> Arrange:
    """Another line, or none, in the place of the last delimiter; %b is the boundary."""
    return lambda draft: _open(draft) + TEXT + _open(draft) + draft.file() + end.replace(b"%b", draft.mark)


def _with_delimiter(line: bytes, first: bytes = b"--%b\n") -> Arrange:
    """Another line as the delimiter before the file; %b is the boundary."""

    def arrange(draft: Draft) -> bytes:
        one, two = (text.replace(b"%b", draft.mark) for text in (first, line))
        return one + TEXT + two + draft.file() + _end(draft)

    return arrange


def _preamble(draft: Draft) -> bytes:
    return draft.file() + b"\n" + _open(draft) + TEXT + _end(draft)


def _preamble_of_another(draft: Draft) -> bytes:
    return b"--other\n" + draft.file() + b"--other--\n" + _open(draft) + TEXT + _end(draft)


def _preamble_long(draft: Draft) -> bytes:
    return b"This is a multi-part message.\n" * 200 + _preamble(draft)


def _epilogue(draft: Draft) -> bytes:
    return _open(draft) + TEXT + _end(draft) + draft.file()


def _epilogue_delimited(draft: Draft) -> bytes:
    return _open(draft) + TEXT + _end(draft) + _open(draft) + draft.file() + _end(draft)


def _epilogue_of_another(draft: Draft) -> bytes:
    return _open(draft) + TEXT + _end(draft) + b"\n--other\n" + draft.file() + b"--other--\n"


def _epilogue_nested(draft: Draft) -> bytes:
    return _open(draft) + TEXT + _end(draft) + multi(b"inner", draft.file())


def _end_first(draft: Draft) -> bytes:
    return _end(draft) + _open(draft) + TEXT + _open(draft) + draft.file() + _end(draft)


def _end_for_delimiters(draft: Draft) -> bytes:
    return _end(draft) + TEXT + _end(draft) + draft.file() + _end(draft)


def _first_missing(draft: Draft) -> bytes:
    return TEXT + _open(draft) + draft.file() + _end(draft)


def _file_first_undelimited(draft: Draft) -> bytes:
    return draft.file() + _open(draft) + TEXT + _end(draft)


def _in_text(draft: Draft) -> bytes:
    """The file's fields begin in the text, without a delimiter."""
    return _open(draft) + TEXT + draft.file() + _end(draft)


def _in_text_after_blank(draft: Draft) -> bytes:
    return _open(draft) + TEXT + b"\n" + draft.file() + _end(draft)


def _nested(levels: int, same: bool = False) -> Arrange:
    def arrange(draft: Draft) -> bytes:
        entity = draft.file()
        for level in range(levels):
            entity = multi(draft.mark if same else b"inner%d." % level, entity)
        return delimited(draft.mark, TEXT, entity)

    return arrange


def _same_boundary(draft: Draft) -> bytes:
    """The inner multipart has the outer boundary: does its end end both?"""
    mark = draft.mark
    return b"--%s\n" % mark + multi(mark, TEXT) + b"--%s\n" % mark + draft.file() + b"--%s--\n" % mark


def _same_boundary_no_delimiter(draft: Draft) -> bytes:
    mark = draft.mark
    return b"--%s\n" % mark + multi(mark, TEXT) + draft.file() + b"--%s--\n" % mark


def _inner_prefix(draft: Draft) -> bytes:
    """The inner boundary begins like the outer one."""
    return delimited(draft.mark, TEXT, multi(draft.mark + b"x", TEXT, draft.file()))


def _outer_prefix(draft: Draft) -> bytes:
    """The outer boundary begins like the inner one."""
    inner = draft.mark[:3] or b"="
    return delimited(draft.mark, TEXT, multi(inner, TEXT, draft.file()))


def _inner_unnamed(draft: Draft) -> bytes:
    inner = b"Content-Type: multipart/mixed\n\n" + delimited(b"inner", TEXT, draft.file())
    return delimited(draft.mark, TEXT, inner)


def _inner_unnamed_uses_outer(draft: Draft) -> bytes:
    return _open(draft) + b"Content-Type: multipart/mixed\n\n" + delimited(draft.mark, TEXT, draft.file())


def _inner_deleted(draft: Draft) -> bytes:
    """A multipart without any part, then the file."""
    return delimited(draft.mark, b"Content-Type: multipart/mixed; boundary=inner\n\n\n", draft.file())


def _inner_open(draft: Draft) -> bytes:
    """The inner multipart is closed by the outer delimiter only."""
    inner = b"Content-Type: multipart/mixed; boundary=inner\n\n--inner\n" + TEXT + b"--inner\n" + draft.file()
    return delimited(draft.mark, TEXT, inner)


def _inner_preamble(draft: Draft) -> bytes:
    inner = b"Content-Type: multipart/mixed; boundary=inner\n\n" + draft.file() + delimited(b"inner", TEXT)
    return delimited(draft.mark, TEXT, inner)


def _inner_epilogue(draft: Draft) -> bytes:
    return delimited(draft.mark, TEXT, multi(b"inner", TEXT) + draft.file())


def _outer_inside_inner(draft: Draft) -> bytes:
    """The file stands behind the outer end, yet inside the inner multipart."""
    inner = b"Content-Type: multipart/mixed; boundary=inner\n\n--inner\n" + TEXT
    return _open(draft) + inner + _end(draft) + b"--inner\n" + draft.file() + b"--inner--\n"


def _many(count: int) -> Arrange:
    return lambda draft: delimited(draft.mark, *[TEXT] * count, draft.file())


def _many_boundaries(draft: Draft) -> bytes:
    """Four hundred multiparts side by side, each with a boundary of its own; the file is in one."""
    entities = [multi(b"b%d." % number, TEXT) for number in range(400)]
    entities[333] = multi(b"b333.", TEXT, draft.file())
    return delimited(draft.mark, *entities)


def _declared(count: int) -> Callable[[Draft], None]:
    """Many boundaries are declared for one multipart; one of them divides it."""

    def change(draft: Draft) -> None:
        names = [b"b%d" % number for number in range(count)]
        draft.kind = [b"Content-Type: multipart/mixed" + b"".join(b";\n boundary=" + name for name in names)]
        draft.mark = names[count // 2]

    return change


def _kind(kind: bytes) -> Arrange:
    return lambda draft: delimited(draft.mark, TEXT, multi(b"inner", TEXT, draft.file(), kind=kind))


def _entities(*others: bytes) -> Arrange:
    return lambda draft: delimited(draft.mark, *others, draft.file())


def _bare_cr(draft: Draft) -> bytes:
    """The delimiters end, and begin, with a CR only."""
    mark = draft.mark
    return (
        b"--%s\r" % mark + TEXT.replace(b"\n", b"\r") + b"--%s\r" % mark + draft.file() + b"--%s--\n" % mark
    )


def _cr_before(draft: Draft) -> bytes:
    return _open(draft) + TEXT[:-1] + b"\r" + _open(draft) + draft.file() + _end(draft)


def _no_final_line_end(draft: Draft) -> bytes:
    return (_open(draft) + TEXT + _open(draft) + draft.file())[:-1]


def _glued(draft: Draft) -> bytes:
    """The mail's body begins with the delimiter, without an empty line before it."""
    draft.top_blank = b""
    return delimited(draft.mark, TEXT, draft.file())


def _truncated(draft: Draft) -> bytes:
    return _open(draft) + TEXT + _open(draft) + draft.file() + b"--%s" % draft.mark[:-2]


def _false_delimiters(draft: Draft) -> bytes:
    """Lines that begin like a delimiter, in and around the text."""
    junk = b"".join(b"--%s%s\n" % (draft.mark, tail) for tail in (b"x", b"-", b"---x", b" x"))
    return _open(draft) + TEXT + junk + _open(draft) + draft.file() + _end(draft)


def _behind_fields(line: bytes) -> Arrange:
    """A line like a delimiter between the file's fields and the empty line; %b is the boundary."""

    def arrange(draft: Draft) -> bytes:
        head, more = draft.head, line.replace(b"%b", draft.mark)
        draft.head = lambda lines: head([*lines, more])
        return delimited(draft.mark, TEXT, draft.file())

    return arrange


def _among_fields(line: bytes) -> Arrange:
    def arrange(draft: Draft) -> bytes:
        head, more = draft.head, line.replace(b"%b", draft.mark)
        draft.head = lambda lines: head([lines[0], more, *lines[1:]])
        return delimited(draft.mark, TEXT, draft.file())

    return arrange


def _in_the_file(line: bytes) -> Arrange:
    """A line like a delimiter in the middle of the encoded file; %b is the boundary."""

    def arrange(draft: Draft) -> bytes:
        half = draft.body.find(b"\n", len(draft.body) // 2) + 1
        draft.body = draft.body[:half] + line.replace(b"%b", draft.mark) + draft.body[half:]
        return delimited(draft.mark, TEXT, draft.file())

    return arrange


# name, who opens it, source, how the body is made
ROWS: tuple[tuple[str, str, str, Arrange], ...] = (
    ("delimiter behind the fields", "mime-tools clamd ripmime", FUZZED, _behind_fields(b"--%b")),
    ("end behind the fields", "clamd mime-tools ripmime", FUZZED, _behind_fields(b"--%b--")),
    ("line like a delimiter behind the fields", "mailparser mime-tools clamd email-mime mblaze postal-mime ripmime", FUZZED, _behind_fields(b"--%bx")),
    ("delimiter of another behind the fields", "mailparser mime-tools clamd email-mime mblaze postal-mime ripmime", FUZZED, _behind_fields(b"--other")),
    ("two delimiters behind the fields", "clamd mime-tools ripmime", FUZZED, _behind_fields(b"--%b\n--%b")),
    ("delimiter among the fields", "clamd mime-tools email-mime mailparser munpack postal-mime python ripmime", FUZZED, _among_fields(b"--%b")),
    ("end among the fields", "clamd ripmime", FUZZED, _among_fields(b"--%b--")),
    ("delimiter, indented, behind the fields", "python outlook clamd email-mime mailparser mime-tools munpack postal-mime ripmime", FUZZED, _behind_fields(b" --%b")),
    ("boundary at a line's end in the file", "clamd", FUZZED, _in_the_file(b"==--%b\n")),
    ("dashes in the file", "python clamd email-mime mailparser mime-tools munpack postal-mime ripmime", FUZZED, _in_the_file(b"--\n")),
    ("dashes and a star in the file", "python clamd email-mime mailparser mime-tools munpack postal-mime ripmime", FUZZED, _in_the_file(b"--*\n")),
    ("many lines of dashes in the file", "python clamd email-mime mailparser mime-tools munpack postal-mime ripmime", FUZZED, _in_the_file(b"----\n-- \n--\n------\n")),
    ("no end", "python thunderbird outlook gmail clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", CRISPIN, _with_end(b"")),
    ("no end, no last line end", "python thunderbird outlook gmail clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", CRISPIN, _no_final_line_end),
    ("cut in the last delimiter", "python thunderbird outlook gmail clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", CRISPIN, _truncated),
    ("end with one dash", "python thunderbird outlook clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", INBOX, _with_end(b"--%b-\n")),
    ("end without dashes", "python thunderbird outlook clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", INBOX, _with_end(b"--%b\n")),
    ("end with text behind", "mutt outlook clamd email-mime mailparser mblaze mime-tools munpack postal-mime python ripmime", INBOX, _with_end(b"--%b--text\n")),
    ("end with blanks behind", "python thunderbird outlook clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", INBOX, _with_end(b"--%b-- \t \n")),
    ("end of another", "python thunderbird outlook clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", INBOX, _with_end(b"--other--\n")),
    ("blanks behind the delimiter", "python thunderbird outlook email-mime mailparser mime-tools munpack postal-mime ripmime", CRISPIN, _with_delimiter(b"--%b \t \n")),
    ("text behind the delimiter", "exim ripmime munpack", INBOX, _with_delimiter(b"--%bx\n")),
    ("a dash behind the delimiter", "ripmime munpack", INBOX, _with_delimiter(b"--%b-\n")),
    ("a blank and text behind the delimiter", "exim munpack ripmime", INBOX, _with_delimiter(b"--%b x\n")),
    ("NUL behind the delimiter", "outlook clamd munpack ripmime", INBOX, _with_delimiter(b"--%b\0\n")),
    ("VT behind the delimiter", "php email-mime munpack ripmime", INBOX, _with_delimiter(b"--%b\v\n")),
    ("CR CR LF behind the delimiter", "outlook clamd email-mime mailparser mime-tools munpack postal-mime ripmime", INBOX, _with_delimiter(b"--%b\r\r\n")),
    ("CR behind the delimiter", "python outlook clamd munpack ripmime", INBOX, _with_delimiter(b"--%b\r")),
    ("blank before the delimiter", "php mblaze ripmime", INBOX, _with_delimiter(b" --%b\n")),
    ("tab before the delimiter", "php mblaze ripmime", INBOX, _with_delimiter(b"\t--%b\n")),
    ("CR before the delimiter", "python outlook clamd mblaze ripmime", INBOX, _cr_before),
    ("delimiters with CR only", "python outlook clamd munpack", NOXXI, _bare_cr),
    ("first delimiter missing", "clamd rspamd outlook email-mime mailparser mblaze mime-tools munpack postal-mime python ripmime", NOXXI, _first_missing),
    ("file before a missing delimiter", "clamd rspamd outlook email-mime", NOXXI, _file_first_undelimited),
    ("ends for delimiters", "outlook clamd ripmime", INBOX, _end_for_delimiters),
    ("an end first", "outlook clamd mailparser ripmime", INBOX, _end_first),
    ("in the preamble", "clamd rspamd email-mime", INBOX, _preamble),
    ("in a long preamble", "clamd rspamd email-mime", NOXXI, _preamble_long),
    ("in the preamble, delimited by another", "clamd rspamd email-mime", INBOX, _preamble_of_another),
    ("in the epilogue", "rspamd ripmime", INBOX, _epilogue),
    ("in the epilogue, delimited", "outlook clamd ripmime", INBOX, _epilogue_delimited),
    ("in the epilogue, delimited by another", "rspamd ripmime", INBOX, _epilogue_of_another),
    ("in the epilogue, a multipart of its own", "rspamd ripmime", INBOX, _epilogue_nested),
    ("in the text, without a delimiter", "rspamd ripmime", CLAM, _in_text),
    ("in the text behind an empty line", "rspamd ripmime", CLAM, _in_text_after_blank),
    ("no empty line before the first delimiter", "python outlook clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", INBOX, _glued),
    ("nested twice", "python thunderbird outlook gmail clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", CRISPIN, _nested(2)),
    ("nested 20 deep", "python thunderbird outlook mailparser mblaze mime-tools munpack postal-mime ripmime", CRISPIN, _nested(20)),
    ("nested 120 deep", "thunderbird outlook mailparser mime-tools munpack postal-mime python ripmime", NOXXI, _nested(120)),
    ("nested with the same boundary", "outlook thunderbird clamd email-mime mailparser mblaze mime-tools munpack postal-mime python ripmime", INBOX, _nested(1, same=True)),
    ("nested five deep with the same boundary", "outlook thunderbird clamd email-mime mailparser mblaze mime-tools munpack postal-mime python ripmime", INBOX, _nested(5, same=True)),
    ("same boundary inside, the file behind", "outlook thunderbird clamd mailparser mime-tools postal-mime ripmime", INBOX, _same_boundary),
    ("same boundary inside, the file behind its end", "rspamd ripmime", INBOX, _same_boundary_no_delimiter),
    ("inner boundary begins like the outer", "python thunderbird mutt clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", CRISPIN, _inner_prefix),
    ("outer boundary begins like the inner", "python thunderbird mutt clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", CRISPIN, _outer_prefix),
    ("inner boundary not named", "javamail clamd munpack ripmime", INBOX, _inner_unnamed),
    ("inner boundary not named, the outer used", "javamail outlook thunderbird clamd email-mime mailparser mblaze mime-tools munpack postal-mime python ripmime", INBOX, _inner_unnamed_uses_outer),
    ("inner multipart empty", "python thunderbird outlook clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", INBOX, _inner_deleted),
    ("inner multipart not closed", "python thunderbird outlook clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", CRISPIN, _inner_open),
    ("in the inner preamble", "clamd rspamd email-mime ripmime", INBOX, _inner_preamble),
    ("in the inner epilogue", "rspamd ripmime", INBOX, _inner_epilogue),
    ("behind the outer end, in the inner multipart", "outlook ripmime", INBOX, _outer_inside_inner),
    ("400 multiparts", "python thunderbird outlook clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", TOOLS, _many_boundaries),
    ("1,400 parts", "python thunderbird outlook clamd email-mime mblaze mime-tools munpack postal-mime ripmime", TOOLS, _many(1400)),
    ("300 parts", "python thunderbird outlook gmail clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", TOOLS, _many(300)),
    ("in an alternative", "python thunderbird outlook clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", CRISPIN, _kind(b"alternative")),
    ("in a related", "python thunderbird outlook clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", CRISPIN, _kind(b"related")),
    ("in a report", "python thunderbird outlook clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", CRISPIN, _kind(b"report")),
    ("in a form", "python thunderbird outlook clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", CHEN, _kind(b"form-data")),
    ("in a signed", "python thunderbird outlook email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", CHEN, _kind(b"signed")),
    ("in an encrypted that is not", "python mutt clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", CHEN, _kind(b"encrypted")),
    ("in a parallel", "python thunderbird outlook email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", CRISPIN, _kind(b"parallel")),
    ("in an appledouble", "apple python clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", CRISPIN, _kind(b"appledouble")),
    ("in a replace", "python thunderbird clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", CHEN, _kind(b"x-mixed-replace")),
    ("behind empty parts", "python thunderbird outlook clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", CRISPIN, _entities(b"\n", b"\n", b"\n")),
    ("behind parts without anything", "python thunderbird clamd email-mime mailparser mime-tools munpack postal-mime ripmime", NOXXI, _entities(b"", b"", b"")),
    ("behind a part that ends in its head", "python thunderbird clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", NOXXI, _entities(b"Content-Type: text/plain\n")),
    ("behind an open quote", "python thunderbird clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", INBOX, _entities(b'Content-Type: text/plain; name="x\n\nx\n')),
    ("behind an open comment", "python thunderbird clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", INBOX, _entities(b"Content-Type: text/plain (x\n\nx\n")),
    ("behind an open uuencoded file", "python thunderbird clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", NOXXI, _entities(b"\nbegin 644 a.txt\n#0V%T\n")),
    ("behind an open yEnc file", "python thunderbird clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", "yEnc 1.3", _entities(b"\n=ybegin line=128 size=9 name=a\nxx\n")),
    ("behind a mail from mbox", "python thunderbird clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", CVE2003, _entities(b"\nhello\n\nFrom x@example.org Sat Jan  1 00:00:00 2000\n\n")),
    ("behind lines like delimiters", "python thunderbird mutt clamd email-mime mailparser mime-tools postal-mime ripmime", INBOX, _false_delimiters),
)  # fmt: skip


def _technique(name: str, opens: str, source: str, arrange: Arrange) -> Technique:
    def change(draft: Draft) -> None:
        draft.arrange = arrange

    return Technique(name, "multipart", opens, source, change)


TECHNIQUES = [
    *(_technique(*row) for row in ROWS),
    Technique("400 boundaries declared", "boundary", "clamd", TOOLS, _declared(400)),
    Technique("40 boundaries declared", "boundary", "clamd", TOOLS, _declared(40)),
]
