"""Canonical circuits in the gates of other kinds of machines, pulse for pulse.

A canary's circuit has the virtual `rz`, the pulses `sx` and `x`, one entangling gate, barriers, and
a measurement of every qubit at its end. Here each pulse becomes exactly one pulse of the machine
and each entangling gate exactly one of its own, in the same order: nothing is merged, cancelled or
moved across a barrier. An `rz` is a change of the reference frame (McKay et al., Physical Review A
96, 022330 (2017), arXiv 1612.00858): the pulses after it turn their phases back, and what is left
of it before the measurement alters no outcome and is dropped. So the circuit is the same up to a
phase of every outcome's amplitude.

| function | machine  | pulse                | entangling | from   | pulses added by each |
| -------- | -------- | -------------------- | ---------- | ------ | -------------------- |
| `to_prx` | IQM      | prx(θ, φ)            | cz         | cz     | 0                    |
| `to_rx`  | Rigetti  | rx(π/2), rx(π), rz   | cz         | cz     | 0                    |
| `to_zz`  | IonQ     | gpi2(φ), gpi(φ)      | zz(π/2)    | cz     | 0                    |
| `to_ms`  | IonQ     | gpi2(φ), gpi(φ)      | ms(φ, φ, π/2) | cx, cz | 3 for cx, 4 for cz |

All angles are in radians; IonQ's own interface takes turns (radians / 2π). With
R(θ, φ) = exp(−iθ/2 (cos φ X + sin φ Y)): prx(θ, φ) = R(θ, φ), rx(θ) = R(θ, 0),
rz(λ) = exp(−iλ/2 Z), gpi2(φ) = R(π/2, φ), gpi(φ) = iR(π, φ), zz(θ) = exp(−iθ/2 Z⊗Z),
ms(φ₀, φ₁, θ) = exp(−iθ/2 (cos φ₀ X + sin φ₀ Y)⊗(cos φ₁ X + sin φ₁ Y)).

References: IQM, https://docs.meetiqm.com/iqm-pulse/api/iqm.pulse.gates.prx.html; IonQ,
https://docs.ionq.com/guides/getting-started-with-native-gates; Rigetti,
https://pyquil-docs.rigetti.com/en/stable/compiler.html.
"""

from collections.abc import Callable, Iterator
from math import pi, remainder
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

TURNS = {"sx": pi / 2, "x": pi}
"""Angle of each canonical pulse: a rotation about X, up to a phase."""


class Op(NamedTuple):
    """One gate with its angles in radians, or a `barrier`; qubits as the circuit numbers them."""

    name: str
    params: tuple[float, ...]
    qubits: tuple[int, ...]


Frame = list[float]
"""For each qubit the angle of `rz` that was met and not applied."""

Pulse = Callable[[float, float, int], Op]
"""R(θ, φ) on a qubit as the machine's pulse."""

Entangle = Callable[[Op, Frame], list[Op]]
"""A canonical entangling gate as the machine's; it may change the frame."""


def to_prx(circuit: "QuantumCircuit") -> list[Op]:
    """IQM's gates. Raises ValueError for what is no canonical circuit with `cz`."""
    return _framed(circuit, lambda theta, phi, qubit: Op("prx", (theta, phi), (qubit,)), _same_cz)


def to_rx(circuit: "QuantumCircuit") -> list[Op]:
    """Rigetti's gates; its `rz` is virtual there too, and stays. Raises ValueError for what is no
    canonical circuit with `cz`."""
    made = []
    for op in _canonical(circuit):
        if op.name in TURNS:
            made.append(Op("rx", (TURNS[op.name],), op.qubits))
        elif op.name == "rz":
            made.append(Op("rz", (_angle(op.params[0]),), op.qubits))
        else:
            made += [op] if op.name == "barrier" else _same_cz(op, [])
    return made


def to_zz(circuit: "QuantumCircuit") -> list[Op]:
    """IonQ's gates of machines with `zz`. Raises ValueError for what is no canonical circuit with
    `cz`."""
    return _framed(circuit, _gpi, _zz)


def to_ms(circuit: "QuantumCircuit") -> list[Op]:
    """IonQ's gates of machines with `ms`. Raises ValueError for what is no canonical circuit with
    `cx` or `cz`."""
    return _framed(circuit, _gpi, _ms)


def _framed(circuit: "QuantumCircuit", pulse: Pulse, entangle: Entangle) -> list[Op]:
    """R(θ, 0) after rz(λ) is rz(λ) after R(θ, −λ): so every rz is moved behind all pulses."""
    frame = [0.0] * circuit.num_qubits
    made: list[Op] = []
    for op in _canonical(circuit):
        if op.name == "rz":
            frame[op.qubits[0]] += op.params[0]
        elif op.name in TURNS:
            (qubit,) = op.qubits
            made.append(pulse(TURNS[op.name], _angle(-frame[qubit]), qubit))
        else:
            made += [op] if op.name == "barrier" else entangle(op, frame)
    return made


def _gpi(theta: float, phi: float, qubit: int) -> Op:
    return Op("gpi" if theta == pi else "gpi2", (phi,), (qubit,))


def _same_cz(op: Op, _: Frame) -> list[Op]:
    """cz commutes with rz: no frame changes it."""
    _expect(op, "cz")
    return [op]


def _zz(op: Op, frame: Frame) -> list[Op]:
    """cz = zz(π/2) · rz(−π/2)⊗rz(−π/2), up to a phase."""
    _expect(op, "cz")
    for qubit in op.qubits:
        frame[qubit] -= pi / 2
    return [Op("zz", (pi / 2,), op.qubits)]


def _ms(op: Op, frame: Frame) -> list[Op]:
    """With y = R(π/2, π/2), which takes Z to X, and up to a phase:

    cx = rz(−π/2)⊗R(π/2, π) · y⁻¹⊗1 · ms · y⊗1, and
    cz = rz(−π/2)⊗rz(−π/2) · y⁻¹⊗y⁻¹ · ms · y⊗y.
    """
    _expect(op, "cx", "cz")
    first, second = op.qubits
    tipped = (first,) if op.name == "cx" else (first, second)
    there = [_gpi(pi / 2, _angle(pi / 2 - frame[qubit]), qubit) for qubit in tipped]
    link = Op("ms", (_angle(-frame[first]), _angle(-frame[second]), pi / 2), op.qubits)
    back = [_gpi(pi / 2, _angle(-pi / 2 - frame[qubit]), qubit) for qubit in tipped]
    if op.name == "cx":
        back.append(_gpi(pi / 2, _angle(pi - frame[second]), second))
    for qubit in tipped:
        frame[qubit] -= pi / 2
    return [*there, link, *back]


def _expect(op: Op, *names: str) -> None:
    if op.name not in names:
        raise ValueError(
            f"a circuit has the gate {op.name!r}; these machines take rz, sx, x and "
            f"{' or '.join(names)}: compile it for a calibration that lists those"
        )


def _angle(radians: float) -> float:
    """The same angle in [−π, π], and never −0.0."""
    return remainder(radians, 2 * pi) + 0.0


def _canonical(circuit: "QuantumCircuit") -> Iterator[Op]:
    """The circuit without its measurement, which must be the last thing on every qubit."""
    read: list[int] = []
    for step in circuit.data:
        name = step.operation.name
        qubits = tuple(circuit.find_bit(qubit).index for qubit in step.qubits)
        if name == "measure":
            _check_read(qubits[0], circuit.find_bit(step.clbits[0]).index, read)
            read.append(qubits[0])
        elif name != "barrier" and set(qubits) & set(read):
            raise ValueError(f"a circuit has {name!r} on qubit {qubits[0]} after its measurement")
        elif name == "barrier":
            yield Op(name, (), qubits)
        else:
            yield Op(name, tuple(float(angle) for angle in step.operation.params), qubits)
    if len(read) != circuit.num_qubits:
        raise ValueError(f"a circuit measures {len(read)} of its {circuit.num_qubits} qubits")


def _check_read(qubit: int, bit: int, read: list[int]) -> None:
    """Counts are keyed by qubits: qubit i is measured once, into bit i."""
    if qubit != bit or qubit in read:
        raise ValueError(f"a circuit measures qubit {qubit} into bit {bit}: use measure_all, once")
