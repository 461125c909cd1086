"""A batch of compiled circuits that goes to a provider as one job, and its form as JSON."""

import base64
import gzip
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from probes.quantum.circuits.chain import Chain

if TYPE_CHECKING:
    from qiskit import QuantumCircuit


@dataclass(frozen=True, slots=True)
class Batch:
    """Circuits in the device's own gates, ending in a measurement of all their qubits in one
    classical register; qubit i of circuit k runs on the device's `chains[k][i]`.

    `shots` is of each circuit. `facts` is JSON: all that the canary needs to understand the counts.
    """

    circuits: "Sequence[QuantumCircuit]"
    chains: Sequence[Chain]
    shots: int
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.circuits) != len(self.chains):
            raise ValueError(f"{len(self.circuits)} circuits on {len(self.chains)} chains")

    def as_json(self) -> dict[str, Any]:
        """The batch as JSON; the circuits in Qiskit's QPY form, compressed."""
        from qiskit import qpy

        buffer = io.BytesIO()
        qpy.dump(list(self.circuits), buffer)
        packed = gzip.compress(buffer.getvalue(), mtime=0)
        return {
            "circuits": base64.b64encode(packed).decode(),
            "chains": [list(chain) for chain in self.chains],
            "shots": self.shots,
            "facts": dict(self.facts),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Batch":
        """The batch that `as_json` made."""
        from qiskit import qpy

        packed = base64.b64decode(document["circuits"])
        circuits = qpy.load(io.BytesIO(gzip.decompress(packed)))
        return cls(
            circuits=circuits,
            chains=[tuple(chain) for chain in document["chains"]],
            shots=document["shots"],
            facts=document["facts"],
        )
