"""Whatever is snoozed, acknowledged or switched off meanwhile: what is told stays true, and the
state machine goes on as if nothing had been said."""

from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trigger_examples import START, rule

from storage.types import Reading, Series, Standing
from triggers.change import Change, begin, stand
from triggers.quiet import (
    acknowledge,
    is_quiet,
    reminder_due,
    snooze,
    spoken,
    unacknowledge,
    unsnooze,
)
from triggers.rule import Rule

RULES = {
    "plain": rule("above", 10),
    "slow": rule("above", 10, hold="2 readings", keep_firing_for="60s"),
    "silent": rule("above", 10, no_data="alert", max_age="5m"),
    "stale": rule("stale", "5m"),
    "drops": rule("drops", "10%", baseline="5 readings"),
}
SECONDS = st.sampled_from((0.001, 60.0, 299.0, 301.0, 3600.0))


@dataclass(frozen=True)
class Step:
    """One thing that happens, `seconds` after the one before."""

    kind: Literal["reading", "gap", "snooze", "unsnooze", "ack", "unack", "switch"]
    seconds: float = 60.0
    value: float = 0.0


READ = st.builds(Step, st.just("reading"), SECONDS, st.sampled_from((8.0, 9.0, 11.0, 12.0)))
SAY = st.builds(
    Step, st.sampled_from(("gap", "snooze", "unsnooze", "ack", "unack", "switch")), SECONDS
)
BLOCKS = st.builds(
    lambda step, times: [step] * times, st.one_of(READ, READ, SAY), st.integers(1, 6)
)
STEPS = st.lists(BLOCKS, min_size=1, max_size=14).map(lambda blocks: list(chain(*blocks)))


class Channel:
    """Where messages go: each is open until its resolution comes."""

    def __init__(self) -> None:
        self.open: int | None = None
        self.count = 0

    def hear(self, standing: Standing, changes: tuple[Change, ...], now: float) -> Standing:
        """What the service does with what is told."""
        for change in changes:
            if change.kind == "resolves":
                assert self.open is not None, "a resolution of nothing"
                self.open = None
                standing = replace(standing, alert=None, reminded=None)
            else:
                assert self.open is None, f"{change.kind} twice without a resolution between"
                self.count += 1
                self.open = self.count
                standing = replace(standing, alert=self.open, reminded=now)
        return standing


def said(step: Step, standing: Standing, now: float) -> Standing:
    with suppress(ValueError):  # what makes no sense is refused, and changes nothing
        if step.kind == "snooze":
            return snooze(standing, now + step.seconds)
        if step.kind == "unsnooze":
            return unsnooze(standing, now)
        if step.kind == "ack":
            return acknowledge(standing, "ada", now)
        if step.kind == "unack":
            return unacknowledge(standing)
    return standing


def bare(standing: Standing) -> Standing:
    """A standing without all that people and messages are about."""
    return replace(
        standing,
        alert=None,
        reminded=None,
        acknowledged_by=None,
        acknowledged_at=None,
        snoozed_until=None,
    )


@pytest.mark.parametrize("name", RULES)
@settings(max_examples=60, deadline=None, derandomize=True)
@given(STEPS)
def test_whatever_is_said_meanwhile_what_is_told_is_true(name: str, steps: list[Step]) -> None:
    loud = RULES[name]
    silent = loud.model_copy(update={"notify": False})
    by: Rule = loud
    standing = plain = begin("example", "t", START)
    channel, now, readings = Channel(), START, ()
    for step in steps:
        now = round(now + step.seconds, 3)
        if step.kind == "reading":
            readings = (*readings, Reading("s", "t", step.value, "measured", at=now))
        if step.kind == "switch":
            by = silent if by is loud else loud
        before = said(step, standing, now)
        series = Series("s", "ms", "t", readings, START)
        after, changes = stand(by, before, series, now)
        told = spoken(by, before, after, changes, now)
        quiet = is_quiet(by, after, now)
        if quiet:
            assert all(change.kind == "resolves" for change in told)
        standing = channel.hear(after, told, now)
        if not quiet:  # what is the matter has been told once, whenever it began
            assert (standing.alert is None) == (standing.told is None)
        if standing.told is None:
            assert (standing.alert, standing.acknowledged_by) == (None, None)
        if standing.acknowledged_by is not None:
            assert standing.alert is not None
            assert not reminder_due(by, standing, 0.0, now)
        assert standing.alert == channel.open
        assert spoken(by, standing, standing, (), now) == ()
        plain, _ = stand(loud, plain, series, now)
        assert bare(standing) == plain
