"""What can only go wrong when a rule is judged goes wrong when the config is read."""

from pathlib import Path
from typing import Any

import pytest

from monitor.config import parse
from monitor.crosscheck import cross_check
from monitor.problems import ConfigError
from probes.base import load
from triggers.rule import Rule


class Impossible(Rule):
    """A rule that is well-formed, and cannot be judged."""

    made: bool = False

    @property
    def limit(self) -> float:
        if self.made:
            raise OverflowError("its threshold is past all numbers")
        return 1.0


def test_a_rule_that_cannot_be_judged_is_a_fault_of_the_config() -> None:
    rule = Impossible(name="t", when="above", signal="gpu.gemm.throughput", threshold=1.0)
    rule = rule.model_copy(update={"made": True})
    ((problem,), warnings) = cross_check({}, {}, {"t": rule}, {})
    assert problem.key == ("trigger", "t")
    assert problem.message == "cannot be judged: its threshold is past all numbers"
    assert len(warnings) == 1


def shared(kind: str, one: dict[str, Any], other: dict[str, Any]) -> list[tuple[Any, str]]:
    """The faults of two probes of one kind."""
    model = load(kind)
    probes = {name: model(**settings) for name, settings in (("one", one), ("other", other))}
    problems, _ = cross_check({}, probes, {}, {})
    return [(problem.key, problem.message) for problem in problems]


BOSTON = {"device": "fake_boston"}


@pytest.mark.parametrize(
    ("kind", "one", "other", "same", "another"),
    [
        ("gpu.gemm", {}, {"dtypes": ["float32"]}, 'target "auto"', "target"),
        (
            "quantum.mirror",
            BOSTON,
            BOSTON | {"widths": (2,)},
            'provider "snapshot" and device "fake_boston"',
            "device",
        ),
    ],
)
def test_two_probes_that_would_write_one_series_are_a_fault(
    kind: str, one: dict[str, Any], other: dict[str, Any], same: str, another: str
) -> None:
    [(key, message)] = shared(kind, one, other)
    assert key == ("probe", "other")
    assert message == (
        f"writes the same series as probe.one, which has the same kind, {same}: "
        f"give one of them another {another}, or keep one of the two"
    )


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("gpu.gemm", {"target": "cuda:0"}, {"target": "cuda:1"}),
        ("quantum.calibration", BOSTON, {"device": "fake_kingston"}),
        (
            "external.command",
            {"argv": ("one",), "signals": {"test.meter": "V"}},
            {"argv": ("other",), "signals": {"test.meter": "V"}},
        ),
    ],
)
def test_probes_on_other_targets_are_fine(
    kind: str, one: dict[str, Any], other: dict[str, Any]
) -> None:
    assert shared(kind, one, other) == []


COMPOSITE = """
[probe.meter]
kind = "external.command"
argv = ["true"]
signals = {{ "test.meter" = "V" }}
every = "1h"

[trigger.high]
signal = "test.meter"
when = "above"
threshold = 1

[trigger.both]
when = "all"
of = {of}

[trigger.other]
when = "any"
of = ["high", "both"]
"""


def faults(tmp_path: Path, of: str) -> list[str]:
    """What is wrong with a config whose composite is of these."""
    file = tmp_path / "config.toml"
    with pytest.raises(ConfigError) as caught:
        parse(file, COMPOSITE.format(of=of).encode())
    return [line.removeprefix(f"{file}:") for line in caught.value.lines]


@pytest.mark.parametrize(
    ("of", "fault"),
    [
        ('["high", "hihg"]', "15:15: trigger.both.of.1: no trigger 'hihg'. Did you mean \"high\"?"),
        (
            '["high", "high"]',
            "15:15: trigger.both.of.1: 'high' is named twice: remove one of the two",
        ),
        (
            '["high", "both"]',
            "15:15: trigger.both.of.1: both → both: a trigger cannot be of itself",
        ),
        (
            '["high", "other"]',
            "15:15: trigger.both.of.1: both → other → both is a circle: take one member out",
        ),
    ],
)
def test_a_wrong_member_is_a_fault_at_its_place(tmp_path: Path, of: str, fault: str) -> None:
    assert faults(tmp_path, of) == [fault]


def test_composites_of_triggers_are_fine(tmp_path: Path) -> None:
    config = parse(tmp_path / "config.toml", COMPOSITE.format(of='["high"]').encode())
    assert config.triggers["other"].of == ("high", "both")
    assert config.warnings == ()
