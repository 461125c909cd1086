"""Cirq: its perfect simulator, Google's processors by their published calibrations, and any other
sampler that is installed.

- `simulator` is `cirq.Simulator`, without any noise.
- `rainbow`, `weber` and `willow_pink` are Google's, each as it was on one day (see
  probes/quantum/clouds/google.py). Circuits run on our own noise model of that calibration, as
  those of IBM's snapshots do. Google's model (`NoiseModelFromGoogleNoiseProperties`) adds the
  decay of waiting qubits and coherent errors: on the 8 best qubits of willow_pink .93, .87, .59
  and .12 at depths 2, 8, 32 and 128 where ours gives .94, .89, .67 and .20. But it takes Cirq's
  density matrices, six minutes for what Aer does in three seconds, and Google's numbers would
  be another thing than IBM's. Rainbow and Weber entangle by `sycamore` and `sqrt_iswap`: two of
  those make a `cz`, whose error nobody published. So their calibrations can be read, and
  circuits are not run there.
- `module:name` is what the user has installed: calling `name` of that module with nothing gives a
  `cirq.Sampler`, as "qsimcirq:QSimSimulator" does. Cirq's samplers do not say what they cost, and
  whether they are hardware: one runs only where the probe's table says that it is free
  (`usd_per_task = 0`), and what it brings is called simulated. It gets circuits on a line of
  `cirq.LineQubit`, of rz, X, X**0.5 and CZ, and has until the probe's timeout.
"""

import difflib
import importlib
import importlib.metadata
import re
from collections import Counter
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar

from probes.quantum.batch import Batch
from probes.quantum.clouds import google
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

SIMULATOR = "simulator"
OWN = (SIMULATOR, *google.PROCESSORS)
SAMPLER = re.compile(r"([^\W\d]\w*)(\.[^\W\d]\w*)*:[^\W\d]\w*")
"""`module:name`; the first group is the package that the module is in."""

NEEDED = "provider cirq needs its library: pip install 'qrossover[cirq]'"


class Cirq(Provider):
    """Cirq's simulators and samplers, in this process."""

    origin: ClassVar[Origin] = "simulated"
    queued: ClassVar[bool] = False
    supports: ClassVar[frozenset[Ability]] = frozenset({"devices", "calibration", "quote"})

    def ready(self) -> None:
        """Raise NoLibrary without Cirq, with which Google's calibrations come."""
        require("cirq_google", NEEDED)

    def check(self, device: str) -> None:
        """Raise ValueError for what is neither one of OWN nor a sampler of an installed package."""
        if device in OWN:
            return
        sampler = SAMPLER.fullmatch(device)
        if sampler is None:
            near = difflib.get_close_matches(device, OWN, n=1, cutoff=0.4) or OWN
            raise ValueError(
                f"Cirq has no device {device!r}; did you mean {' or '.join(near)}? An installed "
                "sampler is written module:name, such as qsimcirq:QSimSimulator"
            )
        if find_spec(sampler[1]) is None:
            raise ValueError(f"device {device!r}: no package {sampler[1]!r} is installed here")

    def devices(self) -> tuple[Device, ...]:
        """Those of OWN; a file and a simulator are always there."""
        stored = [(name, len(google.calibration(name).qubits)) for name in google.PROCESSORS]
        return tuple(
            Device(name, qubits, "stored", online=True, simulator=True)
            for name, qubits in [(SIMULATOR, None), *stored]
        )

    def calibration(self, device: str) -> Calibration:
        """What Google published; of all else a perfect line. Raises NoLibrary."""
        self.check(device)
        if device in google.PROCESSORS:
            return google.calibration(device)
        try:
            return ideal(device, "cirq", importlib.metadata.version("cirq-core"))
        except importlib.metadata.PackageNotFoundError as error:
            raise NoLibrary(NEEDED) from error

    def quote(self, device: str, batch: Batch, price: Price) -> Quote:
        """Nothing. Raises Unpriced for an installed sampler that nobody has called free."""
        if device in OWN or price.free:
            return Quote()
        raise Unpriced(
            f"what Cirq's sampler {device} runs may be billed, and would be in no ledger; say "
            "usd_per_task = 0 where it is free, or name the provider whose device it is"
        )

    def counts(self, batch: Batch, calibration: Calibration, *, seed: int) -> list[Counts]:
        """Counts by Cirq, or of Google's processors on a noise model of their chains alone.

        Raises NoLibrary, and ValueError where the device's name leads to no `cirq.Sampler`. An
        installed sampler has a seed of its own, or none.
        """
        from probes.quantum.circuits.noise import on_noise

        if calibration.device in google.PROCESSORS:
            return on_noise(batch, calibration, seed=seed)
        sampler = _sampler(calibration.device, seed)
        return [_counts(sampler, circuit, batch.shots) for circuit in batch.circuits]


def _cirq() -> Any:
    try:
        import cirq
    except ImportError as error:
        raise NoLibrary(NEEDED) from error
    return cirq


def _sampler(device: str, seed: int) -> Any:
    cirq = _cirq()
    if device == SIMULATOR:
        return cirq.Simulator(seed=seed)
    module, _, name = device.partition(":")
    sampler = getattr(importlib.import_module(module), name)()
    if not isinstance(sampler, cirq.Sampler):
        raise ValueError(f"device {device!r} gives a {type(sampler).__name__}, no cirq.Sampler")
    return sampler


def _counts(sampler: Any, circuit: "QuantumCircuit", shots: int) -> Counts:
    bits = sampler.run(as_cirq(circuit), repetitions=shots).measurements["meas"]
    return Counter("".join(map(str, shot)) for shot in bits[:, ::-1])  # first qubit rightmost


def as_cirq(circuit: "QuantumCircuit") -> Any:
    """The circuit gate by gate; what stands on two sides of a barrier shares no moment.

    Its qubits are those of a line, all measured with the key "meas". Raises KeyError for a gate
    that no perfect line has.
    """
    cirq = _cirq()
    gates = {"sx": cirq.X**0.5, "x": cirq.X, "cz": cirq.CZ}
    layers: list[list[Any]] = [[]]
    for instruction in circuit.data:
        name, where = instruction.operation.name, instruction.qubits
        if name == "barrier":
            layers.append([])
        elif name != "measure":
            gate = cirq.rz(*instruction.operation.params) if name == "rz" else gates[name]
            layers[-1].append(gate(*(cirq.LineQubit(circuit.find_bit(bit).index) for bit in where)))
    layers.append([cirq.measure(*cirq.LineQubit.range(circuit.num_qubits), key="meas")])
    return cirq.Circuit(moment for layer in layers for moment in cirq.Circuit(layer))
