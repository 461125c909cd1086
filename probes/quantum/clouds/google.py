"""Calibrations of Google's processors that come with cirq-google: one real day of each.

They are read from the installed package's own JSON: importing cirq_google takes seconds. Google
calls them roughly representative of the median performance of that chip
(`cirq_google.engine.load_median_device_calibration`). What each metric is:
https://quantumai.google/cirq/google/calibration

- T1 is in microseconds. T2 is not published.
- Errors of one-qubit gates are those of randomised benchmarking, one qubit at a time; errors of
  readouts too are taken one qubit at a time. Both as in Google's own noise model.
- Errors of two-qubit gates are those of a cycle of cross-entropy benchmarking in parallel: the gate
  and a one-qubit gate on each of its qubits. They are not split up: the parts were measured in
  different ways, and their difference would be nobody's figure.
- Pauli errors become average errors, which all others here are: times d / (d + 1) with d = 2ⁿ
  (Table 1 of the supplement of Arute et al., Nature 574, 505 (2019), arXiv 1910.11333).
"""

import json
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from probes.quantum.device import Calibration, Gate, Qubit
from probes.quantum.provider import NoLibrary

MICROSECOND = 1e-6

T1 = "single_qubit_idle_t1_micros"
READS_0_AS_1 = "single_qubit_p00_error"
READS_1_AS_0 = "single_qubit_p11_error"
ONE_QUBIT = "single_qubit_rb_pauli_error_per_gate"
TWO_QUBIT = {
    "cz": "two_qubit_parallel_cz_gate_xeb_pauli_error_per_cycle",
    "sqrt_iswap": "two_qubit_parallel_sqrt_iswap_gate_xeb_pauli_error_per_cycle",
    "sycamore": "two_qubit_parallel_sycamore_gate_xeb_pauli_error_per_cycle",
}
PULSE = "phased_xz"
"""Google's one-qubit gate; its changes of frame are no pulse, as everybody's."""


@dataclass(frozen=True, slots=True)
class Processor:
    """Where a processor's calibration lies, and what the file itself does not say.

    `at` is seconds since the epoch, UTC, from the package's `MEDIAN_CALIBRATION_TIMESTAMPS`.
    """

    file: str
    at: float
    family: str


PROCESSORS = {
    "rainbow": Processor("rainbow_2021_11_16_calibration.json", 1637058415.838, "Sycamore"),
    "weber": Processor("weber_2021_11_03_calibration.json", 1635923188.204, "Sycamore"),
    "willow_pink": Processor(
        "willow_pink_d7v1-2024_08_16_calibration.json", 1723795877.630, "Willow"
    ),
}

Metric = dict[tuple[str, ...], float]
"""One metric's values, by the qubits that it is about ("3_2": row 3, column 2)."""


def calibration(device: str) -> Calibration:
    """The calibration of one of PROCESSORS. Raises NoLibrary where cirq-google is not installed,
    ValueError for a file that is not in Google's format."""
    file = _folder() / PROCESSORS[device].file
    try:
        return parse(device, json.loads(file.read_text(encoding="utf-8")))
    except (OSError, LookupError, TypeError, ValueError) as error:
        raise ValueError(
            f"{file} is no calibration in Google's format ({type(error).__name__}: {error}); "
            "reinstall cirq-google, or install the version that requirements.lock names"
        ) from error


def parse(device: str, document: dict[str, Any]) -> Calibration:
    """A calibration from Google's metrics; qubit i is the i-th by row, then by column.

    Raises LookupError where a field of the format lacks, ValueError for a qubit that is no place on
    a grid, and where there are no qubits.
    """
    metrics = _metrics(document)
    names = sorted({name for metric in metrics.values() for key in metric for name in key}, key=_at)
    if not names:
        raise ValueError("it is about no qubits")
    index = {name: place for place, name in enumerate(names)}
    processor = PROCESSORS[device]
    return Calibration(
        device=device,
        backend=device,
        version=Path(processor.file).stem.removesuffix("_calibration").removeprefix(f"{device}_"),
        at=processor.at,
        qubits=tuple(_qubit(metrics, name) for name in names),
        gates=(*_one_qubit_gates(metrics, index), *_two_qubit_gates(metrics, index)),
        family=processor.family,
        natives={"sx": PULSE, "x": PULSE},
    )


def average(pauli_error: float, qubits: int) -> float:
    """The average infidelity of a gate on so many qubits that has this Pauli error."""
    dimension = float(1 << qubits)
    return pauli_error * dimension / (dimension + 1)


def _metrics(document: dict[str, Any]) -> dict[str, Metric]:
    found: dict[str, Metric] = {}
    for entry in document["metrics"]["metrics"]:
        (value,) = entry["values"][0].values()  # {"doubleVal": 0.1}: its key is its type
        found.setdefault(entry["name"], {})[tuple(entry["targets"])] = float(value)
    return found


def _at(name: str) -> tuple[int, int]:
    row, column = name.split("_")
    return int(row), int(column)


def _qubit(metrics: dict[str, Metric], name: str) -> Qubit:
    micros, zero, one = (
        metrics.get(key, {}).get((name,)) for key in (T1, READS_0_AS_1, READS_1_AS_0)
    )
    return Qubit(
        t1=None if micros is None else micros * MICROSECOND,
        readout_error=None if zero is None or one is None else (zero + one) / 2,
        reads_0_as_1=zero,
        reads_1_as_0=one,
    )


def _one_qubit_gates(metrics: dict[str, Metric], index: dict[str, int]) -> list[Gate]:
    pauli = metrics.get(ONE_QUBIT, {})
    errors = {
        place: average(pauli[(name,)], 1) if (name,) in pauli else None
        for name, place in index.items()
    }
    return [
        *(Gate("rz", (place,), 0.0, 0.0) for place in errors),
        *(Gate(name, (place,), error) for name in ("sx", "x") for place, error in errors.items()),
    ]


def _two_qubit_gates(metrics: dict[str, Metric], index: dict[str, int]) -> list[Gate]:
    return [
        Gate(name, tuple(index[qubit] for qubit in pair), average(error, 2))
        for name, metric in TWO_QUBIT.items()
        for pair, error in metrics.get(metric, {}).items()
    ]


def _folder() -> Path:
    spec = find_spec("cirq_google")
    if spec is None or spec.origin is None:
        raise NoLibrary(
            "the calibrations of Google's processors come with cirq-google: "
            "pip install 'qrossover[cirq]'"
        )
    return Path(spec.origin).parent / "devices" / "calibrations"
