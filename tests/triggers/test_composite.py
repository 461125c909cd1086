"""Triggers about triggers: on which targets they are judged, and what they then say."""

import pytest

from storage.types import Standing, State
from triggers import composite
from triggers.rule import Rule

NOW = 1_800_000_000.0


def of(when: str, *members: str, name: str = "both") -> Rule:
    return Rule.model_validate({"name": name, "when": when, "of": members})


def plain(name: str) -> Rule:
    return Rule.model_validate({"name": name, "when": "above", "signal": "s", "threshold": 1})


def stands(**targets: State) -> list[Standing]:
    """Standings by target; `everywhere` is the target "*"."""
    return [
        Standing("m", "*" if target == "everywhere" else target, state, NOW, NOW, why=f"is {state}")
        for target, state in targets.items()
    ]


@pytest.mark.parametrize(
    ("when", "one", "other", "expected"),
    [
        ("any", {"a": "firing"}, {"b": "inactive"}, ("a", "b")),
        ("any", {}, {}, ("*",)),
        ("all", {"a": "firing", "b": "firing"}, {"b": "inactive", "c": "firing"}, ("b",)),
        ("all", {"a": "firing"}, {"b": "firing"}, ("*",)),
        ("all", {"a": "firing"}, {}, ("*",)),
        ("all", {"everywhere": "firing"}, {"everywhere": "firing"}, ("*",)),
        ("all", {"everywhere": "firing", "a": "firing"}, {"everywhere": "firing"}, ("*",)),
        (
            "all",
            {"everywhere": "no-data", "a": "firing"},
            {"everywhere": "no-data", "a": "firing"},
            ("a",),
        ),
    ],
)
def test_the_targets_of_a_composite_are_those_of_its_members(
    when: str, one: dict[str, State], other: dict[str, State], expected: tuple[str, ...]
) -> None:
    standings = {"one": stands(**one), "other": stands(**other)}
    assert composite.targets(of(when, "one", "other"), standings) == expected


@pytest.mark.parametrize(
    ("when", "one", "other", "holds"),
    [
        ("any", "firing", "inactive", True),
        ("any", "firing", "no-data", True),
        ("any", "inactive", "no-data", None),
        ("any", "inactive", "pending", False),
        ("all", "firing", "firing", True),
        ("all", "firing", "no-data", None),
        ("all", "inactive", "no-data", False),
        ("all", "firing", "pending", False),
    ],
)
def test_members_on_one_target_are_taken_together(
    when: str, one: State, other: State, holds: bool | None
) -> None:
    standings = {"one": stands(a=one, b="firing"), "other": stands(a=other, c="firing")}
    verdict = composite.verdict(of(when, "one", "other"), "a", standings, NOW)
    assert (verdict.holds, verdict.sustained, verdict.clears) == (
        holds,
        holds is True,
        holds is False,
    )
    assert verdict.value == [one, other].count("firing")
    assert verdict.threshold == (2 if when == "all" else 1)


def test_any_leaves_out_members_that_never_stood_on_the_target() -> None:
    standings = {"one": stands(a="inactive"), "other": stands(b="no-data")}
    assert composite.verdict(of("any", "one", "other"), "a", standings, NOW).holds is False
    assert composite.verdict(of("any", "one", "other"), "b", standings, NOW).holds is None


@pytest.mark.parametrize(
    ("one", "other", "holds"),
    [
        ({"a": "firing", "b": "no-data"}, {"c": "firing"}, True),
        ({"a": "inactive", "b": "no-data"}, {"c": "firing"}, None),
        ({"a": "inactive", "b": "pending"}, {"c": "firing"}, False),
        ({}, {"c": "firing"}, None),
        ({}, {"c": "inactive"}, False),
        ({"everywhere": "firing"}, {"c": "firing"}, True),
    ],
)
def test_without_a_common_target_each_member_may_fire_on_its_own(
    one: dict[str, State], other: dict[str, State], holds: bool | None
) -> None:
    standings = {"one": stands(**one), "other": stands(**other)}
    assert composite.verdict(of("all", "one", "other"), "*", standings, NOW).holds is holds


def test_the_sentence_names_each_member_its_target_and_its_reason() -> None:
    standings = {"one": stands(a="firing"), "other": stands(b="inactive")}
    verdict = composite.verdict(of("all", "one", "other", "third"), "*", standings, NOW)
    assert verdict.why == (
        "fires: one on a (is firing). does not fire: other on b (is inactive). "
        "unknown: third (not judged yet)"
    )
    nothing = composite.verdict(of("any", "one"), "*", {}, NOW)
    assert (nothing.holds, nothing.why) == (None, "no member has been judged yet")


def test_members_come_before_what_they_are_of() -> None:
    rules = [of("all", "b", "x", name="a"), of("any", "x", "y", name="b"), plain("x"), plain("y")]
    ordered = [rule.name for rule in composite.order(rules)]
    assert sorted(ordered) == ["a", "b", "x", "y"]
    for rule in rules:
        assert all(ordered.index(name) < ordered.index(rule.name) for name in rule.of)


def test_a_long_chain_is_ordered_too() -> None:
    rules = [of("any", f"t{n + 1}", name=f"t{n}") for n in range(3000)]
    assert [rule.name for rule in composite.order(rules)] == [f"t{n}" for n in range(2999, -1, -1)]


@pytest.mark.parametrize(
    ("rules", "circle"),
    [
        ([of("any", "a", name="a")], ("a", "a")),
        ([of("any", "b", name="a"), of("any", "a", name="b")], ("a", "b", "a")),
        (
            [
                of("any", "c", name="b"),
                of("any", "x", "a", name="c"),
                of("all", "x", "b", name="a"),
                plain("x"),
            ],
            ("b", "c", "a", "b"),
        ),
        ([of("any", "x", "x", "gone", name="a"), plain("x")], ()),
    ],
)
def test_a_circle_is_named_in_full(rules: list[Rule], circle: tuple[str, ...]) -> None:
    assert composite.circle(rules) == circle
    if circle:
        with pytest.raises(ValueError, match=" → ".join(circle)):
            composite.order(rules)
