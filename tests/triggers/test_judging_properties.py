"""Whatever the readings, the gaps and the restarts: what a person is told stays true."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trigger_examples import START, rule

from storage.store import Store
from storage.types import ORIGINS, Origin, Outcome, Reading, Run, Series, Signal, Standing
from triggers.change import Change, advance, begin, decide, stand
from triggers.check import Verdict, check, lookback
from triggers.rule import RELATIVE, Rule

KINDS = ("above", "below", "drops", "rises", "shifts", "fails", "stale")
SETUPS = st.sampled_from(("", *['{"driver": "570"}'] * 3, '{"driver": "580"}'))
SIGNAL = Signal("s", "ms", "lower", "an example")
# Steps in time that fall on, before and after the durations of the rules below.
SECONDS = st.sampled_from((0.0, 0.001, 1.0, 59.999, 60.0, 61.0, 300.0, 3600.0, 90000.0))
# Mostly around the thresholds below. Two halves of 1e300 can still be added.
VALUES = st.sampled_from((-100.0, -11.0, 0.0, 7.0, 9.0, 10.0, 11.0, 12.0, 100.0)) | st.floats(
    -1e300, 1e300
).map(lambda value: value + 0.0)  # SQLite keeps no -0.0


@dataclass(frozen=True)
class Step:
    """One thing that happens: a run with a reading, a run without, mere time, or a restart."""

    kind: Literal["reading", "failure", "skipped", "gap", "restart"]
    seconds: float = 0.0
    value: float = 0.0
    origin: Origin = "measured"
    late: float = 0.0
    setup: str = ""


READINGS = st.builds(
    Step,
    st.just("reading"),
    SECONDS,
    VALUES,
    st.just("measured") | st.sampled_from(ORIGINS),
    st.just(0.0) | st.just(0.0) | SECONDS,
    SETUPS,
)
OTHERS = st.builds(Step, st.sampled_from(("failure", "skipped", "gap", "restart")), SECONDS)
# The same thing several times over: without that nothing ever has a baseline, or is sustained.
BLOCKS = st.builds(
    lambda step, times: [step] * times,
    st.one_of(READINGS, READINGS, OTHERS),
    st.integers(1, 8) | st.just(24),
)
STEPS = st.lists(BLOCKS, min_size=1, max_size=12).map(lambda blocks: list(chain(*blocks)))
HOLDS = st.sampled_from(("1 reading", "2 readings", "2 of 3", "61s", "10m"))


@st.composite
def rules(draw: st.DrawFn, when: str) -> Rule:
    table: dict[str, Any] = {"keep_firing_for": draw(st.sampled_from(("0s", "60s", "1h")))}
    if when not in ("fails", "stale") and draw(st.booleans()):
        table["confirm"] = True
    elif when not in ("shifts", "stale"):
        table["hold"] = draw(HOLDS)
    if when != "stale":
        table["no_data"] = draw(st.sampled_from(("keep", "alert")))
        table["max_age"] = draw(st.sampled_from(("30d", "1h", "60s")))
    if when != "fails":
        table["accept"] = draw(st.sampled_from((ORIGINS, ["measured"], ["vendor", "simulated"])))
    if when in RELATIVE:
        windows = ("5 readings", "7 readings", "1h", "30d")
        table |= {"threshold": "10%", "baseline": draw(st.sampled_from(windows))}
        table["clear"] = draw(st.sampled_from(("10%", "5%", "0%")))
    elif when == "shifts":
        table["baseline"] = draw(st.sampled_from(("20 readings", "25 readings", "1h", "30d")))
        table |= draw(st.sampled_from(({}, {"side": "below"}, {"side": "above", "allowance": 0.5})))
    elif when == "stale":
        table["threshold"] = draw(st.sampled_from(("61s", "1h")))
    elif when != "fails":
        table["threshold"] = 10
        table["clear"] = draw(st.sampled_from((10, 8 if when == "above" else 12)))
    return rule(when, **table)


@dataclass
class Steady:
    """A service that never stops: it has everything in memory, the whole history included."""

    by: Rule
    standing: Standing
    samples: dict[float, Reading] = field(default_factory=dict)
    ends: list[Reading] = field(default_factory=list)

    def record(self, run: Run, readings: tuple[Reading, ...]) -> None:
        self.samples |= {reading.at: reading for reading in readings}
        if run.outcome != "skipped":
            bad, at = float(run.outcome != "ok"), round(run.started + run.seconds, 3)
            self.ends.append(Reading("run", "p", bad, "measured", None, at, run.reason))

    def series(self) -> Series:
        if self.by.when == "fails":
            return Series("run", "1", "p", tuple(self.ends))
        readings = tuple(self.samples[at] for at in sorted(self.samples))
        unit = "ms" if readings else ""
        return Series("s", unit, "t", readings, self.standing.created)


class Restarting:
    """A service that knows after a restart its file, and looks no further back than it must."""

    store: Store | None = None

    def __init__(self, by: Rule, path: Path, standing: Standing) -> None:
        self.by, self.path = by, path
        self.restart()
        self.store.put(standing)

    @property
    def standing(self) -> Standing:
        found = self.store.standing("example", "t")
        assert found is not None
        return found

    def record(self, run: Run, readings: tuple[Reading, ...]) -> None:
        with self.store.transaction():
            self.store.record(run, readings, [SIGNAL])

    def series(self) -> Series:
        seconds, readings = lookback(self.by)
        if self.by.when == "fails":
            return self.store.outcomes("p", readings, seconds)
        found = self.store.window("s", "t", seconds, readings, self.by.accept)
        return replace(found, watched_since=self.standing.created)

    def restart(self) -> None:
        if self.store is not None:
            self.store.close()
        self.store = Store.writer(self.path)
        self.store.connection.execute("PRAGMA synchronous = OFF")  # no power cut is played here


@contextmanager
def services(by: Rule) -> Iterator[tuple[Steady, Restarting]]:
    new = begin("example", "t", START)
    with tempfile.TemporaryDirectory() as folder:
        restarting = Restarting(by, Path(folder) / "q.db", new)
        try:
            yield Steady(by, new), restarting
        finally:
            restarting.store.close()


def happened(step: Step, now: float) -> tuple[Run, tuple[Reading, ...]] | None:
    outcomes: dict[str, Outcome] = {"reading": "ok", "failure": "failed", "skipped": "skipped"}
    if step.kind not in outcomes:
        return None
    run = Run("p", "k", outcomes[step.kind], "a reason", round(now - 1, 3), 1.0)
    at = round(now - step.late, 3)
    reading = Reading("s", "t", step.value, step.origin, at=at, setup=step.setup)
    return run, (reading,) if step.kind == "reading" else ()


@dataclass
class Listener:
    """Somebody who is told of every change, and must never be told nonsense."""

    open: str | None = None

    def hear(self, changes: tuple[Change, ...], is_news: bool) -> None:
        for change in changes:
            assert change.why
            if change.kind == "rebases":
                assert is_news
            elif change.kind == "resolves":
                assert self.open is not None
                assert is_news, "resolved from the absence of readings"
                self.open = None
            else:
                assert self.open is None, f"{change.kind} twice without a resolve between"
                self.open = change.kind


@pytest.mark.parametrize("when", KINDS)
@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.data(), STEPS)
def test_no_sequence_of_readings_gaps_and_restarts_tells_a_falsehood(
    when: str, data: st.DataObject, steps: list[Step]
) -> None:
    by = data.draw(rules(when))
    now, listener = START, Listener()
    with services(by) as (steady, restarting):
        for step in steps:
            # runs that began at one moment are one pass over a fleet
            now = round(now + max(step.seconds, 0.001 if when == "fails" else 0.0), 3)
            found = happened(step, now)
            if found is not None:
                steady.record(*found)
                restarting.record(*found)
            if step.kind == "restart":
                restarting.restart()
            before, series = steady.standing, steady.series()
            verdict = check(by, series, now, before)
            assert verdict.why
            assert verdict.holds is True or not verdict.sustained
            assert verdict.holds is False or not verdict.clears
            assert verdict.holds is None or not verdict.absent
            after, changes = stand(by, before, series, now)
            listener.hear(changes, is_news=says_something(by, found))
            assert after.why
            assert after.told == listener.open
            assert (after.state == "firing") == (after.told == "fires")
            if before.state == "firing" and after.told is None:
                assert verdict.clears or verdict.moved
            assert stand(by, after, series, now) == (after, ())
            steady.standing = after
            same, as_many = stand(by, restarting.standing, restarting.series(), now)
            restarting.store.put(same)
            assert (restarting.standing, as_many) == (after, changes)


def says_something(by: Rule, found: tuple[Run, tuple[Reading, ...]] | None) -> bool:
    """Whether something arrived that this rule looks at."""
    if found is None:
        return False
    run, readings = found
    if by.when == "fails":
        return run.outcome != "skipped"
    return any(reading.origin in by.accept for reading in readings)


MOMENTS = st.none() | st.sampled_from((START - 3600, START, START + 1, START + 3600))
STANDINGS = st.builds(
    Standing,
    trigger=st.just("example"),
    target=st.just("t"),
    state=st.sampled_from(("inactive", "pending", "firing", "no-data")),
    since=st.just(START),
    created=st.sampled_from((START, START - 90000)),
    last_true=MOMENTS,
    baseline=st.none() | st.just(5.0),
    told=st.sampled_from((None, "fires", "no-data")),
)
VERDICTS = st.builds(
    lambda answer, at, baseline: replace(answer, at=at, baseline=baseline),
    st.sampled_from(
        (
            Verdict(True, "beyond"),
            Verdict(True, "beyond for long", sustained=True),
            Verdict(False, "between"),
            Verdict(False, "back", clears=True),
            Verdict(None, "learning"),
            Verdict(None, "nothing", absent=True),
        )
    ),
    MOMENTS,
    st.none() | st.just(7.0),
)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.sampled_from(KINDS).flatmap(rules), STANDINGS, VERDICTS)
def test_advance_comes_to_rest_from_anywhere(
    by: Rule, standing: Standing, verdict: Verdict
) -> None:
    now, at, changes = START + 7200, standing, []
    for _ in range(4):
        at, change = decide(by, at, verdict, now)
        if change is None:
            break
        changes.append(change)
    else:
        raise AssertionError(f"still changing: {changes}")
    assert advance(by, standing, verdict, now) == (at, tuple(changes))
    assert advance(by, at, verdict, now) == (at, ())
