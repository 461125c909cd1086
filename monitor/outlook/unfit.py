"""Devices of today on which not one unit of the operation fits, all of them in one sentence."""

from collections.abc import Sequence
from typing import Any

from monitor.text import figure

PREFIXES = ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
Row = dict[str, Any]


def si(value: float) -> str:
    """A number with the prefix of thousands: "553 T", "10.5 k", "0.199 "."""
    for size, sign in PREFIXES:
        if value >= size:
            return f"{figure(value / size, 3)} {sign}"
    return f"{figure(value, 3)} "


def sentence(rows: Sequence[Row]) -> str:
    """How many devices there are, which comes nearest, and what the others lack. One row each."""
    counted = f"{len(rows)} devices: no logical unit fits on any of them."
    sized = [row for row in rows if row["inputs"]["physical_qubits_needed"]]
    parts = [_nearest(max(sized, key=_share))] if sized else []
    noisy = sum(_is_too_noisy(row) for row in rows)
    rest = len(rows) - len(sized) - noisy
    others = [
        *([f"{noisy} above the surface code's threshold"] if noisy else []),
        *([f"{rest} of which too little is known"] if rest else []),
    ]
    return " ".join([counted, "; ".join([*parts, *others]) + "."])


def _nearest(row: Row) -> str:
    inputs = row["inputs"]
    needed, held = inputs["physical_qubits_needed"], inputs["physical_qubits"]
    return (
        f"Nearest: {row['machine']} (needs {si(needed).strip()} physical qubits at "
        f"d = {inputs['distance']}, has {held:,})"
    )


def _share(row: Row) -> float:
    return float(row["inputs"]["physical_qubits"] / row["inputs"]["physical_qubits_needed"])


def _is_too_noisy(row: Row) -> bool:
    """Whether its errors were put through the estimate and no distance is enough."""
    achievable = not str(row["why"]["year"]).startswith("not achievable")
    return not achievable and row["inputs"]["distance"] is None
