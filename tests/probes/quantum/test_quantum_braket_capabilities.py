"""Calibrations from Braket's capability files, against Amazon's own reading of them and numpy."""

import json

import numpy as np
import pytest
from braket_data import capabilities, forte
from qiskit import QuantumCircuit

from probes.quantum.circuits.chain import best_chain
from probes.quantum.circuits.noise import compile_for
from probes.quantum.clouds.braket_capabilities import calibration, document
from probes.quantum.figures import figures

pytest.importorskip("braket.device_schema", reason="Amazon's schemas need qrossover[braket]")

from braket.device_schema.ionq import IonqDeviceCapabilities
from braket.device_schema.iqm import IqmDeviceCapabilities
from braket.device_schema.rigetti import RigettiDeviceCapabilitiesV2

THEIRS = {"iqm-garnet": IqmDeviceCapabilities, "rigetti-cepheus": RigettiDeviceCapabilitiesV2}


def standardized(name):
    """A capability file through Amazon's own classes."""
    return THEIRS[name].parse_raw(json.dumps(capabilities(name))).standardized


def median_error(entries, kind, *, sure=lambda entry: True):
    found = [
        entry.fidelity
        for one in entries
        for entry in one
        if entry.fidelityType.name == kind and sure(entry)
    ]
    return len(found), 1 - np.median(found)


def ours(name):
    found = calibration(name, name, capabilities(name))
    return {figure.name: figure for figure in figures(found)}


def median(figure):
    return np.median(list(figure.live.values()))


def test_garnets_medians_are_those_of_amazons_own_reading():
    theirs, found = standardized("iqm-garnet"), ours("iqm-garnet")
    one, two = theirs.oneQubitProperties.values(), theirs.twoQubitProperties.values()
    t1 = np.median([qubit.T1.value for qubit in one])
    t2 = np.median([qubit.T2.value for qubit in one if qubit.T2.value > 0])
    singles = [qubit.oneQubitFidelity for qubit in one]
    czs = [[entry for entry in pair.twoQubitGateFidelity if entry.gateName == "CZ"] for pair in two]
    assert median(found["t1"]) == pytest.approx(t1, rel=1e-12)
    assert median(found["t2"]) == pytest.approx(t2, rel=1e-12)
    assert found["t2"].missing == 1  # the T2 of qubit 12 was not measured: the file says 0.0
    for figure, entries, kind in (
        ("one_qubit_error", singles, "SIMULTANEOUS_RANDOMIZED_BENCHMARKING"),
        ("readout_error", singles, "READOUT"),
        ("two_qubit_error", czs, "SIMULTANEOUS_INTERLEAVED_RANDOMIZED_BENCHMARKING"),
    ):
        number, value = median_error(entries, kind)
        assert len(found[figure].live) == number
        assert median(found[figure]) == pytest.approx(value, abs=1e-12)


def test_cepheus_medians_are_those_of_amazons_own_reading_without_what_was_not_measured():
    theirs, found = standardized("rigetti-cepheus"), ours("rigetti-cepheus")
    one, two = theirs.oneQubitProperties.values(), theirs.twoQubitProperties.values()
    t1, t2 = (np.median([getattr(qubit, name).value for qubit in one]) for name in ("T1", "T2"))
    singles = [qubit.oneQubitFidelity for qubit in one]
    czs = [pair.twoQubitGateFidelity for pair in two]
    assert median(found["t1"]) == pytest.approx(t1, rel=1e-12)
    assert median(found["t2"]) == pytest.approx(t2, rel=1e-12)

    def sure(entry):
        return entry.standardError is None or entry.standardError < 1

    for figure, entries, kind, unknown in (
        ("one_qubit_error", singles, "SIMULTANEOUS_RANDOMIZED_BENCHMARKING", 4),
        ("readout_error", singles, "READOUT", 0),
        ("two_qubit_error", czs, "INTERLEAVED_RANDOMIZED_BENCHMARKING", 25),
    ):
        number, value = median_error(entries, kind, sure=sure)
        assert (len(found[figure].live), found[figure].missing) == (number, unknown)
        assert median(found[figure]) == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "number", "couplings"), [("iqm-garnet", 20, 30), ("rigetti-cepheus", 107, 193)]
)
def test_qubits_keep_their_owners_numbers(name, number, couplings):
    content = capabilities(name)
    found = calibration(name, name, content)
    present = {index for index, qubit in enumerate(found.qubits) if qubit.present}
    assert present == {int(label) for label in content["standardized"]["oneQubitProperties"]}
    assert len(present) == number == content["paradigm"]["qubitCount"]
    assert len(found.couplings()) == couplings
    label, given = next(iter(content["standardized"]["oneQubitProperties"].items()))
    assert found.qubits[int(label)].t1 == given["T1"]["value"]


def test_a_readout_error_is_no_fidelity():
    found = calibration("iqm/garnet", "Garnet", capabilities("iqm-garnet"))
    assert (found.qubits[1].reads_0_as_1, found.qubits[1].reads_1_as_0) == (0.0107, 0.0132)
    assert found.qubits[1].readout_error == pytest.approx((0.0107 + 0.0132) / 2, abs=1e-12)


def test_a_benchmark_of_cliffords_is_no_gate():
    found = calibration("iqm/garnet", "Garnet", capabilities("iqm-garnet"))
    assert {gate.name for gate in found.gates} == {"rz", "sx", "x", "cz"}
    assert found.natives == {"sx": "prx", "x": "prx"}


def test_simultaneous_fidelities_of_zero_were_never_measured():
    content = capabilities("rigetti-cepheus")
    isolated = []
    for given in content["standardized"]["oneQubitProperties"].values():
        alone, together, _ = given["oneQubitFidelity"]
        together["fidelity"] = 0.0
        isolated += [alone["fidelity"]] if alone["standardError"] < 1 else []
    found = calibration("rigetti/cepheus", "Cepheus", content)
    errors = [gate.error for gate in found.one_qubit_gates() if gate.error is not None]
    assert sorted(errors) == pytest.approx(sorted(1 - one for one in isolated), abs=1e-15)


def test_one_benchmark_serves_the_whole_device():
    content = capabilities("rigetti-cepheus")
    content["standardized"]["oneQubitProperties"]["5"]["oneQubitFidelity"][1]["fidelity"] = 0.0
    found = calibration("rigetti/cepheus", "Cepheus", content)
    assert found.one_qubit_gates()[5].qubits == (5,)
    assert found.one_qubit_gates()[5].error is None


@pytest.mark.parametrize(
    ("unit", "seconds"), [("S", 50.0), ("s", 50.0), ("us", 5e-5), ("µs", 5e-5), ("NS", 5e-8)]
)
def test_units_of_time(unit, seconds):
    content = capabilities("iqm-garnet")
    content["standardized"]["oneQubitProperties"]["3"]["T1"] = {"value": 50.0, "unit": unit}
    assert calibration("d", "D", content).qubits[3].t1 == pytest.approx(seconds, rel=1e-12)


def test_an_unknown_unit_of_time_is_named():
    content = capabilities("iqm-garnet")
    content["standardized"]["oneQubitProperties"]["3"]["T1"]["unit"] = "fortnight"
    with pytest.raises(ValueError, match="a time has the unit 'fortnight'; known are s, ms"):
        calibration("d", "D", content)


def test_a_coherence_time_of_zero_is_missing():
    content = capabilities("iqm-garnet")
    content["standardized"]["oneQubitProperties"]["3"]["T2"]["value"] = 0.0
    assert calibration("d", "D", content).qubits[3].t2 is None


def test_a_time_of_1970_is_none():
    content = capabilities("iqm-garnet")
    content["service"]["updatedAt"] = "1970-01-01T00:00:00+00:00"
    with pytest.raises(ValueError, match="not calibrated at 1970-01-01"):
        calibration("d", "D", content)
    del content["service"]["updatedAt"]
    with pytest.raises(ValueError, match="does not say when it was calibrated"):
        calibration("d", "D", content)


def test_a_document_inside_a_string_is_read():
    content = capabilities("rigetti-cepheus")
    assert document(json.dumps(json.dumps(content))) == document(json.dumps(content)) == content
    with pytest.raises(ValueError, match="no JSON object but list"):
        document("[]")


def test_ionq_gives_one_figure_for_the_whole_device():
    IonqDeviceCapabilities.parse_raw(json.dumps(forte()))  # the invented file is of the schema
    found = calibration("ionq/forte-1", "Forte-1", forte())
    assert not found.per_part
    assert len(found.qubits) == 6
    assert len(found.couplings()) == 15
    assert {gate.error for gate in found.one_qubit_gates()} == {1 - 0.9998}
    assert {gate.error for gate in found.couplings().values()} == {1 - 0.9932}
    assert (found.qubits[0].t1, found.qubits[0].readout_error) == (100.0, 1 - 0.9951)
    assert found.natives == {"sx": "gpi2", "x": "gpi", "cz": "zz"}
    assert found.time == "2026-05-05T12:00:00+00:00"


def test_a_number_that_is_plainly_no_second_is_left_out():
    content = forte()
    content["provider"]["timing"] |= {"T1": 10000000000, "T2": 500000}
    found = calibration("ionq/forte-1", "Forte-1", content)
    assert (found.qubits[0].t1, found.qubits[0].t2) == (None, None)


def test_machines_with_ms_are_compiled_for_with_cx():
    content = forte()
    content["paradigm"]["nativeGateSet"] = ["GPI", "GPI2", "MS"]
    found = calibration("ionq/aria-1", "Aria-1", content)
    assert {gate.name for gate in found.couplings().values()} == {"cx"}
    assert found.natives["cx"] == "ms"


def test_what_has_no_calibration_is_named():
    content = capabilities("iqm-garnet")
    content["standardized"] = None
    with pytest.raises(ValueError, match="d publishes no calibration on Braket"):
        calibration("d", "D", content)
    content["paradigm"]["nativeGateSet"] = ["rydberg"]
    with pytest.raises(ValueError, match="no gate that is known as a pulse"):
        calibration("d", "D", content)


@pytest.mark.parametrize("name", ["iqm-garnet", "rigetti-cepheus"])
def test_circuits_can_be_compiled_for_a_chain(name):
    found = calibration(name, name, capabilities(name))
    chain = best_chain(found, 4)
    assert all(found.qubits[qubit].present for qubit in chain)
    circuit = QuantumCircuit(4)
    circuit.h(0)
    circuit.barrier()
    circuit.cx(0, 1)
    circuit.measure_all()
    (compiled,) = compile_for(found, chain, [circuit])
    assert set(compiled.count_ops()) <= {"rz", "sx", "x", "cz", "barrier", "measure"}
