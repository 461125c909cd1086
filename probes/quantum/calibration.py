"""`quantum.calibration`: what a device's owner says about it: medians over its parts, the best and
the worst of them, figures of the whole device, and how long its queue is."""

from collections.abc import Iterable, Iterator
from typing import ClassVar

from pydantic import Field, ValidationInfo, field_validator

from probes.base import Probe
from probes.quantum.device import Calibration
from probes.quantum.figures import readings, record
from probes.quantum.provider import Device, Provider, Unsupported
from probes.quantum.providers import ProviderName, load
from storage.types import Reading, Signal, now


def _with_ends(middle: Signal) -> tuple[Signal, ...]:
    """A median's signal, and those of the best and of the worst of what it is over."""
    ends = (
        Signal(
            f"{middle.name}_{end}",
            middle.unit,
            middle.better,
            f"The {end} of these; the note names the part",
        )
        for end in ("best", "worst")
    )
    return (middle, *ends)


class DeviceCalibration(Probe):
    """Read the calibration that a device's owner publishes. Runs nothing on the device.

    Summary
        Qubits, coherence times, errors of gates and readout, dead parts, the owner's figures of
        the whole device, how old all that is, and how many jobs wait.

    What the number means
        Each figure is the median over the live parts of the device: half of it is better. `_best`
        and `_worst` are its two ends, and their notes name the parts. Errors are average
        infidelities as the owner states them (origin `vendor`); nobody measured them again here. A
        snapshot that is no real device's has origin `simulated`.

        The one-qubit error is that of `sx`, or of `u2` on devices of 2020 that have no `sx`: one
        pulse each; `rz` and `u1` are no pulse and `id` is no gate, so they do not count. The
        two-qubit error is that of the native `cz`, `ecr` or `cx`, or Google's `sqrt_iswap` or
        `sycamore`, whichever a coupling has; `rzz` and other gates with an angle do not count. A
        coupling that is listed in both directions counts once, with the lower error of its live
        directions. Notes have the owner's words.

        An error of 1 is the owner's mark for a dead part: it is left out and counted in the `dead_`
        signals, per coupling and not per direction. Where no part lives the figure is absent. A
        readout that is wrong half of the time carries no such mark and stays in the median; the
        note says how many there are.

        A usable qubit has the coherence times that are given of other qubits, a live one-qubit
        gate, a readout better than a coin, and at least one live coupling. Where one of the last
        three is published for no qubit at all, the count is absent: it is not known. Owners that
        give one figure for the whole device say nothing about its parts: the notes say so, and
        ends, dead parts and usable qubits are absent.

        Quantum volume, CLOPS and layer fidelity are those that the owner states for the whole
        device; EPLG follows from the last. There is no sigma: the spread over the parts (kept with
        the run) is no uncertainty of the device's median, and owners publish none. `age` is our
        clock minus the owner's time of last update (origin `derived`). `queue` and `wait` are of
        the moment of the look; that a device is offline is told in their notes, and is no failure.

    References
        IBM's fields: BackendProperties,
        https://quantum.cloud.ibm.com/docs/api/qiskit-ibm-runtime/models-backend-properties.
        Layer fidelity and EPLG: arXiv 2311.05933. CLOPS: arXiv 2110.14108.
        rz takes no pulse: McKay et al., Physical Review A 96, 022330 (2017), arXiv 1612.00858.
    """

    signals: ClassVar[tuple[Signal, ...]] = (
        Signal("quantum.calibration.qubits", "qubit", "higher", "Physical qubits, dead or not"),
        Signal(
            "quantum.calibration.usable_qubits",
            "qubit",
            "higher",
            "Qubits with known coherence, a live one-qubit gate, a readout better than a coin, and "
            "a live coupling",
        ),
        *_with_ends(
            Signal("quantum.calibration.t1", "s", "higher", "Median energy relaxation time T1")
        ),
        *_with_ends(Signal("quantum.calibration.t2", "s", "higher", "Median dephasing time T2")),
        *_with_ends(
            Signal(
                "quantum.calibration.one_qubit_error",
                "1",
                "lower",
                "Median error of live one-qubit gates that take one pulse (sx, or u2 on old "
                "devices)",
            )
        ),
        *_with_ends(
            Signal(
                "quantum.calibration.two_qubit_error",
                "1",
                "lower",
                "Median error of live couplings (native cz, ecr or cx, Google's sqrt_iswap or "
                "sycamore); absent where none lives",
            )
        ),
        *_with_ends(
            Signal(
                "quantum.calibration.readout_error", "1", "lower", "Median error of live readouts"
            )
        ),
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
        Signal(
            "quantum.calibration.quantum_volume",
            "1",
            "higher",
            "Quantum volume that the owner states",
        ),
        Signal(
            "quantum.calibration.clops_h",
            "layer/s",
            "higher",
            "Circuit layer operations per second that the owner states, of layers that the device "
            "runs as they are",
        ),
        Signal(
            "quantum.calibration.clops_v",
            "layer/s",
            "higher",
            "Circuit layer operations per second that the owner states, of layers of quantum "
            "volume circuits",
        ),
        Signal(
            "quantum.calibration.lf_100",
            "1",
            "higher",
            "Layer fidelity that the owner states, of a chain of 100 qubits",
        ),
        Signal(
            "quantum.calibration.eplg_100",
            "1",
            "lower",
            "Error per layered gate of that chain: 1 - LF^(1/99)",
        ),
        Signal("quantum.calibration.age", "s", "lower", "Time since the owner's last calibration"),
        Signal("quantum.calibration.queue", "job", "lower", "Jobs that wait for the device"),
        Signal(
            "quantum.calibration.wait",
            "s",
            "lower",
            "Time in the queue that the provider predicts for a new job",
        ),
    )
    packages: ClassVar[tuple[str, ...]] = ("qiskit", "qiskit-aer", "qiskit-ibm-runtime")
    deadline: ClassVar[float] = 60.0
    indifferent: ClassVar[frozenset[str]] = frozenset({"device"})

    provider: ProviderName = Field(default="snapshot", description="who runs the device")
    device: str = Field(description="the provider's name for it, such as fake_kingston")

    @field_validator("device")
    @classmethod
    def _known(cls, value: str, info: ValidationInfo) -> str:
        if "provider" in info.data:  # else that is the fault to tell
            provider = load(info.data["provider"])
            provider.check(value)
            if provider.supports.isdisjoint({"calibration", "queue"}):
                raise ValueError(f"{info.data['provider']} tells neither calibrations nor queues")
        return value

    def resource(self) -> None:
        """Nothing is used: this reads a document."""

    def run(self) -> Iterable[Reading]:
        """Every figure that the calibration gives, and the queue where the provider tells it.
        ValueError where the calibration cannot be read."""
        provider = load(self.provider)
        calibration = self._calibration(provider)
        if calibration is not None:
            self.keep(**record(calibration))
            moment = now()
            yield from readings(calibration, moment)
            yield _age(calibration, moment)
        if "queue" in provider.supports:
            device = provider.device(self.device)
            self.keep(status=device.status, queue=device.queue, wait=device.wait)
            yield from _queue(self.device, device)

    def _calibration(self, provider: Provider) -> Calibration | None:
        """None where nothing is published of this device, and its queue can be read still."""
        try:
            return provider.calibration(self.device)
        except Unsupported:
            if "queue" not in provider.supports:
                raise
            return None


def _age(calibration: Calibration, moment: float) -> Reading:
    return Reading(
        signal="quantum.calibration.age",
        target=calibration.device,
        value=moment - calibration.at,
        origin="derived",
        at=moment,
        note=f"calibrated {calibration.time}",
        family=calibration.family,
    )


def _queue(target: str, device: Device) -> Iterator[Reading]:
    """What the provider says of its queue now; absent is what it does not say."""
    for name, value in (("queue", device.queue), ("wait", device.wait)):
        if value is not None:
            yield Reading(
                signal=f"quantum.calibration.{name}",
                target=target,
                value=float(value),
                origin="vendor",
                note=f"its provider says {device.status!r}",
            )
