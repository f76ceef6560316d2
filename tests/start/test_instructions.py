"""What a mail costs, in instructions: a guard against a stage that grows, on whatever machine, however busy."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / "contrib/bench"))
import stages

MOST = {
    "package": 0.076,
    "bundle": 0.037,
    "modules for every mail": 0.49,
    "modules for a new mail": 0.335,
    "settings": 0.056,
    "read": 0.035,
    "examine": 0.151,
    "decide": 0.023,
    "act": 0.05,
    "journal": 0.064,
}
"""Of what a bare interpreter takes: 3 % above what was counted when the stage was last worked on."""


@pytest.fixture(scope="module")
def counted():
    return stages.stages()


@pytest.mark.parametrize("stage", MOST)
def test_no_stage_takes_more_than_it_did(counted, stage):
    assert counted[stage] / counted[stages.BARE] <= MOST[stage]


def test_a_plain_mail_that_is_new_takes_less_than_an_interpreter_and_a_half_more(counted):
    assert sum(counted.values()) / counted[stages.BARE] <= 2.32


def test_every_stage_is_guarded():
    assert MOST.keys() == stages.STAGES.keys() - {stages.BARE}
