"""Google's calibrations, against cirq_google's own reading of them and a second calculation."""

import json
import subprocess
import sys
from importlib.util import find_spec
from itertools import pairwise
from math import prod
from pathlib import Path

import numpy as np
import pytest

from probes.quantum.calibration import DeviceCalibration
from probes.quantum.circuits.chain import best_chain
from probes.quantum.clouds import google
from probes.quantum.device import Calibration, Gate, Qubit
from probes.quantum.mirror import MirrorCircuits
from probes.quantum.polarization import polarization
from probes.quantum.providers.cirq import Cirq

cirq = pytest.importorskip("cirq", reason="Google's calibrations need qrossover[cirq]")
engine = pytest.importorskip("cirq_google", reason="they need qrossover[cirq]").engine

ROOT = Path(__file__).parents[3]
DEVICES = tuple(google.PROCESSORS)
FILES = Path(find_spec("cirq_google").origin).parent / "devices" / "calibrations"
ENTANGLERS = {"rainbow": ("sycamore", "sqrt_iswap"), "weber": ("sycamore", "sqrt_iswap")}


def figures(device):
    return {
        reading.signal.removeprefix("quantum.calibration."): reading
        for reading in DeviceCalibration(provider="cirq", device=device).run()
    }


def raw(device):
    """The file of a processor's calibration as JSON, found without the code under test."""
    (file,) = FILES.glob(f"{device}*_calibration.json")
    return json.loads(file.read_text())


def values(device, metric):
    """A metric as cirq_google reads it, in an array; rows in the same order for all metrics."""
    found = engine.load_median_device_calibration(device)[metric]
    return np.array([found[key][0] for key in sorted(found)])


def test_the_processors_and_their_times_are_those_of_the_package():
    assert set(DEVICES) == set(engine.list_virtual_processors())
    for device in DEVICES:
        stamp = engine.load_median_device_calibration(device).timestamp
        assert google.calibration(device).at == stamp / 1000


@pytest.mark.parametrize("device", DEVICES)
def test_every_median_agrees_with_a_second_calculation(device):
    found = figures(device)
    zero, one = (values(device, f"single_qubit_p{bit}_error") for bit in ("00", "11"))
    best = np.min(
        [
            values(device, f"two_qubit_parallel_{gate}_gate_xeb_pauli_error_per_cycle")
            for gate in ENTANGLERS.get(device, ("cz",))
        ],
        axis=0,
    )
    of_parts = {
        "t1": -values(device, "single_qubit_idle_t1_micros") / 1e6,
        "readout_error": (zero + one) / 2,
        "one_qubit_error": values(device, "single_qubit_rb_pauli_error_per_gate") * 2 / 3,
        "two_qubit_error": best * 4 / 5,
    }
    ends = (("", np.median), ("_best", np.min), ("_worst", np.max))
    expected = {
        f"{name}{end}": abs(of(part)) for name, part in of_parts.items() for end, of in ends
    } | {
        "qubits": len(zero),
        "usable_qubits": len(zero),
        "dead_one_qubit_gates": 0,
        "dead_two_qubit_gates": 0,
        "dead_readouts": 0,
    }
    for name, value in expected.items():
        assert found.pop(name).value == pytest.approx(value, rel=1e-12, abs=0), name
    assert found.pop("age").origin == "derived"
    assert not found, "T2 is not published"


@pytest.mark.parametrize("device", ["rainbow", "weber"])
def test_average_errors_are_those_that_google_states_beside_its_pauli_errors(device):
    """Two of the three files give both."""
    calibration = google.calibration(device)
    single = sorted(gate.error for gate in calibration.gates if gate.name == "sx")
    stated = values(device, "single_qubit_rb_average_error_per_gate")
    assert single == pytest.approx(np.sort(stated), rel=1e-9)
    for name in ENTANGLERS[device]:
        errors = sorted(gate.error for gate in calibration.gates if gate.name == name)
        stated = values(device, f"two_qubit_parallel_{name}_gate_xeb_average_error_per_cycle")
        assert errors == pytest.approx(np.sort(stated), rel=1e-9)


@pytest.mark.parametrize(
    ("device", "couplings"), [("rainbow", 32), ("weber", 86), ("willow_pink", 182)]
)
def test_qubits_are_numbered_by_row_and_column_and_couple_to_their_neighbours(device, couplings):
    calibration = google.calibration(device)
    places = sorted(
        tuple(map(int, entry["targets"][0].split("_")))
        for entry in raw(device)["metrics"]["metrics"]
        if entry["name"] == "single_qubit_idle_t1_micros"
    )
    assert len(places) == len(calibration.qubits)
    pairs = {tuple(sorted(gate.qubits)) for gate in calibration.gates if len(gate.qubits) == 2}
    assert len(pairs) == couplings
    for low, high in pairs:
        distance = np.abs(np.subtract(places[low], places[high]))
        assert sorted(distance) == [0, 1]


def test_every_figure_is_googles_and_of_its_day():
    found = figures("willow_pink")
    assert {reading.origin for name, reading in found.items() if name != "age"} == {"vendor"}
    assert {reading.family for reading in found.values()} == {"Willow"}
    assert found["two_qubit_error"].note == (
        "calibrated 2024-08-16; median of 182 of 182 couplings (cz)"
    )
    assert "(sqrt_iswap, sycamore)" in figures("weber")["two_qubit_error"].note
    identity = google.calibration("willow_pink").identity
    assert identity == "willow_pink d7v1-2024_08_16 2024-08-16T08:11:17.630000+00:00"


def test_what_a_file_does_not_give_is_absent():
    document = raw("willow_pink")
    entries = document["metrics"]["metrics"]
    gone = {"single_qubit_idle_t1_micros", "single_qubit_p11_error"}
    document["metrics"]["metrics"] = [
        entry
        for entry in entries
        if not (entry["name"] in gone and entry["targets"] == ["0_6"])
        and not (entry["name"].startswith("single_qubit_rb") and entry["targets"] == ["0_7"])
    ]
    calibration = google.parse("willow_pink", document)
    first = calibration.qubits[0]
    assert (first.t1, first.readout_error, first.reads_1_as_0) == (None, None, None)
    assert first.reads_0_as_1 is not None
    errors = {gate.qubits[0]: gate.error for gate in calibration.gates if gate.name == "sx"}
    assert errors[1] is None
    assert errors[0] > 0
    assert 0 not in calibration.usable, "others have a T1 and a readout error"
    assert len(calibration.usable) == 104


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({"metrics": {}}, "metrics"),
        ({"metrics": {"metrics": []}}, "no qubits"),
        (
            {"metrics": {"metrics": [{"name": "a", "targets": ["q"], "values": [{"d": 1}]}]}},
            "unpack",
        ),
        ({"metrics": {"metrics": [{"name": "a", "targets": ["1_1"], "values": []}]}}, "index"),
    ],
)
def test_what_is_not_in_googles_format_is_refused(document, told):
    with pytest.raises((LookupError, ValueError), match=told):
        google.parse("rainbow", document)


# --- circuits ----------------------------------------------------------------------------------


def exact(circuit, chain, device):
    """Probabilities of all outcomes of a compiled circuit by Cirq's density matrices, with Google's
    Pauli errors as they stand in the file, after each gate."""
    metrics = {
        (entry["name"], frozenset(entry["targets"])): entry["values"][0]["doubleVal"]
        for entry in raw(device)["metrics"]["metrics"]
    }
    spots = sorted(
        {name for _, names in metrics for name in names},
        key=lambda name: tuple(map(int, name.split("_"))),
    )
    gates = {"x": cirq.X, "sx": cirq.X**0.5, "cz": cirq.CZ}
    metric = {
        1: "single_qubit_rb_pauli_error_per_gate",
        2: "two_qubit_parallel_cz_gate_xeb_pauli_error_per_cycle",
    }
    qubits = cirq.LineQubit.range(len(chain))
    noisy = cirq.Circuit()
    for instruction in circuit.data:
        name = instruction.operation.name
        where = [circuit.find_bit(bit).index for bit in instruction.qubits]
        if name == "rz":
            noisy.append(cirq.rz(instruction.operation.params[0])(qubits[where[0]]))
        elif name in gates:
            error = metrics[metric[len(where)], frozenset(spots[chain[i]] for i in where)]
            noisy.append(gates[name](*(qubits[i] for i in where)))
            noisy.append(cirq.depolarize(error, len(where))(*(qubits[i] for i in where)))
    state = cirq.DensityMatrixSimulator(dtype=np.complex128).simulate(noisy, qubit_order=qubits)
    found = np.real(np.diag(state.final_density_matrix)).reshape([2] * len(chain))
    for axis, spot in enumerate(chain):
        zero, one = (
            metrics[f"single_qubit_p{bit}_error", frozenset([spots[spot]])] for bit in ("00", "11")
        )
        wrong = np.array([[1 - zero, one], [zero, 1 - one]])  # columns: what was prepared
        found = np.moveaxis(np.tensordot(wrong, found, axes=(1, axis)), 0, axis)
    return found


def test_mirror_circuits_on_willow_agree_with_cirqs_density_matrices(run_probe):
    settings = {
        "provider": "cirq",
        "device": "willow_pink",
        "widths": [2, 4],
        "depths": [2, 32],
        "circuits": 3,
        "shots": 4000,
    }
    done = run_probe("quantum.mirror", settings)
    assert (done["outcome"], done["reason"]) == ("ok", "")
    assert {reading["origin"] for reading in done["readings"]} == {"simulated"}
    found = {reading["target"]: reading for reading in done["readings"]}
    batch = MirrorCircuits(**settings).plan(google.calibration("willow_pink"))
    pairs = zip(batch.circuits, batch.chains, strict=True)
    deviations = []
    parts = done["payload"]["facts"]["parts"]
    for cell in ({**part, **each} for part in parts for each in part["cells"]):
        right = []
        for outcome in cell["outcomes"]:
            probabilities = exact(*next(pairs), "willow_pink")
            right.append(probabilities[tuple(int(bit) for bit in reversed(outcome))])
        success, scale = np.mean(right), 1 - 2.0 ** -cell["width"]
        shot_noise = np.sqrt(success * (1 - success) / (3 * 4000)) / scale
        value = found[f"willow_pink/w{cell['width']}-d{cell['depth']}"]["value"]
        deviations.append((value - polarization(success, cell["width"])) / shot_noise)
    assert len(deviations) == 4
    assert np.sqrt(np.mean(np.square(deviations))) < 2, "in standard uncertainties"


@pytest.mark.parametrize("device", ["rainbow", "weber"])
def test_a_processor_without_a_gate_for_our_circuits_is_skipped(device, run_probe):
    done = run_probe("quantum.mirror", {"provider": "cirq", "device": device})
    assert done["outcome"] == "skipped"
    assert f"{device} has no chain of 2 usable, coupled qubits (by cz, ecr, cx;" in done["reason"]


# --- qubits of which less is known -------------------------------------------------------------


def test_a_coherence_time_that_the_owner_gives_of_no_qubit_is_not_missed():
    gates = (Gate("sx", (0,), 1e-3), Gate("sx", (1,), 1e-3), Gate("cz", (0, 1), 1e-2))

    def of(*qubits):
        return Calibration("d", "d", "1", 0.0, qubits, gates)

    bare, known = Qubit(readout_error=0.01), Qubit(t1=1e-4, readout_error=0.01)
    assert best_chain(of(bare, bare), 2) == (0, 1)
    assert best_chain(of(known, known), 2) == (0, 1)
    assert of(bare, known).usable == {1}, "one that could not be calibrated"
    assert best_chain(of(bare, known), 2) is None
    assert of(known, Qubit(t1=1e-4, readout_error=0.5), Qubit(t1=1e-4)).usable == {0}


def test_the_best_chain_of_willow_is_no_worse_than_a_thousand_random_ones():
    calibration = google.calibration("willow_pink")
    couplings = calibration.couplings()
    neighbours = {place: set() for place in range(len(calibration.qubits))}
    for low, high in couplings:
        neighbours[low].add(high)
        neighbours[high].add(low)

    def fidelity(chain):
        links = [couplings[min(pair), max(pair)].error for pair in pairwise(chain)]
        reads = [calibration.qubits[qubit].readout_error for qubit in chain]
        return prod(1 - error for error in [*links, *reads])

    random = np.random.default_rng(7)
    best = fidelity(best_chain(calibration, 5))
    for _ in range(1000):
        chain = [int(random.integers(len(neighbours)))]
        while len(chain) < 5 and (left := sorted(neighbours[chain[-1]] - set(chain))):
            chain.append(left[int(random.integers(len(left)))])
        assert len(chain) < 5 or fidelity(chain) <= best


# --- what is loaded and what is missing --------------------------------------------------------


def child(program):
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_reading_a_calibration_imports_no_library():
    program = """
import json, sys
from probes.base import load
for device in ("rainbow", "weber", "willow_pink"):
    settings = {"provider": "cirq", "device": device}
    load("quantum.mirror").model_validate(settings)
    list(load("quantum.calibration").model_validate(settings).run())
heavy = {"numpy", "qiskit", "qiskit_aer", "cirq", "cirq_google", "matplotlib"}
print(json.dumps(sorted(heavy & set(sys.modules))))
"""
    assert child(program) == []


def test_without_cirq_google_the_extra_is_named():
    program = """
import json, sys
sys.modules["cirq_google"] = None
from probes.__main__ import execute
from probes.base import load
done = execute(load("quantum.calibration"), {"provider": "cirq", "device": "weber"})
print(json.dumps([done["outcome"], done["reason"]]))
"""
    outcome, reason = child(program)
    assert outcome == "failed"
    assert "pip install 'qrossover[cirq]'" in reason


def test_a_damaged_file_is_named_with_what_to_do(tmp_path):
    """A child that finds a package of that name before the real one."""
    folder = tmp_path / "cirq_google" / "devices" / "calibrations"
    folder.mkdir(parents=True)
    (tmp_path / "cirq_google" / "__init__.py").touch()
    (folder / "rainbow_2021_11_16_calibration.json").write_text('{"metrics": ')
    program = f"""
import json, sys
sys.path.insert(0, {str(tmp_path)!r})
from probes.quantum.providers.cirq import Cirq
told = []
for device in ("rainbow", "weber"):
    try:
        Cirq().calibration(device)
    except ValueError as error:
        told.append(str(error))
print(json.dumps(told))
"""
    damaged, gone = child(program)
    assert damaged.startswith(f"{folder}/rainbow_2021_11_16_calibration.json is no calibration in")
    assert "JSONDecodeError" in damaged
    assert "FileNotFoundError" in gone
    assert gone.endswith("install the version that requirements.lock names")


def test_devices_are_listed_with_their_qubits():
    sizes = {device.name: device.qubits for device in Cirq().devices()}
    assert sizes == {"simulator": None, "rainbow": 23, "weber": 53, "willow_pink": 105}
