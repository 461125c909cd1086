"""Years of readings of many targets as one short series, with families."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from storage_examples import START, reading, run

from storage import reports
from storage.past import BACKFILL
from storage.progress import progress
from storage.store import Store
from storage.thinning import MONTH, thinned
from storage.types import Reading, Signal

ERROR = Signal("error", "1", "lower", "how often it is wrong")
DAY = 86400.0
MONTH_BEGINS = (START // MONTH + 1) * MONTH


def error(value: float, day: float, target: str = "a", **more: Any) -> Reading:
    plain = {"signal": "error", "origin": "vendor", "at": MONTH_BEGINS + DAY * day}
    return reading(value, target=target, **plain | more)


def keep(store: Store, *readings: Reading, probe: str = "kingston", **settings: str) -> None:
    with store.transaction():
        store.record(run(probe=probe, settings=settings), readings, [ERROR])


def brief(found: tuple[Reading, ...]) -> list[tuple[str, float, float]]:
    return [(one.target, one.value, (one.at - MONTH_BEGINS) / DAY) for one in found]


# --- thinning ------------------------------------------------------------------------------------


def test_a_value_that_repeats_is_the_same_calibration_looked_at_again() -> None:
    looks = [error(1e-3, day) for day in range(300)]
    other = error(1e-3, 7, "b")
    assert brief(thinned([*looks, other])) == [("a", 1e-3, 0), ("b", 1e-3, 7)]


def test_of_a_month_its_two_ends_are_kept_each_at_its_earliest() -> None:
    month = [error(value, day) for day, value in enumerate([5, 3, 4, 9, 3, 9, 6])]
    next_month = error(4.5, 31)
    assert brief(thinned([*month, next_month])) == [("a", 3, 1), ("a", 9, 3), ("a", 4.5, 31)]


def test_ten_years_of_daily_polls_stay_small() -> None:
    daily = [error(1e-3 + 1e-9 * day, day) for day in range(3653)]
    assert len(thinned(daily)) <= 2 * 121


@given(
    st.lists(
        st.builds(error, st.integers(0, 9), st.integers(0, 99), st.sampled_from("ab")), max_size=60
    ),
    st.randoms(use_true_random=False),
)
@settings(max_examples=50, deadline=None)
def test_thinning_keeps_the_ends_and_does_no_more_the_second_time(
    readings: list[Reading], chance: Any
) -> None:
    found = thinned(readings)
    assert set(found) <= set(readings)
    assert thinned(found) == found
    shuffled = list(readings)
    chance.shuffle(shuffled)
    assert [r.at for r in thinned(shuffled)] == [r.at for r in found]
    for target in {one.target for one in readings}:
        values = [one.value for one in readings if one.target == target]
        kept = [one.value for one in found if one.target == target]
        assert (min(kept), max(kept)) == (min(values), max(values))


# --- one series of all targets -------------------------------------------------------------------


def test_all_targets_oldest_first_with_their_families(store: Store) -> None:
    keep(store, error(3, 40, "c", family="Heron r2"), error(5, 0, "a", family="Falcon r4"))
    keep(store, error(4, 9, "b"), error(2, 80, "a", family="Falcon r4"))
    series = progress(store, "error")
    assert (series.signal, series.unit, series.target) == ("error", "1", "*")
    assert brief(series.readings) == [("a", 5, 0), ("b", 4, 9), ("c", 3, 40), ("a", 2, 80)]
    assert [r.family for r in series.readings] == ["Falcon r4", "", "Heron r2", "Falcon r4"]


def test_a_pattern_chooses_targets_and_a_name_is_a_name_first(store: Store) -> None:
    keep(store, error(1, 0, "ibm_a"), error(2, 0, "ibm_b"), error(3, 0, "ibm_[ab]"))
    assert {r.target for r in progress(store, "error", "ibm_?").readings} == {"ibm_a", "ibm_b"}
    assert brief(progress(store, "error", "ibm_[ab]").readings) == [("ibm_[ab]", 3, 0)]
    assert progress(store, "error", "other").readings == ()
    assert progress(store, "unknown").readings == ()


def test_only_accepted_origins_else_the_last_that_is_refused(store: Store) -> None:
    keep(store, error(1, 0, origin="simulated"), error(2, 1), error(3, 2, origin="simulated"))
    assert brief(progress(store, "error", "*", ["vendor"]).readings) == [("a", 2, 1)]
    assert brief(progress(store, "error", "*", ["measured"]).readings) == [("a", 3, 2)]


def test_a_family_that_is_known_stays_known(store: Store) -> None:
    keep(store, error(1, 0, family="Heron r1"))
    keep(store, error(2, 40))
    assert {r.family for r in progress(store, "error").readings} == {"Heron r1"}
    keep(store, error(3, 80, family="Heron r2"))
    assert {r.family for r in progress(store, "error").readings} == {"Heron r2"}


@given(
    st.lists(
        st.builds(error, st.integers(0, 5), st.integers(0, 70), st.sampled_from("ab")), max_size=30
    )
)
@settings(max_examples=25, deadline=None)
def test_the_store_gives_what_thinning_all_of_it_gives(
    tmp_path_factory: pytest.TempPathFactory, readings: list[Reading]
) -> None:
    store = Store.writer(tmp_path_factory.mktemp("db") / "q.db")
    last = {(one.target, one.at): one for one in readings}  # of one moment the last one stands
    keep(store, *readings)
    assert progress(store, "error").readings == thinned(last.values())
    store.close()


# --- a past that nobody watches ------------------------------------------------------------------


def test_what_only_a_backfill_has_written_is_not_watched(store: Store) -> None:
    for target in ("retired", "alive"):
        keep(store, error(5, 0, target), probe=BACKFILL, device=target)
    keep(store, error(4, 400, "alive"), error(3, 400, "new"))
    assert [target for _, target, _ in store.names()] == ["alive", "new"]
    assert [target for _, target, _ in store.names(past=True)] == ["alive", "new", "retired"]
    assert [row["target"] for row in reports.latest(store)] == ["alive", "new"]
    assert {r.target for r in progress(store, "error").readings} == {"alive", "new", "retired"}


def test_what_is_stored_is_told_from_what_is_not(store: Store) -> None:
    known, moved, changed = error(1, 0), error(1, 1), error(2, 0)
    keep(store, known, error(7, 3))
    assert reports.has_all(store, [known, error(7, 3)])
    assert not reports.has_all(store, [known, moved])
    assert not reports.has_all(store, [changed])
