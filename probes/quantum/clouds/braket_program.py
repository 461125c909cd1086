"""Circuits as Amazon Braket takes them, word for word as they are to be played, and its results.

A circuit is an OpenQASM 3 program with a verbatim box: physical qubits and native gates, which no
compiler touches (https://docs.aws.amazon.com/braket/latest/developerguide/braket-constructing-circuit.html).
Several circuits are one program set: one task, one fee, `shots` the sum over its circuits
(https://docs.aws.amazon.com/braket/latest/developerguide/braket-batching-tasks.html).
Results are of the schemas in https://github.com/amazon-braket/amazon-braket-schemas-python.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from probes.quantum.batch import Batch
from probes.quantum.circuits.chain import Chain
from probes.quantum.circuits.native import Op, to_ms, to_prx, to_rx, to_zz
from probes.quantum.clouds.braket_service import PROGRAM, PROGRAM_SET
from probes.quantum.provider import Counts
from probes.queued import Unreadable

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

Document = Mapping[str, Any]

Read = Callable[[str, str], Any]
"""The JSON of the S3 object with this bucket and key."""

WITH_BARRIERS = ("iqm", "rigetti")
"""Owners whose native gates include `barrier`. IonQ's do not; it plays one gate after another."""


def action(owner: str, batch: Batch) -> dict[str, Any]:
    """What one task does: a program, or a program set of several. Raises ValueError for a circuit
    that the owner's machines have no gates for."""
    programs = [
        _document(PROGRAM, source=source(owner, circuit, chain), inputs={})
        for circuit, chain in zip(batch.circuits, batch.chains, strict=True)
    ]
    return programs[0] if len(programs) == 1 else _document(PROGRAM_SET, programs=programs)


def _document(name: str, **content: Any) -> dict[str, Any]:
    return {"braketSchemaHeader": {"name": name, "version": "1"}, **content}


def source(owner: str, circuit: "QuantumCircuit", chain: Chain) -> str:
    """One circuit in OpenQASM 3; its qubit i is the device's `chain[i]` and is read into bit i."""
    ops = _converted(owner, circuit)
    played = [op for op in ops if op.name != "barrier" or owner in WITH_BARRIERS]
    return "\n".join(
        [
            "OPENQASM 3.0;",
            f"bit[{len(chain)}] b;",
            "#pragma braket verbatim",
            "box{",
            *(_line(op, chain) for op in played),
            "}",
            *(f"b[{bit}] = measure ${qubit};" for bit, qubit in enumerate(chain)),
        ]
    )


def _converted(owner: str, circuit: "QuantumCircuit") -> list[Op]:
    if owner == "iqm":
        return to_prx(circuit)
    if owner == "rigetti":
        return to_rx(circuit)
    if owner == "ionq":  # its calibration has called the entangling gate so
        return to_ms(circuit) if "cx" in circuit.count_ops() else to_zz(circuit)
    raise ValueError(f"no circuits can be written for machines of {owner!r}")


def _line(op: Op, chain: Chain) -> str:
    params = f"({', '.join(map(repr, op.params))})" if op.params else ""
    return f"{op.name}{params} {', '.join(f'${chain[qubit]}' for qubit in op.qubits)};"


# --- results -------------------------------------------------------------------------------------


def counts(batch: Batch, result: Any, read: Read) -> list[Counts]:
    """Counts of every circuit from a task's `results.json`. `read` fetches the parts that a program
    set may keep in files of their own. Raises Unreadable."""
    try:
        found = list(_executables(result, read))
        if len(found) != len(batch.circuits):
            raise Unreadable(f"{len(found)} circuits came back of {len(batch.circuits)}")
        return [
            _counts(executable, chain, batch.shots)
            for executable, chain in zip(found, batch.chains, strict=True)
        ]
    except (AttributeError, KeyError, IndexError, TypeError) as error:
        raise Unreadable(
            f"results.json is not of Braket's schema ({type(error).__name__}: {error})"
        ) from error


def _executables(result: Document, read: Read) -> Iterator[Document]:
    """Results of single circuits, in order."""
    if "programResults" not in result:
        yield result
        return
    bucket, folder = result.get("s3Location") or ("", "")
    for program in result["programResults"]:
        inside = folder
        if isinstance(program, str):
            path = f"{folder}/{program}"
            inside, program = path.rpartition("/")[0], read(bucket, path)  # noqa: PLW2901
        for executable in program["executableResults"]:
            is_path = isinstance(executable, str)
            yield read(bucket, f"{inside}/{executable}") if is_path else executable


def _counts(executable: Document, chain: Chain, shots: int) -> Counts:
    """Outcomes with the first qubit rightmost, wherever Braket has its column."""
    if failed := executable.get("failureMetadata"):
        raise Unreadable(f"a circuit failed: {failed['failureReason']} ({failed['category']})")
    measured = list(executable["measuredQubits"])
    if sorted(measured) != sorted(chain):
        raise Unreadable(f"the qubits {measured} were measured, not {list(chain)}")
    columns = [measured.index(qubit) for qubit in reversed(chain)]
    found: Counter[str] = Counter()
    for outcome, number in _outcomes(executable, shots):
        if len(outcome) != len(chain) or set(outcome) - set("01"):
            raise Unreadable(f"{outcome!r} is no outcome of {len(chain)} qubits")
        found["".join(outcome[column] for column in columns)] += number
    if found.total() != shots:
        raise Unreadable(f"a circuit has {found.total()} outcomes of {shots} shots")
    return dict(found)


def _outcomes(executable: Document, shots: int) -> Iterator[tuple[str, int]]:
    """Outcomes as Braket orders the qubits. Some machines give frequencies instead of shots."""
    if rows := executable.get("measurements"):
        yield from Counter("".join(map(str, row)) for row in rows).items()
        return
    for outcome, frequency in (executable.get("measurementProbabilities") or {}).items():
        yield outcome, round(frequency * shots)
