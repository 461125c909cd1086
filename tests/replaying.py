"""A judge on a real database that is never down, and readings to be settled step by step: what a
backtest is held against."""

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from hypothesis import strategies as st

from monitor import config as configs
from monitor.config import Config
from monitor.judge import Judge
from monitor.writer import Writer
from storage.store import Store
from storage.types import Outcome, Reading, Run, Signal
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
    if when not in ("shifts", "stale"):
        more["for"] = draw(st.sampled_from(("1 reading", "2 readings", "2 of 3", "61s")))
    if when != "stale":
        more["no_data"] = draw(st.sampled_from(("keep", "alert")))
        more["max_age"] = draw(st.sampled_from(("30d", "1h")))
    if when in RELATIVE:
        more |= {"threshold": "10%", "baseline": draw(st.sampled_from(("5 readings", "1h", "30d")))}
    elif when == "shifts":
        more["baseline"] = draw(st.sampled_from(("20 readings", "30d")))
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

    def __init__(self, folder: Path, *found: Rule) -> None:
        self.writer = Writer(folder / "q.db")
        self.store.connection.execute("PRAGMA synchronous = OFF")  # no power cut is played here
        self.config = config(*found)
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

    def end(
        self, values: Sequence[float], target: str, outcome: Outcome = "ok", setup: str = ""
    ) -> None:
        """A run ends, its readings a millisecond apart; just before, the slow clock has looked."""
        count = len(values)
        self.now = round(self.now + 0.001 * (count - 1), 3)
        self.writer.once(lambda: self.judge.slow(max(START, round(self.now - 0.001, 3))))
        readings = tuple(
            Reading(
                SIGNAL.name,
                target,
                v,
                "measured",
                at=round(self.now - 0.001 * (count - 1 - k), 3),
                setup=setup,
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
            (kind, on, facts.get("value"), facts.get("read_at"))
            for kind, target, text in rows
            if kind != "reminds"
            for on, facts in _by_target(target, json.loads(text)).items()
        ]


def _by_target(target: str, facts: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What a message says of each target: a new baseline is told of all together."""
    found: dict[str, dict[str, Any]] = facts.get("rebased", {target: facts})
    return found
