"""Drops and rises against the devices beside one."""

import json
from dataclasses import replace

import pytest
from trigger_examples import MINUTE, START, judged, rule, series

from storage.types import Reading, Series
from triggers.change import begin, stand
from triggers.check import lookback
from triggers.rule import Rule

DROPS = rule("drops", "5%", baseline="peers")
MINE = json.dumps({"driver": "570", "power_limit_watts": 700})


def among(*peers: Reading, mine: float = 94.8, setup: str = MINE) -> Series:
    own = series(mine)
    return replace(own, readings=(replace(own.readings[0], setup=setup),), peers=peers)


def peer(value: float, setup: str = MINE, age: float = 0.0, origin: str = "measured") -> Reading:
    return Reading("s", "p", value, origin, at=START - age, setup=setup)  # type: ignore[arg-type]


SEVEN = tuple(peer(value) for value in (97.0, 98.0, 99.0, 100.0, 101.0, 102.0, 150.0))


def test_the_level_is_the_median_of_the_peers() -> None:
    verdict = judged(DROPS, among(*SEVEN))
    assert (verdict.holds, verdict.baseline, verdict.threshold) == (True, 100, 95)
    assert verdict.why == "94.8 is below 95; 5.2% below the median of 7 peers, 100"
    assert judged(rule("rises", "5%", baseline="peers"), among(*SEVEN, mine=106.0)).holds is True
    assert judged(DROPS, among(*SEVEN, mine=95.0)).clears is True


@pytest.mark.parametrize("known", [0, 1])
def test_one_peer_does_not_say_which_of_the_two_is_odd(known: int) -> None:
    verdict = judged(DROPS, among(*SEVEN[:known]))
    assert (verdict.holds, verdict.absent) == (None, False)
    assert verdict.why == f"no peers: {known} of 2"


@pytest.mark.parametrize(
    ("other", "counts"),
    [
        (peer(100.0, setup=json.dumps({"driver": "570", "power_limit_watts": 400})), True),
        (peer(100.0, setup=json.dumps({"driver": "580", "power_limit_watts": 700})), False),
        (peer(100.0, setup=""), False),
        (peer(100.0, age=9 * MINUTE), True),
        (peer(100.0, age=11 * MINUTE), False),
        (peer(100.0, origin="simulated"), False),
    ],
)
def test_only_what_compares_is_a_peer(other: Reading, *, counts: bool) -> None:
    by = rule("drops", "5%", baseline="peers", max_age="10m")
    assert judged(by, among(SEVEN[0], other)).holds is (False if counts else None)


def test_peers_that_read_nothing_have_no_share() -> None:
    verdict = judged(DROPS, among(peer(0.0), peer(0.0)))
    assert verdict.holds is None
    assert "no share can be taken" in verdict.why


def at(
    minute: int, by: Rule, mine: float, level: float, standing: object
) -> tuple[object, list[str]]:
    now = START + MINUTE * minute
    own = Reading("s", "t", mine, "measured", at=now)
    peers = (
        Reading("s", "a", level, "measured", at=now),
        Reading("s", "b", level, "measured", at=now),
    )
    after, changes = stand(by, standing, Series("s", "u", "t", (own,), peers=peers), now)  # type: ignore[arg-type]
    return after, [change.kind for change in changes]


def test_the_level_moves_with_the_peers_while_it_fires() -> None:
    standing: object = begin("example", "t", START)
    standing, kinds = at(0, DROPS, 90.0, 100.0, standing)
    assert kinds == ["fires"]
    standing, kinds = at(1, DROPS, 90.0, 98.0, standing)
    assert (kinds, standing.baseline) == ([], 98.0)  # type: ignore[attr-defined]
    standing, kinds = at(2, DROPS, 90.0, 91.0, standing)
    assert (kinds, standing.baseline) == (["resolves"], None)  # type: ignore[attr-defined]


def test_it_looks_no_further_back_than_for_asks() -> None:
    assert lookback(DROPS) == (0.0, 2)
    assert lookback(rule("drops", "5%", baseline="peers", hold="2 of 3")) == (0.0, 4)
