"""Parity oscillations: how much of a GHZ state's superposition is left, whatever else the state is.

All qubits are turned by a phase φ about Z and measured along X; the parity of the outcome is
Π = +1 for an even number of ones, −1 for an odd one. A GHZ state gives ⟨Π⟩(φ) = C·cos(nφ + φ0). Any
other part of the state, and readouts that err more on one side, add slower waves, up to nφ too. So
C is the Fourier component of frequency n, and K = 2n + 2 equally spaced phases keep it apart from
all others. On such a grid it is also the least-squares fit.

Sackett et al., Nature 404, 256 (2000); Monz et al., Physical Review Letters 106, 130506 (2011),
arXiv 1009.6126. The number of phases: Wei et al., Physical Review A 101, 032343 (2020),
arXiv 1905.05720.
"""

from cmath import exp
from collections.abc import Sequence
from math import pi, sqrt

from probes.quantum.provider import Counts


def phases(width: int) -> list[float]:
    """The phases, in radians, at which the parity of n qubits is measured."""
    number = 2 * width + 2
    return [2 * pi * place / number for place in range(number)]


def parity(counts: Counts) -> tuple[float, float]:
    """Mean parity of the outcomes, and its variance; that is never 0, by Laplace's rule."""
    shots = sum(counts.values())
    odd = sum(number for bits, number in counts.items() if bits.count("1") % 2)
    rate = (odd + 1) / (shots + 2)
    return 1 - 2 * odd / shots, 4 * rate * (1 - rate) / shots


def coherence(width: int, counts: Sequence[Counts]) -> tuple[float, float]:
    """The oscillation's amplitude C from the counts at all phases, and its standard uncertainty.

    An amplitude is never negative, so that noise alone would have one: the estimate of C² is
    made unbiased by taking off its variance, and is 0 where nothing is left.
    """
    turns = [exp(-1j * width * phase) for phase in phases(width)]
    means, variances = zip(*map(parity, counts), strict=True)
    scale = 2 / len(turns)
    wave = scale * sum(turn * mean for turn, mean in zip(turns, means, strict=True))
    along = wave / abs(wave) if wave else 1
    variance = scale**2 * sum(
        (turn * along.conjugate()).real ** 2 * each
        for turn, each in zip(turns, variances, strict=True)
    )
    left = abs(wave) ** 2 - scale**2 * sum(variances)
    return sqrt(max(0.0, left)), sqrt(variance)
