"""`quantum.logical`: what error-corrected qubits would take on a device as it is today."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any, ClassVar

from pydantic import Field, ValidationInfo, field_validator

from probes.base import Probe, Skipped
from probes.quantum.device import Calibration
from probes.quantum.figures import figures
from probes.quantum.providers import ProviderName, load
from storage.types import Reading, Signal

THRESHOLD = 0.01
PREFACTOR = 0.03
MOST_DISTANCE = 50

ERRORS = {
    "one_qubit_error": "one-qubit gates",
    "two_qubit_error": "two-qubit gates",
    "readout_error": "readout",
}
"""The figures of a calibration that decide, and what each is of."""

ANY_TIMES = {"one-qubit gate": 50e-9, "two-qubit gate": 50e-9, "readout": 100e-9}
"""Of Microsoft's model `qubit_gate_ns_e3`, in seconds, for a device that states none. The runtime
follows from them, the counts do not."""

NOT_ACHIEVABLE = "Qdk.Qsc.Estimates.CodeParameterComputationFailed"
"""The estimator's code for "no distance up to the most is enough"."""


class LogicalQubits(Probe):
    """Estimate the error-corrected qubits that a device's physical ones make.

    Summary
        Reads a device's calibration and works out, for a stated workload, the distance of the
        surface code, the physical qubits, and how many such logical qubits the device holds.
        Runs nothing on the device.

    What the number means
        A logical qubit of distance d takes 2·d² physical qubits and fails in one logical cycle with
        p = 0.03 · (e / 0.01)^((d + 1) / 2), where e is the worst of the medians of the errors of
        one-qubit gates, two-qubit gates and readout over the live parts of the device.

        Target DEVICE/formula is that alone: `code_distance` is the least odd d at which all logical
        qubits survive as many cycles as there are T gates within the error budget, and
        `physical_qubits` are those of the logical qubits. Target DEVICE/estimator is Microsoft's
        resource estimator with the same formula: it adds the logical qubits that routing takes, the
        factories of T states, a readout of every qubit at the end, and the `runtime`. A T gate has
        the error of the device's one-qubit gates before it is distilled.

        `qubits` is how many logical qubits of that distance the device holds, all of its physical
        qubits counted, dead or not: 0 says that it could correct errors and is too small. Where an
        error is not below the threshold of 1 %, or takes more than the estimator's largest distance
        of 50, the run is skipped with that reason: not achievable is not 0. Where the estimator
        alone refuses, its readings are absent and the formula's note has its reason. `runtime` is
        absent where the device does not state the times of its gates and its readout.

        The origin is `derived`: nobody has run this code on the device. Everything depends on the
        stated workload; compare devices by the same. With the default, 100 logical qubits, 1e5 T
        gates and a budget of 0.1, fake_boston needs d = 49 and 1,773,700 physical qubits by the
        estimator, d = 45 by the formula, and has 156. fake_kingston is skipped: its readout error,
        0.0095, is so close to the threshold that d is above 500.

    References
        Beverland et al., arXiv 2211.07629 (model and estimator). Fowler, Mariantoni, Martinis,
        Cleland, Physical Review A 86, 032324 (2012), arXiv 1208.0928 (surface code).
        https://learn.microsoft.com/azure/quantum/overview-resources-estimator
    """

    signals: ClassVar[tuple[Signal, ...]] = (
        Signal(
            "quantum.logical.qubits",
            "qubit",
            "higher",
            "Logical qubits good enough for the stated workload that the device's physical qubits "
            "make; 0 where they are too few. Target DEVICE/formula or DEVICE/estimator.",
        ),
        Signal(
            "quantum.logical.code_distance",
            "1",
            "lower",
            "Distance of the surface code that the workload needs. Targets as of qubits.",
        ),
        Signal(
            "quantum.logical.physical_qubits",
            "qubit",
            "lower",
            "Physical qubits that the workload needs; by the estimator with routing and T "
            "factories. Targets as of qubits.",
        ),
        Signal(
            "quantum.logical.runtime",
            "s",
            "lower",
            "Time that the workload takes on a device of so many qubits. Target DEVICE/estimator.",
        ),
    )
    packages: ClassVar[tuple[str, ...]] = ("qdk", "qiskit-ibm-runtime")
    deadline: ClassVar[float] = 60.0

    provider: ProviderName = Field(default="snapshot", description="who runs the device")
    device: str = Field(description="the provider's name for it, such as fake_boston")
    logical_qubits: int = Field(default=100, ge=1, le=1_000_000, description="of the workload")
    t_gates: int = Field(default=100_000, ge=1, le=1_000_000_000, description="of the workload")
    error_budget: float = Field(default=0.1, gt=0, lt=1, description="chance that it fails at all")

    @field_validator("device")
    @classmethod
    def _known(cls, value: str, info: ValidationInfo) -> str:
        if "provider" in info.data:  # else that is the fault to tell
            load(info.data["provider"]).check(value)
        return value

    def resource(self) -> None:
        """Nothing is used: this reads a document."""

    def run(self) -> Iterable[Reading]:
        """Both estimates. Raises Skipped where not even the formula has an answer."""
        calibration = load(self.provider).calibration(self.device)
        errors = median_errors(calibration)
        times = median_times(calibration)
        self.keep(calibration=calibration.identity, calibrated=calibration.time)
        self.keep(errors=errors, times=times)
        by_formula = self.by_formula(errors)
        by_estimator = self.by_estimator(errors, times)
        refused = by_estimator if isinstance(by_estimator, str) else ""
        yield from self._readings(calibration, "formula", by_formula, refused)
        if not isinstance(by_estimator, str):
            yield from self._readings(calibration, "estimator", by_estimator, "")

    def by_formula(self, errors: Mapping[str, float]) -> "Estimate":
        """The logical qubits alone. Raises Skipped where no distance is enough."""
        target = self.error_budget / (self.logical_qubits * self.t_gates)
        of, worst = max(errors.items(), key=lambda item: item[1])
        about = f"not achievable: its worst error, {worst:.3g} ({ERRORS[of]}),"
        if worst >= THRESHOLD:
            raise Skipped(f"{about} is not below the surface code's threshold of {THRESHOLD:g}")
        needed = distance(worst, target)
        if needed > MOST_DISTANCE:
            raise Skipped(f"{about} needs a code distance of {needed}; {MOST_DISTANCE} is the most")
        return Estimate(needed, self.logical_qubits * physical(needed))

    def by_estimator(
        self, errors: Mapping[str, float], times: Mapping[str, float]
    ) -> "Estimate | str":
        """The whole workload, or in words why it is not achievable.

        Raises RuntimeError with the estimator's own words where it fails otherwise.
        """
        from qdk.estimator import EstimatorError, LogicalCounts

        workload = LogicalCounts(
            {
                "numQubits": self.logical_qubits,
                "tCount": self.t_gates,
                "measurementCount": self.logical_qubits,
            }
        )
        try:
            found = workload.estimate(
                {
                    "qubitParams": qubit_model(errors, times or ANY_TIMES),
                    "qecScheme": {"name": "surface_code"},
                    "errorBudget": self.error_budget,
                }
            )
        except EstimatorError as error:  # a BaseException: no `except Exception` would meet it
            text = " ".join(str(error).split())
            if error.code == NOT_ACHIEVABLE:
                return f"not achievable by the estimator: {text}"
            raise RuntimeError(text) from error
        counts = found["physicalCounts"]
        self.keep(estimate=dict(counts), logical_qubit=found["logicalQubit"])
        return Estimate(
            found["logicalQubit"]["codeDistance"],
            counts["physicalQubits"],
            counts["runtime"] * 1e-9 if times else None,
        )

    def _readings(
        self, calibration: Calibration, method: str, estimate: "Estimate", refused: str
    ) -> Iterator[Reading]:
        had = sum(qubit.present for qubit in calibration.qubits)
        values = {
            "qubits": had // physical(estimate.distance),
            "code_distance": estimate.distance,
            "physical_qubits": estimate.physical_qubits,
            "runtime": estimate.seconds,
        }
        workload = (
            f"{self.logical_qubits:,} logical qubits, {self.t_gates:,} T gates, "
            f"budget {self.error_budget:g}; the device has {had:,} qubits"
        )
        for name, value in values.items():
            if value is not None:
                yield Reading(
                    signal=f"quantum.logical.{name}",
                    target=f"{self.device}/{method}",
                    value=float(value),
                    origin="simulated" if calibration.origin == "simulated" else "derived",
                    note="; ".join(filter(None, (workload, refused))),
                    family=calibration.family,
                )


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the workload takes; `seconds` is None where that is not estimated."""

    distance: int
    physical_qubits: int
    seconds: float | None = None


def median_errors(calibration: Calibration) -> dict[str, float]:
    """Median errors of the live parts, by figure. Raises Skipped where one is 0 or not known."""
    live = {figure.name: figure.live for figure in figures(calibration) if figure.name in ERRORS}
    found = {name: median(errors.values()) if errors else 0.0 for name, errors in live.items()}
    for name, error in found.items():
        if error <= 0:
            raise Skipped(
                f"{calibration.device} states no error of {ERRORS[name]} above 0 "
                f"(calibration {calibration.identity})"
            )
    return found


def median_times(calibration: Calibration) -> dict[str, float]:
    """Median times of gates and readout in seconds; nothing where one of them is not stated."""
    gates = {
        "one-qubit gate": [gate for gate in calibration.one_qubit_gates() if gate.live],
        "two-qubit gate": [gate for gate in calibration.couplings().values() if gate.live],
        "readout": [gate for gate in calibration.gates if gate.name == "measure"],
    }
    found = {
        name: [gate.seconds for gate in those if gate.seconds is not None]
        for name, those in gates.items()
    }
    return {name: median(those) for name, those in found.items()} if all(found.values()) else {}


def qubit_model(errors: Mapping[str, float], times: Mapping[str, float]) -> dict[str, Any]:
    """A physical qubit as the estimator takes it; a T gate is as any other one-qubit gate."""
    return {
        "instructionSet": "GateBased",
        "oneQubitGateTime": _nanoseconds(times["one-qubit gate"]),
        "tGateTime": _nanoseconds(times["one-qubit gate"]),
        "twoQubitGateTime": _nanoseconds(times["two-qubit gate"]),
        "oneQubitMeasurementTime": _nanoseconds(times["readout"]),
        "oneQubitGateErrorRate": errors["one_qubit_error"],
        "tGateErrorRate": errors["one_qubit_error"],
        "twoQubitGateErrorRate": errors["two_qubit_error"],
        "oneQubitMeasurementErrorRate": errors["readout_error"],
    }


def _nanoseconds(seconds: float) -> str:
    return f"{seconds * 1e9:.6g} ns"


def distance(error: float, target: float) -> int:
    """The least odd distance whose logical error in one cycle is `target` or less, for an error
    below the threshold."""
    exact = 2 * math.log(target / PREFACTOR) / math.log(error / THRESHOLD) - 1
    odd = max(1, 2 * math.floor((exact - 1) / 2) - 1)  # two below: rounding may not skip one
    while PREFACTOR * (error / THRESHOLD) ** ((odd + 1) / 2) > target:
        odd += 2
    return odd


def physical(code_distance: int) -> int:
    """Physical qubits of one logical qubit."""
    return 2 * code_distance * code_distance
