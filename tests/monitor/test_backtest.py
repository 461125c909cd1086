"""What a backtest says is what the service said: the same readings, judged step by step on a real
database, owe the same alerts."""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor import config as configs
from monitor.config import Config
from monitor.foresee.backtest import compare
from monitor.foresee.covering import loader, targets
from monitor.judge import Judge
from monitor.writer import Writer
from storage.store import Store
from storage.types import Outcome, Reading, Run, Signal
from triggers.backtest import backtest
from triggers.rule import RELATIVE, Rule

SIGNAL = Signal("test.meter", "V", "lower", "what the meter says")
START = 1_700_000_000.0
GAPS = (0.001, 1.0, 59.999, 60.0, 61.0, 300.0, 3600.0, 3600.001, 90000.0)
VALUES = (-100.0, 0.0, 7.0, 8.0, 9.0, 10.0, 10.5, 11.0, 12.0, 100.0)
Step = tuple[float, tuple[float, ...], str, Outcome]
"""Seconds since the one before, the values that one run brings, its target and its outcome."""


def table(when: str, **more: Any) -> Rule:
    subject = {"probe": "meter"} if when == "fails" else {"signal": SIGNAL.name}
    return Rule.model_validate({"name": "t", "when": when, **subject, **more})


@st.composite
def rules(draw: st.DrawFn, when: str) -> Rule:
    more: dict[str, Any] = {"keep_firing_for": draw(st.sampled_from(("0s", "60s", "1h")))}
    if when != "stale":
        more["for"] = draw(st.sampled_from(("1 reading", "2 readings", "2 of 3", "61s")))
        more["no_data"] = draw(st.sampled_from(("keep", "alert")))
        more["max_age"] = draw(st.sampled_from(("30d", "1h")))
    if when in RELATIVE:
        more |= {"threshold": "10%", "baseline": draw(st.sampled_from(("5 readings", "1h", "30d")))}
    elif when == "stale":
        more["threshold"] = draw(st.sampled_from(("61s", "1h")))
    elif when != "fails":
        more["threshold"] = 10
    return table(when, **more)


STEP = st.tuples(
    st.sampled_from(GAPS),
    st.lists(st.sampled_from(VALUES), min_size=1, max_size=2).map(tuple),
    st.sampled_from(("a", "b")),
    st.sampled_from(("ok", "ok", "failed")),
)
BLOCKS = st.builds(lambda step, times: [step] * times, STEP, st.integers(1, 8))
STEPS = st.lists(BLOCKS, min_size=1, max_size=8).map(lambda found: [s for b in found for s in b])


PROBE = f"""
[probe.meter]
kind = "external.command"
argv = ["true"]
signals = {{ "{SIGNAL.name}" = "V" }}
every = "15m"
"""


@cache
def base() -> Config:
    return configs.parse(Path("config.toml").absolute(), PROBE.encode(), with_token=False)


def config(*found: Rule) -> Config:
    return replace(base(), triggers=MappingProxyType({rule.name: rule for rule in found}))


class Service:
    """A service that is up all the time, with time in the test's hand."""

    def __init__(self, folder: Path, rule: Rule) -> None:
        self.writer = Writer(folder / "q.db")
        self.store.connection.execute("PRAGMA synchronous = OFF")  # no power cut is played here
        self.config = config(rule)
        self.judge = Judge(self.config, self.writer)
        self.now = START
        self.writer.once(lambda: self.judge.everything(self.now))
        self.writer.once(lambda: self.judge.slow(self.now))

    @property
    def store(self) -> Store:
        return self.writer.store

    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.now = round(self.now + seconds, 3)

    def end(self, values: Sequence[float], target: str, outcome: Outcome = "ok") -> None:
        """A run ends, its readings a millisecond apart; just before, the slow clock has looked."""
        count = len(values)
        self.now = round(self.now + 0.001 * (count - 1), 3)
        self.writer.once(lambda: self.judge.slow(max(START, round(self.now - 0.001, 3))))
        readings = tuple(
            Reading(
                SIGNAL.name, target, v, "measured", at=round(self.now - 0.001 * (count - 1 - k), 3)
            )
            for k, v in enumerate(values)
        )
        found = Run("meter", "external.command", outcome, "a reason", round(self.now - 1, 3), 1.0)

        def settle() -> None:
            self.store.record(found, readings if outcome == "ok" else (), [SIGNAL])
            self.judge.after_run(found, readings if outcome == "ok" else (), self.now)

        self.writer.once(settle)

    def told(self) -> list[tuple[Any, ...]]:
        rows = self.store.connection.execute("SELECT kind, target, facts FROM alerts ORDER BY id")
        return [
            (kind, target, (facts := json.loads(text)).get("value"), facts.get("read_at"))
            for kind, target, text in rows
            if kind != "reminds"
        ]


def replayed(store: Store, found: Config, rule: Rule, until: float) -> list[tuple[Any, ...]]:
    load = loader(store, 0.0, until, rule)
    events = []
    for target in targets(store, found, rule):
        covered = load(rule, target)
        if covered is None or not len(covered.past.at):
            continue
        seen, _ = backtest(rule, covered.past, begin=float(covered.past.at[0]), end=until)
        events += [(event, target) for event in seen]
    return [
        (e.kind, target, e.standing.value, e.standing.read_at)
        for e, target in sorted(events, key=lambda pair: pair[0].at)
    ]


@pytest.mark.parametrize("when", ["above", "below", "drops", "rises", "fails", "stale"])
@settings(max_examples=10, deadline=None, derandomize=True)
@given(st.data(), STEPS)
def test_a_backtest_says_what_the_service_said(
    when: str, data: st.DataObject, steps: list[Step]
) -> None:
    rule = data.draw(rules(when))
    with tempfile.TemporaryDirectory() as folder:
        service = Service(Path(folder), rule)
        service.end((9.0,), "a")
        service.end((9.0,), "b") if when != "fails" else None
        for gap, values, target, outcome in steps:
            service.wait(gap)
            service.end(values, target, outcome)
        service.writer.once(lambda: service.judge.slow(service.now))
        told = [line for line in service.told() if when != "stale" or line[0] != "no-data"]
        said = replayed(service.store, service.config, rule, service.now)
        for target in ("a", "b", "meter"):
            mine = [_line(line, when) for line in said if line[1] == target]
            assert mine == [_line(line, when) for line in told if line[1] == target]
        document = compare(service.store, service.config, "t", None, 0.0, service.now)
        fired = sum(kind == "fires" for kind, *_ in told)
        assert document["total"]["present"]["alarms"] == fired == document["told"]["fires"]
        service.writer.close()


def _line(line: tuple[Any, ...], when: str) -> tuple[Any, ...]:
    """A silence is told by the clock: when it looks, and how old the reading is then, differ."""
    kind, target, value, read_at = line
    return (kind, target) if when == "stale" else (kind, target, value, read_at)
