"""mime.words: encoded words (RFC 2047) and extended parameters (RFC 2231)."""

from email.header import Header
from email.utils import encode_rfc2231

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amavis_pipe.mime import words

WORDS = {
    "Q": (b"=?ISO-8859-1?Q?Gr=FC=DFe?=", "Grüße".encode()),
    "q, underscore": (b"=?us-ascii?q?two_words?=", b"two words"),
    "underscore escaped": (b"=?us-ascii?q?snake=5Fcase?=", b"snake_case"),
    "B": (b"=?UTF-8?B?xI1hag==?=", "čaj".encode()),
    "B without padding": (b"=?utf-8?b?xI1hag?=", "čaj".encode()),
    "text around": (b"a =?utf-8?q?b?= c", b"a b c"),
    "no blank around": (b"a=?utf-8?q?b?=c", b"abc"),
    "two words": (b"=?utf-8?q?a?= =?iso-8859-1?q?=E9?=", "aé".encode()),
    "fold between two words": (b"=?utf-8?q?a?=\r\n =?utf-8?q?b?=", b"ab"),
    "text between two words": (b"=?utf-8?q?a?= b =?utf-8?q?c?=", b"a b c"),
    "character split between two words": (b"=?utf-8?q?=C3?= =?utf-8?q?=A9?=", "é".encode()),
    "multi-byte charset": (b"=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "日本".encode()),
    "language": (b"=?utf-8*cs?q?=C4=8D?=", "č".encode()),
    "blanks inside": (b"=?utf-8?q?a b.txt?=", b"a b.txt"),
    "unknown charset": (b"=?x-none?q?a=E9?=", b"a\xe9"),
    "no charset": (b"=??q?a?=", b"a"),
    "not of its charset": (b"=?utf-8?q?a=E9?=", b"a\xe9"),
    "no text codec": (b"=?hex?q?6161?=", b"6161"),
    "slow codec": (b"=?punycode?q?a-b?=", b"a-b"),
    "unknown encoding": (b"=?utf-8?x?a?=", b"=?utf-8?x?a?="),
    "no end": (b"=?utf-8?q?abc", b"=?utf-8?q?abc"),
    "end before the word": (b"?= =?utf-8?q?abc", b"?= =?utf-8?q?abc"),
    "marks only": (b"=?=?=?=?=", b"=?=?=?=?="),
    "nothing": (b"", b""),
}


@pytest.mark.parametrize(("text", "decoded"), WORDS.values(), ids=WORDS)
def test_encoded_words_become_utf8(text, decoded):
    assert words.encoded_words(text) == decoded


@given(st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=80))
def test_what_the_email_package_encodes_comes_back(text):
    encoded = Header(text, "utf-8").encode(maxlinelen=60).encode()
    assert words.encoded_words(encoded).decode() == text


@given(st.text("=?qb_ utf-8a\n", max_size=60).map(str.encode))
def test_no_text_is_too_odd_to_be_decoded(text):
    assert isinstance(words.encoded_words(text), bytes)


@given(
    st.binary(max_size=40),
    st.one_of(
        st.binary(max_size=20),
        st.sampled_from(
            [
                b"idna",
                b"undefined",
                b"unicode_escape",
                b"utf-7",
                b"zlib",
                b"rot13",
                b"mbcs",
                b"utf_16",
                b"..",
                b"\0",
            ]
        ),
    ),
)
def test_no_charset_makes_decoding_fail(data, charset):
    assert words.to_utf8(data, charset) is not None


@pytest.mark.parametrize(
    "charset", [b"hex", b"zlib", b"bz2", b"rot13", b"base64", b"uu", b"unicode_escape", b"idna"]
)
def test_codecs_that_are_no_charset_of_mail_change_nothing(charset):
    assert words.to_utf8(b"6161\\x41", charset) == b"6161\\x41"


EXTENDED = {
    "charset and language": ([(b"name*", b"iso-8859-1'de'M%E4rz%202.txt")], ["März 2.txt".encode()]),
    "no language": ([(b"name*", b"utf-8''%C4%8Daj")], ["čaj".encode()]),
    "no charset": ([(b"name*", b"''%41")], [b"A"]),
    "no quotes": ([(b"name*", b"%41b")], [b"Ab"]),
    "quote in the text": ([(b"name*", b"utf-8''it's")], [b"it's"]),
    "bad percent signs": ([(b"name*", b"utf-8''1%2%zz%41%")], [b"1%2%zzA%"]),
    "unknown charset": ([(b"name*", b"x-none''%E9")], [b"\xe9"]),
    "continuations": ([(b"name*0", b"a b"), (b"name*1", b" c.txt")], [b"a b c.txt"]),
    "continuations, reversed": ([(b"name*1", b"c"), (b"name*0", b"ab")], [b"abc", b"cab"]),
    "more than ten continuations": (
        [(b"name*%d" % number, b"%x" % number) for number in range(12)],
        [b"0123456789ab"],
    ),
    "encoded and plain continuations": (
        [(b"name*0*", b"utf-8'en'%C4"), (b"name*1*", b"%8D%41"), (b"name*2", b"%41")],
        ["čA%41".encode()],
    ),
    "extended before plain": (
        [(b"name", b"a.txt"), (b"name*", b"utf-8''%C4%8D.txt")],
        ["č.txt".encode(), b"a.txt"],
    ),
    "encoded word": ([(b"name", b"=?utf-8?q?=C4=8D?=")], ["č".encode(), b"=?utf-8?q?=C4=8D?="]),
    "encoded word in continuations": (
        [(b"name*0", b"=?utf-8?q?="), (b"name*1", b"C4=8D?=")],
        [b"=?utf-8?q?=C4=8D?=", "č".encode()],
    ),
    "several": ([(b"name", b"a"), (b"name", b"b")], [b"a", b"b"]),
    "other parameters": ([(b"names", b"a"), (b"charset*", b"utf-8''b"), (b"name*x", b"c")], []),
}


@pytest.mark.parametrize(("parameters", "values"), EXTENDED.values(), ids=EXTENDED)
def test_a_parameter_gives_all_its_readings_best_first(parameters, values):
    assert words.candidates(parameters, b"name") == values


@given(st.text(st.characters(blacklist_categories=("Cs",)), min_size=1, max_size=60))
def test_what_rfc_2231_encodes_comes_back(text):
    value = encode_rfc2231(text, "utf-8").encode()
    assert words.candidates([(b"name*", value)], b"name")[0] == text.encode()


@pytest.mark.parametrize("piece", [b"=?", b"=?a?q?x", b"=?a?q?x?= ", b"=?a?q?", b"?=", b"=?a?"], ids=repr)
def test_a_long_name_is_read_in_linear_work(counted, piece):
    text = counted(piece * 20_000)
    assert words.encoded_words(text) is not None
    assert text.work <= 150 * len(text)


SPREAD = {
    "ordinary": (b"a.txt", []),
    "dots and blanks at the end": (b"a.exe. . ", [b"a.exe"]),
    "up to a NUL, and without it": (b"a.exe\0.txt", [b"a.exe", b"a.exe.txt"]),
    "a direction character": ("a\u202egpj.exe".encode(), [b"agpj.exe"]),
    "an invisible character": ("a.e\u200bxe".encode(), [b"a.exe"]),
    "an alternate stream": (b"a.exe::$DATA", [b"a.exe"]),
    "a path": (rb"..\..\x/a.exe", [b"a.exe"]),
    "percent signs": (b"a%2Eexe", [b"a.exe"]),
    "a drive is no name": (b"c:a.exe", [b"c:a.exe"][1:]),
    "a control in bytes that are no UTF-8": (b"\xff\x01.exe", [b"\xff.exe"]),
}


@pytest.mark.parametrize(("name", "others"), SPREAD.values(), ids=SPREAD)
def test_a_name_has_other_forms_under_which_it_is_stored_or_shown(name, others):
    assert set(others) <= set(words.spread(name))
    assert name not in words.spread(name)


@given(st.binary(max_size=200))
def test_other_forms_of_any_name_are_few_and_no_longer(name):
    found = words.spread(name)
    assert len(found) <= 40
    assert all(0 < len(other) <= len(name) for other in found)
