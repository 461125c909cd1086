"""Logical qubits: by the formula, against that of the crossover model, and by Microsoft's
estimator, against a published machine and its own formula."""

from dataclasses import replace

import pytest
from pydantic import ValidationError

from probes.base import Skipped
from probes.quantum.device import Calibration, Gate, Qubit
from probes.quantum.logical import (
    ANY_TIMES,
    THRESHOLD,
    LogicalQubits,
    distance,
    median_errors,
    median_times,
    physical,
)
from probes.quantum.providers.snapshot import Snapshot
from triggers import surface_code

HELIOS = {"one_qubit_error": 2.5e-5, "two_qubit_error": 7.9e-4, "readout_error": 4.8e-4}
"""Quantinuum's 98 qubits as first published: arXiv 2511.05465."""

BOSTON = LogicalQubits(device="fake_boston")


@pytest.fixture(autouse=True)
def no_telemetry(monkeypatch):
    """As the service starts its children."""
    monkeypatch.setenv("QDK_PYTHON_TELEMETRY", "none")


def errors(worst, others=1e-5):
    return {"one_qubit_error": others, "two_qubit_error": others, "readout_error": worst}


def test_fake_boston_in_a_real_child(run_probe):
    done = run_probe("quantum.logical", {"device": "fake_boston"})
    assert (done["outcome"], done["reason"]) == ("ok", "")
    found = {
        (one["target"].rpartition("/")[2], one["signal"].rpartition(".")[2]): one["value"]
        for one in done["readings"]
    }
    assert found == {
        ("formula", "qubits"): 0,
        ("formula", "code_distance"): 45,
        ("formula", "physical_qubits"): 100 * 2 * 45**2,
        ("estimator", "qubits"): 0,
        ("estimator", "code_distance"): 49,
        ("estimator", "physical_qubits"): 1_773_700,
        ("estimator", "runtime"): pytest.approx(22.9, abs=0.1),
    }
    assert {one["origin"] for one in done["readings"]} == {"derived"}
    assert {one["family"] for one in done["readings"]} == {"Heron r3"}
    assert done["payload"]["errors"]["readout_error"] == pytest.approx(0.005127, abs=1e-6)
    assert "qdk" in done["versions"]


def test_helios_takes_distance_13_and_130_980_physical_qubits():
    found = BOSTON.by_estimator(HELIOS, {})
    assert (found.distance, found.physical_qubits, found.seconds) == (13, 130_980, None)


@pytest.mark.parametrize("worst", [1e-4, 7.9e-4, 2e-3, 5e-3])
def test_the_estimator_has_the_same_formula(worst):
    BOSTON.by_estimator(errors(worst), {})
    needed = BOSTON.payload["estimate"]["breakdown"]["requiredLogicalQubitErrorRate"]
    qubit = BOSTON.payload["logical_qubit"]
    assert qubit["codeDistance"] == distance(worst, needed)
    assert qubit["physicalQubits"] == physical(qubit["codeDistance"])
    assert qubit["logicalErrorRate"] == pytest.approx(
        surface_code.logical_error(worst, qubit["codeDistance"])
    )


@pytest.mark.parametrize("name", HELIOS)
def test_both_take_the_worst_of_the_three_errors(name):
    some = {**dict.fromkeys(HELIOS, 1e-4), name: 3e-3}
    same = {**dict.fromkeys(HELIOS, 1e-4), "readout_error": 3e-3}
    assert BOSTON.by_formula(some) == BOSTON.by_formula(same)
    one, other = BOSTON.by_estimator(some, {}), BOSTON.by_estimator(same, {})
    assert one.distance == other.distance


def test_the_formula_is_that_of_the_crossover_model():
    assert (THRESHOLD, surface_code.MOST_DISTANCE) == (surface_code.THRESHOLD, 50)
    for exponent in range(3, 16):
        for error in (1e-7, 1e-5, 3e-4, 7.9e-4, 1e-3, 4e-3, 8e-3, 9.9e-3):
            target = 10.0**-exponent
            found = distance(error, target)
            assert found == surface_code.distance(error, target)
            assert physical(found) == surface_code.physical(found)
            assert surface_code.logical_error(error, found) <= target
            assert found == 1 or surface_code.logical_error(error, found - 2) > target


def test_the_formula_keeps_all_qubits_through_all_cycles_within_the_budget():
    found = LogicalQubits(device="fake_boston", logical_qubits=10, t_gates=1000, error_budget=0.01)
    needed = found.by_formula(errors(1e-3)).distance
    assert 10 * 1000 * surface_code.logical_error(1e-3, needed) <= 0.01
    assert 10 * 1000 * surface_code.logical_error(1e-3, needed - 2) > 0.01


@pytest.mark.parametrize(
    ("device", "reason"),
    [
        ("fake_torino", r"worst error, 0.0229 \(readout\), is not below .* threshold of 0.01"),
        ("fake_kingston", r"worst error, 0.00952 \(readout\), needs a code distance of 609; 50 is"),
        ("fake_kyoto", "fake_kyoto states no error of two-qubit gates above 0"),
    ],
)
def test_what_is_not_achievable_is_skipped_with_the_reason(run_probe, device, reason):
    done = run_probe("quantum.logical", {"device": device})
    assert (done["outcome"], done["readings"]) == ("skipped", [])
    with pytest.raises(Skipped, match=reason):
        list(LogicalQubits(device=device).run())
    assert done["reason"].startswith("not achievable" if "worst" in reason else "fake_kyoto")


def test_exactly_the_threshold_is_not_below_it():
    with pytest.raises(Skipped, match="is not below"):
        BOSTON.by_formula(errors(0.01))


def test_where_the_estimator_alone_refuses_its_reason_is_told():
    narrow = errors(0.0055)
    assert BOSTON.by_formula(narrow).distance == 49
    refused = BOSTON.by_estimator(narrow, {})
    assert refused.startswith("not achievable by the estimator: ")
    assert "distance 55 is too high; maximum allowed code distance is 50" in refused


def test_another_complaint_of_the_estimator_is_a_failure_in_its_own_words():
    with pytest.raises(RuntimeError, match=r"expected value between 0 and 0\.01"):
        BOSTON.by_estimator(errors(0.02), {})


def test_counts_do_not_depend_on_times_and_the_runtime_does():
    boston = Snapshot().calibration("fake_boston")
    times = median_times(boston)
    assert times == {
        "one-qubit gate": pytest.approx(32e-9),
        "two-qubit gate": pytest.approx(68e-9),
        "readout": pytest.approx(2.2e-6),
    }
    stated = BOSTON.by_estimator(median_errors(boston), times)
    unknown = BOSTON.by_estimator(median_errors(boston), {})
    slow = BOSTON.by_estimator(median_errors(boston), {k: 1000 * v for k, v in ANY_TIMES.items()})
    assert stated.physical_qubits == unknown.physical_qubits == slow.physical_qubits
    # one logical cycle is d cycles of four two-qubit gates and two readouts; one cycle a T gate
    cycle = 49 * (4 * 68e-9 + 2 * 2.2e-6)
    assert stated.seconds == pytest.approx(100_100 * cycle)
    assert unknown.seconds is None


def machine(qubits, origin="vendor", readout=1e-4):
    """A made-up device of one figure each, that states no times."""
    one = tuple(Gate("sx", (number,), 1e-4) for number in range(qubits))
    two = tuple(Gate("cz", (number, number + 1), 1e-3) for number in range(qubits - 1))
    each = Qubit(t1=1e-3, t2=1e-3, readout_error=readout)
    return Calibration("made-up", "made-up", "1", 0.0, (each,) * qubits, one + two, origin)


def test_a_device_that_is_large_enough_holds_logical_qubits_and_has_no_runtime():
    large = machine(2000)
    assert median_times(large) == {}
    estimate = BOSTON.by_formula(median_errors(large))
    readings = {
        reading.signal.rpartition(".")[2]: reading.value
        for reading in BOSTON._readings(large, "formula", estimate, "")
    }
    assert readings == {
        "code_distance": 13,
        "physical_qubits": 100 * 338,
        "qubits": 2000 // 338,
    }


def test_a_number_that_is_no_qubit_holds_nothing():
    large = machine(2000)
    gaps = replace(large, qubits=(*large.qubits, *[Qubit(present=False)] * 28))
    estimate = BOSTON.by_formula(median_errors(gaps))
    assert gaps.qubits[2027] == Qubit(present=False)  # 2028 would be six logical qubits
    first, *_ = BOSTON._readings(gaps, "formula", estimate, "")
    assert (first.signal, first.value) == ("quantum.logical.qubits", 5)
    assert first.note.endswith("the device has 2,000 qubits")


def test_an_error_of_zero_is_no_statement():
    with pytest.raises(Skipped, match="no error of readout above 0"):
        median_errors(machine(3, readout=0.0))


def test_what_follows_of_a_made_up_calibration_is_simulated():
    readings = list(LogicalQubits(device="fake_nighthawk").run())
    assert {reading.origin for reading in readings} == {"simulated"}
    assert {reading.target for reading in readings} == {
        "fake_nighthawk/formula",
        "fake_nighthawk/estimator",
    }


@pytest.mark.parametrize(
    ("setting", "value"), [("logical_qubits", 0), ("t_gates", 0), ("error_budget", 1.0)]
)
def test_a_workload_that_is_none_is_refused(setting, value):
    with pytest.raises(ValidationError, match=setting):
        LogicalQubits(**{"device": "fake_boston", setting: value})
