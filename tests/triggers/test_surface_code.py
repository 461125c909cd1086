"""How many logical qubits a device holds: against the estimator that everybody uses, and laws."""

import warnings
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triggers.crossover import OPERATIONS
from triggers.surface_code import MOST_DISTANCE, distance, logical, logical_error, physical

HELIOS = {"one-qubit gates": 3e-5, "two-qubit gates": 7.9e-4, "readout": 4.8e-4}
BOSTON = {"one-qubit gates": 1.44e-4, "two-qubit gates": 1.27e-3, "readout": 5.127e-3}
TARGET = 2.173913043478261e-09
"""The logical error that the reference job asks for, as the estimator states it: 100 logical
qubits, 10^5 T gates, a budget of 0.1 for all errors together."""


def test_the_distances_are_those_of_the_resource_estimator() -> None:
    """What qdk 1.33.1 answers for the reference job on these two sets of errors."""
    assert distance(7.9e-4, TARGET) == 13
    assert logical_error(7.9e-4, 13) == pytest.approx(5.7611726958477e-10, rel=1e-9)
    assert physical(13) == 338
    assert distance(5.127e-3, TARGET) == 49
    assert logical_error(5.127e-3, 49) == pytest.approx(1.673802417299915e-09, rel=1e-9)
    assert physical(49) == 4802


@pytest.mark.parametrize("errors", [HELIOS, BOSTON], ids=["helios", "boston"])
def test_the_resource_estimator_itself_says_the_same(errors: dict[str, float]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator = pytest.importorskip(
            "qdk.estimator", reason="qdk is not installed; it comes with the extra `azure`"
        )
    answer = estimator.LogicalCounts({"numQubits": 100, "tCount": 100_000}).estimate(job(errors))
    wanted = answer["physicalCounts"]["breakdown"]["requiredLogicalQubitErrorRate"]
    d = distance(max(errors.values()), wanted)
    assert d == answer["logicalQubit"]["codeDistance"]
    assert physical(d) == answer["logicalQubit"]["physicalQubits"]
    said = answer["logicalQubit"]["logicalErrorRate"]
    assert logical_error(max(errors.values()), d) == pytest.approx(said, rel=1e-9)


def job(errors: dict[str, float]) -> dict[str, Any]:
    """The reference job on a gate-based machine with these errors."""
    gates = dict.fromkeys(("oneQubitGateTime", "twoQubitGateTime", "tGateTime"), "50 ns")
    qubits = {
        "name": "ours",
        "instructionSet": "GateBased",
        "oneQubitMeasurementTime": "100 ns",
        "oneQubitMeasurementErrorRate": errors["readout"],
        "oneQubitGateErrorRate": errors["one-qubit gates"],
        "twoQubitGateErrorRate": errors["two-qubit gates"],
        "tGateErrorRate": errors["one-qubit gates"],
    }
    scheme = {"name": "surface_code"}
    return {"qubitParams": qubits | gates, "qecScheme": scheme, "errorBudget": 0.1}


@given(p=st.floats(1e-9, 9.999e-3), target=st.floats(1e-30, 1e-3))
def test_the_distance_is_the_least_odd_one_that_does(p: float, target: float) -> None:
    d = distance(p, target)
    assert d is not None
    assert d % 2 == 1
    assert logical_error(p, d) <= target
    assert d == 1 or logical_error(p, d - 2) > target


@pytest.mark.parametrize("p", [0.01, 0.0100001, 0.5, 1.0])
def test_at_the_threshold_and_above_no_distance_helps(p: float) -> None:
    assert distance(p, 1e-3) is None


def held(qubits: int, errors: dict[str, float], target: float = 1e-10) -> Any:
    return logical(qubits, errors, OPERATIONS["fp16"], target=target, code_cycle=1.1e-6)


def test_a_device_of_today_holds_none_and_says_how_far_it_is() -> None:
    found = held(156, HELIOS)
    assert (found.distance, found.machine) == (15, None)
    assert found.why == (
        "not achievable: its worst error, 0.00079 (two-qubit gates), needs d = 15; one fp16 unit "
        "of 473.5 logical qubits takes 213,300 physical qubits, it has 156"
    )


def test_past_the_largest_distance_nothing_is_estimated() -> None:
    found = held(10**9, BOSTON)
    assert found.distance == 59 > MOST_DISTANCE
    assert found.machine is None
    assert "0.00513 (readout), needs d = 59, 50 is the most" in found.why


def test_above_the_threshold_the_reason_is_the_threshold() -> None:
    found = held(10**9, {**HELIOS, "readout": 0.011})
    assert (found.distance, found.machine) == (None, None)
    assert found.why == (
        "not achievable: its worst error, 0.011 (readout), is not below the surface code's "
        "threshold of 0.01"
    )


def test_a_large_and_good_device_has_units_and_a_clock() -> None:
    """21 units of 473.5 logical qubits at d = 15: 450 physical qubits each, 15 cycles a step."""
    found = held(10_000 * 450, HELIOS)
    assert found.why == ""
    assert found.machine.logical_qubits == 10_000
    assert found.machine.cycle == pytest.approx(16.5e-6)
    assert found.machine.rate(OPERATIONS["fp16"]) == pytest.approx(21 / (200 * 16.5e-6))
    assert held(474 * 450 - 1, HELIOS).machine is None
    assert held(474 * 450, HELIOS).machine is not None
