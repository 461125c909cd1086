"""A quantum device as its owner describes it: qubits, gates and their errors at one moment.

Everything is in seconds and pure numbers, whatever the provider's own units are. A figure that the
owner does not give is None: missing is not zero. No SDK is imported here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from storage.types import Origin

ONE_QUBIT_GATES = ("sx", "u2")
"""The gate that stands for all one-qubit gates, by preference: the one that is a single pulse."""

VIRTUAL_GATES = ("rz", "u1")
"""Changes of the reference frame: no pulse, no time, error 0 by construction (arXiv 1612.00858)."""

TWO_QUBIT_GATES = ("cz", "ecr", "cx")
"""Fixed entangling gates, each a Clifford and its own inverse: what circuits are made of. `rzz` and
its kin do not count."""

ENTANGLING_GATES = (*TWO_QUBIT_GATES, "iswap", "sqrt_iswap", "sycamore")
"""Fixed entangling gates whose errors are figures of a device, be they of use to circuits or not:
it takes two of Rigetti's `iswap` or of Google's to make one `cz`."""

COIN = 0.5
"""A readout that is wrong this often says nothing."""


@dataclass(frozen=True, slots=True)
class Qubit:
    """T1 and T2 in seconds; probabilities of a wrong readout, also by prepared state.

    Not `present`: a number that the owner gives to no qubit, so that all others keep theirs.
    """

    t1: float | None = None
    t2: float | None = None
    readout_error: float | None = None
    reads_0_as_1: float | None = None
    reads_1_as_0: float | None = None
    present: bool = True

    @property
    def readable(self) -> bool:
        """A readout says more than a coin."""
        return self.readout_error is not None and self.readout_error < COIN


@dataclass(frozen=True, slots=True)
class Gate:
    """One gate on certain qubits, in the order the device takes them."""

    name: str
    qubits: tuple[int, ...]
    error: float | None = None
    seconds: float | None = None

    @property
    def dead(self) -> bool:
        """The owner's mark for a gate that cannot be used: an error of 1."""
        return self.error is not None and self.error >= 1

    @property
    def live(self) -> bool:
        """The error is known and is not the mark of a dead gate."""
        return self.error is not None and self.error < 1


@dataclass(frozen=True, slots=True)
class Calibration:
    """What the owner published at one moment; `at` is seconds since the epoch, UTC.

    `device` is the name it was asked for by, `backend` and `version` are the owner's. `origin` is
    `simulated` for a made-up calibration of no device. `family` is the kind of processor and its
    revision ("Heron r2"), "" where the owner does not say.

    Gates have our names whatever the owner calls them: `sx` is the one-qubit pulse of a quarter
    turn, `cz`, `ecr` and `cx` are the entangling gate; `natives` has the owner's word where it is
    another ({"sx": "prx"}). `per_part` is False where the owner gives one figure for the whole
    device, which every qubit and gate then has. `published` are the owner's figures of the whole
    device, by the last part of their signals' names ({"quantum_volume": 512.0}).
    """

    device: str
    backend: str
    version: str
    at: float
    qubits: tuple[Qubit, ...]
    gates: tuple[Gate, ...]
    origin: Origin = "vendor"
    family: str = ""
    natives: Mapping[str, str] = field(default_factory=dict)
    per_part: bool = True
    published: Mapping[str, float] = field(default_factory=dict)

    @property
    def time(self) -> str:
        """`at` in ISO 8601, UTC."""
        return datetime.fromtimestamp(self.at, UTC).isoformat()

    @property
    def identity(self) -> str:
        """Owner's name, version and time: the same calibration always has the same identity."""
        return f"{self.backend} {self.version} {self.time}"

    @property
    def usable(self) -> frozenset[int]:
        """Qubits that circuits may use: they can be read, and lack no coherence time that the owner
        gives of others. Google publishes no T2 at all, and a perfect simulator has neither."""
        t1 = any(qubit.t1 is not None for qubit in self.qubits)
        t2 = any(qubit.t2 is not None for qubit in self.qubits)
        return frozenset(
            index
            for index, qubit in enumerate(self.qubits)
            if qubit.readable
            and (qubit.t1 is not None or not t1)
            and (qubit.t2 is not None or not t2)
        )

    def one_qubit_gate(self) -> str | None:
        """The name of the gate that the one-qubit error is about; None where none is known."""
        names = {gate.name for gate in self.gates}
        return next((name for name in ONE_QUBIT_GATES if name in names), None)

    def one_qubit_gates(self) -> tuple[Gate, ...]:
        """That gate, once for every qubit that has it."""
        name = self.one_qubit_gate()
        return tuple(gate for gate in self.gates if gate.name == name)

    def couplings(self, names: Sequence[str] = TWO_QUBIT_GATES) -> dict[tuple[int, int], Gate]:
        """Every pair of coupled qubits once (lower first), with the best of these gates on it.

        A pair can be listed in both directions, with different errors and one of them dead, and
        with several gates. The live one of the lowest error counts, since it is what a compiler
        would use; a pair is dead when all of its entries are.
        """
        best: dict[tuple[int, int], Gate] = {}
        for gate in self.gates:
            if gate.name not in names:
                continue
            pair = (min(gate.qubits), max(gate.qubits))
            if pair not in best or _rank(gate) < _rank(best[pair]):
                best[pair] = gate
        return best


def _rank(gate: Gate) -> tuple[bool, float, str, tuple[int, ...]]:
    """Best first: live, dead, unknown; then by error, then by name, so that it repeats."""
    error = 2.0 if gate.error is None else gate.error
    return not gate.live, error, gate.name, gate.qubits
