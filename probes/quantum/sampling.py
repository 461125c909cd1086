"""`quantum.sampling`: how true and how fast a device samples, beside this machine's CPU."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from probes.quantum import host
from probes.quantum.batch import Batch
from probes.quantum.canary import Canary, Execution
from probes.quantum.circuits import by_width
from probes.quantum.circuits.brickwork import bricks, brickwork, ideal
from probes.quantum.circuits.chain import Chain, positions
from probes.quantum.circuits.compiled import check_gates
from probes.quantum.circuits.noise import compile_for
from probes.quantum.device import Calibration
from probes.quantum.distribution import draw, figures, numbered, of_a_perfect_sampler
from probes.quantum.provider import Counts
from storage.types import Reading, Signal

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

Width = Annotated[int, Field(ge=2, le=10)]

DRAWS = 1 << 17
"""Samples drawn at a time where only drawing is timed."""


class Sampling(Canary):
    """Sample the outcomes of shallow random circuits, and compare with what is exactly right.

    Summary
        One random circuit for each width, on the best chain of that width: layers of the device's
        own entangling gates between layers of random quarter turns. The seed fixes it, so that a
        change is the device's. The ideal probabilities are computed exactly beforehand. By default
        two circuits of 700 shots: 1,400 shots, about 2.33 USD at 0.30 USD a task and 0.00145 USD
        a shot, and less than a second of IBM's QPU time beside its overhead for each job.

    What the number means
        p are the ideal probabilities, q the measured frequencies. `total_variation` is ½ Σ|p − q|;
        outcomes at random have about .36, not 1, since p is spread over all of them.
        `hellinger_fidelity` is (Σ √(pq))². Both are biased where shots are few for 2ⁿ outcomes:
        `total_variation_floor` and `hellinger_ceiling` are what a perfect sampler has on average
        with as many shots, so a device is only as bad as its distance from those. `linear_xeb` is
        2ⁿ Σ pq − 1; `xeb_fidelity` divides it by its ideal value 2ⁿ Σ p² − 1, so that 1 is ideal
        and 0 random, without bias for any number of shots: the one to watch. Under errors that
        make outcomes random it is the circuit's fidelity. Sigmas are bootstrapped (1,000 times,
        fixed seed). Readout errors are in everything.

        `seconds_per_sample` is the time between the start and the end that the provider reports,
        over all samples: absent where it reports none, and on simulated devices, where it would be
        the simulator's. `usd_per_sample` is what was billed, over all samples, where that is known.
        Beside them stands this machine, target `cpu:HOST/wWIDTH`, origin `measured`.
        `cpu_seconds_per_sample` is all of the same work: computing the ideal state of the same
        circuit (Qiskit's Statevector) and drawing as many samples, over their number.
        `cpu_seconds_per_draw` is drawing alone (NumPy, inverse of the distribution function) once
        the probabilities are known: the floor that many samples come down to. Medians of 7 after a
        warm-up; making the circuit is in neither, as compiling is not in the device's.

        With provider `snapshot` the circuits run on a noise model of one calibration (origin
        `simulated`), without crosstalk, leakage, drift and idle decay: real devices do worse. On
        fake_kingston expect an `xeb_fidelity` of about .93 on 4 qubits and .84 on 8. A width
        that the device has no chain for is absent.

    References
        Linear cross-entropy: Arute et al., Nature 574, 505 (2019), arXiv 1910.11333. Hellinger
        fidelity: qiskit.quantum_info.hellinger_fidelity,
        https://quantum.cloud.ibm.com/docs/api/qiskit/quantum_info. Bootstrap: Efron, Annals of
        Statistics 7, 1 (1979).
    """

    signals: ClassVar[tuple[Signal, ...]] = (
        Signal(
            "quantum.sampling.total_variation",
            "1",
            "lower",
            "Total variation distance of the samples from the ideal distribution; about .36 for "
            "random ones, total_variation_floor for perfect ones. Target DEVICE/wWIDTH.",
        ),
        Signal(
            "quantum.sampling.total_variation_floor",
            "1",
            "neither",
            "Mean total variation distance of a perfect sampler with as many shots",
        ),
        Signal(
            "quantum.sampling.hellinger_fidelity",
            "1",
            "higher",
            "Hellinger fidelity of the samples with the ideal distribution; hellinger_ceiling for "
            "perfect ones. Target DEVICE/wWIDTH.",
        ),
        Signal(
            "quantum.sampling.hellinger_ceiling",
            "1",
            "neither",
            "Mean Hellinger fidelity of a perfect sampler with as many shots",
        ),
        Signal(
            "quantum.sampling.linear_xeb",
            "1",
            "higher",
            "Linear cross-entropy of the samples, 2^n sum(p q) - 1; 0 is random. "
            "Target DEVICE/wWIDTH.",
        ),
        Signal(
            "quantum.sampling.xeb_fidelity",
            "1",
            "higher",
            "Linear cross-entropy over its ideal value: 1 is ideal, 0 is random. "
            "Target DEVICE/wWIDTH.",
        ),
        Signal(
            "quantum.sampling.seconds_per_sample",
            "s",
            "lower",
            "Time from the job's start to its end, as reported, over all samples",
        ),
        Signal(
            "quantum.sampling.usd_per_sample",
            "USD",
            "lower",
            "What the job was billed with, over all samples",
        ),
        Signal(
            "quantum.sampling.cpu_seconds_per_sample",
            "s",
            "lower",
            "This machine's time to simulate the same circuit without noise and draw as many "
            "samples, over their number. Target cpu:HOST/wWIDTH.",
        ),
        Signal(
            "quantum.sampling.cpu_seconds_per_draw",
            "s",
            "lower",
            "This machine's time to draw one sample once the probabilities are known. "
            "Target cpu:HOST/wWIDTH.",
        ),
    )
    packages: ClassVar[tuple[str, ...]] = ("numpy", "qiskit", "qiskit-aer", "qiskit-ibm-runtime")
    deadline: ClassVar[float] = 180.0

    widths: tuple[Width, ...] = Field(default=(4, 8), min_length=1, description="in qubits")
    depth: int = Field(default=8, ge=1, le=1000, description="in layers of entangling gates")
    shots: int = Field(default=700, ge=10, le=1_000_000, description="of each circuit")

    def plan(self, calibration: Calibration) -> Batch:
        """A circuit for every width that the device has a chain for, and its ideal probabilities.

        Raises Skipped where it has a chain for none of them, OptimisedAway where a compiled
        circuit is not the circuit that was asked for.
        """
        return by_width.plan(calibration, self.widths, self.shots, self._on)

    def _on(
        self, calibration: Calibration, chain: Chain
    ) -> "tuple[list[QuantumCircuit], by_width.Part]":
        width, links = len(chain), positions(calibration, chain)
        circuit = brickwork(links, self.depth, self.random(width, self.depth))
        measured = circuit.copy()
        measured.measure_all()
        (compiled,) = compile_for(calibration, chain, [measured])
        gates = check_gates(
            compiled,
            "a random circuit",
            pulses=width * (self.depth + 1),
            links=sum(len(bricks(links, layer)) for layer in range(self.depth)),
        )
        told = {"depth": self.depth, "links": links, "ideal": ideal(circuit), "gates": gates}
        return [compiled], told

    def read(
        self, facts: Mapping[str, Any], counts: Sequence[Counts], execution: Execution
    ) -> Iterable[Reading]:
        """How true each width's samples are; what a sample took and cost; the same for the CPU."""
        shots = [sum(counted.values()) for counted in counts]
        for part, (counted,) in by_width.parts(facts, counts):
            yield from self._truth(part, counted, execution)
        yield from self._price(sum(shots), execution)
        for part, samples in zip(facts["parts"], shots, strict=True):
            yield from self._cpu(part, samples)

    def _truth(
        self, part: by_width.Part, counts: Counts, execution: Execution
    ) -> Iterator[Reading]:
        import numpy as np

        width, depth, expected = part["width"], part["depth"], np.array(part["ideal"])
        target, note = f"{self.device}/w{width}", f"{sum(counts.values())} shots"
        found = figures(expected, numbered(counts, width), self.random(width, depth, 1))
        for name, (value, sigma) in found.items():
            yield Reading(
                signal=f"quantum.sampling.{name}",
                target=target,
                value=value,
                sigma=sigma,
                origin=execution.origin,
                note=note,
            )
        random = self.random(width, depth, 2)
        perfect = of_a_perfect_sampler(expected, sum(counts.values()), random)
        for name, like in BOUNDS.items():
            yield Reading(
                signal=f"quantum.sampling.{name}",
                target=target,
                value=perfect[like],
                origin="derived",
                note=note,
            )

    def _price(self, samples: int, execution: Execution) -> Iterator[Reading]:
        """What one sample took and cost, as far as that is known of a real device."""
        if execution.origin == "simulated":
            return
        seconds = execution.seconds or None  # a clock that stood still has timed nothing
        for name, total in (("seconds", seconds), ("usd", execution.usd)):
            if total is not None:
                yield Reading(
                    signal=f"quantum.sampling.{name}_per_sample",
                    target=self.device,
                    value=total / samples,
                    origin="derived",
                    note=f"{samples} samples",
                )

    def _cpu(self, part: by_width.Part, samples: int) -> Iterator[Reading]:
        """The same on this machine: with the simulation, and drawing alone."""
        width, depth = part["width"], part["depth"]
        circuit = brickwork(part["links"], depth, self.random(width, depth))
        random = self.random(width, depth, 3)
        times = {
            "sample": (samples, lambda: draw(ideal(circuit), samples, random)),
            "draw": (DRAWS, lambda: draw(part["ideal"], DRAWS, random)),
        }
        for name, (number, work) in times.items():
            took = host.seconds(work)
            yield Reading(
                signal=f"quantum.sampling.cpu_seconds_per_{name}",
                target=f"{host.target()}/w{width}",
                value=took.median / number,
                sigma=took.sigma / number,
                origin="measured",
                note=f"median of {host.REPEATS} times {number} samples",
            )


BOUNDS = {
    "total_variation_floor": "total_variation",
    "hellinger_ceiling": "hellinger_fidelity",
}
"""What a perfect sampler has of a figure that few shots bias, by its signal's last part."""
