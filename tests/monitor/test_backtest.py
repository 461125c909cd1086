"""What a backtest says is what the service said: the same readings, judged step by step on a real
database, owe the same alerts."""

import random
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from replaying import STEPS, Service, Step, rules, table

from monitor.config import Config
from monitor.foresee.backtest import compare
from monitor.foresee.covering import loader, targets
from storage.store import Store
from triggers.backtest import backtest
from triggers.rule import Rule


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


@pytest.mark.parametrize("when", ["above", "below", "drops", "rises", "shifts", "fails", "stale"])
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


@pytest.mark.parametrize("when", ["drops", "shifts"])
def test_a_backtest_says_what_the_service_said_of_other_setups(tmp_path: Path, when: str) -> None:
    threshold = {"threshold": "5%"} if when == "drops" else {}
    rule = table(when, baseline="20 readings", **threshold)
    service = Service(tmp_path, rule)
    dice = random.Random(7)
    levels = [(100, "A")] * 45 + [(80, "A")] * 4 + [(90, "B")] * 30 + [(80, "B")] * 3
    levels += [(100, "A")] * 6 + [(80, "A")] * 3
    for level, driver in levels:
        service.wait(900)
        service.end((dice.gauss(level, 0.5),), "a", setup=f'{{"driver": "{driver}"}}')
    told = service.told()
    assert {kind for kind, *_ in told} == {"fires", "resolves", "rebases"}
    assert replayed(service.store, service.config, rule, service.now) == told
    service.writer.close()
