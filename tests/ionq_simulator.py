"""IonQ's native circuits, simulated with numpy from the matrices that IonQ publishes.

https://docs.ionq.com/guides/getting-started-with-native-gates: angles in turns, the first target of
a gate is the left factor. Nothing of the program is used here.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

TURN = 2j * np.pi


def matrix(gate: Mapping[str, Any]) -> np.ndarray:
    match gate:
        case {"gate": "gpi", "phase": phase}:
            return np.array([[0, np.exp(-TURN * phase)], [np.exp(TURN * phase), 0]])
        case {"gate": "gpi2", "phase": phase}:
            off = -1j * np.exp(np.array([-TURN, TURN]) * phase)
            return np.array([[1, off[0]], [off[1], 1]]) / np.sqrt(2)
        case {"gate": "ms", "phases": [one, two]}:
            return _ms(one, two, gate.get("angle", 0.25))
        case {"gate": "zz", "angle": angle}:
            return np.diag(np.exp(1j * np.pi * angle * np.array([-1, 1, 1, -1])))
    raise ValueError(f"no native gate: {gate}")


def _ms(one: float, two: float, angle: float) -> np.ndarray:
    cos, sin = np.cos(np.pi * angle), -1j * np.sin(np.pi * angle)
    both, each = np.exp(TURN * (one + two)), np.exp(TURN * (one - two))
    return np.array(
        [
            [cos, 0, 0, sin / both],
            [0, cos, sin / each, 0],
            [0, sin * each, cos, 0],
            [sin * both, 0, 0, cos],
        ]
    )


def probabilities(qubits: int, gates: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """By state as a decimal number whose lowest bit is qubit 0, as IonQ keys them."""
    state = np.zeros([2] * qubits, dtype=complex)
    state[(0,) * qubits] = 1
    for gate in gates:
        targets = gate.get("targets", [gate.get("target")])
        legs = len(targets)
        tensor = matrix(gate).reshape([2] * (2 * legs))
        state = np.tensordot(tensor, state, (range(legs, 2 * legs), targets))
        state = np.moveaxis(state, range(legs), targets)
    # axis i is qubit i; the last axis of a flattened array is its lowest bit
    flat = np.abs(state.transpose(range(qubits)[::-1]).reshape(-1)) ** 2
    return {str(number): float(p) for number, p in enumerate(flat) if p > 1e-12}
