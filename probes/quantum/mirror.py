"""`quantum.mirror`: how much of a circuit's answer survives a device's errors, by size."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import e
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field, ValidationInfo, field_validator

from probes.base import Probe, Skipped
from probes.quantum.chain import Chain, best_chain, chain_gates, positions
from probes.quantum.device import Calibration
from probes.quantum.mirroring import Mirror, check_compiled, mirror
from probes.quantum.noise import compile_for
from probes.quantum.polarization import mean_polarization
from probes.quantum.providers import Counts, Provider, ProviderName, load
from storage.types import Origin, Reading, Signal

if TYPE_CHECKING:
    from numpy.random import Generator

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
        the 8 best qubits of fake_kingston expect about .91, .86, .62 and .18 at depths 2, 8, 32
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

    @field_validator("device")
    @classmethod
    def _known(cls, value: str, info: ValidationInfo) -> str:
        if "provider" in info.data:  # else that is the fault to tell
            load(info.data["provider"]).check(value)
        return value

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
            done = self._measure(provider, calibration, chain)
            cells.extend(cell.facts(calibration, chain) for cell in done)
            yield from self._readings(provider.origin, len(chain), done)

    def _measure(self, provider: Provider, calibration: Calibration, chain: Chain) -> "list[Cell]":
        """Make, compile, check and run the circuits of all depths on one chain, in one batch."""
        mirrors = [
            mirror(positions(calibration, chain), depth, self._random(len(chain), depth, number))
            for depth in sorted(set(self.depths))
            for number in range(self.circuits)
        ]
        compiled = compile_for(calibration, chain, [each.circuit for each in mirrors])
        gates = [check_compiled(*pair) for pair in zip(mirrors, compiled, strict=True)]
        seed = int(self._random(len(chain)).integers(1 << 31))
        counts = provider.counts(compiled, calibration, chain, shots=self.shots, seed=seed)
        results = list(zip(mirrors, gates, counts, strict=True))
        starts = range(0, len(results), self.circuits)
        return [Cell(results[start : start + self.circuits]) for start in starts]

    def _random(self, *numbers: int) -> "Generator":
        """Random numbers that depend on nothing but the seed and the place of their use."""
        import numpy as np

        return np.random.default_rng([self.seed, *numbers])

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
            note=f"at least: nothing deeper than {deepest} was tested" if depth == deepest else "",
        )


@dataclass(frozen=True, slots=True)
class Cell:
    """What came out for one width and depth, circuit by circuit."""

    results: Sequence[tuple[Mirror, Mapping[str, int], Counts]]
    """Of each circuit: itself, its gate counts after compiling, and how often what came out."""

    @property
    def depth(self) -> int:
        """Layers of both halves: the same for all circuits of a cell."""
        return self.results[0][0].depth

    def polarization(self) -> tuple[float, float]:
        """Mean over the circuits, and one standard uncertainty."""
        outcomes = [mirrored.outcome for mirrored, _, _ in self.results]
        return mean_polarization(outcomes, [counts for _, _, counts in self.results])

    def facts(self, calibration: Calibration, chain: Chain) -> dict[str, Any]:
        """For the record: all that the polarization can be computed from again."""
        return {
            "width": len(chain),
            "depth": self.depth,
            "qubits": list(chain),
            "links": [gate.name for gate in chain_gates(calibration, chain)],
            "outcomes": [mirrored.outcome for mirrored, _, _ in self.results],
            "gates": [dict(gates) for _, gates, _ in self.results],
            "counts": [dict(counts) for _, _, counts in self.results],
        }


def acceptable_depth(cells: Sequence[Cell]) -> int:
    """The largest depth whose lower confidence bound is at least 1/e; 0 where there is none."""
    return max((cell.depth for cell in cells if _acceptable(*cell.polarization())), default=0)


def _acceptable(value: float, sigma: float) -> bool:
    return value - SIGMAS * sigma >= ACCEPTABLE
