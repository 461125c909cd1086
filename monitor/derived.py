"""Which signals are worked out from other readings, and from which: the crossover model's."""

from probes.base import Probe, kinds
from probes.queued import JOB_SIGNALS
from storage.types import Signal
from triggers.crossover import SIGNALS

RATE = "gpu.gemm.throughput"
QUBITS = "quantum.calibration.qubits"
ERRORS = {
    "quantum.calibration.two_qubit_error": "two-qubit gates",
    "quantum.calibration.one_qubit_error": "one-qubit gates",
    "quantum.calibration.readout_error": "readout",
}
"""The errors of a device, and what they are of."""
INPUTS = frozenset({RATE, QUBITS, *ERRORS})
NAMES = frozenset(signal.name for signal in SIGNALS)


def declared() -> dict[str, Signal]:
    """Every signal that a kind of probe declares or that is worked out, by name."""
    groups = (*(kind.signals for kind in kinds().values()), JOB_SIGNALS, SIGNALS)
    return {signal.name: signal for signals in groups for signal in signals}


def feeds(probe: Probe, signal: str) -> bool:
    """Whether a probe's runs may leave readings of a signal, by themselves or by what follows."""
    wanted = INPUTS if signal in NAMES else {signal}
    return any(own.name in wanted for own in probe.promises())


def writes(probe: Probe) -> tuple[Signal, ...]:
    """The signals of which a probe's runs may leave readings: its own, and what follows of them."""
    own = probe.promises()
    return (*own, *SIGNALS) if any(signal.name in INPUTS for signal in own) else own
