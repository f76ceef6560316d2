"""Settings in Perl, read and never run: words, statements, values."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amavis_pipe.config.imported import perl
from amavis_pipe.config.imported.assigned import Assigned
from amavis_pipe.config.imported.values import FileMap, Pattern, Patterns, Ref, Unknown

SNIPPETS = [
    "$a", "@b", "%c", "&f", "=", "=>", ",", ";", "(", ")", "[", "]", "{", "}", "\\", "'", '"', "`", "qw(", "qr'", "qr{",
    "q", "qq/", "s/a/b/", "tr", "y", "m", "new_RE", "read_hash", "undef", "sub", "if", "policy_bank", "1", "0x1f", "1e9",
    "1_000", ".", "..", "*", "/", "-", "+", "#", "\n", " ", "=head1\n", "\n=cut\n", "<<'E'\n", "E\n", "__END__", "D_PASS",
    "$final_virus_destiny", "@av_scanners", "@local_domains_maps", "$banned_filename_re", "é", "\0", "²", "${x}", "$#a",
    "$x{k}", "'k'", '"$a@b\\x{41}"', "push", "my", "@whitelist_sender_maps", "%virus_admin", "$MAXLEVELS", "9" * 50,
]  # fmt: skip


def variables(text):
    assigned = Assigned()
    assigned.file(text, "f")
    return assigned


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("'it''s'", "Unknown"),
        (r"'a\'b\\c\n'", r"a'b\c\n"),
        (r'"a\tb\x41\x{263a}\101\$x\@y"', "a\tbA\u263aA$x@y"),
        ('"$known and ${known}s"', "text and texts"),
        ('"user@example.org"', "user@example.org"),
        ('"$missing"', "Unknown"),
        ("q{a{b}c}", "a{b}c"),
        ("qq(<$known>)", "<text>"),
        ("100*1024", 102400),
        ("300*1024*1024", 314572800),
        ("8*60 - 1", 479),
        ("1_500", 1500),
        ("0x1F", 31),
        ("0700", 448),
        ("-1", -1),
        ("6.9", 6.9),
        ("5/2", 2.5),
        ("1/0", "Unknown"),
        ("9**9", "Unknown"),
        ("undef", None),
        ("D_REJECT", "bounce"),
        ("D_PASS()", "pass"),
        ("'a' . 'b' . 3", "ab3"),
        ("$known", "text"),
        ("$known || 'x'", "Unknown"),
        ("`id`", "Unknown"),
        ("system('id')", "Unknown"),
        ("sub { die }", "Unknown"),
        ("$ENV{HOME}", "Unknown"),
        ("$known if -e '/x'", "Unknown"),
        ("[1, 'a', [2]]", [1, "a", [2]]),
        ("{ a => 1, 'b' => undef }", {"a": 1, "b": None}),
        (r"\@list", Ref("@list")),
        (r"\$known", Ref("$known")),
        (r"\'x'", "x"),
        ("qr'a/b'i", Pattern("a/b", "i")),
        ("qr{a{2}}x", Pattern("a{2}", "x")),
        ("lc('A')", "a"),
        ("lc('')", ""),
        ("uc($known)", "TEXT"),
        ("lc([1])", "Unknown"),
        ("read_hash('/etc/x')", FileMap("/etc/x")),
        ("new_RE(qr'a', [qr/b/i => 0])", Patterns(((Pattern("a"), 1), (Pattern("b", "i"), 0)))),
        ("new_RE('a')", "Unknown"),
        ("<<'END'\n$nothing; here\nEND\n", "Unknown"),
    ],
)  # fmt: skip
def test_the_value_of_an_expression(text, value):
    found = variables(f"$known = 'text';\n$x = {text};").variables["$x"].value
    if value == "Unknown":
        assert isinstance(found, Unknown)
    else:
        assert found == value
        assert type(found) is type(value) or isinstance(found, list)


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("@x = qw( a b );", "@x", ["a", "b"]),
        ("@x = ('a', ('b', qw(c d)), [1..3]);", "@x", ["a", "b", "c", "d", [1, 2, 3]]),
        ("@y = (1); @x = (0, @y, 2);", "@x", [0, 1, 2]),
        ("@x = (1); push(@x, 2, 3); unshift @x, 0;", "@x", [0, 1, 2, 3]),
        ("%x = (a => 1, 'b', 2);", "%x", {"a": 1, "b": 2}),
        ("%x = (a => 1); $x{'b'} = 2; $x{a} = 3;", "%x", {"a": 3, "b": 2}),
        ("$x = $y = 3;", "$y", 3),
        ("my $x = 1;", "$x", 1),
        ("$x = 1; $x = 2;", "$x", 2),
        ("read_hash(\\%x, '/etc/x');", "%x", FileMap("/etc/x")),
        ("%x = read_hash('/etc/x');", "%x", FileMap("/etc/x")),
        ("@x = (1, sub { $y = 2; }, 3);", "@x", [1, Unknown("sub would have to be run"), 3]),
        ("$x = 1; # ; $x = 2;", "$x", 1),
        ("$x = 1;\n=pod\n$x = 2;\n=cut\n", "$x", 1),
        ("$x = 1;\n__END__\n$x = 2;", "$x", 1),
        ("if (1) { $x = 2; }\n$x = 1;", "$x", 1),
        ("foreach (1) { { } }\n$x = 1;", "$x", 1),
        ("$x = 1", "$x", 1),
        ("$y = <<A . <<'B';\n$x = 2;\nA\n$x = 3;\nB\n$x = 1;", "$x", 1),
        ("$y = s/;/'/; $x = 1;", "$x", 1),
        ("%y = (s => 1, y => 2, q => 3); $x = 1;", "$x", 1),
    ],
)
def test_what_a_variable_is_after_statements(text, name, value):
    assert variables(text).variables[name].value == value


def test_what_is_passed_over_is_told_with_its_line():
    passed = variables("$a = 1;\n\nif (1) {\n  $b = 2;\n}\ndkim_key('a',\n  'b');\nchomp($c = 1);\n").passed
    assert [(where.line, what.split()[0]) for where, what, _ in passed] == [
        (3, "if"),
        (6, "dkim_key"),
        (8, "chomp"),
    ]


def test_a_quote_that_is_never_closed_ends_the_file_and_is_told():
    assigned = variables("$a = 1;\n$b = 'open;\n$c = 2;\n")
    assert list(assigned.variables) == ["$a"]
    assert [(where.line, why) for where, _, why in assigned.passed] == [
        (2, "the quote that begins in line 2 is never closed")
    ]


def test_lines_are_counted_through_quotes_of_several_lines():
    text = "$a = 'x\ny';\n@b = qw(\n a\n b\n);\n$c = <<E;\n1\n2\nE\n$d = 1;\n"
    assert {name: one.where.line for name, one in variables(text).variables.items()} == {
        "$a": 1, "@b": 3, "$c": 7, "$d": 11,
    }  # fmt: skip


def test_nesting_without_end_is_no_recursion_without_end():
    for sign in ("(", "[", "{", "\\", "-", "+"):
        assigned = variables(f"$x = {sign * 20000}; $y = 1;")
        found = assigned.variables.get("$x")
        assert found is None or isinstance(found.value, Unknown)
    assert isinstance(variables(f"$x = {'[' * 5000}1{']' * 5000};").variables["$x"].value, Unknown)


def test_a_million_tokens_end():
    assigned = variables("$x = 1;\n" * 300_000)
    assert assigned.passed[-1][2] == "it is too long"
    assert assigned.variables["$x"].value == 1


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=300), st.lists(st.sampled_from(SNIPPETS), max_size=60).map(" ".join),
                 st.lists(st.sampled_from(SNIPPETS), max_size=60).map("".join)))  # fmt: skip
def test_no_text_raises(text):
    assigned = variables(text)
    for one in assigned.variables.values():
        assert one.where.line >= 1


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300))
def test_tokens_stand_in_the_order_of_their_lines(text):
    lines = []
    try:
        lines += (token.line for token in perl.tokens(text))
    except perl.UnclosedError as error:
        assert 1 <= error.line <= text.count("\n") + 1
    assert lines == sorted(lines)
    assert all(1 <= line <= text.count("\n") + 1 for line in lines)
