"""`quantum.mirror`: how much of a circuit's answer survives a device's errors, by size."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import e
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from probes.quantum.batch import Batch
from probes.quantum.canary import Canary, Execution
from probes.quantum.circuits import by_width
from probes.quantum.circuits.chain import Chain, chain_gates, positions
from probes.quantum.circuits.mirroring import check_compiled, mirror
from probes.quantum.circuits.noise import compile_for
from probes.quantum.device import Calibration
from probes.quantum.polarization import mean_polarization
from probes.quantum.provider import Counts
from storage.types import Origin, Reading, Signal

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

Width = Annotated[int, Field(ge=2, le=10)]
Depth = Annotated[int, Field(ge=2, le=1024, multiple_of=2)]

ACCEPTABLE = 1 / e
"""Polarization at which a circuit still counts as answered."""

SIGMAS = 2.0
"""How many standard uncertainties below the value its lower confidence bound lies."""


class MirrorCircuits(Canary):
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

        The default is 1,728 shots of 72 circuits: 5 QPU seconds at most on IBM, $2.81 on Braket's
        Garnet (May 2026). A polarization then has a sigma of about .03; where shots are free, ask
        for more.

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

    widths: tuple[Width, ...] = Field(default=(2, 4, 8), min_length=1, description="in qubits")
    depths: tuple[Depth, ...] = Field(
        default=(2, 8, 32, 128), min_length=1, description="in layers of both halves; even"
    )
    circuits: int = Field(default=6, ge=2, le=1000, description="for each width and depth")
    shots: int = Field(default=24, ge=10, le=100_000, description="of each circuit")

    def plan(self, calibration: Calibration) -> Batch:
        """Circuits of every width that the device has a chain for, by width and depth.

        Raises Skipped where it has a chain for none of them, OptimisedAway where a compiled
        circuit is not the circuit that was asked for.
        """
        return by_width.plan(calibration, self.widths, self.shots, self._on)

    def _on(
        self, calibration: Calibration, chain: Chain
    ) -> "tuple[list[QuantumCircuit], by_width.Part]":
        """Compiled and checked circuits of all depths on one chain, and what is to be known of
        each depth's: `outcomes` are the right ones, `gates` what each holds after compiling."""
        depths = sorted(set(self.depths))
        mirrors = [
            mirror(positions(calibration, chain), depth, self.random(len(chain), depth, number))
            for depth in depths
            for number in range(self.circuits)
        ]
        compiled = compile_for(calibration, chain, [each.circuit for each in mirrors])
        gates = [check_compiled(*pair) for pair in zip(mirrors, compiled, strict=True)]
        links = [gate.name for gate in chain_gates(calibration, chain)]
        cells = []
        for place, depth in enumerate(depths):
            own = slice(place * self.circuits, (place + 1) * self.circuits)
            cells.append(
                {
                    "depth": depth,
                    "outcomes": [each.outcome for each in mirrors[own]],
                    "gates": gates[own],
                }
            )
        return compiled, {"links": links, "cells": cells}

    def read(
        self, facts: Mapping[str, Any], counts: Sequence[Counts], execution: Execution
    ) -> Iterable[Reading]:
        """Polarizations by width and depth, and after each width its depth."""
        for part, counted in by_width.parts(facts, counts):
            left = iter(counted)
            cells = [
                Cell(
                    part["width"],
                    about["depth"],
                    about["outcomes"],
                    [next(left) for _ in about["outcomes"]],
                )
                for about in part["cells"]
            ]
            yield from self._readings(execution.origin, cells)

    def _readings(self, origin: Origin, cells: Sequence["Cell"]) -> Iterator[Reading]:
        for cell in cells:
            value, sigma = cell.polarization()
            yield Reading(
                signal="quantum.mirror.polarization",
                target=f"{self.device}/w{cell.width}-d{cell.depth}",
                value=value,
                sigma=sigma,
                origin=origin,
                note=f"{self.circuits} circuits of {self.shots} shots",
            )
        depth = acceptable_depth(cells)
        deepest = cells[-1].depth
        yield Reading(
            signal="quantum.mirror.depth",
            target=f"{self.device}/w{cells[-1].width}",
            value=float(depth),
            origin=origin,
            note=f"at least: nothing deeper than {deepest} was tested" if depth == deepest else "",
        )


@dataclass(frozen=True, slots=True)
class Cell:
    """What came out for one width and depth: of each circuit its right outcome and its counts."""

    width: int
    depth: int
    outcomes: Sequence[str]
    counts: Sequence[Counts]

    def polarization(self) -> tuple[float, float]:
        """Mean over the circuits, and one standard uncertainty."""
        return mean_polarization(self.outcomes, self.counts)


def acceptable_depth(cells: Sequence[Cell]) -> int:
    """The largest depth whose lower confidence bound is at least 1/e; 0 where there is none."""
    return max((cell.depth for cell in cells if _acceptable(*cell.polarization())), default=0)


def _acceptable(value: float, sigma: float) -> bool:
    return value - SIGMAS * sigma >= ACCEPTABLE
