"""PennyLane: its own simulators, and any other PennyLane device that is installed.

This is a layer for experiments, not a bridge to a cloud: a PennyLane device answers when its work
is done, so there is no queue to look into, no job that could be found again after a crash, and no
price; some ask for a cancelled job for ever, and only the probe's timeout ends that. For hardware
name the provider whose device it is.

`default.qubit`, `default.mixed` and `lightning.qubit` are simulators and free. Another device that
is installed, by PennyLane's name for it, runs only where the probe's table says that it is free
(`usd_per_task = 0`); it is made with a number of wires and what PennyLane's own configuration file
says of it, and what it brings is called simulated, since PennyLane does not say whether it is
hardware.

Names: the entry points `pennylane.plugins`,
https://docs.pennylane.ai/en/stable/development/plugins.html
"""

import contextlib
import difflib
from importlib.metadata import EntryPoint, entry_points
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, ClassVar

from probes.quantum.batch import Batch
from probes.quantum.clouds.ideal import ideal
from probes.quantum.device import Calibration
from probes.quantum.provider import (
    Ability,
    Counts,
    Device,
    NoLibrary,
    Price,
    Provider,
    Unpriced,
    require,
)
from storage.types import Origin, Quote

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

OWN = ("default.mixed", "default.qubit", "lightning.qubit")
NEEDED = "provider pennylane needs its library: pip install 'qrossover[pennylane]'"


class PennyLane(Provider):
    """PennyLane's devices, in this process."""

    origin: ClassVar[Origin] = "simulated"
    queued: ClassVar[bool] = False
    supports: ClassVar[frozenset[Ability]] = frozenset({"devices", "calibration", "quote"})

    def ready(self) -> None:
        """Raise NoLibrary without PennyLane."""
        require("pennylane", NEEDED)

    def check(self, device: str) -> None:
        """Raise ValueError, naming the nearest, for what is neither one of OWN nor installed."""
        known = sorted({*OWN, *_installed()})
        if device not in known:
            near = difflib.get_close_matches(device, known, n=3, cutoff=0.5) or known
            raise ValueError(
                f"no PennyLane device {device!r} is installed here; "
                f"did you mean {' or '.join(near)}?"
            )

    def devices(self) -> tuple[Device, ...]:
        """Every device that is installed."""
        return tuple(
            Device(name, None, "installed", online=True, simulator=name in OWN)
            for name in sorted(_installed())
        )

    def calibration(self, device: str) -> Calibration:
        """A perfect line: no device of PennyLane's says more of itself. Raises NoLibrary."""
        self.check(device)
        made_by = _installed().get(device)
        if made_by is None or made_by.dist is None:
            raise NoLibrary(NEEDED)
        return ideal(device, made_by.dist.name, made_by.dist.version)

    def quote(self, device: str, batch: Batch, price: Price) -> Quote:
        """Nothing. Raises Unpriced for a device not of PennyLane's that nobody has called free."""
        if device in OWN or price.free:
            return Quote()
        raise Unpriced(
            f"what PennyLane's {device} runs may be billed, and would be in no ledger; say "
            "usd_per_task = 0 where it is free, or name the provider whose device it is"
        )

    def counts(self, batch: Batch, calibration: Calibration, *, seed: int) -> list[Counts]:
        """Counts by the device. Another than those of OWN has a seed of its own, or none."""
        qml = _library()
        name = calibration.device
        wires = max(circuit.num_qubits for circuit in batch.circuits)
        made = qml.device(name, wires=wires, **({"seed": seed} if name in OWN else {}))
        tapes = [as_tape(qml, circuit, batch.shots) for circuit in batch.circuits]
        # a cache would answer for a circuit that comes twice with the same counts
        results = qml.execute(tapes, made, diff_method=None, cache=False)
        return [{outcome[::-1]: int(n) for outcome, n in found.items()} for found in results]


def _installed() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group="pennylane.plugins")}


def _library() -> Any:
    """PennyLane. It takes a config.toml in the working directory for its own, and where the service
    runs that is ours: so it is imported where there is none, and finds the user's."""
    try:
        with TemporaryDirectory() as empty, contextlib.chdir(empty):
            import pennylane as qml
    except ImportError as error:
        raise NoLibrary(NEEDED) from error
    return qml


def as_tape(qml: Any, circuit: "QuantumCircuit", shots: int) -> Any:
    """The circuit gate by gate, with counts of all of its qubits; wire i is qubit i.

    Raises KeyError for a gate that no perfect line has.
    """
    gates = {"rz": qml.RZ, "sx": qml.SX, "x": qml.X, "cz": qml.CZ}
    operations = []
    for instruction in circuit.data:
        name, wires = (
            instruction.operation.name,
            [circuit.find_bit(q).index for q in instruction.qubits],
        )
        if name == "barrier":
            operations.append(qml.Barrier(wires))
        elif name != "measure":
            operations.append(gates[name](*instruction.operation.params, wires=wires))
    measured = qml.counts(wires=range(circuit.num_qubits))
    return qml.tape.QuantumScript(operations, [measured], shots=shots)
