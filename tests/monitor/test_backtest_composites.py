"""What a backtest of composites and trends says is what the service said of the same readings."""

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from replaying import SIGNAL, STEPS, Service, Step, rules

from monitor.foresee.backtest import compare
from monitor.report import iso
from storage.types import Reading, Run
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


# No member turns at the moment at which a composite is let go: the clock of this service looks
# before each run alone, and would see the one and not the other.
@pytest.mark.parametrize(
    ("when", "keep"), [("all", "0s"), ("any", "0s"), ("any", "3601s"), ("all", "62s")]
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


# --- trends ------------------------------------------------------------------------------------

Later = tuple[float, float, str]
"""Seconds since the reading before, its value, its target."""
LATER = st.lists(
    st.tuples(
        st.sampled_from((0.5 * DAY, 7 * DAY, 40 * DAY)),
        st.sampled_from((1.5, 2.0, 4.0, 8.0, 8.0, 33.0, 64.0, 0.9)),
        st.sampled_from(("a", "b", "c")),
    ),
    min_size=3,
    max_size=8,
)


def trend_rule(data: st.DataObject) -> Rule:
    table = {
        "name": "soon",
        "signal": SIGNAL.name,
        "when": "crosses",
        "side": data.draw(st.sampled_from(("below", "above"))),
        "threshold": data.draw(st.sampled_from((1, 40))),
        "horizon": data.draw(st.sampled_from(("1y", "4y"))),
        "fit": data.draw(st.sampled_from(("best", "all"))),
        "keep_firing_for": data.draw(st.sampled_from(("0s", "100d"))),
    }
    return Rule.model_validate(table)


def bring(service: Service, target: str, value: float, probe: str) -> None:
    """One reading of a device of a family of its own."""
    readings = [
        Reading(SIGNAL.name, target, value, "measured", at=service.now, family=f"family {target}")
    ]
    began = round(service.now - 1, 3)
    found = Run(probe, "k", "ok", "", began, 1.0, settings={"device": target})

    def settle() -> None:
        service.store.record(found, readings, [SIGNAL])
        service.judge.after_run(found, readings, service.now)

    service.writer.once(settle)


@pytest.mark.parametrize("probe", ["meter", "backfill"])
@settings(max_examples=5, deadline=None, derandomize=True, phases=[Phase.generate])
@given(st.data(), LATER)
def test_a_backtest_of_a_trend_says_what_the_service_said(
    probe: str, data: st.DataObject, steps: list[Later]
) -> None:
    rule = trend_rule(data)
    over = of("over", "any", "soon")
    with tempfile.TemporaryDirectory() as folder:
        service = Service(Path(folder), rule, over)
        for number, value in enumerate((64.0, 50.0, 40.0, 21.0, 16.0, 8.2)):
            bring(service, f"{number}", value, probe)
            service.wait(100 * DAY)
        for number, (gap, value, target) in enumerate(steps):
            passed = 0.0
            while passed + DAY < gap:
                service.wait(DAY)
                passed += DAY
                service.writer.once(lambda: service.judge.slow(service.now))
            service.wait(gap - passed)
            bring(service, f"{target}{number // 2}", value, probe)
        for name in ("soon", "over"):
            document = compare(service.store, service.config, name, None, 0.0, service.now)
            assert moments(document) == owed(service, name), name
        service.writer.close()


def moments(document: dict[str, Any]) -> list[tuple[str, str]]:
    """When it fires and resolves."""
    episodes = [one["present"] for row in document["targets"] for one in row["episodes"]]
    found = [("fires", one["fired_at"]) for one in episodes]
    found += [("resolves", one["resolved_at"]) for one in episodes if one["resolved_at"]]
    return sorted(found, key=lambda line: line[1])


def owed(service: Service, name: str) -> list[tuple[str, str]]:
    rows = service.store.connection.execute(
        'SELECT kind, created FROM alerts WHERE "trigger" = ? ORDER BY id', (name,)
    )
    told = [(kind, iso(at / 1000)) for kind, at in rows]
    return [(kind, at or "") for kind, at in told if kind in ("fires", "resolves")]
