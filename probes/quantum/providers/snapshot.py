"""Real calibrations of IBM devices, 2020 to 2026, that come with qiskit-ibm-runtime.

Each but two (see INVENTED) is what IBM's `/backends/NAME/properties` answered on one day. They are
read from the installed package's own JSON: importing qiskit_ibm_runtime would take seconds.
Format: https://quantum.cloud.ibm.com/docs/api/qiskit-ibm-runtime/models-backend-properties
"""

import difflib
import functools
import json
from dataclasses import replace
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

from probes.quantum.batch import Batch
from probes.quantum.device import Calibration, Gate, Qubit
from probes.quantum.provider import Ability, Counts, Device, Provider
from storage.types import Origin

SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ns": 1e-9}
"""Units of time met in the files: both signs for micro occur in Unicode."""

INVENTED = frozenset({"fake_fractional", "fake_nighthawk"})
"""The package's own words say that these are no device's calibration: fake_lima with gates added,
and "properties not intended to represent typical Nighthawk error values". Origin `simulated`."""


class Snapshot(Provider):
    """Devices as they were on the day of their snapshot; circuits run on a noise model of it."""

    origin: ClassVar[Origin] = "simulated"
    queued: ClassVar[bool] = False
    supports: ClassVar[frozenset[Ability]] = frozenset({"devices", "calibration"})

    def names(self) -> tuple[str, ...]:
        """Names of all snapshots, sorted."""
        return tuple(
            sorted({f"fake_{file.parent.name}" for file in _folder().glob("*/props_*.json")})
        )

    def check(self, device: str) -> None:
        """Raise ValueError, naming the nearest, where the package has no such snapshot."""
        known = self.names()
        if device not in known:
            near = difflib.get_close_matches(device, known, n=3, cutoff=0.4) or known
            raise ValueError(
                f"no snapshot of a device {device!r} in qiskit-ibm-runtime; "
                f"did you mean {' or '.join(near)}?"
            )

    def devices(self) -> tuple[Device, ...]:
        """Every snapshot; a file is always there."""
        return tuple(
            Device(
                name, int(_json(name, "conf")["n_qubits"]), "stored", online=True, simulator=True
            )
            for name in self.names()
        )

    def calibration(self, device: str) -> Calibration:
        """The device's snapshot. Raises ValueError for an unknown device or a malformed file."""
        self.check(device)
        try:
            found = parse(device, _json(device, "props"))
            return replace(found, family=family(_json(device, "conf")))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"{_file(device, 'props')} is no calibration in IBM's format "
                f"({type(error).__name__}: {error}); reinstall qiskit-ibm-runtime"
            ) from error

    def counts(self, batch: Batch, calibration: Calibration, *, seed: int) -> list[Counts]:
        """Counts of circuits on noise models of their chains alone."""
        from probes.quantum.noise import on_noise

        return on_noise(batch, calibration, seed=seed)


def _file(device: str, part: str) -> Path:
    """One of the two files of a snapshot: `props` or `conf`."""
    name = device.removeprefix("fake_")
    return _folder() / name / f"{part}_{name}.json"


def _json(device: str, part: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_file(device, part).read_text(encoding="utf-8"))
    return found


@functools.cache
def _folder() -> Path:
    """Where the snapshots lie. Raises ValueError where qiskit-ibm-runtime is not installed."""
    spec = find_spec("qiskit_ibm_runtime")
    if spec is None or spec.origin is None:
        raise ValueError("the snapshots come with qiskit-ibm-runtime: pip install it")
    return Path(spec.origin).parent / "fake_provider" / "backends"


def parse(device: str, properties: dict[str, Any]) -> Calibration:
    """A calibration from IBM's backend properties.

    Raises KeyError where a field of the format lacks, ValueError for an unknown unit of time and
    for a date that does not say its offset from UTC.
    """
    return Calibration(
        device=device,
        backend=properties["backend_name"],
        version=properties["backend_version"],
        at=_moment(properties["last_update_date"]),
        qubits=tuple(_qubit(entry) for entry in properties["qubits"]),
        gates=tuple(_gate(entry) for entry in properties["gates"]),
        origin="simulated" if device in INVENTED else "vendor",
    )


def family(configuration: dict[str, Any]) -> str:
    """Kind and revision of the processor from IBM's backend configuration: "Falcon r5.11".

    A segment of a chip is of the chip's family. "" where nothing is said, as of devices of 2020.
    Format: https://quantum.cloud.ibm.com/docs/guides/processor-types
    """
    kind = configuration.get("processor_type")
    return f"{kind['family']} r{kind['revision']}" if kind else ""


def _moment(text: str) -> float:
    """Seconds since the epoch of a local date with its offset."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"last_update_date {text!r} does not say its offset from UTC")
    return moment.timestamp()


def _qubit(entry: list[dict[str, Any]]) -> Qubit:
    given = {parameter["name"]: parameter for parameter in entry}
    return Qubit(
        t1=_seconds(given.get("T1")),
        t2=_seconds(given.get("T2")),
        readout_error=_number(given.get("readout_error")),
        reads_0_as_1=_number(given.get("prob_meas1_prep0")),
        reads_1_as_0=_number(given.get("prob_meas0_prep1")),
    )


def _gate(entry: dict[str, Any]) -> Gate:
    given = {parameter["name"]: parameter for parameter in entry["parameters"]}
    return Gate(
        name=entry["gate"],
        qubits=tuple(entry["qubits"]),
        error=_number(given.get("gate_error")),
        seconds=_seconds(given.get("gate_length")),
    )


def _number(parameter: dict[str, Any] | None) -> float | None:
    return None if parameter is None else float(parameter["value"])


def _seconds(parameter: dict[str, Any] | None) -> float | None:
    if parameter is None:
        return None
    if parameter["unit"] not in SECONDS:
        raise ValueError(
            f"{parameter['name']} has the unit {parameter['unit']!r}; "
            f"known are {', '.join(SECONDS)}"
        )
    return float(parameter["value"]) * SECONDS[parameter["unit"]]
