"""How many error-corrected qubits a device of today holds: the surface code's usual estimate.

A logical qubit of distance d takes 2·d² physical qubits, and fails in one logical cycle with
p_L = 0.03 · (p / 0.01)^((d + 1) / 2), where p is the worst of the errors of one-qubit gates,
two-qubit gates and readout. This is the gate-based `surface_code` of the Azure Quantum Resource
Estimator (Beverland et al. 2022, arXiv 2211.07629, with Fowler et al. 2012, arXiv 1208.0928, for
the formula and Wang et al. 2010, arXiv 1009.3686, for the threshold); it too goes no further than
d = 50. One logical cycle takes d cycles of the code.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from triggers.crossover import Machine, Operation

THRESHOLD = 0.01
PREFACTOR = 0.03
MOST_DISTANCE = 50


@dataclass(frozen=True, slots=True)
class Logical:
    """What a device holds. `distance` is None at or above the threshold; `machine` is None where
    not one unit of the operation fits, and `why` says so with the numbers. `needed` is how many
    physical qubits one unit takes, None where no distance is enough."""

    distance: int | None
    machine: Machine | None
    why: str
    needed: int | None = None


def logical_error(p: float, distance: int) -> float:
    """p_L: chance that one logical qubit fails in one logical cycle."""
    return float(PREFACTOR * (p / THRESHOLD) ** ((distance + 1) / 2))


def distance(p: float, target: float) -> int | None:
    """The least odd distance whose p_L is `target` or less; None at or above the threshold. It may
    be more than MOST_DISTANCE, past which nothing is estimated."""
    ratio = p / THRESHOLD
    if ratio >= 1:
        return None
    if ratio <= 0:
        return 1
    exact = 2 * math.log(target / PREFACTOR) / math.log(ratio) - 1
    d = max(1, 2 * math.floor((exact - 1) / 2) - 1)  # two below: rounding may not skip one
    while logical_error(p, d) > target:
        d += 2
    return d


def physical(d: int) -> int:
    """Physical qubits of one logical qubit."""
    return 2 * d * d


def logical(
    qubits: int,
    errors: Mapping[str, float],
    operation: Operation,
    *,
    target: float,
    code_cycle: float,
    acceptance: float = 1.0,
) -> Logical:
    """What a device of so many physical qubits holds, to run one kind of operation.

    `errors` by what they are of ("readout"), `target` is the p_L wanted, `code_cycle` in seconds.
    """
    of, p = max(errors.items(), key=lambda item: item[1])
    worst = f"its worst error, {p:.3g} ({of}),"
    d = distance(p, target)
    if d is None:
        why = f"{worst} is not below the surface code's threshold of {THRESHOLD:g}"
        return Logical(None, None, f"not achievable: {why}")
    needed = math.ceil(operation.qubits) * physical(d)
    takes = (
        f"one {operation.name} unit of {operation.qubits:g} logical qubits takes {needed:,} "
        f"physical qubits, it has {qubits:,}"
    )
    if d > MOST_DISTANCE:
        why = f"{worst} needs d = {d}, {MOST_DISTANCE} is the most; {takes}"
        return Logical(d, None, f"not achievable: {why}", needed)
    machine = Machine(qubits // physical(d), code_cycle * d, acceptance)
    if machine.rate(operation) > 0:
        return Logical(d, machine, "", needed)
    return Logical(d, None, f"not achievable: {worst} needs d = {d}; {takes}", needed)
