"""Circuits in other machines' gates, against matrices written down here from the definitions."""

import cmath
import math

import numpy as np
import pytest
from qiskit import QuantumCircuit, transpile

from probes.quantum.circuits.native import Op, to_ms, to_prx, to_rx, to_zz

X = np.array([[0, 1], [1, 0]], dtype=complex)
Y = np.array([[0, -1j], [1j, 0]])
Z = np.diag([1, -1]).astype(complex)
CZ = np.diag([1, 1, 1, -1]).astype(complex)
CX = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]], dtype=complex)
# the first qubit is the left factor here
CONVERSIONS = [
    (to_prx, "cz", {"prx", "cz"}, 0),
    (to_rx, "cz", {"rx", "rz", "cz"}, 0),
    (to_zz, "cz", {"gpi", "gpi2", "zz"}, 0),
    (to_ms, "cz", {"gpi", "gpi2", "ms"}, 4),
    (to_ms, "cx", {"gpi", "gpi2", "ms"}, 3),
]


def turned(phase):
    return np.array([[0, cmath.exp(-1j * phase)], [cmath.exp(1j * phase), 0]])


def exponential(generator, angle):
    """exp(−i·angle/2·G) for G² = 1."""
    size = len(generator)
    return math.cos(angle / 2) * np.eye(size) - 1j * math.sin(angle / 2) * generator


GATES = {
    "rz": lambda angle: np.diag([cmath.exp(-1j * angle / 2), cmath.exp(1j * angle / 2)]),
    "sx": lambda: np.array([[1 + 1j, 1 - 1j], [1 - 1j, 1 + 1j]]) / 2,
    "x": lambda: X,
    "cz": lambda: CZ,
    "cx": lambda: CX,
    "rx": lambda angle: exponential(X, angle),
    "prx": lambda angle, phase: exponential(math.cos(phase) * X + math.sin(phase) * Y, angle),
    "gpi": turned,
    "gpi2": lambda phase: (np.eye(2) - 1j * turned(phase)) / math.sqrt(2),
    "zz": lambda angle: exponential(np.kron(Z, Z), angle),
    "ms": lambda one, two, angle: exponential(np.kron(turned(one), turned(two)), angle),
}


def unitary(ops, width):
    """The matrix of a circuit; qubit 0 is the leftmost factor."""
    whole = np.eye(2**width, dtype=complex).reshape([2] * (2 * width))
    for name, params, qubits in ops:
        if name == "barrier":
            continue
        gate = GATES[name](*params).reshape([2] * (2 * len(qubits)))
        legs = range(len(qubits), 2 * len(qubits))
        whole = np.moveaxis(np.tensordot(gate, whole, (legs, qubits)), range(len(qubits)), qubits)
    return whole.reshape(2**width, 2**width)


def random_ops(seed, width, link):
    random = np.random.default_rng(seed)
    ops = []
    for _ in range(40):
        kind = random.choice(["rz", "sx", "x", link, "barrier"])
        one, two = (int(qubit) for qubit in random.choice(width, 2, replace=False))
        if kind == "rz":
            ops.append(("rz", (float(random.uniform(-9, 9)),), (one,)))
        elif kind == "barrier":
            ops.append(("barrier", (), tuple(range(width))))
        else:
            ops.append((str(kind), (), (one, two) if kind == link else (one,)))
    return ops


def circuit_of(ops, width):
    circuit = QuantumCircuit(width)
    for name, params, qubits in ops:
        if name == "barrier":
            circuit.barrier()
        else:
            getattr(circuit, name)(*params, *qubits)
    circuit.measure_all()
    return circuit


def number(ops, *names):
    return sum(name in names for name, _, _ in ops)


@pytest.mark.parametrize(("convert", "link", "names", "_extra"), CONVERSIONS)
@pytest.mark.parametrize("seed", range(12))
def test_a_converted_circuit_is_the_same_up_to_phases_of_its_outcomes(
    convert, link, names, _extra, seed
):
    width = 2 + seed % 3
    ops = random_ops(seed, width, link)
    converted = convert(circuit_of(ops, width))
    assert {op.name for op in converted} - {"barrier"} <= names
    left = unitary(converted, width) @ unitary(ops, width).conj().T
    np.testing.assert_allclose(left, np.diag(np.diag(left)), atol=1e-12)
    np.testing.assert_allclose(np.abs(np.diag(left)), 1, atol=1e-12)


@pytest.mark.parametrize(("convert", "link", "_names", "extra"), CONVERSIONS)
def test_every_pulse_and_every_entangling_gate_is_kept(convert, link, _names, extra):
    ops = random_ops(99, 4, link)
    converted = convert(circuit_of(ops, 4))
    links = number(ops, link)
    assert links > 0
    assert number(converted, "cz", "zz", "ms") == links
    assert number(converted, "prx", "rx", "gpi", "gpi2") == number(ops, "sx", "x") + extra * links
    assert number(converted, "barrier") == number(ops, "barrier") + 1  # measure_all has one


@pytest.mark.parametrize(("convert", "link", "_names", "_extra"), CONVERSIONS)
def test_a_circuit_beside_its_inverse_is_not_cancelled(convert, link, _names, _extra):
    ops = [("x", (), (0,)), ("x", (), (0,)), (link, (), (0, 1)), (link, (), (0, 1))]
    converted = convert(circuit_of(ops, 2))
    assert number(converted, "cz", "zz", "ms") == 2
    assert number(converted, "prx", "rx", "gpi") == 2


@pytest.mark.parametrize(("convert", "link", "_names", "_extra"), CONVERSIONS)
def test_nothing_is_moved_across_a_barrier(convert, link, _names, _extra):
    ops = [("sx", (), (0,)), ("barrier", (), (0, 1)), (link, (), (0, 1)), ("barrier", (), (0, 1))]
    blocks = "".join("|" if op.name == "barrier" else "." for op in convert(circuit_of(ops, 2)))
    sizes = [len(block) for block in blocks.split("|")]
    assert sizes == [1, len(blocks) - blocks.count("|") - 1, 0, 0]


def test_phases_are_small_numbers_and_the_last_frame_is_dropped():
    ops = [("rz", (100.0,), (0,)), ("sx", (), (0,)), ("rz", (7.0,), (0,))]
    (pulse, barrier) = to_prx(circuit_of(ops, 1))
    assert barrier == Op("barrier", (), (0,))
    assert pulse.params == pytest.approx((math.pi / 2, 16 * 2 * math.pi - 100.0), abs=1e-12)


def test_what_the_compiler_makes_of_a_circuit_can_be_converted():
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.barrier()
    circuit.cx(0, 1)
    circuit.measure_all()
    compiled = transpile(circuit, basis_gates=["rz", "sx", "x", "cz"], optimization_level=1)
    bell = np.abs(unitary(to_prx(compiled), 2)[:, 0]) ** 2
    np.testing.assert_allclose(bell, [0.5, 0, 0, 0.5], atol=1e-12)


@pytest.mark.parametrize(
    ("convert", "gate"), [(to_prx, "cx"), (to_rx, "ecr"), (to_zz, "cx"), (to_ms, "ecr")]
)
def test_another_entangling_gate_is_named(convert, gate):
    with pytest.raises(ValueError, match=f"has the gate '{gate}'; these machines take rz, sx, x"):
        convert(circuit_of([(gate, (), (0, 1))], 2))


def test_a_gate_that_is_no_canonical_one_is_named():
    with pytest.raises(ValueError, match="has the gate 'h'"):
        to_prx(circuit_of([("h", (), (0,))], 1))


def test_a_circuit_measures_all_of_its_qubits_at_its_end_into_their_own_bits():
    partly = QuantumCircuit(2, 2)
    partly.measure(0, 0)
    with pytest.raises(ValueError, match="measures 1 of its 2 qubits"):
        to_prx(partly)
    crossed = QuantumCircuit(2, 2)
    crossed.measure([0, 1], [1, 0])
    with pytest.raises(ValueError, match="qubit 0 into bit 1"):
        to_prx(crossed)
    early = QuantumCircuit(1, 1)
    early.measure(0, 0)
    early.x(0)
    with pytest.raises(ValueError, match="'x' on qubit 0 after its measurement"):
        to_prx(early)
