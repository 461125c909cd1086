"""`quantum.volume`: the largest square random circuits that a device still answers well."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from probes.quantum.analysis import results
from probes.quantum.batch import Batch
from probes.quantum.canary import Canary, Execution
from probes.quantum.circuits import by_width
from probes.quantum.circuits.chain import Chain
from probes.quantum.circuits.noise import target
from probes.quantum.device import Calibration
from probes.quantum.provider import Counts
from storage.types import Reading, Signal

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

Width = Annotated[int, Field(ge=2, le=10)]


class QuantumVolume(Canary):
    """Run quantum volume circuits on the best chain of a device.

    Summary
        A circuit of width n has n layers of random two-qubit unitaries on random pairs of its n
        qubits. Its heavy outcomes are those that are likelier than the median when nothing goes
        wrong. How often a device answers with one of them says whether it can run circuits of that
        size.

    What the number means
        `heavy_output_probability` is the mean over the circuits: about .85 for a perfect device,
        .5 for one that answers at random. A width passes when its value less 2 sigma is above 2/3,
        with sigma the paper's sqrt(h(1 - h)/circuits). That sigma takes each circuit for a single
        throw, hence 15 shots of each are enough; it is wider than the value's scatter.

        `volume` is 2ⁿ for the largest tested width n that passes, and 1 where none does. Where the
        widest passes, the note says that the value is a lower limit. It is measured by us on one
        chain of the device; a volume that a vendor publishes may come of other qubits and of better
        compiling. A width that the device has no chain for is absent.

        Unlike in other canaries the compiler may rewrite the circuits, as the paper allows: only
        what comes out counts. It routes them along the chain with swaps and ends with the qubits
        in another order; the heavy outcomes come from the circuits as they were before compiling,
        and are kept in the order of the measured qubits. The circuits and the judgement are
        qiskit-experiments'.

        100 circuits of 15 shots at one width are 1,500 shots: some seconds of QPU time at IBM; on
        Braket, as one task, 2.48 USD at Garnet's and 0.94 USD at Cepheus' prices of 2026-05. On
        fake_kingston expect about .82 ± .04 at width 4, .80 at 5, .76 at 6 and .68 at 8, and a
        volume of 16, at least.

    References
        Cross, Bishop, Sheldon, Nation, Gambetta, Physical Review A 100, 032328 (2019),
        arXiv 1811.12926. qiskit-experiments, QuantumVolume:
        https://qiskit-community.github.io/qiskit-experiments/manuals/verification/quantum_volume.html
    """

    signals: ClassVar[tuple[Signal, ...]] = (
        Signal(
            "quantum.volume.heavy_output_probability",
            "1",
            "higher",
            "How often quantum volume circuits on n qubits give a heavy outcome: .85 is perfect, "
            ".5 is random. Target DEVICE/wWIDTH.",
        ),
        Signal(
            "quantum.volume.volume",
            "1",
            "higher",
            "2^n of the largest tested width n whose heavy output probability less 2 sigma is "
            "above 2/3; 1 where none is. Target DEVICE.",
        ),
    )
    packages: ClassVar[tuple[str, ...]] = (
        "qiskit",
        "qiskit-aer",
        "qiskit-experiments",
        "qiskit-ibm-runtime",
    )
    deadline: ClassVar[float] = 180.0

    widths: tuple[Width, ...] = Field(default=(4,), min_length=1, description="in qubits")
    circuits: int = Field(default=100, ge=100, le=1000, description="for each width")
    shots: int = Field(default=15, ge=1, le=100_000, description="of each circuit")

    def plan(self, calibration: Calibration) -> Batch:
        """Compiled circuits of every width that the device has a chain for.

        Raises Skipped where it has a chain for none of them.
        """
        return by_width.plan(calibration, self.widths, self.shots, self._on)

    def _on(
        self, calibration: Calibration, chain: Chain
    ) -> "tuple[list[QuantumCircuit], by_width.Part]":
        """Compiled circuits on one chain, and their heavy outcomes in the measured order."""
        from qiskit_experiments.library import QuantumVolume as Experiment

        # a seed for each width, so that it does not depend on which others are measured
        experiment = Experiment(
            range(len(chain)), trials=self.circuits, seed=(self.seed, len(chain))
        )
        wanted = experiment.circuits()
        compiled = compiled_for(calibration, chain, wanted)
        heavy = [
            heavy_outcomes(asked.metadata["ideal_probabilities"], found.layout.final_index_layout())
            for asked, found in zip(wanted, compiled, strict=True)
        ]
        for circuit in compiled:
            circuit.measure_all()
        return compiled, {
            "heavy": heavy,
            "entangling": [circuit.num_nonlocal_gates() for circuit in compiled],
        }

    def read(
        self, facts: Mapping[str, Any], counts: Sequence[Counts], execution: Execution
    ) -> Iterable[Reading]:
        """Heavy output probabilities by width, and the volume."""
        passed = [0]
        for part, counted in by_width.parts(facts, counts):
            width, heavy = part["width"], part["heavy"]
            value, sigma, success = judged(width, heavy, counted)
            passed += [width] * success
            yield Reading(
                signal="quantum.volume.heavy_output_probability",
                target=f"{self.device}/w{width}",
                value=value,
                sigma=sigma,
                origin=execution.origin,
                note=f"{len(heavy)} circuits; {'passes' if success else 'does not pass'}",
            )
        widest = facts["parts"][-1]["width"]
        yield Reading(
            signal="quantum.volume.volume",
            target=self.device,
            value=float(2 ** max(passed)),
            origin=execution.origin,
            note=f"at least: nothing wider than {widest} was tested" if widest in passed else "",
        )


def compiled_for(
    calibration: Calibration, chain: Chain, circuits: "Sequence[QuantumCircuit]"
) -> "list[QuantumCircuit]":
    """The circuits without their measurements, routed along the chain and optimised as far as the
    compiler can: only what comes out of them counts (arXiv 1811.12926)."""
    from qiskit import transpile

    compiled: list[QuantumCircuit] = transpile(
        [circuit.remove_final_measurements(inplace=False) for circuit in circuits],
        target=target(calibration, chain),
        optimization_level=3,
        seed_transpiler=0,
        num_processes=1,
    )
    return compiled


def heavy_outcomes(probabilities: Sequence[float], places: Sequence[int]) -> str:
    """Which outcomes are heavy, as text: its character j is "1" where the measured number j is.

    `probabilities` are by the number of the circuit's own qubits (the first is its lowest bit);
    `places[q]` is where the compiler has put its qubit q in the end.
    """
    middle = median(probabilities)
    return "".join(
        str(int(probabilities[_unrouted(number, places)] > middle))
        for number in range(len(probabilities))
    )


def _unrouted(number: int, places: Sequence[int]) -> int:
    return sum((number >> place & 1) << qubit for qubit, place in enumerate(places))


def judged(width: int, heavy: Sequence[str], counts: Sequence[Counts]) -> tuple[float, float, bool]:
    """Heavy output probability, its sigma, and whether the width passes, by qiskit-experiments."""
    from qiskit_experiments.library.quantum_volume import QuantumVolumeAnalysis

    # The analysis wants probabilities, to part heavy from light at their median: these are parted.
    circuits = [
        {
            "counts": dict(counted),
            "shots": sum(counted.values()),
            "metadata": {"depth": width, "ideal_probabilities": list(map(float, digits))},
        }
        for digits, counted in zip(heavy, counts, strict=True)
    ]
    analysis = QuantumVolumeAnalysis()
    analysis.set_options(plot=False)
    rows = {row["name"]: row for row in results(analysis, circuits)}
    mean = rows["mean_HOP"]["value"]
    return float(mean.nominal_value), float(mean.std_dev), bool(rows["quantum_volume"]["success"])
