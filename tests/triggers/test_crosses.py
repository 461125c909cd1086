"""`when = "crosses"`: what a rule says of all its targets together, and in what words."""

import math
from typing import Any

import pytest
from trigger_examples import rule

from storage.types import Reading, Series
from triggers.change import begin, stand
from triggers.check import Verdict, check
from triggers.crosses import say, years
from triggers.forecast import YEAR, Forecast
from triggers.rule import Rule

EPOCH = 1_577_836_800.0  # 2020-01-01
NAME = "quantum.calibration.two_qubit_error"
NOW = EPOCH + 6 * YEAR


def crossing(**table: Any) -> Rule:
    plain = {"side": "below", "threshold": 1e-4, "horizon": "5y", "signal": NAME}
    return rule("crosses", **plain | table)


def fleet(*values: float, every: float = YEAR, family: str = "F{}", unit: str = "1") -> Series:
    """One device of a new family each year from 2020 on."""
    readings = tuple(
        Reading(NAME, f"d{i}", value, "vendor", at=EPOCH + every * i, family=family.format(i))
        for i, value in enumerate(values)
    )
    return Series(NAME, unit, "*", readings)


FALLING = fleet(*(2e-2 * math.exp(-0.5 * year) for year in range(6)))
"""2e-2 in 2020, 1.64e-3 in 2025, 1e-4 in the middle of 2030."""


def judged(by: Rule, on: Series, now: float = NOW) -> Verdict:
    return check(by, on, now)


def test_a_crossing_within_the_horizon_holds() -> None:
    verdict = judged(crossing(), FALLING)
    assert verdict.holds
    assert verdict.sustained
    assert not verdict.clears
    assert (
        verdict.why
        == "two qubit error 1.6e-3, needs 1e-4: 2030 (90%: 2030–2030) at the present pace"
    )
    assert verdict.value == FALLING.readings[-1].value
    assert verdict.at == FALLING.readings[-1].at
    assert (verdict.threshold, verdict.unit, verdict.origin) == (1e-4, "1", "vendor")


def test_a_crossing_past_the_horizon_does_not_until_time_has_passed() -> None:
    by = crossing(horizon="2y")
    verdict = judged(by, FALLING)
    assert verdict.holds is False
    assert verdict.clears
    assert judged(by, FALLING, NOW + 3 * YEAR).holds


def test_a_trend_the_wrong_way_is_never() -> None:
    verdict = judged(crossing(), fleet(*(1e-2 * 1.1**year for year in range(6))))
    assert verdict.holds is False
    assert verdict.why.endswith("needs 1e-4: never at the present pace")


def test_the_best_that_is_there_holds_with_or_without_a_trend() -> None:
    for series in (fleet(1e-2, 9e-5, 1e-2), fleet(1e-2, 1e-2, 9e-5, 1e-2, 1e-2, 1e-2, 2e-2)):
        verdict = judged(crossing(), series)
        assert verdict.holds
        assert verdict.why == "two qubit error 9e-5, needs 1e-4: reached"
        assert verdict.value == 9e-5


def test_too_few_points_are_no_missing_reading() -> None:
    verdict = judged(crossing(), fleet(1e-2, 9e-3, 8e-3, 7e-3))
    assert verdict.holds is None
    assert not verdict.absent
    assert verdict.value == 7e-3
    assert "no forecast: 4 of 6 points; `qrossover backfill snapshots`" in verdict.why
    silent = judged(crossing(), Series(NAME, "1", "*"))
    assert silent.holds is None
    assert silent.absent
    assert silent.why.startswith("no forecast: 0 of 6 points; `qrossover backfill")


def test_devices_without_a_family_are_left_out_and_counted() -> None:
    verdict = judged(crossing(), fleet(*[1e-2] * 7, family=""))
    assert "0 of 6 points; 7 targets of unknown family left out" in verdict.why
    whole = judged(crossing(fit="all"), fleet(*[1e-2] * 7, family=""))
    assert whole.holds is False


def test_refused_origins_are_as_if_they_were_not_there() -> None:
    verdict = judged(crossing(accept=["measured"]), FALLING)
    assert verdict.holds is None
    assert verdict.refused
    assert "vendor, which this trigger does not accept" in verdict.why


def test_a_trend_fires_once_stays_without_data_and_resolves_when_it_slows() -> None:
    by = crossing()
    standing, changes = stand(by, begin(by.name, "*", NOW), FALLING, NOW)
    assert [change.kind for change in changes] == ["fires"]
    standing, changes = stand(by, standing, FALLING, NOW + 60)
    assert not changes
    standing, changes = stand(by, standing, fleet(1e-2, 1e-2), NOW + 120)
    assert (standing.state, changes) == ("firing", ())
    slower = fleet(*(2e-2 * math.exp(-0.1 * year) for year in range(6)))
    standing, changes = stand(by, standing, slower, NOW + 180)
    assert (standing.state, [change.kind for change in changes]) == ("inactive", ["resolves"])


def test_few_points_never_tell_of_missing_data() -> None:
    by = crossing()
    standing, changes = begin(by.name, "*", NOW), ()
    for day in range(400):
        standing, changes = stand(by, standing, fleet(1e-2, 1e-2), NOW + 86400 * day)
        assert not changes
    assert standing.state == "no-data"


def test_a_trend_upwards_in_its_unit() -> None:
    growing = fleet(*(20 * 2.0**year for year in range(6)), unit="qubit")
    verdict = judged(crossing(side="above", threshold=100_000, horizon="10y"), growing)
    assert verdict.holds
    assert verdict.why.startswith("two qubit error 640 qubit, needs 100,000 qubit: 2032")


@pytest.mark.parametrize(
    ("ends", "text"),
    [
        ((0, -1, 1), "2026 (90%: 2025–2027)"),
        ((0, 0, 0), "2026 (90%: 2026–2026)"),
        ((0, -1, None), "2026 (90%: 2025–never)"),
        ((None, 3, None), "never"),
    ],
)
def test_years_are_told_with_their_interval(ends: tuple[int | None, ...], text: str) -> None:
    moments = [None if year is None else NOW + (year + 0.5) * YEAR for year in ends]
    assert years(Forecast((), 0.5, *moments, never=0.1, r2=0.5)) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.00127, "1.3e-3"),
        (9.99e-5, "1e-4"),
        (0.05, "0.05"),
        (0, "0"),
        (156, "156"),
        (1e5, "100,000"),
        (2.3e8, "2.3e8"),
        (-0.002, "-2e-3"),
    ],
)
def test_values_are_short(value: float, text: str) -> None:
    assert say(value, "1") == text
    assert say(value, "qubit") == f"{text} qubit"
