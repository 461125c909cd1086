"""Jobs of IBM's sampler: circuits on a device's qubits, how long they take, and their counts.

A job is what `SamplerV2.run` of qiskit-ibm-runtime sends, in IBM's own encoding; the client itself
is not used to send it, since it sends a job again after a 5xx and may so create two.
Input: https://quantum.cloud.ibm.com/docs/api/qiskit-runtime-rest/tags/jobs (SamplerV2 input).
"""

import binascii
import json
import zlib
from collections.abc import Mapping
from math import ceil
from typing import TYPE_CHECKING, Any

from probes.quantum.batch import Batch
from probes.quantum.circuits.chain import Chain
from probes.quantum.clouds.ibm_format import Document, Instruction
from probes.quantum.provider import Counts, NoLibrary
from probes.queued import Unreadable

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

OPTIONS = {
    "dynamical_decoupling": {"enable": False},
    "twirling": {"enable_gates": False, "enable_measure": False},
}
"""Nothing is added to a canary's circuits: they run as they are, or they measure something else."""

SUB_JOB = 2.0
"""Seconds of overhead of each part that a job is split into, as IBM estimates it."""

MARGIN = 2.0
"""IBM calls its formula an approximation: this many times its result is reserved."""

LONGEST = 10800
"""Seconds of QPU time after which IBM ends any job."""


def body(device: str, batch: Batch, qubits: int, tag: str, seconds: int) -> str:
    """A job's JSON for `POST /jobs`. `seconds` of QPU time is where IBM ends it ("cost" there,
    `max_execution_time` in its client). Raises NoLibrary."""
    from qiskit.primitives.containers.sampler_pub import SamplerPub

    encoder, _ = _codec()
    pubs = [
        SamplerPub.coerce((on_device(circuit, chain, qubits), None, batch.shots))
        for circuit, chain in zip(batch.circuits, batch.chains, strict=True)
    ]
    params = {"pubs": pubs, "options": OPTIONS, "version": 2, "support_qiskit": True}
    job = {
        "program_id": "sampler",
        "params": params,
        "backend": device,
        "tags": [tag],
        "cost": seconds,
    }
    return json.dumps(job, cls=encoder)


def on_device(circuit: "QuantumCircuit", chain: Chain, qubits: int) -> "QuantumCircuit":
    """The same instructions in the same order on the chain's qubits of a device of that size."""
    from qiskit import QuantumCircuit, QuantumRegister

    wide = QuantumCircuit(QuantumRegister(qubits, "q"), *circuit.cregs, name=circuit.name)
    wide.compose(circuit, qubits=list(chain), clbits=circuit.clbits, inplace=True)
    return wide


def bound(batch: Batch, configuration: Document, lengths: Mapping[Instruction, float]) -> int:
    """Most QPU seconds that a batch will use; a job ends there.

    The estimate is IBM's: 2 s for each part of a job, and for each shot of each circuit the
    repetition delay, the reset and the circuit's own length
    (https://quantum.cloud.ibm.com/docs/guides/estimate-job-run-time). MARGIN times that, rounded
    up. IBM does not say how it splits jobs; a part is taken to hold `max_experiments` circuits of
    `max_shots` shots. Raises ValueError for a batch that the device cannot run.
    """
    most = _stated(configuration, "max_shots")
    if batch.shots > most:
        raise ValueError(f"{batch.shots} shots of a circuit; the device takes {most:g}")
    delay = _stated(configuration, "default_rep_delay") * 1e-6  # given in microseconds
    each = [
        delay + length(circuit, chain, lengths)
        for circuit, chain in zip(batch.circuits, batch.chains, strict=True)
    ]
    parts = ceil(len(each) / _stated(configuration, "max_experiments"))
    seconds = ceil(MARGIN * (parts * SUB_JOB + batch.shots * sum(each)))
    if seconds > LONGEST:
        raise ValueError(
            f"the batch may need {seconds} s of QPU time, and IBM ends a job after {LONGEST} s: "
            "ask for fewer circuits or shots"
        )
    return seconds


def length(circuit: "QuantumCircuit", chain: Chain, lengths: Mapping[Instruction, float]) -> float:
    """Seconds from the reset of the qubits to the last measurement, each instruction as soon as its
    qubits are free. Raises ValueError for an instruction that the device does not have."""
    free = {qubit: lengths.get(("reset", (qubit,)), 0.0) for qubit in chain}
    for step in circuit.data:
        qubits = tuple(chain[circuit.find_bit(bit).index] for bit in step.qubits)
        end = max(free[qubit] for qubit in qubits)
        if step.operation.name != "barrier":
            end += _takes(step.operation.name, qubits, lengths)
        free |= dict.fromkeys(qubits, end)
    return max(free.values())


def _stated(configuration: Document, name: str) -> float:
    if configuration.get(name) is None:
        raise ValueError(f"the device's configuration states no {name}")
    return float(configuration[name])


def _takes(name: str, qubits: Chain, lengths: Mapping[Instruction, float]) -> float:
    if (name, qubits) not in lengths:
        raise ValueError(f"the device states no {name!r} on {'-'.join(map(str, qubits))}")
    return lengths[name, qubits]


def counts(text: str, batch: Batch) -> list[Counts]:
    """Counts of every circuit from a job's result. Raises Unreadable, NoLibrary."""
    found = _decoded(text)
    if len(found) != len(batch.circuits):
        raise Unreadable(
            f"the result has {len(found)} circuits' outcomes, {len(batch.circuits)} were sent"
        )
    return [
        _counts(data, len(chain), batch.shots)
        for data, chain in zip(found, batch.chains, strict=True)
    ]


def _decoded(text: str) -> list[Any]:
    """The data of each circuit in a result of IBM's encoding."""
    from qiskit.primitives import PrimitiveResult

    _, decoder = _codec()
    damaged = (ValueError, LookupError, TypeError, AttributeError, EOFError, binascii.Error)
    try:
        result = json.loads(text, cls=decoder)
    except (*damaged, zlib.error, ImportError) as error:
        raise Unreadable(
            f"the result is not in IBM's encoding ({type(error).__name__}: {error}): {text[:80]!r}"
        ) from error
    if not isinstance(result, PrimitiveResult):
        raise Unreadable(f"the result is no sampler's: {text[:80]!r}")
    return [pub.data for pub in result]


def _counts(data: Any, width: int, shots: int) -> Counts:
    """Of a circuit's one classical register: bit i is its qubit i, and qubit 0 comes rightmost."""
    from qiskit.primitives import BitArray

    registers = list(data.values())
    if len(registers) != 1 or not isinstance(registers[0], BitArray):
        raise Unreadable(f"a circuit's outcome is not one register of bits: {data}")
    bits = registers[0]
    if (bits.num_bits, bits.num_shots) != (width, shots):
        raise Unreadable(
            f"a circuit's outcome has {bits.num_shots} shots of {bits.num_bits} bits, "
            f"{shots} of {width} were asked for"
        )
    found: Counts = bits.get_counts()
    return found


def _codec() -> tuple[Any, Any]:
    """IBM's encoder and decoder of JSON."""
    try:
        from qiskit_ibm_runtime import RuntimeDecoder, RuntimeEncoder
    except ImportError as error:
        raise NoLibrary(f"IBM's jobs need qiskit-ibm-runtime ({error}): pip install it") from error
    return RuntimeEncoder, RuntimeDecoder
