"""What a backtest of composites and trends says is what the service said of the same readings."""

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from replaying import STEPS, Service, Step, rules

from monitor.foresee.backtest import compare
from triggers.rule import Rule

DAY = 86400.0
KINDS = ("above", "below", "drops", "rises", "fails", "stale")


def named(rule: Rule, name: str, **more: Any) -> Rule:
    return rule.model_copy(update={"name": name, **more})


def of(name: str, when: str, *members: str, keep: str = "0s") -> Rule:
    table = {"name": name, "when": when, "of": members, "keep_firing_for": keep}
    return Rule.model_validate(table)


def members(data: st.DataObject) -> list[Rule]:
    """Two or three members of different kinds, some on one target alone."""
    found = []
    for number in range(data.draw(st.integers(2, 3))):
        when = data.draw(st.sampled_from(KINDS))
        rule = data.draw(rules(when))
        target = "*" if when == "fails" else data.draw(st.sampled_from(("*", "*", "a")))
        found.append(named(rule, f"m{number}", **({} if target == "*" else {"target": target})))
    return found


def told(service: Service, name: str) -> list[tuple[str, str]]:
    rows = service.store.connection.execute(
        'SELECT kind, target, facts FROM alerts WHERE "trigger" = ? ORDER BY id', (name,)
    )
    return [(kind, target) for kind, target, _ in rows if kind in ("fires", "resolves")]


def said(document: dict[str, Any]) -> list[tuple[str, str]]:
    found = []
    for row in document["targets"]:
        for episode in row["episodes"]:
            one = episode["present"]
            found.append(("fires", row["target"], one["fired_at"]))
            if one["resolved_at"]:
                found.append(("resolves", row["target"], one["resolved_at"]))
    return [(kind, target) for kind, target, _ in sorted(found, key=lambda line: line[2])]


def by_target(lines: list[tuple[str, str]]) -> dict[str, list[str]]:
    return {where: [k for k, t in lines if t == where] for where in sorted({t for _, t in lines})}


@pytest.mark.parametrize(
    ("when", "keep"), [("all", "0s"), ("any", "0s"), ("any", "1h"), ("all", "61s")]
)
@settings(max_examples=12, deadline=None, derandomize=True, phases=[Phase.generate])
@given(st.data(), STEPS)
def test_a_backtest_of_a_composite_says_what_the_service_said(
    when: str, keep: str, data: st.DataObject, steps: list[Step]
) -> None:
    leaves = members(data)
    names = [leaf.name for leaf in leaves]
    inner = of("inner", when, *names, keep=keep)
    outer = of("outer", data.draw(st.sampled_from(("all", "any"))), "inner", names[0])
    with tempfile.TemporaryDirectory() as folder:
        service = Service(Path(folder), *leaves, inner, outer)
        service.end((9.0,), "a")
        service.end((9.0,), "b")
        for gap, values, target, outcome in steps:
            service.wait(gap)
            service.end(values, target, outcome)
        service.writer.once(lambda: service.judge.slow(service.now))
        for name in ("inner", "outer"):
            document = compare(service.store, service.config, name, None, 0.0, service.now)
            assert by_target(said(document)) == by_target(told(service, name)), name
            fired = sum(kind == "fires" for kind, _ in told(service, name))
            assert document["total"]["present"]["alarms"] == fired == document["told"]["fires"]
        service.writer.close()
