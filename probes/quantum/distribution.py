"""How far what came out lies from the distribution it should have been drawn from.

All of it is about frequencies q of N shots against ideal probabilities p, both of 2ⁿ outcomes, by
their number (the first qubit is the lowest bit), along the last axis of an array.

Few shots bias two of the four. Even a perfect sampler has a total variation distance above 0 and a
Hellinger fidelity below 1, since its own frequencies scatter around p: `of_a_perfect_sampler` says
by how much. Cross-entropies are averages over shots, hence right on average for any N.

Linear cross-entropy: Arute et al., Nature 574, 505 (2019), arXiv 1910.11333. Uncertainties by the
bootstrap: Efron, Annals of Statistics 7, 1 (1979).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from probes.quantum.provider import Counts

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    Array = NDArray[Any]

RESAMPLES = 1000


def total_variation(ideal: "Array", found: "Array") -> "Array":
    """½ Σ|p − q|: the largest difference in the probability of any event."""
    distance: Array = abs(ideal - found).sum(axis=-1) / 2
    return distance


def hellinger_fidelity(ideal: "Array", found: "Array") -> "Array":
    """(Σ √(pq))²: 1 where both are the same, 0 where nothing can come of both."""
    overlap: Array = ((ideal * found) ** 0.5).sum(axis=-1) ** 2
    return overlap


def linear_xeb(ideal: "Array", found: "Array") -> "Array":
    """2ⁿ Σ pq − 1: 0 for outcomes that are random, 2ⁿ Σ p² − 1 on average for right ones."""
    average: Array = ideal.shape[-1] * (ideal * found).sum(axis=-1) - 1
    return average


def xeb_fidelity(ideal: "Array", found: "Array") -> "Array":
    """Linear cross-entropy over what a perfect device has on average: 0 is random, 1 is ideal."""
    return linear_xeb(ideal, found) / linear_xeb(ideal, ideal)


FIGURES: Mapping[str, Callable[["Array", "Array"], "Array"]] = {
    "total_variation": total_variation,
    "hellinger_fidelity": hellinger_fidelity,
    "linear_xeb": linear_xeb,
    "xeb_fidelity": xeb_fidelity,
}


def numbered(counts: Counts, width: int) -> "Array":
    """Counts of all outcomes, by their number."""
    import numpy as np

    found = np.zeros(2**width)
    for bits, number in counts.items():
        found[int(bits, 2)] = number
    return found


def figures(
    ideal: "Array", counted: "Array", random: "Generator"
) -> dict[str, tuple[float, float]]:
    """Every figure of these counts, with the standard uncertainty that the bootstrap gives.

    What is drawn from has one shot more, spread as evenly as can be: where all shots are the same,
    there would be no uncertainty else.
    """
    shots, outcomes = int(counted.sum()), counted.size
    likely = (counted + 1 / outcomes) / (shots + 1)
    again = random.multinomial(shots, likely, size=RESAMPLES) / shots
    return {
        name: (float(figure(ideal, counted / shots)), float(figure(ideal, again).std()))
        for name, figure in FIGURES.items()
    }


def of_a_perfect_sampler(ideal: "Array", shots: int, random: "Generator") -> dict[str, float]:
    """Every figure's mean where so many shots are drawn from the ideal probabilities."""
    drawn = random.multinomial(shots, ideal, size=RESAMPLES) / shots
    return {name: float(figure(ideal, drawn).mean()) for name, figure in FIGURES.items()}


def draw(ideal: Sequence[float], number: int, random: "Generator") -> "Array":
    """Numbers of so many outcomes, drawn by the inverse of the distribution function."""
    import numpy as np

    steps = np.cumsum(ideal)
    found: Array = np.searchsorted(steps, random.random(number) * steps[-1], side="right")
    return found
