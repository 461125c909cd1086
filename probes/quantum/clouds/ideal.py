"""The made-up device that a perfect simulator stands for: nothing on it ever goes wrong."""

from itertools import pairwise

from probes.quantum.device import Calibration, Gate, Qubit
from storage.types import now

QUBITS = 16
"""Qubits of the line: more than any circuit of ours takes; simulators hold what a circuit has."""


def ideal(device: str, backend: str, version: str) -> Calibration:
    """A line of coupled qubits whose gates and readouts have no errors, origin `simulated`.

    It has no coherence times: nothing could decay. `at` is now, since it is always so.
    """
    line = range(QUBITS)
    single = [Gate(name, (qubit,), 0.0) for name in ("rz", "sx", "x") for qubit in line]
    return Calibration(
        device=device,
        backend=backend,
        version=version,
        at=now(),
        qubits=(Qubit(readout_error=0.0, reads_0_as_1=0.0, reads_1_as_0=0.0),) * QUBITS,
        gates=(*single, *(Gate("cz", pair, 0.0) for pair in pairwise(line))),
        origin="simulated",
    )
