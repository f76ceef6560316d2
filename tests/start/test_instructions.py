"""What a mail costs, in instructions: a guard against a stage that grows, on whatever machine, however busy."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / "contrib/bench"))
import stages

MOST = {
    "package": 0.078,
    "bundle": 0.038,
    "modules for every mail": 0.54,
    "modules for a new mail": 0.35,
    "settings": 0.063,
    "read": 0.05,
    "examine": 0.152,
    "decide": 0.03,
    "act": 0.066,
    "journal": 0.078,
}
"""Of what a bare interpreter takes; a little above what was counted when the stage was last worked on."""


@pytest.fixture(scope="module")
def counted():
    return stages.stages()


@pytest.mark.parametrize("stage", MOST)
def test_no_stage_takes_more_than_it_did(counted, stage):
    assert counted[stage] / counted[stages.BARE] <= MOST[stage]


def test_a_plain_mail_that_is_new_takes_less_than_an_interpreter_and_a_half_more(counted):
    assert sum(counted.values()) / counted[stages.BARE] <= 2.4


def test_every_stage_is_guarded():
    assert MOST.keys() == stages.STAGES.keys() - {stages.BARE}
