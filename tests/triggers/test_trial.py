"""What a trial of made-up series gives: slots, clock, targets, composites, trends."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trigger_examples import MINUTE, rule

from storage.types import State
from triggers.change import ChangeKind
from triggers.notation import RUN_WORDS, parse
from triggers.outcome import Result, run
from triggers.rule import Rule
from triggers.trial import RUNS, Expected, Happening, Track, Trial, play

HIGH = rule("above", 10)


def named(name: str, by: Rule, **changes: Any) -> Rule:
    return by.model_copy(update={"name": name, **changes})


def track(readings: str, target: str = "t", signal: str = "s", **more: Any) -> Track:
    words = RUN_WORDS if signal == RUNS else None
    return Track(signal, "ms", target, parse(readings, words), **more)


def trial(
    by: Rule,
    *tracks: Track,
    every: float = MINUTE,
    events: Mapping[ChangeKind, frozenset[int]] | None = None,
    states: Mapping[int, State] | None = None,
    on: str | None = None,
    members: tuple[Rule, ...] = (),
) -> Trial:
    rules = {each.name: each for each in (by, *members)}
    return Trial("example", by, rules, every, tracks, Expected(events or {}, states or {}), on)


def told(of: Trial) -> list[tuple[int, str, str]]:
    return [(h.slot, h.kind, h.target) for h in play(of).happenings]


# --- slots and the clock -----------------------------------------------------------------------


def test_a_reading_is_judged_in_its_slot() -> None:
    assert told(trial(HIGH, track("9 11 _ 12 10"))) == [(2, "fires", "t"), (5, "resolves", "t")]


@pytest.mark.parametrize(
    ("every", "limit", "slot"),
    [(60.0, "60s", 2), (60.0, "61s", 2), (60.0, "119s", 2), (60.0, "120s", 3), (60.0, "59.9s", 1)],
)
def test_a_clock_event_belongs_to_the_slot_during_which_it_happens(
    every: float, limit: str, slot: int
) -> None:
    assert told(trial(rule("stale", limit), track("1 _ _ _"), every=every)) == [
        (slot, "fires", "t")
    ]


def test_the_clock_runs_to_the_end_of_the_last_slot_and_no_further() -> None:
    assert told(trial(rule("stale", "179.99s"), track("1 _ _"))) == [(3, "fires", "t")]
    assert told(trial(rule("stale", "180s"), track("1 _ _"))) == []


def test_missing_readings_are_told_where_the_rule_asks_for_it() -> None:
    by = rule("above", 10, max_age="3m", no_data="alert")
    assert told(trial(by, track("1 5x_ 1"))) == [(4, "no-data", "t"), (7, "resolves", "t")]
    assert told(trial(by, track("8x_"))) == [(4, "no-data", "t")]


@given(
    st.lists(st.none() | st.sampled_from((9.0, 10.0, 11.0)), min_size=1, max_size=30),
    st.integers(1, 30),
    st.sampled_from(("above", "stale", "all")),
)
def test_what_comes_later_changes_nothing_before(
    slots: list[float | None], cut: int, when: str
) -> None:
    member = named("m", rule("above", 10, max_age="2m", no_data="alert"))
    by = {
        "above": named("a", member),
        "stale": named("a", rule("stale", "90s")),
        "all": Rule(name="a", when="all", of=("m",)),
    }[when]
    whole = trial(by, Track("s", "ms", "t", tuple(slots)), members=(member,))
    early = [h for h in play(whole).happenings if h.slot <= cut]
    assert list(play(whole.until(cut)).happenings) == early


# --- targets -----------------------------------------------------------------------------------


def test_targets_are_judged_apart_and_one_can_be_asked_about() -> None:
    both = trial(HIGH, track("9 11", "a"), track("11 9 9", "b"))
    assert told(both) == [(1, "fires", "b"), (2, "fires", "a"), (2, "resolves", "b")]
    assert told(replace(both, on="a")) == [(2, "fires", "a")]


def test_a_target_that_the_trigger_does_not_judge_leaves_it_waiting() -> None:
    waiting = play(trial(named("n", HIGH, target="GPU-*"), track("11 11", "cpu")))
    assert waiting.happenings == ()
    assert [(s.target, s.state) for s in waiting.standings] == [("GPU-*", "no-data")]


def test_runs_are_judged_by_their_probe() -> None:
    by = rule("fails", hold="2 runs")
    runs = trial(by, track("ok failed _ failed ok", "p", RUNS), track("4xfailed", "other", RUNS))
    assert told(runs) == [(4, "fires", "p"), (5, "resolves", "p")]


def test_origins_that_do_not_count_are_left_out() -> None:
    assert told(trial(HIGH, track("11 12", origin="simulated"))) == []


# --- composites and trends ---------------------------------------------------------------------


LOW = named("low", rule("below", 3))
LOUD = named("loud", rule("above", 10))
ALL = Rule(name="all", when="all", of=("loud", "low"))
ANY = Rule(name="any", when="any", of=("all", "runs"))
FAILS = named("runs", rule("fails"), probe="*")


def test_all_fires_while_every_member_does() -> None:
    low = named("low", LOW, signal="r")
    both = trial(
        ALL,
        track("9 11 11 11 9"),
        track("5 5 2 2 2", signal="r"),
        members=(LOUD, low),
    )
    assert told(both) == [(3, "fires", "t"), (5, "resolves", "t")]
    assert [s.state for s in play(both.until(4)).standings] == ["firing"]


def test_a_member_without_series_is_unknown() -> None:
    low = named("low", LOW, signal="r")
    alone = play(trial(ALL, track("11 11"), members=(LOUD, low)))
    assert alone.happenings == ()
    assert [s.state for s in alone.standings] == ["no-data"]


def test_any_of_a_composite_and_runs() -> None:
    members = (LOUD, named("low", LOW, signal="r"), ALL, FAILS)
    series = (
        track("9 11 9 9 9"),
        track("5 2 2 2 2", signal="r"),
        track("ok ok ok failed ok", "meter", RUNS),
    )
    whole = trial(ANY, *series, members=members)
    assert told(whole) == [
        (2, "fires", "t"),
        (3, "resolves", "t"),
        (4, "fires", "meter"),
        (5, "resolves", "meter"),
    ]
    assert told(replace(whole, on="meter")) == [(4, "fires", "meter"), (5, "resolves", "meter")]


def test_a_composite_follows_what_the_clock_does_to_a_member() -> None:
    silent = named("silent", rule("stale", "150s"))
    both = Rule(name="both", when="any", of=("silent",))
    assert told(trial(both, track("1 _ _ _ 1"), members=(silent,))) == [
        (3, "fires", "t"),
        (5, "resolves", "t"),
    ]


def test_a_trend_is_one_over_all_its_targets() -> None:
    by = rule("crosses", 1.0, side="below", horizon="3y", fit="all")
    halving = [f"{'_ ' * 12 * year} {2.0 ** (8 - year)}" for year in range(6)]
    series = [track(readings, f"d{index}") for index, readings in enumerate(halving)]
    (event,) = play(trial(by, *series, every=30 * 86400.0)).happenings
    assert (event.slot, event.kind, event.target) == (61, "fires", "*")


# --- what was expected -------------------------------------------------------------------------


def faults(result: Result) -> list[tuple[str, tuple[int, ...]]]:
    return [(fault.said, fault.slots) for fault in result.faults]


def test_what_is_as_expected_has_no_fault() -> None:
    events: dict[ChangeKind, frozenset[int]] = {"fires": frozenset({2}), "resolves": frozenset({3})}
    result = run(trial(HIGH, track("9 11 9"), events=events, states={2: "firing", 3: "inactive"}))
    assert result.faults == ()
    assert result.played.happenings == (
        Happening(2, "fires", "t", "11 is above 10"),
        Happening(3, "resolves", "t", "9 is not above 10"),
    )


def test_what_is_not_asked_is_no_fault() -> None:
    assert run(trial(HIGH, track("9 11 9"), events={"resolves": frozenset({3})})).faults == ()


def test_faults_say_what_was_expected_and_what_came() -> None:
    events: dict[ChangeKind, frozenset[int]] = {
        "fires": frozenset({1, 4}),
        "resolves": frozenset(),
        "no-data": frozenset({2}),
    }
    result = run(trial(HIGH, track("9 11 9 11"), events=events, states={3: "firing"}))
    assert faults(result) == [
        ("expected to fire in slots 1, 4; it fires in slots 2, 4", (1, 2)),
        ("expected to resolve in no slot; it resolves in slot 3", (3,)),
        ("expected to say that readings are missing in slot 2; it says so in no slot", (2,)),
        ("expected firing at the end of slot 3, stands at inactive", (3,)),
    ]
    assert [(s.slot, s.standing.state, s.standing.value) for s in result.sights] == [
        (1, "inactive", 9.0),
        (2, "firing", 11.0),
        (3, "inactive", 9.0),
    ]


def test_a_gap_that_made_the_readings_missing_is_told_with_the_fault() -> None:
    by = rule("above", 10, max_age="3m")
    result = run(trial(by, track("9 3x_ 9 2x_ 9 4x_"), events={"fires": frozenset({5})}))
    (said,) = result.lost
    assert said.startswith("readings of example on t count as missing in slots 4, 11: none for")


def test_slots_in_a_row_are_told_as_one() -> None:
    by = rule("above", 10, max_age="30s")
    result = run(trial(by, track("9 9 9 9"), events={"fires": frozenset({2, 4})}))
    assert "in slots 1 to 4: none for" in result.lost[0]


def test_slots_that_are_further_apart_than_the_age_are_told_too() -> None:
    by = rule("above", 10, max_age="30s")
    assert (
        "in slots 1, 2: none for more than 30 s"
        in run(trial(by, track("9 9"), events={"fires": frozenset({2})})).lost[0]
    )


# --- setups and peers --------------------------------------------------------------------------

DROPS = rule("drops", "5%", baseline="20 readings")


def test_a_setup_begins_in_its_slot() -> None:
    of = trial(DROPS, track("30x100 12x80", setups={31: "driver 580"}))
    assert told(of) == [(36, "rebases", "t")]
    assert "setup the first → driver 580" in play(of).happenings[0].why
    assert told(trial(DROPS, track("30x100 12x80"))) == [(31, "fires", "t")]


def test_setups_may_all_be_named() -> None:
    named = track("30x100 12x80", setups={1: "driver 570", 31: "driver 580"})
    assert "setup driver 570 → driver 580" in play(trial(DROPS, named)).happenings[0].why


def test_a_new_baseline_may_be_expected() -> None:
    of = trial(
        DROPS,
        track("30x100 12x80", setups={31: "driver 580"}),
        events={"rebases": frozenset({35})},
    )
    (fault,) = run(of).faults
    assert fault.said == (
        "expected to tell of a new baseline in slot 35; it tells of one in slot 36"
    )


def test_the_other_series_are_the_peers() -> None:
    by = rule("drops", "5%", baseline="peers")
    slow = track("100 100 90 _ 98", "slow")
    others = [track("100 101 100 100 100", name) for name in ("a", "b")]
    assert told(trial(by, slow, *others)) == [(3, "fires", "slow"), (5, "resolves", "slow")]
    assert told(trial(by, slow, others[0])) == []
