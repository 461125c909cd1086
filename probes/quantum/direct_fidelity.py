"""Fidelity with a known state of real amplitudes, from measurements of single qubits alone.

F = ⟨ψ|ρ|ψ⟩ = 2⁻ⁿ Σ ⟨P⟩ψ ⟨P⟩ρ over all products P of Paulis. To measure every qubit along X, Y or Z
is a setting; it tells ⟨P⟩ρ of 2ⁿ products at once. Each product's term is shared out evenly among
the settings that measure it, and settings are drawn as often as the ideal state weighs them: then
the score of an outcome, averaged over settings and shots, is F on average, whatever the errors are.
The scores of single shots scatter by about .7, 1.2 and 1.7 for 2, 4 and 6 qubits. Products with an
odd number of Y have ⟨P⟩ψ = 0 for real amplitudes, and no setting with an odd number of Y is needed.

Flammia and Liu, Physical Review Letters 106, 230501 (2011), arXiv 1104.4695; da Silva,
Landon-Cardinal and Poulin, Physical Review Letters 107, 210404 (2011), arXiv 1104.3835.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import log2, sqrt
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

from probes.quantum.provider import Counts

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray
    from qiskit import QuantumCircuit

    Array = NDArray[Any]

Setting = str
"""What each qubit is measured along, first qubit first: "xyz"."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A setting, how often it is to be drawn, and every outcome's score, by its number."""

    setting: Setting
    weight: float
    scores: "Array"


def settings(width: int) -> list[Setting]:
    """All settings that say something about a state of real amplitudes: (3ⁿ + 1)/2."""
    every = map("".join, product("xyz", repeat=width))
    return [setting for setting in every if setting.count("y") % 2 == 0]


def measurements(amplitudes: "Array") -> list[Measured]:
    """Every setting with its weight and scores, for a real, normalised state.

    Weights add up to 1. The mean over settings so weighted of the mean score is the fidelity.
    """
    import numpy as np

    width = int(log2(amplitudes.size))
    identities = [width - mask.bit_count() for mask in range(amplitudes.size)]
    shared = np.array([(3**free + 1) // 2 for free in identities])
    found = []
    for setting in settings(width):
        means = walsh_hadamard(probabilities(amplitudes, setting))
        weight = float((means**2 / shared).sum()) / amplitudes.size
        scores = walsh_hadamard(means / shared) / amplitudes.size / weight
        found.append(Measured(setting, weight, scores))
    return found


def drawn(measured: Sequence[Measured], number: int, random: "Generator") -> list[Measured]:
    """So many of the settings, each as often as its weight says, give or take one."""
    import numpy as np

    steps = np.cumsum([each.weight for each in measured])
    marks = (np.arange(number) + random.random()) / number * steps[-1]
    return [measured[int(place)] for place in np.searchsorted(steps, marks, side="right")]


def along(state: "QuantumCircuit", setting: Setting) -> "QuantumCircuit":
    """The circuit, and after a barrier all of its qubits measured in a setting."""
    circuit: QuantumCircuit = state.copy()
    circuit.barrier()
    for qubit, letter in enumerate(setting):
        if letter == "y":
            circuit.sdg(qubit)
        if letter != "z":
            circuit.h(qubit)
    circuit.measure_all()
    return circuit


def fidelity(scores: Sequence[Sequence[float]], counts: Sequence[Counts]) -> tuple[float, float]:
    """Mean score of all settings from their counts, and the standard error of that mean."""
    means = [
        sum(number * score[int(bits, 2)] for bits, number in counted.items())
        / sum(counted.values())
        for score, counted in zip(scores, counts, strict=True)
    ]
    return fmean(means), stdev(means) / sqrt(len(means))


def probabilities(amplitudes: "Array", setting: Setting) -> "Array":
    """Of every outcome, by its number (the first qubit is the lowest bit)."""
    import numpy as np

    turns = {
        "x": np.array([[1, 1], [1, -1]]) / sqrt(2),
        "y": np.array([[1, -1j], [1, 1j]]) / sqrt(2),
        "z": np.eye(2),
    }
    state = amplitudes.reshape([2] * len(setting))
    for axis, letter in enumerate(reversed(setting)):  # the last qubit is the first axis
        state = np.moveaxis(np.tensordot(turns[letter], state, ([1], [axis])), 0, axis)
    found: Array = (abs(state) ** 2).ravel()
    return found


def walsh_hadamard(values: "Array") -> "Array":
    """Σ over b of (−1)^(number of ones that m and b share) · values[b], for every m."""
    import numpy as np

    width = int(log2(values.size))
    found = values.reshape([2] * width)
    for axis in range(width):
        zero, one = found.take(0, axis), found.take(1, axis)
        found = np.stack([zero + one, zero - one], axis)
    return found.ravel()
