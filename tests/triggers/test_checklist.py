from typing import Any

import pytest
from trigger_examples import START, rule

from storage.types import Standing
from triggers.change import advance, begin
from triggers.checklist import Item, Judgement, as_rule, as_verdict, judge, ratio, verdict
from triggers.rule import Rule

RULES = {
    "qubits": rule("above", 100, name="qubits"),
    "error": rule("below", 0.01, name="error"),
    "speed": rule("drops", "10%", name="speed"),
    "runs": rule("fails", name="runs"),
}


def standing(trigger: str, state: Any, target: str = "t", **more: Any) -> Standing:
    return Standing(trigger, target, state, START, START, why="because", **more)


def item(*requires: str, gaps: tuple[str, ...] = ()) -> Item:
    return Item(name="logical", question="Is it there?", requires=requires, gaps=gaps)


def holds(*states: str, gaps: tuple[str, ...] = ()) -> bool | None:
    """What becomes of an item whose criteria stand so."""
    names = ("qubits", "error", "speed")[: len(states)]
    standings = {name: [standing(name, state)] for name, state in zip(names, states, strict=True)}
    return judge(item(*names, gaps=gaps), RULES, standings).holds


@pytest.mark.parametrize(
    ("states", "answer"),
    [
        (("firing",), True),
        (("inactive",), False),
        (("pending",), False),
        (("no-data",), None),
        (("firing", "firing"), True),
        (("firing", "inactive"), False),
        (("firing", "no-data"), None),
        (("inactive", "no-data"), False),
        ((), None),
    ],
)
def test_all_must_hold_and_unknown_is_not_no(states: tuple[str, ...], answer: bool | None) -> None:
    assert holds(*states) is answer


def test_a_gap_keeps_an_item_unknown_but_not_from_being_no() -> None:
    gap = ("nobody publishes the price",)
    assert holds("firing", gaps=gap) is None
    assert holds("inactive", gaps=gap) is False
    assert holds(gaps=gap) is None
    [criterion] = judge(item(gaps=gap), RULES, {}).criteria
    assert (criterion.trigger, criterion.signal, criterion.holds) == (None, None, None)
    assert criterion.why == gap[0]


def test_a_trigger_that_was_never_judged_is_unknown() -> None:
    judged = judge(item("qubits", "speed", "runs"), RULES, {"speed": ()})
    assert judged.holds is None
    assert [c.threshold for c in judged.criteria] == [100, None, None]
    assert [c.signal for c in judged.criteria] == ["s", "s", "runs of p"]
    assert {c.why for c in judged.criteria} == {"nothing has been measured for it yet"}


def test_a_criterion_shows_what_stands() -> None:
    seen = standing("qubits", "firing", value=120.0, threshold=100.0, unit="qubits")
    [criterion] = judge(item("qubits"), RULES, {"qubits": [seen]}).criteria
    assert (criterion.value, criterion.threshold, criterion.unit) == (120, 100, "qubits")
    assert (criterion.target, criterion.ratio, criterion.why) == ("t", 1.2, "because")


@pytest.mark.parametrize(
    ("standings", "best"),
    [
        # The nearest to its threshold speaks for all.
        ([("a", "inactive", 50.0), ("b", "inactive", 80.0), ("c", "inactive", 10.0)], "b"),
        # One that fires comes before one that is nearer (`for` is not yet met there).
        ([("a", "pending", 300.0), ("b", "firing", 110.0)], "b"),
        # One that is known comes before one that is not.
        ([("a", "no-data", 90.0), ("b", "inactive", 10.0)], "b"),
        ([("a", "no-data", None), ("b", "no-data", None)], "a"),
        ([("a", "inactive", None), ("b", "inactive", 1.0)], "b"),
    ],
)
def test_the_best_of_several_targets(
    standings: list[tuple[str, Any, float | None]], best: str
) -> None:
    found = [
        standing("qubits", state, target, value=value, threshold=100.0)
        for target, state, value in standings
    ]
    [criterion] = judge(item("qubits"), RULES, {"qubits": found}).criteria
    assert criterion.target == best


def on(trigger: str, **states: Any) -> list[Standing]:
    """Standings by target: a state, or a state and a value."""
    given = {t: s if isinstance(s, tuple) else (s, None) for t, s in states.items()}
    return [standing(trigger, s, t, value=v, threshold=100.0) for t, (s, v) in given.items()]


def test_an_item_holds_on_one_device_and_not_on_two_together() -> None:
    apart = {
        "qubits": on("qubits", a="firing", b="inactive"),
        "error": on("error", a="inactive", b="firing"),
    }
    judged = judge(item("qubits", "error"), RULES, apart)
    assert judged.holds is False
    assert [(c.target, c.holds) for c in judged.criteria] == [("a", True), ("a", False)]
    both = apart | {"error": on("error", a="inactive", b="firing", c="firing")}
    both["qubits"] = [*both["qubits"], *on("qubits", c="firing")]
    judged = judge(item("qubits", "error"), RULES, both)
    assert judged.holds is True
    assert [c.target for c in judged.criteria] == ["c", "c"]


def test_of_targets_that_satisfy_as_many_the_one_with_the_best_smallest_ratio_is_shown() -> None:
    standings = {
        "qubits": on("qubits", a=("inactive", 90.0), b=("inactive", 60.0)),
        "error": on("error", a=("inactive", 1000.0), b=("inactive", 200.0)),
    }
    judged = judge(item("qubits", "error"), RULES, standings)
    assert [(c.target, c.ratio) for c in judged.criteria] == [("b", 0.6), ("b", 0.5)]


def test_a_trigger_without_readings_on_the_shown_target_is_unknown() -> None:
    standings = {
        "qubits": on("qubits", a="firing", b="inactive"),
        "error": on("error", b="inactive"),
    }
    judged = judge(item("qubits", "error"), RULES, standings)
    assert judged.holds is None
    assert [(c.target, c.holds) for c in judged.criteria] == [("a", True), ("a", None)]
    assert judged.criteria[1].why == "nothing has been measured for it on a yet"


def test_triggers_that_share_no_target_are_judged_apart() -> None:
    standings = {"qubits": on("qubits", device="firing"), "speed": on("speed", gpu="firing")}
    judged = judge(item("qubits", "speed"), RULES, standings)
    assert (judged.holds, [c.target for c in judged.criteria]) == (True, ["device", "gpu"])


def test_a_third_trigger_brings_two_together() -> None:
    standings = {
        "qubits": on("qubits", a="firing"),
        "error": on("error", b="firing"),
        "speed": on("speed", a="firing", b="firing"),
    }
    judged = judge(item("qubits", "error", "speed"), RULES, standings)
    assert (judged.holds, {c.target for c in judged.criteria}) == (None, {"a"})


def test_runs_are_judged_apart_even_where_a_probe_is_called_like_a_target() -> None:
    standings = {
        "qubits": on("qubits", a="firing", b="inactive"),
        "runs": on("runs", a="inactive", b="firing"),
    }
    for names in (("qubits", "runs"), ("runs", "qubits")):
        assert judge(item(*names), RULES, standings).holds is True


@pytest.mark.parametrize(
    ("by", "value", "threshold", "way"),
    [
        (RULES["qubits"], 50, 100, 0.5),
        (RULES["qubits"], 200, 100, 2.0),
        (RULES["error"], 0.04, 0.01, 0.25),
        (RULES["speed"], 200, 100, 0.5),
        (rule("rises", "10%"), 55, 110, 0.5),
        (rule("stale", "2h"), 3600, 7200, 0.5),
        (RULES["qubits"], None, 100, None),
        (RULES["qubits"], 50, None, None),
        (RULES["qubits"], 0, 100, None),
        (RULES["qubits"], -5, 100, None),
        (RULES["error"], 0.04, 0, None),
        (RULES["error"], 0.04, -1, None),
    ],
)
def test_the_ratio_is_how_much_of_the_way_is_gone(
    by: Rule, value: float | None, threshold: float | None, way: float | None
) -> None:
    assert ratio(by, value, threshold) == way


def answered(*answers: bool | None) -> list[Judgement]:
    return [Judgement("n", "q", answer, ()) for answer in answers]


@pytest.mark.parametrize(
    ("answers", "line"),
    [
        ((), "No checklist is configured: nothing to judge."),
        (
            (False, None, False),
            "GPUs first, keep watching: 0 of 3 hold, 2 do not, 1 cannot be told yet.",
        ),
        ((None,), "GPUs first, keep watching: 0 of 1 hold, 0 do not, 1 cannot be told yet."),
        ((True, None, False), "Re-evaluate: 1 of 3 hold, 1 do not, 1 cannot be told yet."),
        ((True, True), "Plan for quantum: every question is answered with yes (2 of 2 hold, "),
    ],
)
def test_the_verdict_line(answers: tuple[bool | None, ...], line: str) -> None:
    assert verdict(answered(*answers)).startswith(line)


def test_an_item_is_told_by_the_same_state_machine() -> None:
    now, kinds, states = START, [], []
    now_stands = begin("checklist.logical", "*", START)
    for answer in (None, False, True, None, True, False):
        now += 60
        [judgement] = answered(answer)
        now_stands, changes = advance(
            as_rule(judgement), now_stands, as_verdict(judgement, now), now
        )
        kinds += [change.kind for change in changes]
        states.append(now_stands.state)
    # An answer that can no longer be told changes nothing that was told.
    assert states == ["no-data", "inactive", "firing", "firing", "firing", "inactive"]
    assert kinds == ["fires", "resolves"]


def test_an_item_says_what_is_still_missing() -> None:
    standings = {"qubits": [standing("qubits", "firing")], "error": [standing("error", "inactive")]}
    judged = judge(item("qubits", "error", gaps=("no price",)), RULES, standings)
    assert as_verdict(judged, START).why == "error: because; not measured yet: no price"
    done = judge(item("qubits"), RULES, standings)
    assert as_verdict(done, START).why == "every criterion holds"
