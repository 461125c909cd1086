"""`quantum.mirror`: how much of a circuit's answer survives a device's errors, by size."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import e, sqrt
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from probes.base import Probe, Skipped
from probes.quantum.chain import Chain, best_chain, chain_gates
from probes.quantum.device import Calibration
from probes.quantum.mirroring import Link, check_compiled, mirror
from probes.quantum.noise import target
from probes.quantum.providers import Counts, Provider, ProviderName, load
from storage.types import Origin, Reading, Signal

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

Width = Annotated[int, Field(ge=2, le=10)]
Depth = Annotated[int, Field(ge=2, le=1024, multiple_of=2)]

ACCEPTABLE = 1 / e
"""Polarization at which a circuit still counts as answered."""

SIGMAS = 2.0
"""How many standard uncertainties below the value its lower confidence bound lies."""


class MirrorCircuits(Probe):
    """Run randomised mirror circuits on the best chain of a device.

    Summary
        A mirror circuit has one right outcome, known without simulating it. How often it comes
        out, by width (qubits) and depth (layers), says what size of circuit is still worth running.
        The chain is the one whose couplings and readouts together have the least published error.

    What the number means
        `polarization` is (P − 2⁻ⁿ)/(1 − 2⁻ⁿ), P the frequency of the right outcome on n qubits: 1
        is a perfect device, 0 one that answers at random, and chance can take it below 0. Its
        sigma is the standard error over circuits, or the shot noise alone where that is larger.
        Readout errors are in it, whatever the depth. It is the plain polarization; the effective
        one of arXiv 2112.09853 weighs wrong outcomes by their Hamming distance.

        Depth counts layers of both halves: d layers of the device's own entangling gates, each on
        every second link of the chain, and d + 1 layers of random one-qubit gates. `depth` is the
        largest tested depth whose polarization less 2 sigma is at least 1/e, and 0 where none is.
        Where the deepest passes, the note says that the value is a lower limit. A width that the
        device has no chain for is absent.

        With provider `snapshot` the circuits run on a noise model of one calibration (origin
        `simulated`), without crosstalk, leakage, drift and idle decay: real devices do worse. On
        the 8 best qubits of fake_kingston expect about .92, .84, .63 and .17 at depths 2, 8, 32
        and 128.

    References
        Proctor, Rudinger, Young, Nielsen, Blume-Kohout, Nature Physics 18, 75 (2022),
        arXiv 2008.11294. Proctor et al., Physical Review Letters 129, 150502 (2022),
        arXiv 2112.09853.
    """

    signals: ClassVar[tuple[Signal, ...]] = (
        Signal(
            "quantum.mirror.polarization",
            "1",
            "higher",
            "Success of mirror circuits on n qubits, rescaled: (P - 2^-n)/(1 - 2^-n); "
            "1 is perfect, 0 is random. Target DEVICE/wWIDTH-dDEPTH.",
        ),
        Signal(
            "quantum.mirror.depth",
            "layer",
            "higher",
            "Depth at acceptable error: the largest tested depth whose polarization's lower "
            "confidence bound (2 sigma) is >= 1/e; 0 where none is. Target DEVICE/wWIDTH.",
        ),
    )
    packages: ClassVar[tuple[str, ...]] = ("qiskit", "qiskit-aer", "qiskit-ibm-runtime")
    deadline: ClassVar[float] = 180.0

    provider: ProviderName = Field(default="snapshot", description="who runs the device")
    device: str = Field(description="the provider's name for it, such as fake_kingston")
    widths: tuple[Width, ...] = Field(default=(2, 4, 8), min_length=1, description="in qubits")
    depths: tuple[Depth, ...] = Field(
        default=(2, 8, 32, 128), min_length=1, description="in layers of both halves; even"
    )
    circuits: int = Field(default=6, ge=2, le=1000, description="for each width and depth")
    shots: int = Field(default=500, ge=10, le=100_000, description="of each circuit")
    seed: int = Field(default=1, ge=0, lt=1 << 31, description="of circuits and simulated shots")

    @model_validator(mode="after")
    def _known_device(self) -> Self:
        load(self.provider).check(self.device)
        return self

    def run(self) -> Iterable[Reading]:
        """Readings of every width that the device has a chain for.

        Raises Skipped where it has a chain for none of them, OptimisedAway where a compiled
        circuit is not the circuit that was asked for.
        """
        provider = load(self.provider)
        calibration = provider.calibration(self.device)
        chains = {width: best_chain(calibration, width) for width in sorted(set(self.widths))}
        cells: list[dict[str, Any]] = []
        self.keep(calibration=calibration.identity, calibrated=calibration.time, seed=self.seed)
        self.keep(cells=cells, absent=[width for width, chain in chains.items() if not chain])
        if not any(chains.values()):
            raise Skipped(
                f"{self.device} has no chain of {min(chains)} usable, coupled qubits "
                f"(calibration {calibration.identity})"
            )
        for chain in filter(None, chains.values()):
            width_cells = [
                self._cell(provider, calibration, chain, depth)
                for depth in sorted(set(self.depths))
            ]
            cells.extend(cell.facts(calibration, chain) for cell in width_cells)
            yield from self._readings(provider.origin, len(chain), width_cells)

    def _cell(
        self, provider: Provider, calibration: Calibration, chain: Chain, depth: int
    ) -> "Cell":
        """Make, compile, check and run the circuits of one width and depth."""
        import numpy as np

        seeds = [[self.seed, len(chain), depth, number] for number in range(self.circuits)]
        links = links_of(calibration, chain)
        mirrors = [mirror(links, depth, np.random.default_rng(seed)) for seed in seeds]
        compiled = compile_for(calibration, chain, [each.circuit for each in mirrors])
        gates = [check_compiled(*pair) for pair in zip(mirrors, compiled, strict=True)]
        seed = int(np.random.default_rng([self.seed, len(chain), depth]).integers(1 << 31))
        counts = provider.counts(compiled, calibration, chain, shots=self.shots, seed=seed)
        return Cell(depth, [each.outcome for each in mirrors], counts, gates)

    def _readings(self, origin: Origin, width: int, cells: Sequence["Cell"]) -> Iterator[Reading]:
        for cell in cells:
            value, sigma = cell.polarization()
            yield Reading(
                signal="quantum.mirror.polarization",
                target=f"{self.device}/w{width}-d{cell.depth}",
                value=value,
                sigma=sigma,
                origin=origin,
                note=f"{self.circuits} circuits of {self.shots} shots",
            )
        depth = acceptable_depth(cells)
        deepest = cells[-1].depth
        yield Reading(
            signal="quantum.mirror.depth",
            target=f"{self.device}/w{width}",
            value=float(depth),
            origin=origin,
            note=f"at least: no deeper than {deepest} was tested" if depth == deepest else "",
        )


@dataclass(frozen=True, slots=True)
class Cell:
    """What came out for one width and depth, circuit by circuit."""

    depth: int
    outcomes: Sequence[str]
    counts: Sequence[Counts]
    gates: Sequence[Mapping[str, int]]

    def polarization(self) -> tuple[float, float]:
        """Mean over the circuits, and one standard uncertainty."""
        return mean_polarization(self.outcomes, self.counts)

    def facts(self, calibration: Calibration, chain: Chain) -> dict[str, Any]:
        """For the record: all that the polarization can be computed from again."""
        return {
            "width": len(chain),
            "depth": self.depth,
            "qubits": list(chain),
            "links": [gate.name for gate in chain_gates(calibration, chain)],
            "outcomes": list(self.outcomes),
            "counts": [dict(counts) for counts in self.counts],
            "gates": [dict(gates) for gates in self.gates],
        }


def links_of(calibration: Calibration, chain: Chain) -> list[Link]:
    """The chain's entangling gates with positions on the chain instead of the device's qubits."""
    where = {qubit: position for position, qubit in enumerate(chain)}
    return [
        (gate.name, where[gate.qubits[0]], where[gate.qubits[1]])
        for gate in chain_gates(calibration, chain)
    ]


def compile_for(
    calibration: Calibration, chain: Chain, circuits: "Sequence[QuantumCircuit]"
) -> "list[QuantumCircuit]":
    """The circuits in the chain's own gates, on the same qubits, in this process."""
    from qiskit import transpile

    compiled: list[QuantumCircuit] = transpile(
        list(circuits),
        target=target(calibration, chain),
        initial_layout=list(range(len(chain))),
        optimization_level=1,  # merges the one-qubit gates between two barriers; 0 would not
        seed_transpiler=0,
        num_processes=1,
    )
    return compiled


def mean_polarization(outcomes: Sequence[str], counts: Sequence[Counts]) -> tuple[float, float]:
    """Mean polarization of circuits with these right outcomes, and its standard uncertainty.

    The standard error over the circuits has their shot noise in it already; the shot noise alone
    is its floor, since the spread of few circuits can be small by chance.
    """
    shots = [sum(counted.values()) for counted in counts]
    hits = [counted.get(outcome, 0) for outcome, counted in zip(outcomes, counts, strict=True)]
    width = len(outcomes[0])
    each = [polarization(hit / shot, width) for hit, shot in zip(hits, shots, strict=True)]
    spread = stdev(each) / sqrt(len(each))
    return fmean(each), max(spread, shot_noise(sum(hits), sum(shots), width))


def polarization(success: float, width: int) -> float:
    """Frequency of the right outcome, rescaled so that a random answer has 0 and a right one 1."""
    random = 2.0**-width
    return (success - random) / (1 - random)


def shot_noise(hits: int, shots: int, width: int) -> float:
    """Binomial standard uncertainty of a polarization; never 0, by Laplace's rule of succession."""
    success = (hits + 1) / (shots + 2)
    return sqrt(success * (1 - success) / shots) / (1 - 2.0**-width)


def acceptable_depth(cells: Sequence[Cell]) -> int:
    """The largest depth whose lower confidence bound is at least 1/e; 0 where there is none."""
    return max((cell.depth for cell in cells if _acceptable(*cell.polarization())), default=0)


def _acceptable(value: float, sigma: float) -> bool:
    return value - SIGMAS * sigma >= ACCEPTABLE
