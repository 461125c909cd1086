"""Where on a device a circuit of n qubits runs: a chain of live, coupled qubits."""

from collections.abc import Mapping
from itertools import pairwise
from math import log1p

from probes.quantum.device import Calibration, Gate

BEAM = 4096
"""Partial chains kept at each length: none is dropped up to 8 qubits on IBM's heavy-hex devices of
up to 156 qubits, and up to 5 on their square lattices of 120."""

Chain = tuple[int, ...]
"""Qubits of a device, each coupled to the next."""

Link = tuple[str, int, int]
"""An entangling gate and the chain's positions it acts on, in the device's own direction."""

Links = Mapping[int, Mapping[int, float]]
Path = tuple[float, Chain]


def best_chain(calibration: Calibration, width: int) -> Chain | None:
    """The chain of `width` qubits with the least accumulated error; None where there is none.

    The cost of a chain is the sum over its couplings and readouts of −log(1 − error), so that the
    least cost is the highest product of fidelities. A beam search, hence bounded in time, and
    deterministic: equal costs are decided by the qubits' numbers.
    """
    links, reads = _links(calibration), _reads(calibration)
    beam: list[Path] = sorted((cost, (qubit,)) for qubit, cost in reads.items())
    for _ in range(width - 1):
        beam = sorted(_longer(beam, links, reads))[:BEAM]
    return beam[0][1] if beam else None


def first_chain(calibration: Calibration, width: int) -> Chain | None:
    """The first chain of `width` qubits by the qubits' numbers, whatever is live on it; None where
    there is none. The same device has the same one for ever, as long as its couplings are listed.
    """
    near: dict[int, list[int]] = {}
    for low, high in sorted(calibration.couplings()):
        near.setdefault(low, []).append(high)
        near.setdefault(high, []).append(low)
    return next((found for start in sorted(near) if (found := _first((start,), near, width))), None)


def breaks(calibration: Calibration, chain: Chain) -> list[str]:
    """What keeps circuits from running on a chain: its unusable qubits, its dead or missing
    couplings. Nothing of either makes it a chain that `best_chain` could have chosen."""
    links, reads = _links(calibration), _reads(calibration)
    lame = [f"qubit {qubit}" for qubit in chain if qubit not in reads]
    return lame + [
        f"coupling {one}-{other}"
        for one, other in pairwise(chain)
        if one in reads and other in reads and other not in links[one]
    ]


def chain_gates(calibration: Calibration, chain: Chain) -> tuple[Gate, ...]:
    """The entangling gate on each link of the chain, in the direction the device takes it."""
    couplings = calibration.couplings()
    return tuple(couplings[min(pair), max(pair)] for pair in pairwise(chain))


def positions(calibration: Calibration, chain: Chain) -> list[Link]:
    """The entangling gates by name and positions on the chain, in the device's own direction."""
    where = {qubit: position for position, qubit in enumerate(chain)}
    return [
        (gate.name, where[gate.qubits[0]], where[gate.qubits[1]])
        for gate in chain_gates(calibration, chain)
    ]


def _first(path: Chain, near: Mapping[int, list[int]], width: int) -> Chain | None:
    if len(path) == width:
        return path
    longer = ((*path, qubit) for qubit in sorted(near[path[-1]]) if qubit not in path)
    return next((found for each in longer if (found := _first(each, near, width))), None)


def _longer(beam: list[Path], links: Links, reads: Mapping[int, float]) -> list[Path]:
    return [
        (cost + link + reads[qubit], (*path, qubit))
        for cost, path in beam
        for qubit, link in links[path[-1]].items()
        if qubit not in path
    ]


def _reads(calibration: Calibration) -> dict[int, float]:
    """Cost of reading each qubit that can be used at all: one with none of its gates dead."""
    alone = [gate for gate in calibration.gates if len(gate.qubits) == 1]
    pulsed = {gate.qubits[0] for gate in calibration.one_qubit_gates() if gate.live}
    pulsed -= {gate.qubits[0] for gate in alone if gate.dead}
    usable = calibration.usable & pulsed
    return {
        index: -log1p(-qubit.readout_error)
        for index, qubit in enumerate(calibration.qubits)
        if index in usable and qubit.readout_error is not None
    }


def _links(calibration: Calibration) -> dict[int, dict[int, float]]:
    """Cost of each live coupling, between usable qubits, seen from both of its ends."""
    usable = _reads(calibration)
    links: dict[int, dict[int, float]] = {qubit: {} for qubit in usable}
    for (low, high), gate in calibration.couplings().items():
        if gate.live and gate.error is not None and low in usable and high in usable:
            links[low][high] = links[high][low] = -log1p(-gate.error)
    return links
