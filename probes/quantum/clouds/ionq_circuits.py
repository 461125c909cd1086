"""Batches in IonQ's native gates, and counts from IonQ's histograms.

IonQ runs a circuit of the gateset `native` as it stands; native gates are the one way past its
compiler and optimiser (https://docs.ionq.com/guides/getting-started-with-native-gates). They know
no barrier: gates come in the order of the list. Angles are in turns. The entangling gate is `ms` on
Aria systems alone and `zz` on Forte systems alone
(https://docs.ionq.com/api-reference/v0.3/native-gates-api, 2026-09); the simulator takes `ms`.

The keys of a histogram are decimal numbers in which qubit 0 is the lowest bit, as IonQ's own
qiskit-ionq reads them (`map_output`, 1.1.1).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import pi
from typing import TYPE_CHECKING, Any

from probes.quantum.batch import Batch
from probes.quantum.circuits.chain import Chain
from probes.quantum.circuits.native import Op, to_ms, to_zz
from probes.queued import Unreadable

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

LINKS: Mapping[str, tuple[str, "Callable[[QuantumCircuit], list[Op]]"]] = {
    "simulator": ("ms", to_ms),
    "aria": ("ms", to_ms),
    "forte": ("zz", to_zz),
}
"""For each family of devices its entangling gate, and the way into its gates."""

PULSES = ("gpi", "gpi2")

SLACK = 0.05
"""How far from a whole number of shots a device's probability may lie: it is a rounded decimal."""

WHOLE = 1e-3
"""How far from 1 the probabilities of a simulation may add up."""

Circuit = list[dict[str, Any]]
"""Gates as IonQ's JSON has them."""


def link_of(device: str) -> str | None:
    """A device's native entangling gate; None where its family is not known."""
    family = _family(device)
    return LINKS[family][0] if family else None


def native(device: str, batch: Batch) -> list[Circuit]:
    """The batch's circuits as a device's native gates, on the qubits of their chains.

    Raises ValueError for a device whose entangling gate is not known, and for a circuit that is not
    canonical.
    """
    family = _family(device)
    if family is None:
        raise ValueError(
            f"it is not known which native entangling gate {device} has; known are "
            f"{', '.join(LINKS)} devices"
        )
    _, convert = LINKS[family]
    return [
        [_gate(op, chain) for op in convert(circuit) if op.name != "barrier"]
        for circuit, chain in zip(batch.circuits, batch.chains, strict=True)
    ]


def size(chain: Chain) -> int:
    """Number of qubits that IonQ must be told of: up to the highest of the chain."""
    return max(chain) + 1


def counted(histogram: Any, chain: Chain, shots: int) -> dict[str, int]:
    """Counts of a circuit that a device ran, from probabilities by state: each is a whole number of
    shots, and together they are all. Raises Unreadable."""
    counts: dict[str, int] = {}
    for key, share in _outcomes(histogram, chain):
        number = round(share * shots)
        if abs(share * shots - number) > SLACK:
            raise Unreadable(f"a probability of {share} is no whole number of {shots} shots")
        counts[key] = counts.get(key, 0) + number
    if sum(counts.values()) != shots:
        raise Unreadable(f"{sum(counts.values())} shots came back instead of {shots}")
    return {key: number for key, number in counts.items() if number}


def drawn(histogram: Any, chain: Chain, shots: int, seed: Sequence[int]) -> dict[str, int]:
    """Counts of a circuit on the ideal simulator, which answers with exact probabilities and draws
    no shots: they are drawn here, the same ones for the same seed. Raises Unreadable."""
    import numpy as np

    shares: dict[str, float] = {}
    for key, share in _outcomes(histogram, chain):
        shares[key] = shares.get(key, 0.0) + share
    total = sum(shares.values())
    if abs(total - 1) > WHOLE:
        raise Unreadable(f"the probabilities of a circuit add up to {total}, not to 1")
    keys = sorted(shares)
    weights = [shares[key] / total for key in keys]
    numbers = np.random.default_rng(list(seed)).multinomial(shots, weights)
    return {key: int(number) for key, number in zip(keys, numbers, strict=True) if number}


def _family(device: str) -> str | None:
    return next((family for family in LINKS if family in device), None)


def _gate(op: Op, chain: Chain) -> dict[str, Any]:
    turns = [angle / (2 * pi) for angle in op.params]
    targets = [chain[qubit] for qubit in op.qubits]
    if op.name in PULSES:
        return {"gate": op.name, "target": targets[0], "phase": turns[0]}
    if op.name == "zz":
        return {"gate": "zz", "targets": targets, "angle": turns[0]}
    return {"gate": "ms", "targets": targets, "phases": turns[:2], "angle": turns[2]}


def _outcomes(histogram: Any, chain: Chain) -> Iterator[tuple[str, float]]:
    """Bit strings, first qubit of the chain rightmost, with their probabilities."""
    if not isinstance(histogram, dict) or not histogram:
        raise Unreadable(f"a circuit's histogram is {histogram!r}, not probabilities by state")
    for state, share in histogram.items():
        if not state.isdecimal() or int(state) >= 1 << size(chain):
            raise Unreadable(f"{state!r} is no state of {size(chain)} qubits")
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
            raise Unreadable(f"the probability of state {state} is {share!r}")
        yield "".join(str(int(state) >> qubit & 1) for qubit in reversed(chain)), float(share)
