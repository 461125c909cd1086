"""`quantum.state_preparation`: how well and how fast numbers are loaded into a quantum state."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import log, log2, sqrt
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from probes.quantum import host
from probes.quantum.batch import Batch
from probes.quantum.canary import Canary, Execution
from probes.quantum.circuits import by_width
from probes.quantum.circuits.chain import Chain
from probes.quantum.circuits.compiled import check_gates, pulses_and_links
from probes.quantum.circuits.loading import duration, loader
from probes.quantum.circuits.noise import compile_for
from probes.quantum.device import Calibration
from probes.quantum.direct_fidelity import along, drawn, fidelity, measurements
from probes.quantum.provider import Counts
from storage.types import Origin, Reading, Signal

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from qiskit import QuantumCircuit

Width = Annotated[int, Field(ge=2, le=8)]


class StatePreparation(Canary):
    """Load random numbers into the amplitudes of a few qubits, and measure how true they are.

    Summary
        2ⁿ normal random numbers, scaled to a state, are loaded into n qubits in a row (Möttönen and
        Shende's construction, compiled for the chain). The state is then measured in random
        settings, each qubit along X, Y or Z, which gives its fidelity directly. By default 50
        circuits of 30 shots: 1,500 shots, about 2.48 USD at 0.30 USD a task and 0.00145 USD a
        shot, and less than a second of IBM's QPU time beside its overhead for each job.

    What the number means
        `fidelity` is ⟨ψ|ρ|ψ⟩ of the loaded state ρ with the one asked for, ψ: on average exact,
        whatever the errors, with no assumption about them (direct fidelity estimation). Chance can
        take it below 0 and above 1. Errors of reading and of the pulse that sets what is read are
        in it and are not corrected. Sigma is the standard error over settings, shot noise included.
        The alternative, to load, unload and look for 0…0, needs fewer shots, but takes errors that
        unloading undoes for none and gives the fidelity only under an assumption about the rest.

        `bandwidth` is what survives of the numbers over the time that loading takes. A random unit
        vector of N = 2ⁿ numbers has N − 1 free ones, and telling it so that fidelity F is reached
        takes ½·log₂(1/D) bits for each, with D = (1 − F)/(1 − 1/N): the rate-distortion function of
        a normal source. So bits = (2ⁿ − 1)/2 · log₂((1 − 2⁻ⁿ)/(1 − F)), which is 0 where F is no
        more than the 2⁻ⁿ of a completely mixed state. An infidelity below sigma counts as sigma.
        These bits are what a computation can work with; reading out gives n bits at most (Holevo).
        The time is `duration`, the critical path of the circuit's gates from the owner's gate
        lengths; where one is not given, both are absent. Resetting and reading are in neither,
        since calibrations do not say what they take: `bandwidth` is an upper limit.
        `delivered_bandwidth` is the bits of all shots over the time between the job's start and
        end as the provider reports it, with all that the service does in between; absent where that
        is not reported, and on simulated devices. `two_qubit_gates` counts entangling gates after
        compiling. `classical_bandwidth` is for comparison: this machine copying 128 MiB in memory
        (NumPy), each bit counted once.

        A bandwidth is `derived` from the measured fidelity and the owner's figures. With
        provider `snapshot` the circuits run on a noise model of one calibration and fidelity and
        bandwidth are `simulated`, without crosstalk, leakage, drift and idle decay: real devices do
        worse. On fake_kingston expect fidelities of about .98 and .92 on 2 and 4 qubits, and some
        10⁷ bit/s; a GPU's memory moves 10¹³. A width that the device has no chain for is absent.

    References
        Flammia and Liu, Physical Review Letters 106, 230501 (2011), arXiv 1104.4695. Möttönen et
        al., Quantum Information and Computation 5, 467 (2005), arXiv quant-ph/0407010; Shende,
        Bullock and Markov, arXiv quant-ph/0406176. Rate of a normal source: Shannon, IRE
        Convention Record 7, 142 (1959); Cover and Thomas, Elements of Information Theory, 10.3.2.
        Loading as the bottleneck: Hoefler, Häner and Troyer, Communications of the ACM 66(5), 82
        (2023), https://doi.org/10.1145/3571725.
    """

    signals: ClassVar[tuple[Signal, ...]] = (
        Signal(
            "quantum.state_preparation.fidelity",
            "1",
            "higher",
            "Fidelity of a state of 2^n random real amplitudes, loaded into n qubits, readout "
            "errors included. Target DEVICE/wWIDTH.",
        ),
        Signal(
            "quantum.state_preparation.two_qubit_gates",
            "gate",
            "lower",
            "Entangling gates that loading takes after compiling. Target DEVICE/wWIDTH.",
        ),
        Signal(
            "quantum.state_preparation.duration",
            "s",
            "lower",
            "Time that loading takes by the owner's gate lengths, on the critical path; without "
            "reset and readout. Target DEVICE/wWIDTH.",
        ),
        Signal(
            "quantum.state_preparation.bandwidth",
            "bit/s",
            "higher",
            "Bits of the amplitudes that survive loading, (2^n - 1)/2 log2((1 - 2^-n)/(1 - F)), "
            "over its duration; 0 where noise leaves none. Target DEVICE/wWIDTH.",
        ),
        Signal(
            "quantum.state_preparation.delivered_bandwidth",
            "bit/s",
            "higher",
            "Bits that survived in all shots over the time from the job's start to its end",
        ),
        Signal(
            "quantum.state_preparation.classical_bandwidth",
            "bit/s",
            "higher",
            "This machine's rate of copying memory, each bit counted once. Target cpu:HOST.",
        ),
    )
    packages: ClassVar[tuple[str, ...]] = ("numpy", "qiskit", "qiskit-aer", "qiskit-ibm-runtime")
    deadline: ClassVar[float] = 180.0

    widths: tuple[Width, ...] = Field(default=(2, 4), min_length=1, description="in qubits")
    settings: int = Field(default=25, ge=10, le=10_000, description="measured of each state")
    shots: int = Field(default=30, ge=10, le=100_000, description="of each setting")

    def plan(self, calibration: Calibration) -> Batch:
        """Loading circuits of every width that the device has a chain for, in their settings.

        Raises Skipped where it has a chain for none of them, OptimisedAway where a compiled
        circuit is not the circuit that was asked for.
        """
        return by_width.plan(calibration, self.widths, self.shots, self._on)

    def _on(
        self, calibration: Calibration, chain: Chain
    ) -> "tuple[list[QuantumCircuit], by_width.Part]":
        width = len(chain)
        load, amplitudes = loader(self.amplitudes(width))
        chosen = drawn(measurements(amplitudes), self.settings, self.random(width, 1))
        wanted = [load, *(along(load, each.setting) for each in chosen)]
        loads, *compiled = compile_for(calibration, chain, wanted)
        pulses, links = pulses_and_links(loads)
        for circuit, each in zip(compiled, chosen, strict=True):
            turned = pulses + width - each.setting.count("z")
            check_gates(circuit, "a loading circuit", pulses=turned, links=links)
        return compiled, {
            "amplitudes": amplitudes.tolist(),
            "settings": [each.setting for each in chosen],
            "scores": [each.scores.tolist() for each in chosen],
            "links": links,
            "seconds": duration(loads, calibration, chain),
            "lengths": calibration.origin,
        }

    def amplitudes(self, width: int) -> "NDArray[Any]":
        """The numbers to load: normal random ones, scaled so that their squares add up to 1."""
        found: NDArray[Any] = self.random(width).standard_normal(2**width)
        return found / sqrt(found @ found)

    def read(
        self, facts: Mapping[str, Any], counts: Sequence[Counts], execution: Execution
    ) -> Iterable[Reading]:
        """What each width's loading is worth; all of it over the job's time; the CPU's copying."""
        bits = 0.0
        for part, own in by_width.parts(facts, counts):
            value, sigma = fidelity(part["scores"], own)
            yield from self._readings(part, value, sigma, execution)
            shots = sum(sum(counted.values()) for counted in own)
            bits += shots * surviving_bits(part["width"], value, sigma)[0]
        if execution.seconds and execution.origin != "simulated":
            yield Reading(
                signal="quantum.state_preparation.delivered_bandwidth",
                target=self.device,
                value=bits / execution.seconds,
                origin="derived",
                note=f"{bits:.4g} bit in {execution.seconds:g} s",
            )
        rate, spread = host.copy_rate()
        yield Reading(
            signal="quantum.state_preparation.classical_bandwidth",
            target=host.target(),
            value=rate,
            sigma=spread,
            origin="measured",
            note=f"median of {host.REPEATS} copies of {host.COPIED >> 20} MiB",
        )

    def _readings(
        self, part: by_width.Part, value: float, sigma: float, execution: Execution
    ) -> Iterator[Reading]:
        width, seconds, links = part["width"], part["seconds"], part["links"]
        rows: list[tuple[str, float, float | None, Origin, str]] = [
            ("fidelity", value, sigma, execution.origin, f"{len(part['settings'])} settings"),
            ("two_qubit_gates", float(links), None, "derived", f"for {2**width} amplitudes"),
        ]
        if seconds is not None:
            bits, doubt = surviving_bits(width, value, sigma)
            told = f"{bits:.3g} bit in {seconds:.3g} s; reset and readout not counted"
            rows += [
                ("duration", seconds, None, _of(part["lengths"]), "by the owner's gate lengths"),
                ("bandwidth", bits / seconds, doubt / seconds, _of(execution.origin), told),
            ]
        for name, number, spread, origin, note in rows:
            yield Reading(
                signal=f"quantum.state_preparation.{name}",
                target=f"{self.device}/w{width}",
                value=number,
                sigma=spread,
                origin=origin,
                note=note,
            )


def surviving_bits(width: int, value: float, sigma: float) -> tuple[float, float]:
    """Bits of a random state's 2ⁿ amplitudes that a fidelity is worth, with its uncertainty.

    0 at the fidelity of noise and below; an infidelity below sigma is not resolved, and is sigma.
    """
    free, most = 2**width - 1, 1 - 2.0**-width
    lost = min(max(1 - value, sigma), most)
    return free / 2 * log2(most / lost), free / 2 * sigma / lost / log(2)


def _of(origin: Origin) -> Origin:
    """The origin of what is computed from a number of this one."""
    return "simulated" if origin == "simulated" else "derived"
