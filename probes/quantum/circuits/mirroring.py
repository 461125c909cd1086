"""Randomised mirror circuits on a chain, and what they must still contain after compiling.

A circuit of depth d does d/2 random layers, then undoes them in reverse order. Random Paulis are
inserted before every layer, in the middle and at the end, so that errors cannot add up or cancel
coherently and no compiler sees a circuit beside its inverse. All gates are Clifford: the one right
outcome follows from the Paulis alone.

    [P C1] | E1 | [P C2] | E2 | [P] | E2⁻¹ | [P C2⁻¹] | E1⁻¹ | [P C1⁻¹] | measure      d = 4

C: a random one-qubit Clifford on every qubit. E: the device's own entangling gate on every second
link of the chain, odd or even at random. |: a barrier over all qubits.

Proctor et al., Nature Physics 18, 75 (2022), arXiv 2008.11294; arXiv 2112.09853.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from probes.quantum.circuits.chain import Link
from probes.quantum.circuits.compiled import check_gates

if TYPE_CHECKING:
    from numpy.random import Generator
    from qiskit import QuantumCircuit

WORDS = ((), ("h",), ("s",), ("h", "s"), ("s", "h"), ("h", "s", "h"))
"""One-qubit Cliffords up to Paulis, as gates in the order of time; Paulis make them all 24."""

PAULIS = "ixyz"
INVERSE = {"h": "h", "s": "sdg"}

Block = tuple[tuple[str, ...], ...]
"""Gates of one layer of one-qubit gates: for each qubit those it gets, in the order of time."""


@dataclass(frozen=True, slots=True)
class Mirror:
    """A mirror circuit, its one right outcome (first qubit rightmost), and what it must contain.

    `pulses` is the number of one-qubit gates that take a pulse, `links` that of entangling gates,
    both in the device's own gates.
    """

    depth: int
    circuit: "QuantumCircuit"
    outcome: str
    pulses: int
    links: int


def mirror(links: Sequence[Link], depth: int, random: "Generator") -> Mirror:
    """A random mirror circuit of an even depth ≥ 2 on the chain of these links."""
    width = len(links) + 1
    layers = [_clifford_layer(width, random) for _ in range(depth // 2)]
    sides = [_side(links, random) for _ in range(depth // 2)]
    back = [_undone(layer) for layer in reversed(layers)]
    blocks = [_with_paulis(block, random) for block in (*layers, ((),) * width, *back)]
    return _assemble(blocks, [*sides, *reversed(sides)], width)


def check_compiled(mirrored: Mirror, compiled: "QuantumCircuit") -> dict[str, int]:
    """The compiled circuit's gate counts.

    Raises OptimisedAway where it does not hold exactly the pulses and entangling gates it must.
    """
    return check_gates(compiled, "a mirror circuit", pulses=mirrored.pulses, links=mirrored.links)


def _clifford_layer(width: int, random: "Generator") -> Block:
    return tuple(WORDS[int(pick)] for pick in random.integers(len(WORDS), size=width))


def _undone(layer: Block) -> Block:
    return tuple(tuple(INVERSE[name] for name in reversed(names)) for names in layer)


def _with_paulis(layer: Block, random: "Generator") -> Block:
    """The layer followed by a random Pauli on every qubit; no gate for the identity."""
    picks = random.integers(len(PAULIS), size=len(layer))
    paulis = [PAULIS[int(pick)] for pick in picks]
    return tuple(
        names if pauli == "i" else (*names, pauli)
        for names, pauli in zip(layer, paulis, strict=True)
    )


def _side(links: Sequence[Link], random: "Generator") -> Sequence[Link]:
    """Every second link, odd or even at random; a single link is always taken."""
    return links[int(random.integers(2)) :: 2] if len(links) > 1 else links


def _assemble(blocks: Sequence[Block], sides: Sequence[Sequence[Link]], width: int) -> Mirror:
    """Blocks and entangling layers in turn, as a circuit with its outcome."""
    from qiskit import QuantumCircuit

    circuit = QuantumCircuit(width)
    frame = Frame(width)
    for block, side in zip(blocks, [*sides, ()], strict=True):
        gates = [(name, qubit) for qubit, names in enumerate(block) for name in names]
        for layer in (gates, side):
            for name, *where in layer:
                getattr(circuit, name)(*where)
                frame.apply(name, *where)
            circuit.barrier()
    circuit.measure_all()
    pulses = sum(_needs_pulse(names) for block in blocks for names in block)
    return Mirror(len(sides), circuit, frame.outcome(), pulses, sum(map(len, sides)))


def _needs_pulse(names: Sequence[str]) -> bool:
    """Whether a block is more than a change of frame: of our words, those without H are phases."""
    return any(name in ("h", "x", "y") for name in names)


class Frame:
    """The Paulis so far, carried through the Cliffords after them, up to a phase.

    A mirror circuit without its Paulis is the identity; with them, it is this Pauli.
    """

    def __init__(self, width: int) -> None:
        self.x = [False] * width
        self.z = [False] * width

    def outcome(self) -> str:
        """What |0…0⟩ becomes, as counts are keyed: the first qubit rightmost."""
        return "".join(str(int(flipped)) for flipped in reversed(self.x))

    def apply(self, name: str, *where: int) -> None:
        """Carry the Pauli through a Clifford gate, or multiply it with a Pauli gate."""
        getattr(self, f"_{name}")(*where)

    def _x(self, qubit: int) -> None:
        self.x[qubit] ^= True

    def _z(self, qubit: int) -> None:
        self.z[qubit] ^= True

    def _y(self, qubit: int) -> None:
        self._x(qubit)
        self._z(qubit)

    def _h(self, qubit: int) -> None:
        self.x[qubit], self.z[qubit] = self.z[qubit], self.x[qubit]

    def _s(self, qubit: int) -> None:
        self.z[qubit] ^= self.x[qubit]

    _sdg = _s

    def _cz(self, first: int, second: int) -> None:
        self.z[first] ^= self.x[second]
        self.z[second] ^= self.x[first]

    def _cx(self, control: int, flipped: int) -> None:
        self.x[flipped] ^= self.x[control]
        self.z[control] ^= self.z[flipped]

    def _ecr(self, first: int, second: int) -> None:
        turned = self.x[first] ^ self.z[second]
        self.z[first] ^= turned
        self.x[second] ^= turned
