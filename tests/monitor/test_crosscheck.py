"""What can only go wrong when a rule is judged goes wrong when the config is read."""

from typing import Any

import pytest

from monitor.crosscheck import cross_check
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
        ("gpu.gemm", {}, {"dtype": "float32"}, 'target "auto"', "target"),
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
