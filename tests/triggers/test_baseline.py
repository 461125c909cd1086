"""Baselines by setup: what compares with what, and that a change is said, once."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import median_abs_deviation
from trigger_examples import MINUTE, START, rule

from storage.types import Reading, Series, Standing
from triggers.baseline import (
    baseline_readings,
    differences,
    is_alike,
    lookback,
    of_readings,
    reach,
    scatter,
)
from triggers.change import begin, stand
from triggers.replay import Batch, Event, replay
from triggers.rule import Rule


def setup(**facts: Any) -> str:
    return json.dumps(facts, sort_keys=True)


OLD = setup(driver="570.86", kind="gpu.gemm")
NEW = setup(driver="580.01", kind="gpu.gemm")
THIRD = setup(driver="590.10", kind="gpu.gemm")
DROPS = rule("drops", "5%", baseline="20 readings")
SHIFTS = rule("shifts", baseline="20 readings")
Row = tuple[float, str]


def readings(rows: Sequence[Row], sigma: float | None = None) -> tuple[Reading, ...]:
    return tuple(
        Reading("s", "t", value, "measured", sigma, START + MINUTE * k, setup=made_with)
        for k, (value, made_with) in enumerate(rows)
    )


def told(by: Rule, rows: Sequence[Row]) -> tuple[list[Event], Standing]:
    """One reading a minute, each judged as it comes."""
    batches = [Batch(reading.at, (reading,)) for reading in readings(rows)]
    events, standing = replay(
        by, "token/s", "t", batches, begin=START, end=START + MINUTE * (len(rows) - 1)
    )
    return list(events), standing


def said(by: Rule, rows: Sequence[Row]) -> list[tuple[str, int]]:
    events, _ = told(by, rows)
    return [(event.kind, round((event.at - START) / MINUTE)) for event in events]


USUAL: list[Row] = [(51_030.0, OLD)] * 20


def noisy(count: int, level: float, made_with: str, seed: int = 1) -> list[Row]:
    values = np.random.default_rng(seed).normal(level, 100.0, count)
    return [(value, made_with) for value in values.tolist()]


def scattered(count: int, level: float, made_with: str) -> list[Row]:
    """About a median that is the level, with a sigma of 148."""
    steps = (-100.0, 100.0, 0.0, -100.0, 100.0) * (count // 5)
    return [(level + step, made_with) for step in steps]


# --- a new setup ---------------------------------------------------------------------------------


def test_only_readings_of_the_last_setup_make_the_baseline() -> None:
    rows = [(1.0, OLD), (2.0, NEW), (3.0, OLD), (4.0, NEW), (5.0, OLD), (6.0, ""), (7.0, OLD)]
    assert [r.value for r in baseline_readings(DROPS, readings(rows))] == [1, 3, 5]


def test_the_readings_that_for_asks_about_are_of_one_setup_too() -> None:
    by = rule("drops", "5%", baseline="20 readings", hold="2 readings")
    between = [*USUAL, (40_000.0, OLD), (40_000.0, NEW), (40_000.0, OLD)]
    assert said(by, between) == [("fires", 22)]


def test_learning_says_since_when() -> None:
    _, standing = told(DROPS, [*USUAL, *[(44_100.0, NEW)] * 3])
    assert standing.state == "no-data"
    assert standing.why == ("learning the baseline: 2 of 5 readings since driver 570.86 → 580.01")
    _, new = told(DROPS, [(44_100.0, NEW)] * 3)
    assert new.why == "learning the baseline: 2 of 5 readings"
    _, named = told(DROPS, [*[(51_030.0, "")] * 9, (44_100.0, NEW)])
    assert named.why == "learning the baseline: 0 of 5 readings since the setup is known"


def test_a_regression_that_an_upgrade_brings_is_told_once() -> None:
    events, standing = told(DROPS, [*USUAL, *[(44_100.0, NEW)] * 40])
    assert [event.kind for event in events] == ["rebases"]
    assert events[0].at == START + 25 * MINUTE
    assert events[0].why == (
        "new baseline 44,100 token/s since driver 570.86 → 580.01, 13.6% below the old 51,030"
    )
    assert (standing.state, standing.setup) == ("inactive", NEW)


@pytest.mark.parametrize("level", [51_030.0, 49_000.0, 60_000.0])
def test_a_harmless_upgrade_tells_nobody(level: float) -> None:
    assert said(DROPS, [*USUAL, *[(level, NEW)] * 40]) == []


def test_what_rises_is_told_of_a_rise() -> None:
    by = rule("rises", "5%", baseline="20 readings")
    assert said(by, [*USUAL, *[(60_000.0, NEW)] * 9]) == [("rebases", 25)]
    assert said(by, [*USUAL, *[(44_100.0, NEW)] * 9]) == []


def test_a_restart_at_any_moment_says_it_once_all_the_same() -> None:
    rows = readings([*USUAL, *[(44_100.0, NEW)] * 12])
    standing, kinds = begin("example", "t", START), []
    for end in range(1, len(rows) + 1):
        for _ in range(2):  # what was judged is judged again
            series = Series("s", "token/s", "t", reach(DROPS, rows[:end]))
            standing, changes = stand(DROPS, standing, series, rows[end - 1].at)
            kinds += [change.kind for change in changes]
    assert kinds == ["rebases"]


def test_many_readings_at_once_say_it_too() -> None:
    rows = readings([*USUAL, *[(44_100.0, NEW)] * 12])
    standing = replace(begin("example", "t", START), state="inactive", setup=OLD)
    after, changes = stand(DROPS, standing, Series("s", "u", "t", rows), rows[-1].at)
    assert [change.kind for change in changes] == ["rebases"]
    assert after.setup == NEW


def test_after_a_rollback_the_old_baseline_is_back() -> None:
    rows = [*USUAL, *[(44_100.0, NEW)] * 3, (51_000.0, OLD), (44_000.0, OLD)]
    events, standing = told(DROPS, rows)
    assert [(e.kind, e.at) for e in events] == [("fires", START + 24 * MINUTE)]
    assert standing.baseline == 51_030


def test_a_setup_that_was_there_before_is_no_news() -> None:
    rows = [*USUAL, *[(44_100.0, NEW)] * 8, *[(51_030.0, OLD)] * 4, *[(44_100.0, NEW)] * 4]
    assert said(DROPS, rows) == [("rebases", 25)]


def test_a_setup_that_came_and_went_is_skipped() -> None:
    events, _ = told(DROPS, [*USUAL, *[(48_900.0, NEW)] * 3, *[(44_100.0, THIRD)] * 9])
    assert [event.why for event in events] == [
        "new baseline 44,100 token/s since driver 570.86 → 590.10, 13.6% below the old 51,030"
    ]


def test_a_long_silence_at_the_upgrade_does_not_hide_it() -> None:
    by = rule("drops", "5%", baseline="1h")
    rows = readings([*USUAL, *[(44_100.0, NEW)] * 8])
    late = [replace(r, at=r.at + 86_400.0) if r.setup == NEW else r for r in rows]
    events, _ = replay(
        by, "u", "t", [Batch(r.at, (r,)) for r in late], begin=START, end=late[-1].at
    )
    assert [event.kind for event in events] == ["rebases"]


@pytest.mark.parametrize(("old", "new"), [("", NEW), (OLD, "")])
def test_what_is_not_known_has_not_changed(old: str, new: str) -> None:
    rows = [*[(51_030.0, old)] * 20, *[(40_000.0, old)] * 2, *[(40_000.0, new)] * 9]
    events, standing = told(DROPS, rows)
    assert [event.kind for event in events] == ["fires"]
    assert (standing.state, standing.baseline) == ("firing", 51_030)


# --- while it fires ------------------------------------------------------------------------------


def test_a_firing_trigger_lets_go_of_a_baseline_that_says_nothing_any_more() -> None:
    events, standing = told(DROPS, [*USUAL, (40_000.0, OLD), (40_000.0, NEW)])
    assert [event.kind for event in events] == ["fires", "resolves"]
    assert events[1].why == ("the setup changed: driver 570.86 → 580.01; a new baseline begins")
    assert standing.state == "no-data"


def test_the_level_that_it_fired_against_is_what_the_new_one_is_compared_with() -> None:
    """A regression has lasted for longer than the window: its own readings say that it is usual."""
    rows = [*USUAL, *[(44_000.0, OLD)] * 45, *[(44_100.0, NEW)] * 9]
    events, standing = told(DROPS, rows)
    assert [event.kind for event in events] == ["fires", "resolves", "rebases"]
    assert events[2].why.endswith("13.6% below the old 51,030")
    assert (standing.state, standing.baseline) == ("inactive", None)


def test_a_rollback_while_learning_fires_against_the_level_that_was_kept() -> None:
    rows = [*USUAL, *[(44_000.0, OLD)] * 45, *[(44_100.0, NEW)] * 2, (44_000.0, OLD)]
    events, standing = told(DROPS, rows)
    assert [event.kind for event in events] == ["fires", "resolves", "fires"]
    assert standing.baseline == 51_030
    recovered, after = told(DROPS, [*rows[:-1], (51_000.0, OLD)])
    assert [event.kind for event in recovered] == ["fires", "resolves"]
    assert (after.state, after.baseline) == ("inactive", None)


def test_a_pending_trigger_lets_go_without_a_word() -> None:
    by = rule("drops", "5%", baseline="20 readings", hold="3 readings")
    rows = [*USUAL, *[(40_000.0, OLD)] * 2, *[(51_000.0, NEW)] * 9]
    events, standing = told(by, rows)
    assert (events, standing.state, standing.baseline) == ([], "inactive", None)


def test_silence_while_learning_forgets_nothing() -> None:
    by = rule("drops", "5%", baseline="20 readings", max_age="10m")
    rows = readings([*USUAL, (40_000.0, OLD), *[(44_100.0, NEW)] * 9])
    late = [replace(r, at=r.at + 3600.0) if k > 22 else r for k, r in enumerate(rows)]
    events, _ = replay(
        by, "u", "t", [Batch(r.at, (r,)) for r in late], begin=START, end=late[-1].at
    )
    assert [event.kind for event in events] == ["fires", "resolves", "rebases"]


def test_what_asks_for_a_fixed_value_does_not_care() -> None:
    rows = [(1.0, OLD), (11.0, OLD), (12.0, NEW)]
    assert said(rule("above", 10, hold="2 readings"), rows) == [("fires", 2)]


# --- shifts --------------------------------------------------------------------------------------


def test_a_shift_between_setups_is_told_in_sigmas_or_not_at_all() -> None:
    usual = scattered(60, 51_000.0, OLD)
    events, _ = told(SHIFTS, [*usual, *scattered(30, 50_700.0, NEW)])
    assert [(e.kind, e.at) for e in events] == [("rebases", START + 80 * MINUTE)]
    assert events[0].why.startswith("new baseline 50,700 token/s since driver 570.86 → 580.01")
    assert said(SHIFTS, [*usual, *scattered(30, 50_860.0, NEW)]) == []
    only_up = rule("shifts", baseline="20 readings", side="above")
    assert said(only_up, [*usual, *scattered(30, 50_700.0, NEW)]) == []


def test_a_shift_learns_for_longer() -> None:
    _, standing = told(SHIFTS, [*scattered(60, 51_000.0, OLD), *scattered(20, 51_000.0, NEW)])
    assert standing.why == ("learning the baseline: 19 of 20 readings since driver 570.86 → 580.01")


# --- setups in words -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (setup(a="1"), setup(a="2"), "a 1 → 2"),
        (setup(a=1, b=True), setup(a=1.5, b=False), "a 1 → 1.5, b true → false"),
        (setup(a="1"), setup(a="1", torch="2.13"), "torch – → 2.13"),
        (setup(a="1", torch="2.13"), setup(a="1"), "torch 2.13 → –"),
        (setup(power_limit_watts=700), setup(power_limit_watts=500), "power limit watts 700 → 500"),
        (setup(lib={"torch": "1"}), setup(lib={"torch": "2"}), "lib torch 1 → 2"),
        (setup(**dict.fromkeys("abcde", 1)), setup(**dict.fromkeys("abcde", 2)), None),
        (setup(a="x" * 99), setup(a="y"), f"a {'x' * 23}… → y"),
        ("no JSON", setup(a="1"), "setup no JSON → –, a – → 1"),
        ("[1]", "[2]", "setup [1] → [2]"),
        ("", setup(a="1"), "the setup is known"),
        (setup(a="1"), "", "the setup is not known"),
    ],
)
def test_differences_in_few_words(old: str, new: str, words: str | None) -> None:
    assert differences(old, new) == (words or "a 1 → 2, b 1 → 2, c 1 → 2, 2 more")


def test_long_values_differ_from_the_word_on_in_which_they_do() -> None:
    card = "NVIDIA RTX PRO 6000 Blackwell {} Edition"
    old, new = (setup(device=card.format(word)) for word in ("Server", "Workstation"))
    assert differences(old, new) == "device …Server Edition → …Workstation Edition"
    old, new = setup(argv=["python3", "gpu.py"]), setup(argv=["python3", "gpu.py", "--n", "8"])
    assert differences(old, new) == 'argv …"gpu.py"] → …"gpu.py", "--n", "8"]'
    assert differences(setup(a="b" * 30), setup(a="c")) == f"a {'b' * 23}… → c"
    assert differences(setup(a="b" * 30), setup(a="b" * 31)) == f"a {'b' * 23}… → {'b' * 23}…"


def test_long_values_that_begin_alike_do_not_compare() -> None:
    assert not is_alike(setup(device="x" * 60 + "1"), setup(device="x" * 60 + "2"))


def test_peers_may_draw_other_power() -> None:
    mine = setup(driver="570", power_limit_watts=700)
    assert is_alike(mine, setup(driver="570", power_limit_watts=500))
    assert not is_alike(mine, setup(driver="580", power_limit_watts=700))
    assert is_alike("", "")
    assert not is_alike(mine, "")


# --- how much is looked at -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "by",
    [
        DROPS,
        SHIFTS,
        rule("drops", "5%", baseline="1h", hold="5m"),
        rule("shifts", baseline="2h", threshold=5, allowance=0.5),
    ],
)
def test_what_is_further_back_changes_nothing(by: Rule) -> None:
    rows = readings([*noisy(150, 100.0, OLD), *noisy(30, 100.0, NEW, 2), *noisy(40, 100.0, OLD, 3)])
    assert len(reach(by, rows)) < len(rows)
    assert baseline_readings(by, rows) == baseline_readings(by, reach(by, rows))
    seconds, count = lookback(by)
    older = [r for r in reach(by, rows) if r.at <= rows[-1].at - seconds]
    assert len(older) == count


@pytest.mark.parametrize("seed", range(5))
def test_the_scatter_is_that_of_the_library(seed: int) -> None:
    values = np.random.default_rng(seed).normal(100, 3, 21 + seed)
    window = readings([(value, OLD) for value in values.tolist()])
    wanted = median_abs_deviation(values, scale="normal")
    assert scatter(window, float(np.median(values))) == pytest.approx(wanted, rel=1e-4)
    assert of_readings(SHIFTS, window).spread == pytest.approx(wanted, rel=1e-4)
    assert of_readings(DROPS, window).spread is None


def test_equal_readings_have_the_scatter_of_their_own_uncertainty() -> None:
    equal = [(5.0, OLD)] * 25
    assert scatter(readings(equal, sigma=0.25), 5.0) == 0.25
    assert scatter(readings(equal), 5.0) == 0


# --- two probes on one series --------------------------------------------------------------------


@pytest.mark.parametrize("confirm", [False, True])
@pytest.mark.parametrize("others", [1, 3, 8])
def test_setups_that_take_turns_are_judged_each_by_itself(*, confirm: bool, others: int) -> None:
    by = rule("drops", "5%", baseline="100 readings", confirm=confirm)

    def rounds(count: int, mine: float) -> list[Row]:
        return [(mine, OLD), *[(9.0, NEW)] * others] * count

    rows = rounds(8, 51_030.0) + rounds(8, 40_000.0) + rounds(2, 51_030.0)
    size = 1 + others
    assert said(by, rows) == [("fires", (8 + confirm) * size), ("resolves", 16 * size)]
    back = [*rows[: 12 * size], *[(9.0, NEW)] * 12]
    assert [kind for kind, _ in said(by, back)] == ["fires", "resolves"], (
        "once the turns have ended"
    )
