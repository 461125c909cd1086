"""Which signals are worked out from other readings, and from which: the crossover model's, and what
training costs."""

from types import MappingProxyType

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
"""What the crossover model's signals follow from."""
PER_EPOCH, COMPUTE, TO_TARGET = "gpu.cost.per_epoch", "gpu.cost.compute", "gpu.cost.to_target"
COSTS = MappingProxyType(
    {
        "gpu.training.tokens_per_second": Signal(
            PER_EPOCH,
            "USD",
            "lower",
            "Price of the tokens of one epoch at the measured speed",
        ),
        "gpu.training.flops": Signal(
            COMPUTE,
            "USD/EFLOP",
            "lower",
            "Price of 10^18 operations of the model's own arithmetic (an amount, not a rate)",
        ),
        "gpu.quality.seconds": Signal(
            TO_TARGET,
            "USD",
            "lower",
            "Price of training until the target perplexity is reached",
        ),
    }
)
"""What a device costs, by the signal that it follows from."""
NAMES = frozenset(signal.name for signal in (*SIGNALS, *COSTS.values()))


def declared() -> dict[str, Signal]:
    """Every signal that a kind of probe declares or that is worked out, by name."""
    groups = (*(kind.signals for kind in kinds().values()), JOB_SIGNALS, SIGNALS, COSTS.values())
    return {signal.name: signal for signals in groups for signal in signals}


def writes(probe: Probe) -> tuple[Signal, ...]:
    """The signals of which a probe's runs may leave readings: its own, and what follows of them."""
    own = probe.promises()
    names = {signal.name for signal in own}
    crossover = SIGNALS if names & INPUTS else ()
    return (*own, *crossover, *(cost for name, cost in COSTS.items() if name in names))
