"""`quantum.calibration`: what a device's owner says about it, as medians over its parts."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import Any, ClassVar

from pydantic import Field, ValidationInfo, field_validator

from probes.base import Probe
from probes.quantum.device import COIN, ENTANGLING_GATES, Calibration, Gate
from probes.quantum.providers import ProviderName, load
from storage.types import Reading, Signal, now


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of all parts of a device; `live` is by part ("12", "12-13").

    `dead` is None for a figure that has no mark for dead parts; `about` names the gates meant.
    """

    name: str
    parts: str
    live: Mapping[str, float] = field(default_factory=dict)
    dead: int | None = None
    missing: int = 0
    about: str = ""

    @property
    def listed(self) -> int:
        """Number of parts that the device has, live or not."""
        return len(self.live) + (self.dead or 0) + self.missing

    def note(self) -> str:
        """In words: what the median is over."""
        text = f"median of {len(self.live)} of {self.listed} {self.parts}"
        text += f" ({self.about})" if self.about else ""
        text += f", {self.dead} dead" if self.dead else ""
        return text + (f", {self.missing} not given" if self.missing else "")

    def facts(self) -> dict[str, Any]:
        """For the record: counts and spread."""
        counts = {"dead": self.dead, "missing": self.missing, "listed": self.listed}
        return {"gates": self.about, **counts, **_spread(self.live)}


def _spread(live: Mapping[str, float]) -> dict[str, Any]:
    """Median, tenth and ninetieth percentile, and the two ends with the parts they belong to."""
    if not live:
        return {"live": 0}
    values = sorted(live.values())
    tenths = quantiles(values, n=10, method="inclusive") if len(values) > 1 else values * 9
    lowest, highest = min(live, key=live.__getitem__), max(live, key=live.__getitem__)
    return {
        "live": len(live),
        "median": median(values),
        "p10": tenths[0],
        "p90": tenths[-1],
        "lowest": [lowest, live[lowest]],
        "highest": [highest, live[highest]],
    }


class DeviceCalibration(Probe):
    """Read the calibration that a device's owner publishes. Runs nothing on the device.

    Summary
        Qubits, coherence times, errors of gates and readout, dead parts, and how old all that is.

    What the number means
        Each figure is the median over the live parts of the device: half of it is better. Errors
        are average infidelities as the owner states them (origin `vendor`); nobody measured them
        again here. A snapshot that is no real device's has origin `simulated`.

        The one-qubit error is that of `sx`, or of `u2` on devices of 2020 that have no `sx`: one
        pulse each; `rz` and `u1` are no pulse and `id` is no gate, so they do not count. The
        two-qubit error is that of the native `cz`, `ecr` or `cx`, or Google's `sqrt_iswap` or
        `sycamore`, whichever a coupling has; `rzz` and other gates with an angle do not count. A
        coupling that is listed in both directions counts once, with the lower error of its live
        directions.

        An error of 1 is the owner's mark for a dead part: it is left out and counted in the `dead_`
        signals, per coupling and not per direction. Where no part lives the figure is absent. A
        readout that is wrong half of the time carries no such mark and stays in the median; the
        note says how many there are.

        There is no sigma: the spread over the parts (10th and 90th percentile, lowest and highest
        are kept with the run) is no uncertainty of the device's median, and owners publish none.
        `age` is our clock minus the owner's time of last update (origin `derived`).

    References
        IBM's fields: BackendProperties,
        https://quantum.cloud.ibm.com/docs/api/qiskit-ibm-runtime/models-backend-properties.
        rz takes no pulse: McKay et al., Physical Review A 96, 022330 (2017), arXiv 1612.00858.
    """

    signals: ClassVar[tuple[Signal, ...]] = (
        Signal("quantum.calibration.qubits", "qubit", "higher", "Physical qubits, dead or not"),
        Signal("quantum.calibration.t1", "s", "higher", "Median energy relaxation time T1"),
        Signal("quantum.calibration.t2", "s", "higher", "Median dephasing time T2"),
        Signal(
            "quantum.calibration.one_qubit_error",
            "1",
            "lower",
            "Median error of live one-qubit gates that take one pulse (sx, or u2 on old devices)",
        ),
        Signal(
            "quantum.calibration.two_qubit_error",
            "1",
            "lower",
            "Median error of live couplings (native cz, ecr or cx, Google's sqrt_iswap or "
            "sycamore); absent where none lives",
        ),
        Signal("quantum.calibration.readout_error", "1", "lower", "Median error of live readouts"),
        Signal(
            "quantum.calibration.dead_one_qubit_gates",
            "qubit",
            "lower",
            "Qubits whose one-qubit gate the owner marks as dead",
        ),
        Signal(
            "quantum.calibration.dead_two_qubit_gates",
            "coupling",
            "lower",
            "Couplings that the owner marks as dead in every direction, each counted once",
        ),
        Signal(
            "quantum.calibration.dead_readouts",
            "qubit",
            "lower",
            "Qubits whose readout the owner marks as dead",
        ),
        Signal("quantum.calibration.age", "s", "lower", "Time since the owner's last calibration"),
    )
    packages: ClassVar[tuple[str, ...]] = ("qiskit", "qiskit-aer", "qiskit-ibm-runtime")
    deadline: ClassVar[float] = 60.0

    provider: ProviderName = Field(default="snapshot", description="who runs the device")
    device: str = Field(description="the provider's name for it, such as fake_kingston")

    @field_validator("device")
    @classmethod
    def _known(cls, value: str, info: ValidationInfo) -> str:
        if "provider" in info.data:  # else that is the fault to tell
            load(info.data["provider"]).check(value)
        return value

    def resource(self) -> None:
        """Nothing is used: this reads a document."""

    def run(self) -> Iterable[Reading]:
        """Every figure that the calibration gives. ValueError where it cannot be read."""
        calibration = load(self.provider).calibration(self.device)
        self.keep(**record(calibration))
        moment = now()
        yield from readings(calibration, moment)
        yield Reading(
            signal="quantum.calibration.age",
            target=calibration.device,
            value=moment - calibration.at,
            origin="derived",
            at=moment,
            note=f"calibrated {calibration.time}",
            family=calibration.family,
        )


def record(calibration: Calibration) -> dict[str, Any]:
    """What is kept with a run: which calibration, and the spread of its figures."""
    return {
        "calibration": calibration.identity,
        "calibrated": calibration.time,
        "family": calibration.family,
        "figures": {figure.name: figure.facts() for figure in figures(calibration)},
    }


def readings(calibration: Calibration, at: float) -> Iterator[Reading]:
    """Every figure that a calibration gives, as it is seen at a moment."""
    number = sum(qubit.present for qubit in calibration.qubits)
    yield _reading(calibration, at, "qubits", number, f"of {calibration.backend}")
    for figure in figures(calibration):
        if figure.live:
            value = median(figure.live.values())
            yield _reading(calibration, at, figure.name, value, figure.note())
        if figure.dead is not None and figure.listed:
            note = f"of {figure.listed} {figure.parts}"
            yield _reading(calibration, at, f"dead_{DEAD[figure.name]}", figure.dead, note)


def _reading(calibration: Calibration, at: float, name: str, value: float, note: str) -> Reading:
    return Reading(
        signal=f"quantum.calibration.{name}",
        target=calibration.device,
        value=float(value),
        origin=calibration.origin,
        at=at,
        # the reading is as old as this look at it, its content as old as the calibration
        note=f"calibrated {calibration.time[:10]}; {note}",
        family=calibration.family,
    )


DEAD = {
    "one_qubit_error": "one_qubit_gates",
    "two_qubit_error": "two_qubit_gates",
    "readout_error": "readouts",
}


def figures(calibration: Calibration) -> tuple[Figure, ...]:
    """The figures of a calibration, in the signals' order."""
    qubits = {index: qubit for index, qubit in enumerate(calibration.qubits) if qubit.present}
    return (
        _of_qubits("t1", {index: qubit.t1 for index, qubit in qubits.items()}),
        _of_qubits("t2", {index: qubit.t2 for index, qubit in qubits.items()}),
        _of_gates("one_qubit_error", "qubits", calibration.one_qubit_gates()),
        _of_gates("two_qubit_error", "couplings", calibration.couplings(ENTANGLING_GATES).values()),
        _of_readouts({index: qubit.readout_error for index, qubit in qubits.items()}),
    )


def _of_qubits(name: str, given: Mapping[int, float | None]) -> Figure:
    live = {str(index): value for index, value in given.items() if value is not None}
    return Figure(name, "qubits", live, missing=len(given) - len(live))


def _of_readouts(given: Mapping[int, float | None]) -> Figure:
    known = {str(index): value for index, value in given.items() if value is not None}
    live = {index: value for index, value in known.items() if value < 1}
    blind = sum(value >= COIN for value in live.values())
    about = f"{blind} no better than a coin" if blind else ""
    missing = len(given) - len(known)
    return Figure("readout_error", "qubits", live, len(known) - len(live), missing, about)


def _of_gates(name: str, parts: str, gates: Iterable[Gate]) -> Figure:
    listed = list(gates)
    live = {
        "-".join(map(str, gate.qubits)): gate.error
        for gate in listed
        if gate.live and gate.error is not None
    }
    dead = sum(gate.dead for gate in listed)
    about = ", ".join(sorted({gate.name for gate in listed}))
    return Figure(name, parts, live, dead, len(listed) - len(live) - dead, about)
