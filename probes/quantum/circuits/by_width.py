"""Circuits of several widths, each on the best chain of its width, as one batch; and whose counts
are whose when they come back."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from probes.base import Skipped
from probes.quantum.batch import Batch
from probes.quantum.circuits.chain import Chain, best_chain
from probes.quantum.device import TWO_QUBIT_GATES, Calibration
from probes.quantum.provider import Counts

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

Part = Mapping[str, Any]
"""What is to be known of one width's circuits, as JSON."""

Make = Callable[[Calibration, Chain], "tuple[Sequence[QuantumCircuit], Part]"]
"""Compiled circuits for one chain, and what is to be known of them."""


def plan(calibration: Calibration, widths: Iterable[int], shots: int, make: Make) -> Batch:
    """What `make` gives for the best chain of each width, narrowest first, as a batch.

    Its facts: `parts`, one for each width that the device has a chain for, with `width`, `qubits`,
    the number of `circuits` and what `make` told; `absent`, the widths it has none for. Raises
    Skipped where it has none at all.
    """
    wanted = sorted(set(widths))
    chains = {width: best_chain(calibration, width) for width in wanted}
    circuits: list[QuantumCircuit] = []
    on: list[Chain] = []
    parts: list[Part] = []
    for width, chain in chains.items():
        if chain is not None:
            made, told = make(calibration, chain)
            circuits += made
            on += [chain] * len(made)
            parts.append({"width": width, "qubits": list(chain), "circuits": len(made), **told})
    if not parts:
        raise Skipped(
            f"{calibration.device} has no chain of {wanted[0]} usable, coupled qubits (by "
            f"{', '.join(TWO_QUBIT_GATES)}; calibration {calibration.identity})"
        )
    absent = [width for width, chain in chains.items() if chain is None]
    return Batch(circuits, on, shots, {"parts": parts, "absent": absent})


def parts(
    facts: Mapping[str, Any], counts: Sequence[Counts]
) -> Iterator[tuple[Part, Sequence[Counts]]]:
    """Every part that `plan` made, with the counts of its circuits."""
    begin = 0
    for part in facts["parts"]:
        end = begin + part["circuits"]
        yield part, counts[begin:end]
        begin = end
