"""Where fields begin and end: blanks, NUL and CR around the colon, junk, folds, separators, sizes."""

from collections.abc import Callable

from hostile import CHEN, CRISPIN, CVE2003, FUZZED, INBOX, NOXXI, TOOLS, Draft, Technique, plain_head

Lines = list[bytes]
BOM = b"\xef\xbb\xbf"


def _colon(instead: bytes) -> Callable[[Lines], bytes]:
    """A head with something else than ": " in each of its fields."""
    return lambda lines: plain_head([line.replace(b": ", instead, 1) for line in lines])


def _ends(end: bytes, separator: bytes) -> Callable[[Lines], bytes]:
    return lambda lines: end.join(lines) + separator


def _before(*junk: bytes) -> Callable[[Lines], bytes]:
    return lambda lines: plain_head([*junk, *lines])


def _among(*junk: bytes) -> Callable[[Lines], bytes]:
    return lambda lines: plain_head([lines[0], *junk, *lines[1:]])


def _encoding(lines: Lines, change: Callable[[bytes], bytes]) -> bytes:
    """A head with its transfer encoding's lines changed."""
    return plain_head([change(line) if b"-encoding" in line.lower() else line for line in lines])


def _each(change: Callable[[bytes], bytes]) -> Callable[[Lines], bytes]:
    return lambda lines: plain_head([change(line) for line in lines])


def _indented(lines: Lines) -> bytes:
    return plain_head([b" " + lines[0], *lines[1:]])


def _encoding_first(blank: bytes) -> Callable[[Lines], bytes]:
    """The transfer encoding as the first field, with `blank` before it."""

    def head(lines: Lines) -> bytes:
        first = [line for line in lines if b"-encoding" in line.lower()]
        return plain_head(
            [blank + b"".join(first[:1]), *first[1:], *(line for line in lines if line not in first)]
        )

    return head


def _folded(line: bytes) -> bytes:
    name, colon, value = line.partition(b":")
    return name + b"\n " + colon + value


def _in_pieces(line: bytes) -> bytes:
    name, _, value = line.partition(b": ")
    return name + b":\n " + value.replace(b"; ", b";\n\t")


# name, who opens it, source, the head of the file's part
FILE: tuple[tuple[str, str, str, Callable[[Lines], bytes]], ...] = (
    ("blank before the colon", "outlook thunderbird gmail clamd mailparser postal-mime ripmime", INBOX, _colon(b" : ")),
    ("tab before the colon", "outlook thunderbird clamd mailparser postal-mime ripmime", INBOX, _colon(b"\t: ")),
    ("many blanks before the colon", "outlook thunderbird clamd mailparser postal-mime ripmime", INBOX, _colon(b" " * 60 + b": ")),
    ("NUL before the colon", "outlook gmail clamd ripmime", INBOX, _colon(b"\0: ")),
    ("VT before the colon", "php mailparser clamd ripmime", INBOX, _colon(b"\v: ")),
    ("fold before the colon", "outlook mailparser clamd postal-mime ripmime", INBOX, lambda lines: _encoding(lines, _folded)),
    ("no blank after the colon", "python thunderbird outlook gmail clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", CRISPIN, _colon(b":")),
    ("tabs after the colon", "python thunderbird outlook gmail clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", CRISPIN, _colon(b":\t\t ")),
    ("NUL after the colon", "outlook gmail clamd mblaze postal-mime ripmime", INBOX, _colon(b":\0 ")),
    ("VT and FF after the colon", "php clamd email-mime mailparser mime-tools munpack postal-mime ripmime", INBOX, _colon(b":\v\f")),
    ("fold after the colon", "thunderbird outlook clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", CRISPIN, lambda lines: _encoding(lines, _in_pieces)),
    ("colon twice", "clamd postal-mime ripmime", INBOX, _colon(b":: ")),
    ("no-break space after the colon", "gmail clamd mailparser postal-mime ripmime", CHEN, _colon(b":\xc2\xa0")),
    ("CR for the line ends", "outlook thunderbird python clamd email-mime ripmime", NOXXI, _ends(b"\r", b"\n\n")),
    ("CR for the line ends and the separator", "outlook thunderbird python clamd email-mime", NOXXI, _ends(b"\r", b"\r\r")),
    ("CR CR LF for the line ends", "outlook thunderbird clamd mime-tools munpack postal-mime ripmime", NOXXI, _ends(b"\r\r\n", b"\r\r\n\r\r\n")),
    ("LF CR for the separator", "outlook python munpack", INBOX, _ends(b"\n", b"\n\r")),
    ("CR for the empty line", "outlook python thunderbird munpack", INBOX, _ends(b"\n", b"\n\r")),
    ("CR CR LF for the empty line", "outlook gmail clamd email-mime mime-tools munpack postal-mime python", INBOX, _ends(b"\n", b"\n\r\r\n")),
    ("fold by a bare CR", "outlook thunderbird clamd email-mime mailparser mblaze mime-tools munpack postal-mime python ripmime", NOXXI, _each(lambda line: line.replace(b"; ", b";\r "))),
    ("fold by a VT", "php clamd email-mime mailparser mime-tools postal-mime ripmime", NOXXI, _each(lambda line: line.replace(b"; ", b";\n\v"))),
    ("folds of blanks only", "python thunderbird mutt email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", CVE2003, _each(lambda line: line.replace(b"; ", b";\n \n  "))),
    ("every parameter folded", "thunderbird outlook gmail clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", CRISPIN, _each(_in_pieces)),
    ("junk line first", "thunderbird outlook mime-tools clamd email-mime mailparser mblaze postal-mime ripmime", NOXXI, _before(b"this is no field")),
    ("junk line among", "thunderbird outlook gmail clamd email-mime mailparser mime-tools postal-mime ripmime", NOXXI, _among(b"this is no field")),
    ("junk lines among", "thunderbird outlook gmail clamd email-mime mailparser mime-tools postal-mime ripmime", NOXXI, _among(b"junk", b"more junk", b"!")),
    ("colon alone among", "thunderbird outlook clamd email-mime mailparser mblaze mime-tools postal-mime python ripmime", INBOX, _among(b":")),
    ("colon first among", "thunderbird outlook clamd email-mime mailparser mblaze mime-tools postal-mime python ripmime", INBOX, _among(b": nothing")),
    ("field name with a blank among", "thunderbird outlook clamd email-mime mailparser mblaze mime-tools postal-mime ripmime", INBOX, _among(b"two words: x")),
    ("dashes among", "outlook clamd email-mime mailparser mime-tools postal-mime ripmime", NOXXI, _among(b"----")),
    ("8-bit name among", "thunderbird outlook gmail clamd email-mime mailparser mblaze mime-tools postal-mime ripmime", NOXXI, _among(b"X-\xe9: x")),
    ("equals sign for a colon among", "thunderbird outlook clamd email-mime mailparser mime-tools postal-mime ripmime", NOXXI, _among(b"X-A = x")),
    ("quoted From line first", "thunderbird mime-tools clamd email-mime mailparser mblaze postal-mime ripmime", CVE2003, _before(b">From x@example.org Sat Jan  1 00:00:00 2000")),
    ("From line first", "python thunderbird mutt clamd email-mime mailparser mblaze mime-tools postal-mime ripmime", CVE2003, _before(b"From x@example.org Sat Jan  1 00:00:00 2000")),
    ("From line among", "mutt thunderbird clamd email-mime mailparser mblaze mime-tools postal-mime python ripmime", CVE2003, _among(b"From x@example.org Sat Jan  1 00:00:00 2000")),
    ("NUL line among", "outlook gmail clamd email-mime mailparser mblaze mime-tools postal-mime ripmime", NOXXI, _among(b"\0")),
    ("blank line first", "outlook clamd email-mime mblaze ripmime", INBOX, lambda lines: b"\n" + plain_head(lines)),
    ("indented field first", "outlook clamd email-mime mailparser mblaze mime-tools postal-mime python ripmime", INBOX, _indented),
    ("indented encoding first", "outlook mailparser postal-mime", INBOX, _encoding_first(b" ")),
    ("encoding behind a tab first", "outlook mailparser postal-mime", INBOX, _encoding_first(b"\t")),
    ("encoding behind a NUL first", "gmail clamd", INBOX, _encoding_first(b"\0")),
    ("encoding behind a BOM first", "gmail apple mime-tools ripmime", NOXXI, _encoding_first(BOM)),
    ("every field indented", "outlook", INBOX, _each(lambda line: b" " + line)),
    ("indented encoding among", "outlook", INBOX, lambda lines: _encoding(lines, lambda line: b" " + line)),
    ("BOM first", "gmail apple thunderbird clamd email-mime mailparser mblaze mime-tools postal-mime ripmime", NOXXI, lambda lines: BOM + plain_head(lines)),
    ("no empty line", "python mime-tools thunderbird munpack", NOXXI, _ends(b"\n", b"\n")),
    ("blank as the empty line", "outlook gmail clamd munpack python", INBOX, _ends(b"\n", b"\n \n")),
    ("tab as the empty line", "outlook gmail clamd munpack python", INBOX, _ends(b"\n", b"\n\t\n")),
    ("blank as the empty line, then one", "python mutt clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", INBOX, _ends(b"\n", b"\n \n\n")),
    ("VT as the empty line", "php clamd munpack python", INBOX, _ends(b"\n", b"\n\v\n")),
    ("NUL as the empty line", "outlook clamd munpack python", INBOX, _ends(b"\n", b"\n\0\n")),
    ("two empty lines", "python outlook gmail clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", CRISPIN, _ends(b"\n", b"\n\n\n")),
    ("70 kB in a field before", "python thunderbird gmime clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", TOOLS, _before(b"X-Long: " + b"x" * 70_000)),
    ("70 kB of folds before", "python thunderbird gmime clamd email-mime mblaze mime-tools munpack postal-mime ripmime", TOOLS, _before(b"X-Long: x" + b"\n x" * 24_000)),
    ("70 kB before the encoding", "python gmime email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", TOOLS, lambda lines: _encoding(lines, lambda line: line.replace(b": ", b":" + b" " * 70_000, 1))),
    ("70 kB of comment before the encoding", "gmime mimekit mailparser mime-tools munpack postal-mime ripmime", TOOLS, lambda lines: _encoding(lines, lambda line: line.replace(b": ", b": (" + b"c" * 70_000 + b") ", 1))),
    ("3,000 fields before", "python thunderbird gmime clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", TOOLS, _before(*(b"X-%d: x" % at for at in range(3000)))),
    ("10,000 fields before", "python thunderbird gmime clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", TOOLS, _before(*(b"X-%d: x" % at for at in range(10_000)))),
    ("upper-case names", "python thunderbird outlook gmail clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", CRISPIN, _each(lambda line: line.partition(b":")[0].upper() + b":" + line.partition(b":")[2])),
    ("mixed-case names", "python thunderbird outlook gmail clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", CRISPIN, _each(lambda line: line.swapcase() if b"ncoding" in line else line)),
    ("fields behind a blank line", "clamd outlook ripmime", INBOX, lambda lines: lines[0] + b"\n\n" + plain_head(lines[1:])),
    ("fields behind two blank lines", "clamd ripmime", INBOX, lambda lines: lines[0] + b"\n\n\n" + plain_head(lines[1:])),
    ("comment in the encoding's name", "clamd ripmime", FUZZED, lambda lines: _encoding(lines, lambda line: line.replace(b"-Tran", b"-Tran(x)", 1))),
    ("semicolon before the encoding's name", "ripmime", FUZZED, lambda lines: _encoding(lines, lambda line: b";" + line)),
    ("letters behind the encoding's name", "ripmime", FUZZED, lambda lines: _encoding(lines, lambda line: line.replace(b": ", b"-x: ", 1))),
    ("dashes behind the encoding's name, folded", "ripmime", FUZZED, lambda lines: _encoding(lines, lambda line: line.replace(b": ", b"--\n: ", 1))),
    ("quote before the encoding's name", "ripmime", FUZZED, lambda lines: _encoding(lines, lambda line: b'"' + line)),
    ("dot before the encoding's name", "ripmime", FUZZED, lambda lines: _encoding(lines, lambda line: b"." + line)),
    ("no-break space before the encoding's name", "gmail mailparser ripmime", FUZZED, lambda lines: _encoding(lines, lambda line: b"\xa0" + line)),
    ("equals sign before the encoding's colon", "ripmime", FUZZED, lambda lines: _encoding(lines, lambda line: line.replace(b": ", b"=: ", 1))),
    ("an encoded word as junk", "thunderbird outlook clamd email-mime mailparser mime-tools postal-mime ripmime", NOXXI, _among(b"=?utf-8?Q?a?= b")),
)  # fmt: skip


def _of_file(name: str, opens: str, source: str, head: Callable[[Lines], bytes]) -> Technique:
    def change(draft: Draft) -> None:
        draft.head = head

    return Technique("file: " + name, "header", opens, source, change)


def _type_last(change: Callable[[bytes], bytes]) -> Callable[[Lines], Lines]:
    """The mail's head with each line of its Content-Type changed."""
    return lambda lines: [
        change(line) if line.lower().startswith(b"content-type") else line for line in lines
    ]


def _top(**slots: object) -> Callable[[Draft], None]:
    def change(draft: Draft) -> None:
        for slot, value in slots.items():
            setattr(draft, slot, value)

    return change


def _without_version(lines: Lines) -> Lines:
    return [line for line in lines if not line.startswith(b"MIME-Version")]


def _version(instead: bytes) -> Callable[[Lines], Lines]:
    return lambda lines: [instead if line.startswith(b"MIME-Version") else line for line in lines]


def _type_first(lines: Lines) -> Lines:
    """The Content-Type (all its lines) before all else."""
    at = next((at for at, line in enumerate(lines) if line.lower().startswith(b"content-type")), 0)
    return [*lines[at:], *lines[:at]]


# name, who opens it, source, slots of the draft
MAIL: tuple[tuple[str, str, str, Callable[[Draft], None]], ...] = (
    ("blank before the colon", "outlook thunderbird gmail clamd mailparser munpack postal-mime ripmime", INBOX, _top(top_change=_type_last(lambda line: line.replace(b": ", b" : ", 1)))),
    ("NUL before the colon", "outlook gmail clamd munpack ripmime", INBOX, _top(top_change=_type_last(lambda line: line.replace(b": ", b"\0: ", 1)))),
    ("NUL before the field", "gmail clamd munpack ripmime", INBOX, _top(top_change=_type_last(lambda line: b"\0" + line))),
    ("type indented", "outlook clamd munpack ripmime", INBOX, _top(top_change=_type_last(lambda line: b" " + line))),
    ("type indented, first", "outlook clamd mailparser munpack postal-mime ripmime", INBOX, _top(top_change=lambda lines: [b" " + _type_first(lines)[0], *_type_first(lines)[1:]])),
    ("type first", "python thunderbird outlook gmail clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", CRISPIN, _top(top_change=_type_first)),
    ("junk line before the type", "thunderbird outlook gmail clamd email-mime mailparser mime-tools munpack postal-mime ripmime", NOXXI, _top(top_change=_type_last(lambda line: b"no field\n" + line))),
    ("junk line first", "thunderbird outlook gmail clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", NOXXI, _top(lead=b"no field\n")),
    ("blank line first", "outlook gmail clamd mblaze munpack ripmime", NOXXI, _top(lead=b"\n")),
    ("blank lines first", "outlook gmail clamd munpack ripmime", NOXXI, _top(lead=b"\n\n \n")),
    ("BOM first", "thunderbird gmail clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", NOXXI, _top(lead=BOM)),
    ("From line first", "python thunderbird mutt clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", CVE2003, _top(lead=b"From x@example.org Sat Jan  1 00:00:00 2000\n")),
    ("quoted From line first", "thunderbird mutt clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", CVE2003, _top(lead=b">From x@example.org Sat Jan  1 00:00:00 2000\n")),
    ("CR for the line end before the type", "outlook thunderbird python clamd email-mime munpack ripmime", NOXXI, _top(top_change=lambda lines: [b"\r".join(lines)])),
    ("no MIME-Version", "python thunderbird outlook gmail clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", CRISPIN, _top(top_change=_without_version)),
    ("another MIME-Version", "python thunderbird outlook gmail clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", CRISPIN, _top(top_change=_version(b"MIME-Version: 2.0 (x)"))),
    ("MIME-Version twice", "python thunderbird outlook gmail clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", CRISPIN, _top(top_change=_version(b"MIME-Version: 1.0\nMIME-Version: 0.9"))),
    ("no empty line", "python thunderbird clamd mailparser mblaze mime-tools munpack postal-mime ripmime", NOXXI, _top(top_blank=b"")),
    ("blank as the empty line", "outlook gmail clamd mailparser mblaze mime-tools munpack postal-mime python ripmime", INBOX, _top(top_blank=b" \n")),
    ("CR as the empty line", "outlook python clamd mailparser mblaze mime-tools munpack postal-mime ripmime", INBOX, _top(top_blank=b"\r")),
    ("70 kB in a field before", "python thunderbird gmime clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", TOOLS, _top(top_change=lambda lines: [b"X-Long: " + b"x" * 70_000, *lines])),
    ("10,000 fields before", "python thunderbird gmime clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", TOOLS, _top(top_change=lambda lines: [*(b"X-%d: x" % at for at in range(10_000)), *lines])),
    ("type below the empty line", "outlook clamd munpack ripmime", INBOX, _top(top_change=_type_last(lambda line: b"\n" + line))),
    ("more than a megabyte of fields before", "python gmime clamd email-mime mblaze mime-tools munpack postal-mime ripmime", TOOLS, _top(top_change=lambda lines: [*(b"X-%d: " % at + b"x" * 900 for at in range(1300)), *lines])),
)  # fmt: skip


TECHNIQUES = [
    *(_of_file(*row) for row in FILE),
    *(Technique("mail: " + name, "header", opens, source, change) for name, opens, source, change in MAIL),
]
