"""Real calibrations of IBM devices, 2020 to 2026, that come with qiskit-ibm-runtime.

Each but two (see INVENTED) is what IBM's `/backends/NAME/properties` answered on one day. They are
read from the installed package's own JSON: importing qiskit_ibm_runtime would take seconds.
"""

import difflib
import functools
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

from probes.quantum.batch import Batch
from probes.quantum.clouds.ibm_format import parse
from probes.quantum.device import Calibration
from probes.quantum.provider import Ability, Counts, Device, Provider, require
from storage.types import Origin

INVENTED = frozenset({"fake_fractional", "fake_nighthawk"})
"""The package's own words say that these are no device's calibration: fake_lima with gates added,
and "properties not intended to represent typical Nighthawk error values". Origin `simulated`."""


class Snapshot(Provider):
    """Devices as they were on the day of their snapshot; circuits run on a noise model of it."""

    origin: ClassVar[Origin] = "simulated"
    queued: ClassVar[bool] = False
    supports: ClassVar[frozenset[Ability]] = frozenset({"devices", "calibration"})

    def ready(self) -> None:
        """Raise NoLibrary without qiskit-ibm-runtime."""
        require("qiskit_ibm_runtime", "the snapshots come with qiskit-ibm-runtime: pip install it")

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
            return parse(
                device,
                _json(device, "props"),
                _json(device, "conf"),
                origin="simulated" if device in INVENTED else "vendor",
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"{_file(device, 'props')} is no calibration in IBM's format "
                f"({type(error).__name__}: {error}); reinstall qiskit-ibm-runtime"
            ) from error

    def counts(self, batch: Batch, calibration: Calibration, *, seed: int) -> list[Counts]:
        """Counts of circuits on noise models of their chains alone."""
        from probes.quantum.circuits.noise import on_noise

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
