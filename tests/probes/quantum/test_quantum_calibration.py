"""The calibration's figures against a second calculation, straight from IBM's raw JSON."""

import itertools
from datetime import UTC, datetime

import numpy as np
import pytest

from probes.quantum.calibration import DeviceCalibration, figures
from probes.quantum.device import Calibration, Gate, Qubit
from probes.quantum.providers.snapshot import Snapshot
from storage.types import now

DEVICES = Snapshot().names()


def readings(device):
    return {
        reading.signal.removeprefix("quantum.calibration."): reading
        for reading in DeviceCalibration(device=device).run()
    }


def content(reading):
    """What a note says after the calibration's date."""
    return reading.note.partition("; ")[2]


def parameter(entries, name):
    """(value, unit) of every entry that has a parameter of that name, by its place."""
    return {
        place: (found["value"], found["unit"])
        for place, entry in enumerate(entries)
        for found in entry
        if found["name"] == name
    }


def expected(raw):
    """The medians again: arrays and masks instead of parsed objects."""
    result = {}
    for name in ("T1", "T2"):
        pairs = parameter(raw["qubits"], name).values()
        assert {unit for _, unit in pairs} <= {"us", "µs"}
        result[name.lower()] = np.median([value for value, _ in pairs]) / 1e6
    wrong = [value for value, _ in parameter(raw["qubits"], "readout_error").values()]
    result["readout_error"] = np.median(wrong)
    gates = [gate["gate"] for gate in raw["gates"]]
    errors = parameter([gate["parameters"] for gate in raw["gates"]], "gate_error")
    pulse = "sx" if "sx" in gates else "u2"
    single = np.array([errors[i][0] for i, name in enumerate(gates) if name == pulse])
    result["one_qubit_error"] = np.median(single[single != 1])
    result["dead_one_qubit_gates"] = np.count_nonzero(single == 1)
    edges = sorted(
        (sorted(raw["gates"][i]["qubits"]), errors[i][0])
        for i, name in enumerate(gates)
        if name in {"cx", "cz", "ecr"}
    )
    lowest = [min(e for _, e in same) for _, same in itertools.groupby(edges, lambda x: x[0])]
    alive = [error for error in lowest if error != 1]
    if alive:
        result["two_qubit_error"] = np.median(alive)
    if lowest:
        result["dead_two_qubit_gates"] = len(lowest) - len(alive)
    return result


def test_there_are_66_real_calibrations_and_two_invented_ones():
    origins = {device: readings(device)["qubits"].origin for device in DEVICES}
    invented = {device for device, origin in origins.items() if origin == "simulated"}
    assert invented == {"fake_fractional", "fake_nighthawk"}
    assert list(origins.values()).count("vendor") == 66


@pytest.mark.parametrize("device", DEVICES)
def test_every_snapshot_agrees_with_the_second_calculation(device, properties):
    raw = properties(device)
    found = readings(device)
    for name, value in expected(raw).items():
        assert found.pop(name).value == pytest.approx(value, rel=1e-12, abs=0), name
    assert found.pop("qubits").value == len(raw["qubits"])
    assert found.pop("dead_readouts").value == 0
    updated = datetime.fromisoformat(raw["last_update_date"]).astimezone(UTC)
    assert found.pop("age").value == pytest.approx(now() - updated.timestamp(), abs=5)
    assert not found


@pytest.mark.parametrize(
    ("device", "dead", "couplings", "entries"),
    [("fake_torino", 11, 150, 22), ("fake_boston", 1, 176, 2), ("fake_kyoto", 144, 144, 144)],
)
def test_a_dead_edge_is_left_out_and_counted_once(device, dead, couplings, entries, properties):
    marked = [
        gate["qubits"]
        for gate in properties(device)["gates"]
        if gate["gate"] in {"cz", "ecr"}
        and any(p["name"] == "gate_error" and p["value"] == 1 for p in gate["parameters"])
    ]
    reading = readings(device)["dead_two_qubit_gates"]
    assert len(marked) == entries
    assert (reading.value, content(reading)) == (dead, f"of {couplings} couplings")


def test_a_device_without_a_live_edge_has_no_two_qubit_error():
    assert "two_qubit_error" not in readings("fake_kyoto")


def test_a_device_without_edges_has_no_count_of_dead_ones():
    assert not {"two_qubit_error", "dead_two_qubit_gates"} & set(readings("fake_armonk"))


def test_rzz_does_not_count(properties):
    """All 300 `rzz` of fake_torino are marked dead; its `cz` mostly are not."""
    dead = [gate for gate in properties("fake_torino")["gates"] if gate["gate"] == "rzz"]
    assert len(dead) == 300
    assert content(readings("fake_torino")["two_qubit_error"]) == (
        "median of 139 of 150 couplings (cz), 11 dead"
    )


def test_a_device_with_two_native_gates_pools_its_couplings():
    assert content(readings("fake_cairo")["two_qubit_error"]) == (
        "median of 25 of 26 couplings (cx, ecr), 1 dead"
    )


def test_a_missing_figure_is_neither_zero_nor_dead():
    assert content(readings("fake_kingston")["t1"]) == "median of 155 of 156 qubits, 1 not given"


def test_every_note_says_how_old_the_calibration_is():
    notes = {reading.note for reading in readings("fake_kingston").values()}
    assert all(note.startswith("calibrated 2026-04-15") for note in notes)
    assert readings("fake_kingston")["two_qubit_error"].note.startswith(
        "calibrated 2026-04-15; median of "
    )


def test_readouts_that_say_nothing_are_named():
    assert "(27 no better than a coin)" in readings("fake_cusco")["readout_error"].note


def test_a_coupling_with_one_live_direction_is_alive():
    calibration = device_of(Gate("cx", (0, 1), 1.0), Gate("cx", (1, 0), 0.01))
    (figure,) = [figure for figure in figures(calibration) if figure.name == "two_qubit_error"]
    assert (dict(figure.live), figure.dead, figure.listed) == ({"1-0": 0.01}, 0, 1)


def test_a_gate_without_an_error_is_missing():
    calibration = device_of(Gate("sx", (0,), None), Gate("sx", (1,), 1e-3))
    (figure,) = [figure for figure in figures(calibration) if figure.name == "one_qubit_error"]
    assert figure.note() == "median of 1 of 2 qubits (sx), 1 not given"


def test_a_readout_marked_dead_is_left_out():
    calibration = device_of(qubits=(Qubit(readout_error=1.0), Qubit(readout_error=0.02)))
    (figure,) = [figure for figure in figures(calibration) if figure.name == "readout_error"]
    assert (figure.dead, dict(figure.live)) == (1, {"1": 0.02})


def test_origins_and_uncertainties():
    found = readings("fake_kingston")
    assert found.pop("age").origin == "derived"
    assert {reading.origin for reading in found.values()} == {"vendor"}
    assert {reading.sigma for reading in found.values()} == {None}


def test_units_and_directions_are_declared_for_every_reading():
    declared = {signal.name: signal for signal in DeviceCalibration.signals}
    assert {f"quantum.calibration.{name}" for name in readings("fake_kingston")} == set(declared)
    assert declared["quantum.calibration.t1"].unit == "s"
    assert declared["quantum.calibration.t1"].better == "higher"


def test_the_run_keeps_identity_and_spread(run_probe, properties):
    done = run_probe("quantum.calibration", {"provider": "snapshot", "device": "fake_kingston"})
    assert (done["outcome"], done["reason"]) == ("ok", "")
    assert done["payload"]["calibrated"] == "2026-04-15T07:15:15+00:00"
    assert done["payload"]["calibration"].startswith("ibm_kingston 1.0.0 ")
    kept = done["payload"]["figures"]["two_qubit_error"]
    live = kept["median"], kept["p10"], kept["p90"], kept["lowest"][1], kept["highest"][1]
    edges = {
        tuple(sorted(gate["qubits"])): parameter([gate["parameters"]], "gate_error")[0][0]
        for gate in properties("fake_kingston")["gates"]
        if gate["gate"] == "cz"
    }
    alive = [error for error in edges.values() if error < 1]
    assert live == pytest.approx(np.percentile(alive, [50, 10, 90, 0, 100]), rel=1e-12)
    assert "qiskit-ibm-runtime" in done["versions"]


def device_of(*gates, qubits=()):
    return Calibration("fake_two", "ibm_two", "1.0.0", 0.0, tuple(qubits), gates)
