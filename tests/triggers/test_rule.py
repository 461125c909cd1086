import math
from typing import Any

import pytest
from pydantic import ValidationError
from trigger_examples import rule

from storage.types import ORIGINS
from triggers.quantity import Hold, Window
from triggers.rule import Rule


def faults(table: dict[str, Any]) -> list[tuple[str, str]]:
    """(key, message) of everything that is wrong with a table, as the config reads it."""
    with pytest.raises(ValidationError) as caught:
        Rule.model_validate({"name": "example", **table})
    return [
        (str(fault.get("ctx", {}).get("key") or fault["loc"][0]), fault["msg"])
        for fault in caught.value.errors()
    ]


def test_a_table_is_read_as_numbers() -> None:
    read = Rule.model_validate(
        {
            "name": "training-slower",
            "signal": "gpu.training.tokens_per_second",
            "when": "drops",
            "threshold": "10%",
            "clear": "5%",
            "baseline": "7d",
            "for": "2 of 3",
            "keep_firing_for": "1h",
            "max_age": "2h",
            "accept": ["measured", "simulated"],
        }
    )
    assert (read.limit, read.clear_limit) == (0.1, 0.05)
    assert read.baseline == Window(seconds=7 * 86400)
    assert read.hold == Hold(2, 3)
    assert (read.keep_firing_for, read.max_age) == (3600, 7200)
    assert read.accept == ("measured", "simulated")


def test_what_a_table_leaves_out() -> None:
    bare = rule("above", 5)
    assert (bare.limit, bare.clear_limit) == (5, 5)
    assert bare.hold == Hold(1, 1)
    assert (bare.target, bare.severity, bare.no_data) == ("*", "warning", "keep")
    assert set(ORIGINS) - set(bare.accept) == {"simulated"}


def test_stale_asks_whether_anything_arrives_unless_told_which() -> None:
    assert set(rule("stale", "2h").accept) == set(ORIGINS)
    assert rule("stale", "2h", accept=["measured"]).accept == ("measured",)


@pytest.mark.parametrize(
    ("when", "threshold", "limit"),
    [
        ("above", 5, 5.0),
        ("above", "5%", 0.05),
        ("below", -2.5, -2.5),
        ("above", 10**30, 1e30),
        ("drops", "10%", 0.1),
        ("rises", "250%", 2.5),
        ("stale", "2h", 7200.0),
        ("fails", None, 0.5),
    ],
)
def test_the_threshold_as_a_number(when: str, threshold: Any, limit: float) -> None:
    assert rule(when, threshold).limit == pytest.approx(limit)


def test_a_rule_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        rule("above", 5).threshold = 6


SUBJECT = [
    ({"when": "above", "threshold": 1}, "when", "signal"),
    ({"when": "fails"}, "when", "probe"),
    ({"when": "above", "threshold": 1, "signal": "s", "probe": "p"}, "probe", "about a signal"),
    ({"when": "fails", "signal": "s", "probe": "p"}, "signal", "about a probe"),
]
NUMBERS = [
    ({"when": "above", "signal": "s"}, "when", "needs a `threshold`"),
    ({"when": "above", "signal": "s", "threshold": "high"}, "threshold", "a percentage"),
    ({"when": "above", "signal": "s", "threshold": "15m"}, "threshold", "a percentage"),
    ({"when": "above", "signal": "s", "threshold": math.nan}, "threshold", "finite"),
    ({"when": "above", "signal": "s", "threshold": -math.inf}, "threshold", "finite"),
    ({"when": "above", "signal": "s", "threshold": True}, "threshold", "expected a number"),
    ({"when": "above", "signal": "s", "threshold": 5, "clear": "x"}, "clear", "a percentage"),
    ({"when": "above", "signal": "s", "threshold": 5, "clear": False}, "clear", "a number"),
    ({"when": "drops", "signal": "s", "threshold": 0.1}, "threshold", 'such as "10%", got 0.1'),
    ({"when": "drops", "signal": "s", "threshold": "0%"}, "threshold", "more than 0"),
    ({"when": "rises", "signal": "s", "threshold": "-5%"}, "threshold", "more than 0"),
    ({"when": "drops", "signal": "s", "threshold": "100%"}, "threshold", "less than 100%"),
    ({"when": "stale", "signal": "s", "threshold": 3600}, "threshold", "a duration"),
    ({"when": "stale", "signal": "s", "threshold": "10%"}, "threshold", "a duration"),
    ({"when": "stale", "signal": "s", "threshold": "0s"}, "threshold", "more than 0"),
    ({"when": "fails", "probe": "p", "threshold": 3}, "threshold", 'say `for = "3 runs"`'),
    ({"when": "fails", "probe": "p", "clear": 1}, "clear", "takes none"),
]
SIDES = [
    ({"when": "above", "signal": "s", "threshold": 5, "clear": 6}, "clear", "above"),
    ({"when": "below", "signal": "s", "threshold": 5, "clear": 4}, "clear", "below"),
    ({"when": "drops", "signal": "s", "threshold": "5%", "clear": "6%"}, "clear", "above"),
    ({"when": "rises", "signal": "s", "threshold": "5%", "clear": "6%"}, "clear", "above"),
    ({"when": "stale", "signal": "s", "threshold": "2h", "clear": "1h"}, "clear", "takes none"),
]
SHAPES = [
    ({"when": "sideways", "signal": "s"}, "when", "'above', 'below'"),
    ({"when": "above", "signal": "s", "threshold": 5, "for": "4 of 3"}, "for", "never be met"),
    ({"when": "above", "signal": "s", "threshold": 5, "for": 3}, "for", "2 of 3"),
    ({"when": "above", "signal": "s", "threshold": 5, "max_age": 90}, "max_age", "a duration"),
    (
        {"when": "above", "signal": "s", "threshold": 5, "keep_firing_for": 90},
        "keep_firing_for",
        "a duration",
    ),
    ({"when": "above", "signal": "s", "threshold": 5, "severity": "panic"}, "severity", "'page'"),
    ({"when": "above", "signal": "s", "threshold": 5, "no_data": "ok"}, "no_data", "'alert'"),
    ({"when": "above", "signal": "s", "threshold": 5, "accept": ["guess"]}, "accept", "'vendor'"),
    ({"when": "above", "signal": "s", "threshold": 5, "accept": "vendor"}, "accept", "tuple"),
    ({"when": "above", "signal": "s", "threshold": 5, "accept": []}, "accept", "at least 1"),
    ({"when": "above", "signal": "s", "threshold": 5, "limit": 5}, "limit", "not permitted"),
]
DROPS = {"when": "drops", "signal": "s", "threshold": "5%"}
BASELINES = [
    ({**DROPS, "baseline": "long"}, "baseline", "a duration such as"),
    ({**DROPS, "baseline": "4 readings"}, "baseline", "5 readings or more"),
    ({**DROPS, "baseline": "0s"}, "baseline", "5 readings or more"),
    ({**DROPS, "baseline": "2h", "for": "2h"}, "baseline", "longer than `for`, which is 2 h"),
    ({**DROPS, "for": "3w"}, "baseline", "longer than `for`"),
    ({"when": "shifts", "signal": "s", "baseline": "19 readings"}, "baseline", "20 readings or"),
    ({"when": "shifts", "signal": "s", "baseline": "peers"}, "baseline", 'for peers use "drops"'),
]
SHIFTS = {"when": "shifts", "signal": "s"}
SIGMAS = [
    ({**SHIFTS, "threshold": "3%"}, "threshold", "a number of sigmas such as 3, got '3%'"),
    ({**SHIFTS, "threshold": 0}, "threshold", "more than 0"),
    ({**SHIFTS, "allowance": 0}, "allowance", "greater than 0"),
    ({**SHIFTS, "allowance": True}, "allowance", "expected a number"),
    ({**SHIFTS, "threshold": 5, "allowance": 0.01}, "allowance", "a hundredth of the threshold"),
    ({**SHIFTS, "side": "left"}, "side", "'above'"),
    ({**SHIFTS, "clear": 1}, "clear", "no use"),
    ({**SHIFTS, "for": "3 readings"}, "for", "no use"),
    ({**SHIFTS, "for": "3 readings", "confirm": True}, "for", "no use"),
    ({**DROPS, "allowance": 1.0}, "allowance", "no use"),
    ({**DROPS, "side": "below"}, "side", "no use"),
]
CONFIRM = [
    ({**DROPS, "for": "30m", "confirm": True}, "confirm", "says nothing of 30 min"),
    ({**DROPS, "for": "1 reading", "confirm": True}, "confirm", "before anything can be"),
    ({**DROPS, "for": "1 of 3", "confirm": True}, "confirm", "before anything can be"),
    ({"when": "fails", "probe": "p", "confirm": True}, "confirm", "no use"),
    (
        {"when": "stale", "signal": "s", "threshold": "2h", "confirm": True},
        "confirm",
        "no use",
    ),
]
IDLE = [
    ({"when": "above", "signal": "s", "threshold": 1, "baseline": "7d"}, "baseline", "no use"),
    ({"when": "fails", "probe": "p", "accept": ["vendor"]}, "accept", "no use"),
    ({"when": "fails", "probe": "p", "target": "x"}, "target", "no use"),
    ({"when": "stale", "signal": "s", "threshold": "2h", "max_age": "1h"}, "max_age", "no use"),
    ({"when": "stale", "signal": "s", "threshold": "2h", "for": "2 readings"}, "for", "no use"),
    ({"when": "stale", "signal": "s", "threshold": "2h", "no_data": "alert"}, "no_data", "no use"),
]


@pytest.mark.parametrize(
    ("table", "key", "expected"),
    SUBJECT + NUMBERS + SIDES + SHAPES + BASELINES + SIGMAS + CONFIRM + IDLE,
)
def test_a_fault_names_its_key_and_what_was_expected(
    table: dict[str, Any], key: str, expected: str
) -> None:
    [(found, message)] = faults(table)
    assert found == key
    assert expected in message


@pytest.mark.parametrize(
    "table",
    [
        {**DROPS, "baseline": "5 readings", "for": "3w"},
        {**DROPS, "baseline": "2h", "for": "119m"},
        {**DROPS, "clear": "-5%"},
        {**DROPS, "baseline": "peers", "for": "30m"},
        {**DROPS, "confirm": True, "for": "2 of 3"},
        {**SHIFTS, "threshold": 5, "allowance": 0.05, "side": "below", "confirm": True},
        {**SHIFTS, "baseline": "20 readings", "max_age": "1h", "no_data": "alert"},
        {"when": "above", "signal": "s", "threshold": 5, "clear": 5},
        {"when": "stale", "signal": "s", "threshold": "2h", "clear": "2h"},
    ],
)
def test_what_is_at_the_edge_of_a_fault_is_none(table: dict[str, Any]) -> None:
    assert Rule.model_validate({"name": "example", **table}).name == "example"


def test_a_shift_has_usual_numbers() -> None:
    usual = rule("shifts")
    assert (usual.limit, usual.allowance, usual.side) == (3.0, 1.0, None)
    assert rule("shifts", 5).limit == 5.0


@pytest.mark.parametrize("when", ["above", "below", "drops", "rises", "shifts"])
def test_what_is_confirmed_holds_on_two_readings(when: str) -> None:
    threshold = {"drops": "5%", "rises": "5%", "shifts": 3}.get(when, 5)
    assert rule(when, threshold, confirm=True).hold == Hold(2, 2)
    assert rule(when, threshold).hold == Hold(1, 1)
    assert rule(when, threshold, confirm=False).hold == Hold(1, 1)


def test_more_readings_than_two_may_confirm() -> None:
    assert rule("drops", "5%", confirm=True, hold="2 of 3").hold == Hold(2, 3)


def test_peers_are_a_window_of_their_own() -> None:
    by = rule("drops", "5%", baseline="peers")
    assert by.baseline == Window(peers=True)
    assert str(by.baseline) == "peers"


def test_several_faults_of_shape_come_in_one_go() -> None:
    table = {"when": "above", "signal": "s", "threshold": 5, "for": 3, "max_age": 4, "oops": 1}
    assert {key for key, _ in faults(table)} == {"for", "max_age", "oops"}
