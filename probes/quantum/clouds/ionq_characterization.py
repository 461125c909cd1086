"""What IonQ publishes about a device: figures of the whole device, none of its parts.

Format: the schema `Characterization` of https://api.ionq.co/v0.4/api-docs (2026-09). `fidelity` has
medians, of which only `spam` must be given; `timing` is in seconds. A readout error is 1 − `spam`:
it includes that of preparation.
"""

from collections.abc import Mapping
from datetime import datetime
from itertools import combinations
from typing import Any

from probes.quantum.clouds.ionq_circuits import link_of
from probes.quantum.device import Calibration, Gate, Qubit


def parse(device: str, given: Mapping[str, Any]) -> Calibration:
    """A calibration whose every qubit and gate has the device's one figure.

    Raises KeyError where a field of the format lacks, ValueError for a date without its offset from
    UTC and for a fidelity outside of 0 to 1.
    """
    fidelity, timing = given["fidelity"], given.get("timing") or {}
    qubit = Qubit(
        t1=timing.get("t1"), t2=timing.get("t2"), readout_error=_error(fidelity.get("spam"))
    )
    pairs = {(min(pair), max(pair)) for pair in given["connectivity"]}
    return Calibration(
        device=device,
        backend=given["backend"],
        version=given["id"],
        at=moment(given["date"]),
        qubits=(qubit,) * given["qubits"],
        gates=(
            *_one_qubit(given["qubits"], _error(fidelity.get("1q")), timing.get("1q")),
            *(Gate("cz", p, _error(fidelity.get("2q")), timing.get("2q")) for p in sorted(pairs)),
        ),
        natives=natives(device),
        per_part=False,
    )


def ideal(device: str, qubits: int, at: float) -> Calibration:
    """The ideal simulator: all qubits coupled and no error. Nothing in it decays, so it has no
    coherence times."""
    pairs = combinations(range(qubits), 2)
    return Calibration(
        device=device,
        backend=device,
        version="ideal",
        at=at,
        qubits=(Qubit(readout_error=0.0),) * qubits,
        gates=(*_one_qubit(qubits, 0.0, None), *(Gate("cz", pair, 0.0) for pair in pairs)),
        origin="simulated",
        natives=natives(device),
        per_part=False,
    )


def natives(device: str) -> dict[str, str]:
    """IonQ's words for our gates."""
    link = link_of(device)
    return {"sx": "gpi2", "x": "gpi"} | ({"cz": link} if link else {})


def moment(text: str) -> float:
    """Seconds since the epoch of an ISO date with its offset from UTC."""
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(f"IonQ's date {text!r} does not say its offset from UTC")
    return found.timestamp()


def _one_qubit(qubits: int, error: float | None, seconds: float | None) -> tuple[Gate, ...]:
    """Both pulses, and the change of frame, which takes neither time nor error."""
    return tuple(
        gate
        for qubit in range(qubits)
        for gate in (
            Gate("rz", (qubit,), 0.0, 0.0),
            Gate("sx", (qubit,), error, seconds),
            Gate("x", (qubit,), error, seconds),
        )
    )


def _error(figure: Mapping[str, Any] | None) -> float | None:
    """1 − the median fidelity; None where there is none."""
    median = (figure or {}).get("median")
    if median is None:
        return None
    if not 0 <= median <= 1:
        raise ValueError(f"IonQ gives a fidelity of {median}: it must lie between 0 and 1")
    return float(1 - median)
