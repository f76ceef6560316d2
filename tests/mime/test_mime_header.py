"""mime.header: fields, the end of the head, parameters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amavis_pipe.mime import header

HEADS = {
    "two fields": (b"A: 1\nB: 2\n\nbody", [(b"a", b" 1"), (b"b", b" 2")], b"body", True),
    "CRLF": (b"A: 1\r\nB: 2\r\n\r\nbody", [(b"a", b" 1"), (b"b", b" 2")], b"body", True),
    "folded with a blank": (b"A: 1\n 2\n\nbody", [(b"a", b" 1\n 2")], b"body", True),
    "folded with a tab, CRLF": (b"A: 1\r\n\t2\r\n\r\nx", [(b"a", b" 1\r\n\t2")], b"x", True),
    "no blank after the colon": (b"A:1\n\n", [(b"a", b"1")], b"", True),
    "empty value": (b"A:\n\n", [(b"a", b"")], b"", True),
    "8-bit value": (b"A: \xe9\n\n", [(b"a", b" \xe9")], b"", True),
    "the same field twice": (b"A: 1\nA: 2\n\n", [(b"a", b" 1"), (b"a", b" 2")], b"", True),
    "no field at all": (b"\nbody", [], b"body", True),
    "no field at all, CRLF": (b"\r\nbody", [], b"body", True),
    "nothing": (b"", [], b"", True),
    "no body": (b"A: 1\n", [(b"a", b" 1")], b"", True),
    "no last line end": (b"A: 1\nB: 2", [(b"a", b" 1"), (b"b", b" 2")], b"", False),
    "no line end": (b"A: 1", [(b"a", b" 1")], b"", False),
    "fold without a line end": (b"A: 1\n 2", [(b"a", b" 1\n 2")], b"", False),
    "blank before the colon": (b"A : 1\nB\t: 2\n\nx", [(b"a", b" 1"), (b"b", b" 2")], b"x", False),
    "mixed line ends": (b"A: 1\r\nB: 2\n\r\nx", [(b"a", b" 1"), (b"b", b" 2")], b"x", False),
    "LF, then an empty CRLF line": (b"A: 1\n\r\nx", [(b"a", b" 1")], b"x", False),
    "CRLF, then an empty LF line": (b"A: 1\r\n\nx\r\n\r\ny", [(b"a", b" 1")], b"x\r\n\r\ny", False),
    "bare CR in a value": (b"A: 1\rB: 2\n\nx", [(b"a", b" 1\rB: 2")], b"x", False),
    "NUL in a value": (b"A: 1\0\n\nx", [(b"a", b" 1\0")], b"x", False),
    "line of blanks": (b"A: 1\n \nB: 2\n\nx", [(b"a", b" 1\n "), (b"b", b" 2")], b"x", False),
    "mbox line first": (b"From x@example.org\nA: 1\n\nx", [(b"a", b" 1")], b"x", False),
    "mbox line later": (b"A: 1\nFrom x@example.org\n\nx", [(b"a", b" 1")], b"From x@example.org\n\nx", False),
    "junk line": (b"A: 1\njunk\nB: 2\n\nx", [(b"a", b" 1")], b"junk\nB: 2\n\nx", False),
    "junk first": (b"junk\nB: 2\n\nx", [], b"junk\nB: 2\n\nx", False),
    "junk alone": (b"junk", [], b"junk", False),
    "fold first": (b" A: 1\nB: 2\n\nx", [], b" A: 1\nB: 2\n\nx", False),
    "blank in a name": (b"A: 1\nB c: 2\n\nx", [(b"a", b" 1")], b"B c: 2\n\nx", False),
    "no name": (b"A: 1\n: 2\n\nx", [(b"a", b" 1")], b": 2\n\nx", False),
    "control character in a name": (b"A\x0b: 1\n\nx", [], b"A\x0b: 1\n\nx", False),
    "8-bit name": (b"\xc3\xa4: 1\n\nx", [], b"\xc3\xa4: 1\n\nx", False),
}


@pytest.mark.parametrize(("data", "fields", "body", "regular"), HEADS.values(), ids=HEADS)
def test_a_head_gives_its_fields_its_end_and_whether_all_readers_agree(data, fields, body, regular):
    head = header.read(data, 0, len(data))
    assert [(field.name, field.value) for field in head.fields] == fields
    assert data[head.body :] == body
    assert head.regular is regular


@pytest.mark.parametrize("data", [row[0] for row in HEADS.values()], ids=HEADS)
def test_a_head_inside_a_larger_view_is_read_the_same(data):
    alone = header.read(data, 0, len(data))
    inside = header.read(b"X: y\n" + data + b"\nZ: z\n\n", 5, 5 + len(data))
    assert [(f.name, f.value, f.start, f.end) for f in alone.fields] == [
        (f.name, f.value, f.start - 5, f.end - 5) for f in inside.fields
    ]
    assert (alone.body, alone.regular) == (inside.body - 5, inside.regular)


def test_the_fields_of_a_regular_head_are_the_whole_head():
    data = b"A: 1\r\n 2\r\nB: 3\r\n\r\nbody"
    found = header.read(data, 0, len(data)).fields
    assert [data[field.start : field.end] for field in found] == [b"A: 1\r\n 2\r\n", b"B: 3\r\n"]
    assert header.read(data, 0, len(data)).body == data.index(b"body")


@given(st.lists(st.sampled_from([b"A: 1", b" x", b"\t", b"\n", b"\r\n", b"\r", b":", b"From ", b"\0", b"b"])))
def test_fields_follow_each_other_and_never_reach_into_the_body(pieces):
    data = b"".join(pieces)
    head = header.read(data, 0, len(data))
    at = 0
    for field in head.fields:
        assert at <= field.start < field.end
        assert data[field.start : field.end].lower().startswith(field.name)
        at = field.end
    assert at <= head.body <= len(data)
    if head.regular:
        assert data[at : head.body] in (b"", b"\n", b"\r\n")
        assert not head.fields or head.fields[0].start == 0


def test_the_first_field_of_a_name_is_found():
    head = header.read(b"A: 1\nB: 2\nb: 3\n\n", 0, 16)
    assert head.first(b"b") == b" 2"
    assert head.first(b"c") is None


def test_a_head_without_end_is_cut_after_its_last_whole_line_in_bounds(counted):
    line = b"X-Filler: " + b"x" * 1013 + b"\n"
    data = counted(line * 3000)
    head = header.read(data, 0, len(data))
    assert head.body == header.HEAD_MAX // 1024 * 1024
    assert len(head.fields) == head.body // 1024
    assert not head.regular
    assert data.work < 5 * header.HEAD_MAX


def test_a_head_of_very_many_lines_is_cut():
    data = b"a:\n" * (header.LINES_MAX + 5) + b"\nbody"
    head = header.read(data, 0, len(data))
    assert len(head.fields) == header.LINES_MAX
    assert head.body == 3 * header.LINES_MAX
    assert not head.regular


def test_a_head_with_as_many_lines_as_may_be_is_whole():
    data = b"a:\n" * header.LINES_MAX + b"\nbody"
    head = header.read(data, 0, len(data))
    assert (len(head.fields), data[head.body :], head.regular) == (header.LINES_MAX, b"body", True)


def test_a_body_without_an_empty_line_is_looked_at_in_bounds(counted):
    data = counted(b"x" * (4 * header.HEAD_MAX))
    head = header.read(data, 0, len(data))
    assert (head.fields, head.body) == ([], 0)
    assert data.work < 3 * header.HEAD_MAX


PARAMETERS = {
    "main part alone": (b"text/plain", b"text/plain", []),
    "case, blanks": (b"  Text/Plain ;  CharSet = UTF-8 ", b"text/plain", [(b"charset", b"UTF-8")]),
    "quoted": (b'a/b; name="x y"', b"a/b", [(b"name", b"x y")]),
    "quoted semicolon": (b'a/b; name="x;y"; c=d', b"a/b", [(b"name", b"x;y"), (b"c", b"d")]),
    "quoted pair": (b'a/b; name="x\\"y\\\\z"', b"a/b", [(b"name", b'x"y\\z')]),
    "quoted parentheses": (b'a/b; name="x (1).pdf"', b"a/b", [(b"name", b"x (1).pdf")]),
    "comments": (b"a/b (x; y) ; (z) c (w) = d (v)", b"a/b", [(b"c", b"d")]),
    "nested comment": (b"a/b; c=d (x (y) \\) z)", b"a/b", [(b"c", b"d")]),
    "open parenthesis": (b"a/b; n=x(y; c=d", b"a/b", [(b"n", b"x(y"), (b"c", b"d")]),
    "closing parenthesis": (b"a/b; n=x)y; c=(z)d", b"a/b", [(b"n", b"x)y"), (b"c", b"d")]),
    "folded": (b'a/b;\r\n\tname="x\r\n y"', b"a/b", [(b"name", b"x y")]),
    "no closing quote": (b'a/b; c=d; name="x', b"a/b", [(b"c", b"d"), (b"name", b"x")]),
    "text behind the quotes": (b'a/b; name="x".exe', b"a/b", [(b"name", b"x.exe")]),
    "quote inside": (b'a/b; name=x"y"', b"a/b", [(b"name", b'x"y"')]),
    "repeated": (b"a/b; c=1; C=2", b"a/b", [(b"c", b"1"), (b"c", b"2")]),
    "empty": (b"a/b; c=", b"a/b", [(b"c", b"")]),
    "equals sign in the value": (b"a/b; c==_x", b"a/b", [(b"c", b"=_x")]),
    "no value": (b"a/b; c; ;=x", b"a/b", []),
    "extended": (b"a/b; n*0*=u''%41; n*1=b", b"a/b", [(b"n*0*", b"u''%41"), (b"n*1", b"b")]),
    "blank in an unquoted value": (b"a/b; name=x y.txt", b"a/b", [(b"name", b"x y.txt")]),
    "quoted main part": (b'"base64"', b"base64", []),
    "nothing": (b"", b"", []),
}


@pytest.mark.parametrize(("value", "main", "parameters"), PARAMETERS.values(), ids=PARAMETERS)
def test_a_value_gives_its_main_part_and_its_parameters(value, main, parameters):
    assert header.parameters(value) == (main, parameters)


@given(st.text('ab \t;=()"\\\n', max_size=40).map(str.encode))
def test_no_value_is_too_odd_to_be_read(value):
    main, parameters = header.parameters(value)
    assert not set(main) & set(b" \t\r\n")
    assert all(name and name == name.strip() for name, _ in parameters)


@given(st.binary(max_size=60).filter(lambda value: not set(value) & set(b"\r\n")))
def test_what_was_quoted_comes_back(value):
    quoted = value.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    assert header.parameters(b'a/b; (c) name="%s"; c=d' % quoted)[1] == [(b"name", value), (b"c", b"d")]
