"""`quantum.layer_fidelity`: the error of a gate among its neighbours, on a fixed and on the best
chain of a device."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from probes.base import Skipped
from probes.quantum.batch import Batch
from probes.quantum.canary import Canary, Execution
from probes.quantum.circuits import by_width
from probes.quantum.circuits.chain import Chain, best_chain, breaks, first_chain, positions
from probes.quantum.circuits.layering import Analysed, analysed, in_own_gates
from probes.quantum.circuits.noise import gates
from probes.quantum.device import Calibration
from probes.quantum.provider import Counts
from storage.types import Reading, Signal

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

Length = Annotated[int, Field(ge=1, le=2000)]
Qubit = Annotated[int, Field(ge=0)]


class LayerFidelityCanary(Canary):
    """Run simultaneous direct randomised benchmarking along two chains of a device.

    Summary
        All gates of a chain run in two layers, every second one at a time. How fast the right
        outcome of each pair decays with the number of layers is its error among working
        neighbours, crosstalk included, which the gate's own published error is not. Measured on a
        fixed chain, which shows how the device changes, and on the best chain by today's
        calibration, which shows what it can do.

    What the number means
        `fidelity` is LF, the product of the process fidelities of all pairs, and of the qubits that
        are alone in a layer, in both layers. `error_per_gate` is EPLG = 1 − LF^(1/n), n = N − 1
        the gates of a chain of N qubits: it can be set against that of other widths, which LF can
        not. Sigma is the fits'. Targets: DEVICE/fixed-wN and DEVICE/best-wN.

        The fixed chain is `chain`, or else the device's first by the qubits' numbers. While one of
        its couplings or qubits is unusable it is absent, and the run keeps which.

        The circuits, fits and their quality are qiskit-experiments'. Two of its options are set,
        for few circuits of few shots: points are averaged by shots (the scatter of two circuits
        is no estimate of their error), and the decay ends at 2⁻ⁿ (it is not followed far enough
        to fit that too). `bad_fits` counts the fits that the library calls bad; where it is not 0,
        the chain's other two signals are absent, and the note has the reasons. By chance that
        happens to a good chain in about one run of ten with the default's few shots, and hardly
        ever with 200.

        No compiler touches the circuits: they are written in the device's own gates, with a
        barrier before and after each layer of entangling gates.

        The default is 56 circuits of 30 shots: some seconds of QPU time at IBM; on Braket, as one
        task, 2.74 USD at Garnet's and 1.01 USD at Cepheus' prices of 2026-05. On fake_kingston
        expect an EPLG of 3.8e-3 ± 3e-4 (LF .981) on the best 6 qubits and 2.5e-3 ± 3e-4 (LF .988)
        on the first 6: the best are chosen by couplings and readouts, and EPLG has the errors of
        one-qubit gates in it and no readouts. A real device has crosstalk besides.

    References
        McKay et al., arXiv 2311.05933. qiskit-experiments, LayerFidelity:
        https://qiskit-community.github.io/qiskit-experiments/stubs/qiskit_experiments.library.randomized_benchmarking.LayerFidelity.html
    """

    signals: ClassVar[tuple[Signal, ...]] = (
        Signal(
            "quantum.layer_fidelity.fidelity",
            "1",
            "higher",
            "LF: process fidelity of all gates of a chain, run in two layers. Target "
            "DEVICE/fixed-wWIDTH or DEVICE/best-wWIDTH.",
        ),
        Signal(
            "quantum.layer_fidelity.error_per_gate",
            "1",
            "lower",
            "EPLG: error per layered gate, 1 - LF^(1/(N - 1)) on a chain of N qubits. Targets as "
            "of fidelity.",
        ),
        Signal(
            "quantum.layer_fidelity.bad_fits",
            "fit",
            "lower",
            "Fits that are not to be trusted; where there are any, the chain's other signals are "
            "absent. Targets as of fidelity.",
        ),
    )
    packages: ClassVar[tuple[str, ...]] = (
        "qiskit",
        "qiskit-aer",
        "qiskit-experiments",
        "qiskit-ibm-runtime",
    )
    deadline: ClassVar[float] = 180.0

    width: int = Field(default=6, ge=3, le=20, description="qubits of both chains")
    chain: tuple[Qubit, ...] = Field(default=(), description="qubits of the fixed chain, in order")
    lengths: tuple[Length, ...] = Field(
        default=(1, 10, 25, 45, 75, 115, 160), min_length=4, description="in layers"
    )
    circuits: int = Field(default=2, ge=1, le=100, description="for each layer and length")
    shots: int = Field(default=30, ge=10, le=100_000, description="of each circuit")

    @model_validator(mode="after")
    def _one_width(self) -> Self:
        if self.chain and len(self.chain) != self.width:
            raise ValueError(
                f"chain has {len(self.chain)} qubits and width is {self.width}: they must agree"
            )
        if len(set(self.chain)) != len(self.chain):
            raise ValueError(f"chain {list(self.chain)} names a qubit twice")
        return self

    def plan(self, calibration: Calibration) -> Batch:
        """Circuits on both chains, as far as they can be used.

        Raises Skipped where neither can.
        """
        circuits: list[QuantumCircuit] = []
        on: list[Chain] = []
        parts: list[dict[str, Any]] = []
        absent: dict[str, str] = {}
        for name, chain in self._chains(calibration).items():
            reason = _unfit(calibration, chain)
            if chain is None or reason:
                absent[name] = reason
                continue
            made, about = self._on(calibration, chain)
            circuits += made
            on += [chain] * len(made)
            parts.append({"chain": name, "qubits": list(chain), "circuits": len(made), **about})
        if not parts:
            raise Skipped(
                f"{self.device} has no chain of {self.width} qubits that can be used: "
                + "; ".join(f"{name}: {reason}" for name, reason in absent.items())
            )
        return Batch(circuits, on, self.shots, {"parts": parts, "absent": absent})

    def _chains(self, calibration: Calibration) -> dict[str, Chain | None]:
        fixed = self.chain or first_chain(calibration, self.width)
        return {"fixed": fixed, "best": best_chain(calibration, self.width)}

    def _on(
        self, calibration: Calibration, chain: Chain
    ) -> "tuple[list[QuantumCircuit], dict[str, Any]]":
        """Circuits on one chain, and what the library has to know of each for its analysis."""
        from qiskit_experiments.library import LayerFidelity

        links = positions(calibration, chain)
        layers = [[(one, other) for _, one, other in links[side::2]] for side in (0, 1)]
        experiment = LayerFidelity(
            range(len(chain)),
            layers,
            sorted(set(self.lengths)),
            num_samples=self.circuits,
            seed=self.seed,
            two_qubit_gate=links[0][0],
            one_qubit_basis_gates=_one_qubit_gates(calibration, chain),
        )
        wanted = experiment.circuits()
        about = {"layers": layers, "metadata": [circuit.metadata for circuit in wanted]}
        return [in_own_gates(circuit) for circuit in wanted], about

    def read(
        self, facts: Mapping[str, Any], counts: Sequence[Counts], execution: Execution
    ) -> Iterable[Reading]:
        """Layer fidelity and error per gate of each chain, as far as its fits are good."""
        for part, counted in by_width.parts(facts, counts):
            yield from self._readings(part, analysed(part, counted), execution)

    def _readings(
        self, part: Mapping[str, Any], found: Analysed, execution: Execution
    ) -> Iterator[Reading]:
        values = {
            "fidelity": found.fidelity,
            "error_per_gate": found.error_per_gate,
            "bad_fits": (float(len(found.bad)), None),
        }
        qubits = "-".join(map(str, part["qubits"]))
        for name, value_and_sigma in values.items():
            if value_and_sigma is not None:
                yield Reading(
                    signal=f"quantum.layer_fidelity.{name}",
                    target=f"{self.device}/{part['chain']}-w{len(part['qubits'])}",
                    value=value_and_sigma[0],
                    sigma=value_and_sigma[1],
                    origin=execution.origin,
                    note="; ".join((f"qubits {qubits}", *found.bad)),
                )


def _unfit(calibration: Calibration, chain: Chain | None) -> str:
    """Why no circuits can run on a chain; "" where they can."""
    if chain is None:
        return "it has no such chain"
    unusable = breaks(calibration, chain)
    if unusable:
        return f"unusable on {list(chain)}: {', '.join(unusable)}"
    names = sorted({name for name, *_ in positions(calibration, chain)})
    return f"{list(chain)} mixes the gates {' and '.join(names)}" if len(names) > 1 else ""


def _one_qubit_gates(calibration: Calibration, chain: Chain) -> tuple[str, ...]:
    """The one-qubit gates that live on all qubits of a chain."""
    alone = [gate for gate in gates(calibration, chain) if len(gate.qubits) == 1]
    names = dict.fromkeys(gate.name for gate in alone)
    have = {name: {gate.qubits[0] for gate in alone if gate.name == name} for name in names}
    return tuple(name for name in names if have[name] == set(chain))
