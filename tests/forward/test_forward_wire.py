"""wire: a message and an envelope as they look in SMTP."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stand_in.smtpd import unstuffed

from amavis_pipe.forward import wire
from amavis_pipe.model import Envelope

OFFERED = {b"XFORWARD": b"NAME ADDR PROTO HELO SOURCE PORT IDENT"}


def sent(data, step=0):
    """The message on the wire, given in pieces of `step` bytes, or in one."""
    step = step or len(data) or 1
    return b"".join(wire.wire(data[at : at + step] for at in range(0, len(data), step)))


@pytest.mark.parametrize(
    ("data", "expect"),
    [
        (b"a\nb\n", b"a\r\nb\r\n"),
        (b"a\r\nb\n", b"a\r\nb\r\n"),
        (b".\n..\n.a\nb.\n", b"..\r\n...\r\n..a\r\nb.\r\n"),
        (b"\n.\n", b"\r\n..\r\n"),
        (b"no end", b"no end\r\n"),
        (b".", b"..\r\n"),
        (b"", b""),
        (b"a\rb\r\n\r\r\n", b"a b\r\n \r\n"),
        (b"end\r", b"end \r\n"),
        (b"\xff\xfe\n", b"\xff\xfe\r\n"),
        (b"From x\n", b"From x\r\n"),
    ],
    ids=[
        "lf",
        "mixed",
        "dots",
        "lone dot",
        "no end",
        "only a dot",
        "empty",
        "stray cr",
        "cr at end",
        "8 bit",
        "from",
    ],
)
def test_lines_end_in_cr_lf_and_dots_are_stuffed(data, expect):
    assert sent(data) == expect


@given(
    st.lists(st.sampled_from([b"\n", b".", b"\r\n", b"x", b"\xff", b"\r"]), max_size=30).map(b"".join),
    st.integers(1, 7),
)
def test_how_the_message_comes_in_pieces_makes_no_difference(data, step):
    assert sent(data, step) == sent(data)
    whole, pieces = wire.Survey([data]), wire.Survey(data[at : at + step] for at in range(0, len(data), step))
    for name in wire.Survey.__slots__:
        assert getattr(whole, name) == getattr(pieces, name)


@given(st.binary(max_size=300).map(lambda data: data.replace(b"\r", b"") + b"\n"))
def test_a_message_without_cr_comes_out_as_it_was(data):
    message = sent(data)
    assert unstuffed(message) == data
    assert b"\r\n.\r\n" not in b"\r\n" + message
    assert wire.Survey([data]).stray == 0


@given(st.binary(max_size=200))
def test_no_bare_line_end_ever_goes_over_the_line(data):
    message = sent(data)
    assert message.count(b"\r") == message.count(b"\n") == message.count(b"\r\n")


@given(st.binary(max_size=200))
def test_the_size_said_is_the_size_sent_without_stuffed_dots(data):
    stuffed = sum(line.startswith(b".") for line in sent(data).split(b"\r\n"))
    assert wire.Survey([data]).size == len(sent(data)) - stuffed


@pytest.mark.parametrize(
    ("data", "stray_cr", "expect"),
    [
        (b"a\r\nb\n", "sendmail", ""),
        (b"a\rb\n", "sendmail", "a stray CR cannot go by smtp"),
        (b"a\rb\n", "blank", ""),
        (b"a\r", "sendmail", "a stray CR cannot go by smtp"),
        (b"a\0\n", "sendmail", "a NUL cannot go by smtp"),
        (b"a\0\r", "blank", "a NUL cannot go by smtp"),
    ],
)
def test_what_smtp_cannot_carry_is_named(data, stray_cr, expect):
    assert wire.Survey([data]).obstacle((b"a@b",), stray_cr) == expect


@pytest.mark.parametrize(
    ("address", "expect"),
    [
        (b"", b""),
        (b"bob@site.example", b"bob@site.example"),
        (b"bob", b"bob"),
        (b"a.b+c@site.example", b"a.b+c@site.example"),
        (b"-x@site.example", b"-x@site.example"),
        (b"j\xc3\xbcrgen@b\xc3\xbccher.example", b"j\xc3\xbcrgen@b\xc3\xbccher.example"),
        (b'"a,b c(d)"@x', b'"a,b c(d)"@x'),
        (rb'"a\"b"@x', rb'"a\"b"@x'),
        (rb'"a\\"@x', rb'"a\\"@x'),
        (b'"a@b"@x', b'"a@b"@x'),
        (b"a b@x", b'"a b"@x'),
        (b"a..b@x", b'"a..b"@x'),
        (b".a@x", b'".a"@x'),
        (b"@x", b'""@x'),
        (b'a"b@x', rb'"a\"b"@x'),
        (b"a> SIZE=1@x", b'"a> SIZE=1"@x'),
        (rb'"a\"@x', rb'"\"a\\\""@x'),
        (b'"a"b"@x', rb'"\"a\"b\""@x'),
        (b'"@x', rb'"\""@x'),
    ],
)
def test_a_local_part_is_quoted_where_it_has_to_be(address, expect):
    assert wire.path(address) == expect


@given(st.binary(max_size=40))
def test_no_address_ends_its_command_or_begins_a_parameter(address):
    if wire.Survey([]).obstacle((address,), "sendmail"):
        return
    written = wire.path(address)
    assert not any(code < 32 or code == 127 for code in written)
    outside, quoted, escaped = b"", False, False
    for code in written:
        if escaped or (quoted and code == 0x5C):
            escaped = not escaped
        elif code == 0x22:
            quoted = not quoted
        elif not quoted:
            outside += bytes((code,))
    assert not quoted
    assert not escaped
    assert not set(outside) & set(b' <>()\\,;"')


@pytest.mark.parametrize(
    "address", [b"a@b c", b"a@b>", b"a@b\n", b"a\x01@b", b"a@<b", b'a@"b"', b"a@b SIZE=1", b"a\x7f@b"]
)
def test_an_address_that_no_command_can_carry_is_an_obstacle(address):
    assert wire.Survey([b"x"]).obstacle((b"ok@x", address), "blank") == "an address cannot go by smtp"


def test_xforward_tells_who_the_client_was():
    envelope = Envelope(b"", (), b"4bQ7", b"192.0.2.1", b"mx.example", b"[he lo]+=")
    expect = b"XFORWARD NAME=mx.example ADDR=192.0.2.1 HELO=[he+20lo]+2B+3D IDENT=4bQ7 SOURCE=REMOTE"
    assert wire.xforward(envelope, OFFERED) == [expect]


@pytest.mark.parametrize(
    ("envelope", "expect"),
    [
        (Envelope(), []),
        (
            Envelope(b"", (), b"4bQ7", b"2001:db8::1"),
            b"NAME=[UNAVAILABLE] ADDR=IPV6:2001:db8::1 HELO=[UNAVAILABLE] IDENT=4bQ7 SOURCE=REMOTE",
        ),
        (
            Envelope(b"", (), b"4bQ7"),
            b"NAME=[UNAVAILABLE] ADDR=[UNAVAILABLE] HELO=[UNAVAILABLE] IDENT=4bQ7",
        ),
        (
            Envelope(b"", (), b"4bQ7", b"127.0.0.1", b"localhost", b"h"),
            b"NAME=localhost ADDR=127.0.0.1 HELO=h IDENT=4bQ7 SOURCE=LOCAL",
        ),
        (
            Envelope(b"", (), b"", b"unknown", b"unknown", b"h"),
            b"NAME=[UNAVAILABLE] ADDR=[UNAVAILABLE] HELO=h IDENT=[UNAVAILABLE] SOURCE=REMOTE",
        ),
    ],
    ids=["nothing known", "IPv6", "local", "this host", "unknown"],
)
def test_xforward_says_unavailable_of_what_is_not_known(envelope, expect):
    assert wire.xforward(envelope, OFFERED) == ([b"XFORWARD " + expect] if expect else [])


def test_xforward_names_only_what_the_server_wants():
    envelope = Envelope(b"", (), b"4bQ7", b"192.0.2.1", b"mx.example", b"helo")
    assert wire.xforward(envelope, {b"XFORWARD": b"ident addr"}) == [b"XFORWARD ADDR=192.0.2.1 IDENT=4bQ7"]
    assert wire.xforward(envelope, {}) == []
    assert wire.xforward(envelope, {b"XFORWARD": b"LATER"}) == []


@given(st.binary(max_size=2000), st.binary(max_size=600), st.binary(max_size=300))
def test_no_xforward_command_is_too_long_or_holds_anything_but_printable_ascii(helo, name, address):
    for command in wire.xforward(Envelope(b"", (), b"4bQ7", address, name, helo), OFFERED):
        assert len(command) + 2 <= wire.COMMAND_MAX
        assert all(32 <= code <= 126 for code in command)
        assert command.count(b" ") == command.count(b"=")
