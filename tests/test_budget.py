"""budget: the quota's formula, and what is charged."""

import pytest

from amavis_pipe.budget import Budget, LimitHit, Limits

QUOTAS = {
    "100 B": (100, 102_400),
    "1,000 B": (1_000, 500_000),
    "1 MiB": (1 << 20, 314_572_800),
    "100 MiB": (100 << 20, 524_288_000),
    "nothing": (0, 102_400),
}


@pytest.mark.parametrize(("size", "quota"), QUOTAS.values(), ids=QUOTAS)
def test_the_quota_follows_the_formula(size, quota):
    assert Limits().quota(size) == quota
    assert Budget.of(Limits(), size).quota == quota


def test_a_quota_may_be_used_up_but_not_exceeded():
    budget = Budget(quota=10, files=1, depth=1, deadline=float("inf"))
    budget.charge(4)
    budget.charge(6)
    assert (budget.used, budget.hit) == (10, [])
    with pytest.raises(LimitHit, match="quota"):
        budget.charge(1)
    assert budget.hit == ["quota"]


def test_what_was_charged_in_vain_is_not_given_back():
    budget = Budget(quota=10, files=1, depth=1, deadline=float("inf"))
    with pytest.raises(LimitHit):
        budget.charge(11)
    with pytest.raises(LimitHit):
        budget.charge(0)
    assert budget.hit == ["quota"]


def test_as_many_parts_as_the_limit_says_may_be():
    budget = Budget(quota=10, files=2, depth=1, deadline=float("inf"))
    budget.part(1)
    budget.part(1)
    with pytest.raises(LimitHit, match="files"):
        budget.part(1)
    assert budget.hit == ["files"]


def test_parts_may_lie_as_deep_as_the_limit_says_and_a_refused_one_is_not_counted():
    budget = Budget(quota=10, files=1, depth=3, deadline=float("inf"))
    with pytest.raises(LimitHit) as caught:
        budget.part(4)
    assert caught.value.name == "depth"
    budget.part(3)
    assert (budget.files, budget.hit) == (0, ["depth"])


def test_time_is_over_at_the_deadline():
    budget = Budget(quota=10, files=1, depth=1, deadline=float("-inf"))
    for late in (budget.tick, lambda: budget.charge(1)):
        with pytest.raises(LimitHit, match="seconds"):
            late()
    assert budget.hit == ["seconds"]
    Budget.of(Limits(seconds=3600), 1).tick()


def test_limits_are_noted_in_the_order_they_were_met():
    budget = Budget(quota=0, files=0, depth=0, deadline=float("inf"))
    for met in (
        lambda: budget.part(0),
        lambda: budget.part(1),
        lambda: budget.charge(1),
        lambda: budget.part(0),
    ):
        with pytest.raises(LimitHit):
            met()
    assert budget.hit == ["files", "depth", "quota"]


@pytest.mark.parametrize("name", Limits.__slots__)
def test_every_limit_is_in_the_stamp(name):
    other = Limits()
    setattr(other, name, 7_777_777)
    assert other.stamp() != Limits().stamp()
    assert "7777777" in other.stamp().split()
