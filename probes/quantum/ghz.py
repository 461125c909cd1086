"""`quantum.ghz`: how many qubits a device can bring into one entangled state."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import hypot, sqrt
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field, ValidationInfo, field_validator

from probes.quantum.batch import Batch
from probes.quantum.canary import Canary, Execution
from probes.quantum.circuits import by_width
from probes.quantum.circuits.chain import Chain
from probes.quantum.circuits.compiled import check_gates, pulses_and_links
from probes.quantum.circuits.noise import compile_for
from probes.quantum.device import Calibration
from probes.quantum.parity import coherence, phases
from probes.quantum.provider import Counts
from probes.quantum.providers import load
from storage.types import Origin, Reading, Signal

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

Width = Annotated[int, Field(ge=2, le=32)]

SIMULABLE = 10
"""Qubits whose density matrix is simulated in seconds."""

ENTANGLED = 0.5
"""Fidelity above which no state that splits into two unentangled parts can be."""

SIGMAS = 2.0
"""How many standard uncertainties below the value its lower confidence bound lies."""


class GHZ(Canary):
    """Prepare GHZ states on the best chain of a device, and measure their fidelity.

    Summary
        (|0…0⟩ + |1…1⟩)/√2 on n qubits in a row, made from the middle outwards with n − 1 entangling
        gates. One circuit reads all qubits as they are; 2n + 2 others turn them all by a phase
        first and read their parity. By default 37 circuits of 40 shots: 1,480 shots, about 2.45 USD
        at 0.30 USD a task and 0.00145 USD a shot, and less than a second of IBM's QPU time beside
        its overhead for each job.

    What the number means
        `population` is P(0…0) + P(1…1). It alone is no fidelity: a mixture of the two has 1.
        `coherence` is the amplitude of the parity's oscillation with the phase, its n-th Fourier
        component; noise has none on average. `fidelity` is (population + coherence)/2: the overlap
        with the GHZ state of whatever phase fits best, since a phase that repeats can be undone.
        Sigmas are binomial, propagated through the Fourier sum; chance can take the coherence above
        1. Readout errors are in all of them and are not corrected, and the coherence also has the
        error of one more pulse on each qubit.

        A fidelity above 1/2 proves that all n qubits are entangled with one another.
        `entangled_qubits` is the largest tested width whose fidelity less 2 sigma is above 1/2, and
        0 where none is. Where the widest passes, the note says that the value is a lower limit.
        A width that the device has no chain for is absent.

        With provider `snapshot` the circuits run on a noise model of one calibration (origin
        `simulated`), without crosstalk, leakage, drift and idle decay: real devices do worse. On
        the best qubits of fake_kingston expect fidelities of about .98, .95 and .88 on 2, 4 and 8
        qubits.

    References
        Parity oscillations, and entanglement from fidelity: Sackett et al., Nature 404, 256 (2000);
        Monz et al., Physical Review Letters 106, 130506 (2011), arXiv 1009.6126. The number of
        phases: Wei et al., Physical Review A 101, 032343 (2020), arXiv 1905.05720. Chains of a
        superconducting device: Mooney et al., Journal of Physics Communications 5, 095004 (2021),
        arXiv 2101.08946.
    """

    signals: ClassVar[tuple[Signal, ...]] = (
        Signal(
            "quantum.ghz.population",
            "1",
            "higher",
            "Frequency of all zeros and all ones in a GHZ state. Target DEVICE/wWIDTH.",
        ),
        Signal(
            "quantum.ghz.coherence",
            "1",
            "higher",
            "Amplitude of the parity's oscillation with the phase; 1 is a perfect GHZ state. "
            "Target DEVICE/wWIDTH.",
        ),
        Signal(
            "quantum.ghz.fidelity",
            "1",
            "higher",
            "Fidelity of the GHZ state, (population + coherence)/2, readout errors included. "
            "Target DEVICE/wWIDTH.",
        ),
        Signal(
            "quantum.ghz.entangled_qubits",
            "qubit",
            "higher",
            "Largest tested width whose fidelity's lower confidence bound (2 sigma) is > 1/2, "
            "which proves entanglement of all its qubits; 0 where none is.",
        ),
    )
    packages: ClassVar[tuple[str, ...]] = ("qiskit", "qiskit-aer", "qiskit-ibm-runtime")
    deadline: ClassVar[float] = 180.0

    widths: tuple[Width, ...] = Field(default=(2, 4, 8), min_length=1, description="in qubits")
    shots: int = Field(default=40, ge=10, le=100_000, description="of each circuit")

    @field_validator("widths")
    @classmethod
    def _simulable(cls, value: tuple[int, ...], info: ValidationInfo) -> tuple[int, ...]:
        name = info.data.get("provider")  # absent: that is the fault to tell
        if name is not None and not load(name).queued and max(value) > SIMULABLE:
            raise ValueError(
                f"{max(value)} qubits are too many to simulate here (provider {name}); "
                f"at most {SIMULABLE} are"
            )
        return value

    def plan(self, calibration: Calibration) -> Batch:
        """Circuits of every width that the device has a chain for.

        Raises Skipped where it has a chain for none of them, OptimisedAway where a compiled
        circuit is not the circuit that was asked for.
        """
        return by_width.plan(calibration, self.widths, self.shots, _on)

    def read(
        self, facts: Mapping[str, Any], counts: Sequence[Counts], execution: Execution
    ) -> Iterable[Reading]:
        """What each width reached, and last how many qubits were entangled."""
        found = [state(part["width"], own) for part, own in by_width.parts(facts, counts)]
        for each in found:
            yield from self._readings(execution.origin, each)
        entangled = max((each.width for each in found if each.entangled), default=0)
        yield Reading(
            signal="quantum.ghz.entangled_qubits",
            target=self.device,
            value=float(entangled),
            origin=execution.origin,
            note=_limit(entangled, found[-1].width),
        )

    def _readings(self, origin: Origin, found: "State") -> Iterator[Reading]:
        figures = {
            "population": found.population,
            "coherence": found.coherence,
            "fidelity": found.fidelity,
        }
        for name, (value, sigma) in figures.items():
            yield Reading(
                signal=f"quantum.ghz.{name}",
                target=f"{self.device}/w{found.width}",
                value=value,
                sigma=sigma,
                origin=origin,
                note=f"{2 * found.width + 3} circuits of {self.shots} shots",
            )


@dataclass(frozen=True, slots=True)
class State:
    """What was measured of a GHZ state: each figure with its standard uncertainty."""

    width: int
    population: tuple[float, float]
    coherence: tuple[float, float]

    @property
    def fidelity(self) -> tuple[float, float]:
        """With the GHZ state of the phase that fits best; the two parts are independent."""
        (diagonal, one), (beside, other) = self.population, self.coherence
        return (diagonal + beside) / 2, hypot(one, other) / 2

    @property
    def entangled(self) -> bool:
        """Whether all qubits are shown to be entangled with one another."""
        value, sigma = self.fidelity
        return value - SIGMAS * sigma > ENTANGLED


def state(width: int, counts: Sequence[Counts]) -> State:
    """A width's state from the counts of its circuits, in the order of `circuits`."""
    return State(width, population(width, counts[0]), coherence(width, counts[1:]))


def population(width: int, counts: Counts) -> tuple[float, float]:
    """Frequency of all zeros and all ones, and its uncertainty: never 0, by Laplace's rule."""
    shots = sum(counts.values())
    hits = counts.get("0" * width, 0) + counts.get("1" * width, 0)
    rate = (hits + 1) / (shots + 2)
    return hits / shots, sqrt(rate * (1 - rate) / shots)


def circuits(width: int) -> "list[QuantumCircuit]":
    """A GHZ state read as it is, and after that read along X at every phase."""
    made = []
    for phase in (None, *phases(width)):
        circuit = prepared(width)
        circuit.barrier()
        if phase is not None:
            circuit.rz(-phase, range(width))
            circuit.h(range(width))
        circuit.measure_all()
        made.append(circuit)
    return made


def prepared(width: int) -> "QuantumCircuit":
    """A GHZ state on a chain, grown from its middle to both ends at once."""
    from qiskit import QuantumCircuit

    middle = (width - 1) // 2
    right = [(qubit, qubit + 1) for qubit in range(middle, width - 1)]
    left = [(qubit, qubit - 1) for qubit in range(middle, 0, -1)]
    circuit = QuantumCircuit(width)
    circuit.h(middle)
    for inner, outer in (*right, *left):
        # a CNOT; spelt so, no compiler needs to know which way round the device takes it
        circuit.h(outer)
        circuit.cz(inner, outer)
        circuit.h(outer)
    return circuit


def _on(calibration: Calibration, chain: Chain) -> "tuple[list[QuantumCircuit], by_width.Part]":
    """Compiled and checked circuits on one chain, and the gates that each holds."""
    width = len(chain)
    compiled = compile_for(calibration, chain, circuits(width))
    prepares, _ = pulses_and_links(compiled[0])
    turned = [prepares, *(prepares + width for _ in phases(width))]
    gates = [
        check_gates(circuit, "a GHZ circuit", pulses=pulses, links=width - 1)
        for circuit, pulses in zip(compiled, turned, strict=True)
    ]
    return compiled, {"phases": phases(width), "gates": gates}


def _limit(entangled: int, widest: int) -> str:
    return f"at least: nothing wider than {widest} was tested" if entangled == widest else ""
