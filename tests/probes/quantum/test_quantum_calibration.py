"""The calibration's figures against a second calculation, straight from IBM's raw JSON."""

import itertools
from datetime import UTC, datetime

import numpy as np
import pytest
from ibm_server import IbmServer

from probes.quantum.calibration import DeviceCalibration
from probes.quantum.device import Calibration, Gate, Qubit
from probes.quantum.figures import figures, usable_qubits
from probes.quantum.figures import readings as of_calibration
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
        of_three(result, name.lower(), [-value / 1e6 for value, _ in pairs])
    wrong = [value for value, _ in parameter(raw["qubits"], "readout_error").values()]
    of_three(result, "readout_error", wrong)
    gates = [gate["gate"] for gate in raw["gates"]]
    errors = parameter([gate["parameters"] for gate in raw["gates"]], "gate_error")
    pulse = "sx" if "sx" in gates else "u2"
    single = np.array([errors[i][0] for i, name in enumerate(gates) if name == pulse])
    of_three(result, "one_qubit_error", single[single != 1])
    result["dead_one_qubit_gates"] = np.count_nonzero(single == 1)
    edges = sorted(
        (sorted(raw["gates"][i]["qubits"]), errors[i][0])
        for i, name in enumerate(gates)
        if name in {"cx", "cz", "ecr"}
    )
    lowest = [min(e for _, e in same) for _, same in itertools.groupby(edges, lambda x: x[0])]
    alive = [error for error in lowest if error != 1]
    if alive:
        of_three(result, "two_qubit_error", alive)
    if lowest:
        result["dead_two_qubit_gates"] = len(lowest) - len(alive)
        result["usable_qubits"] = np.count_nonzero(fit(raw, pulse))
    return result


def of_three(result, name, values):
    """Median, best and worst of what is better the lower it is; what is negative is meant so."""
    found = np.abs([np.median(values), np.min(values), np.max(values)])
    result |= dict(zip((name, f"{name}_best", f"{name}_worst"), found, strict=True))


def fit(raw, pulse):
    """Which qubits can be used, as a mask: four masks, straight from the JSON."""
    masks = np.zeros((4, len(raw["qubits"])), dtype=bool)
    for index, given in enumerate(raw["qubits"]):
        names = {entry["name"]: entry["value"] for entry in given}
        masks[0, index] = {"T1", "T2"} <= set(names)
        masks[1, index] = names.get("readout_error", 1) < 0.5
    for gate in raw["gates"]:
        errors = [p["value"] for p in gate["parameters"] if p["name"] == "gate_error"]
        if errors and errors[0] != 1 and gate["gate"] in {pulse, "cx", "cz", "ecr"}:
            masks[2 if gate["gate"] == pulse else 3, gate["qubits"]] = True
    return masks.all(axis=0)


STATED = ("quantum_volume", "clops_h", "clops_v", "lf_100", "eplg_100")


def stated(raw, configuration):
    """What IBM states of the whole device, straight from its two documents."""
    found = {name: configuration.get(name) for name in ("quantum_volume", "clops_h", "clops_v")}
    clops = configuration.get("clops")
    if isinstance(clops, dict):
        found["clops_h" if clops["type"] == "hardware" else "clops_v"] = clops["value"]
    elif clops is not None:
        found["clops_v"] = clops
    for entry in raw.get("general", []):
        if entry["name"] == "lf_100":
            found["lf_100"] = entry["value"]
            found["eplg_100"] = -np.expm1(np.log(entry["value"]) / 99)
    return {name: value for name, value in found.items() if isinstance(value, int | float)}


@pytest.mark.parametrize("device", DEVICES)
def test_what_is_stated_of_the_whole_device_agrees_too(device, properties):
    wanted = stated(properties(device), properties(device, "conf"))
    found = {name: reading.value for name, reading in readings(device).items() if name in STATED}
    assert found == pytest.approx(wanted, rel=1e-12, abs=0)


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
    for name in STATED:
        found.pop(name, None)
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


def test_a_device_whose_couplings_are_all_dead_has_no_usable_qubit():
    assert readings("fake_kyoto")["usable_qubits"].value == 0
    assert "usable_qubits" not in readings("fake_armonk"), "it has no couplings to be judged by"


@pytest.mark.parametrize(
    ("name", "part"),
    [("t1_best", "qubit 25"), ("two_qubit_error_worst", "coupling 111-112")],
)
def test_the_note_of_an_end_names_the_part(name, part, properties):
    reading = readings("fake_kingston")[name]
    assert content(reading) == part
    raw = properties("fake_kingston")
    if name == "t1_best":
        assert reading.value == pytest.approx(parameter(raw["qubits"], "T1")[25][0] * 1e-6)
    else:
        errors = {
            parameter([gate["parameters"]], "gate_error")[0][0]
            for gate in raw["gates"]
            if gate["gate"] == "cz" and sorted(gate["qubits"]) == [111, 112]
        }
        assert errors == {reading.value}, "one coupling, listed in both directions"


def test_one_figure_for_the_whole_device_says_nothing_about_its_parts():
    calibration = Calibration(
        device="qpu.forte-1",
        backend="forte-1",
        version="a",
        at=0.0,
        qubits=(Qubit(t1=100.0, t2=1.0, readout_error=5e-3),) * 2,
        gates=(Gate("sx", (0,), 2e-4), Gate("sx", (1,), 2e-4), Gate("cz", (0, 1), 5e-3)),
        natives={"sx": "gpi2", "cz": "zz"},
        per_part=False,
    )
    found = {r.signal.rpartition(".")[2]: r for r in of_calibration(calibration, 1.0)}
    assert {name: reading.value for name, reading in found.items()} == {
        "qubits": 2,
        "t1": 100.0,
        "t2": 1.0,
        "one_qubit_error": 2e-4,
        "two_qubit_error": 5e-3,
        "readout_error": 5e-3,
    }
    assert content(found["two_qubit_error"]) == "one figure for the whole device (zz)"


def test_notes_have_the_owners_words_for_gates():
    gates = (Gate("sx", (0,), 1e-3), Gate("sx", (1,), 2e-3))
    calibration = Calibration(
        "garnet", "Garnet", "1", 0.0, (Qubit(), Qubit()), gates, natives={"sx": "prx"}
    )
    [reading] = [r for r in of_calibration(calibration, 1.0) if r.signal.endswith("qubit_error")]
    assert content(reading) == "median of 2 of 2 qubits (prx)"


def test_what_the_owner_states_of_the_whole_device_is_told_as_it_is():
    stated = {"quantum_volume": 512.0, "clops_h": 2.4e5, "clops_v": 2e4, "lf_100": 0.65}
    calibration = Calibration("a", "ibm_a", "1", 0.0, (), (), published=stated)
    found = {r.signal.rpartition(".")[2]: r.value for r in of_calibration(calibration, 1.0)}
    eplg = found.pop("eplg_100")
    assert found == {"qubits": 0} | stated
    assert (1 - eplg) ** 99 == pytest.approx(0.65, rel=1e-12)


def test_without_a_layer_fidelity_there_is_no_error_per_layered_gate():
    calibration = Calibration("a", "ibm_a", "1", 0.0, (), (), published={"quantum_volume": 8.0})
    found = {r.signal.rpartition(".")[2] for r in of_calibration(calibration, 1.0)}
    assert found == {"qubits", "quantum_volume"}


@pytest.mark.parametrize(
    ("qubit", "gates"),
    [
        (Qubit(t1=1.0, t2=1.0), (Gate("sx", (0,), 0.1), Gate("cz", (0, 1), 0.1))),
        (Qubit(1.0, 1.0, 0.1), (Gate("sx", (0,)), Gate("cz", (0, 1), 0.1))),
        (Qubit(1.0, 1.0, 0.1), (Gate("sx", (0,), 0.1), Gate("cz", (0, 1)))),
    ],
    ids=["readout", "pulse", "coupling"],
)
def test_what_is_published_for_no_qubit_makes_none_unusable(qubit, gates):
    assert usable_qubits(device_of(*gates, qubits=(qubit, qubit))) is None


def test_each_of_the_four_is_needed():
    whole = Qubit(1.0, 1.0, 0.1)
    qubits = (whole, whole, Qubit(None, 1.0, 0.1), Qubit(1.0, 1.0, 0.5), whole, whole)
    pulses = [Gate("sx", (index,), 1.0 if index == 4 else 0.1) for index in range(6)]
    edges = [Gate("cz", (index, index + 1), 0.1) for index in range(4)]
    dead = Gate("cz", (4, 5), 1.0)
    assert usable_qubits(device_of(*pulses, *edges, dead, qubits=qubits)) == {0, 1}


def test_the_queue_is_told_by_clouds_that_tell_it(monkeypatch):
    with IbmServer() as cloud:
        for name, value in cloud.environment().items():
            monkeypatch.setenv(name, value)
        cloud.status["ibm_kingston"] = ("offline", "maintenance")
        probe = DeviceCalibration(provider="ibm", device="ibm_kingston")
        found = {reading.signal.rpartition(".")[2]: reading for reading in probe.run()}
    assert (found["queue"].value, found["wait"].value) == (17, 420)
    assert {found[name].origin for name in ("queue", "wait")} == {"vendor"}
    assert "offline" in found["queue"].note, "which is no failure"
    assert found["two_qubit_error"].value == readings("fake_kingston")["two_qubit_error"].value
    assert "offline" in probe.payload["status"]


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
    found = {f"quantum.calibration.{name}" for name in readings("fake_kingston")}
    told = {"quantum_volume", "clops_h", "clops_v", "lf_100", "eplg_100", "queue", "wait"}
    assert set(declared) - found <= {f"quantum.calibration.{name}" for name in told}
    assert found <= set(declared)
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
