"""The X-Spam lines: the form of the seed, folds, levels, and nothing else in them."""

from email import message_from_bytes

import pytest
from hypothesis import given, strategies

from amavis_pipe.forward import added
from amavis_pipe.spam.headers import NAMES, STARS, WIDTH, lines, shown
from amavis_pipe.spam.score import Score

TESTS = (("BAYES_99", 3.5), ("GTUBE", 1000.0))


def test_spam_has_all_lines():
    assert lines(Score(7.14, 5.0, TESTS), 4.0, 6.9) == [
        b"X-Spam-Flag: YES",
        b"X-Spam-Score: 7.14",
        b"X-Spam-Level: *******",
        b"X-Spam-Status: Yes, hits=7.14 tagged_above=4.0 required=6.9 tests=BAYES_99,\n\tGTUBE",
    ]


def test_above_tag_and_below_required_there_is_no_flag():
    assert lines(Score(4.0, 5.0), 4.0, 6.9) == [
        b"X-Spam-Score: 4.0",
        b"X-Spam-Level: ****",
        b"X-Spam-Status: No, hits=4.0 tagged_above=4.0 required=6.9 tests=none",
    ]


def test_below_tag_there_is_nothing():
    assert lines(Score(3.999), 4.0, 6.9) == []
    assert lines(Score(float("nan")), 4.0, 6.9) == []


def test_at_required_it_is_spam():
    assert lines(Score(6.9), 4.0, 6.9)[0] == b"X-Spam-Flag: YES"


def test_the_points_that_count_need_not_be_the_checkers():
    assert lines(Score(9.0), 4.0, 6.9, hits=2.0) == []
    assert lines(Score(1.0), 4.0, 6.9, hits=7.0)[1] == b"X-Spam-Score: 7.0"


@pytest.mark.parametrize(
    ("points", "text"), [(6.86, "6.86"), (6.0, "6.0"), (-0.1, "-0.1"), (0, "0.0"), (1009.9, "1009.9")]
)
def test_points_are_not_rounded_up_to_a_level(points, text):
    assert shown(points) == text


@pytest.mark.parametrize(("points", "stars"), [(1.0, 1), (1.99, 1), (6.9, 6), (1009.9, STARS)])
def test_there_is_a_star_for_each_whole_point(points, stars):
    assert b"X-Spam-Level: " + b"*" * stars in lines(Score(points), -5, 6.9)


@pytest.mark.parametrize("points", [0.99, 0.0, -3.0])
def test_without_a_whole_point_there_is_no_level(points):
    assert not any(line.startswith(b"X-Spam-Level") for line in lines(Score(points), -5, 6.9))


def test_a_report_stands_on_lines_of_its_own():
    report = "*   0.6 MISSING_MID Missing Message-Id: header\n* 1000.0 GTUBE " + "word " * 30
    made = lines(Score(7.0, report=report), 4.0, 6.9, report=True)[-1].split(b"\n")
    assert made[:3] == [
        b"X-Spam-Report:",
        b"\t* 0.6 MISSING_MID Missing Message-Id: header",
        b"\t* 1000.0 GTUBE" + b" word" * 12,
    ]
    assert len(made) == 4 + 1
    assert lines(Score(7.0, report=report), 4.0, 6.9)[-1].startswith(b"X-Spam-Status")


def test_a_test_without_a_name_makes_no_empty_fold():
    made = lines(Score(9.0, tests=(("A" * 20, None), ("", None))), 4.0, 6.9)[-1]
    assert made.endswith(b"\n\ttests=" + b"A" * 20 + b", _")


TEXT = strategies.text(max_size=100)


@given(
    strategies.lists(strategies.tuples(TEXT, strategies.none()), max_size=300),
    TEXT,
    strategies.floats(-1e6, 1e6),
)
def test_whatever_a_checker_says_the_lines_are_whole_fields(tests, report, points):
    made = lines(Score(points, tests=tuple(tests), report=report), -1e6, 5.0, report=True)
    for end in (b"\n", b"\r\n"):
        head = added(made, b"From: x" + end)
        assert head.replace(end, b"").translate(None, bytes(range(32, 127)) + b"\t") == b""
        found = message_from_bytes(head + end + b"body")
        assert {name.lower().encode() for name in found} <= NAMES
        assert len(found.keys()) == len(made)
        assert all(line.strip() and len(line) < 998 for line in head.split(end)[:-1])
        assert found.get_payload() == "body"


@given(
    strategies.lists(
        strategies.sampled_from(["BAYES_99", "A", "HFILTER_FROMHOST_NORES_A_OR_MX"]), max_size=90
    )
)
def test_no_line_is_longer_than_78(names):
    made = lines(Score(9.0, tests=tuple((name, None) for name in names)), 4.0, 6.9)
    assert all(len(line) <= WIDTH for one in made for line in one.split(b"\n"))
    flat = made[-1].replace(b"\n\t", b" ").partition(b"tests=")[2].decode()
    assert flat == (", ".join(names) or "none")
