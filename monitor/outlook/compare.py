"""What a device's owner claims, what we measured and what others published of it, side by side.

Each number is the last one of its series. Nothing is worked out but how far two numbers are apart.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import combinations
from math import hypot
from typing import Any

from monitor.report import iso
from storage.reports import latest_of
from storage.store import Store
from storage.types import Reading

OWNERS = re.compile(r"^(ibm|fake|iqm|rigetti|ionq|quantinuum)_")
SIDES = ("vendor", "ours", "independent")
SNAPSHOT = "fake_"
CALIBRATED = re.compile(r"calibrated (\d{4}-\d\d-\d\d)")
SIZE = re.compile(r"(?:(fixed|best)-)?[wn](\d+)(?:-d(\d+))?")


@dataclass(frozen=True, slots=True)
class Quantity:
    """One thing that can be said of a device, and the signal in which each side says it.

    `size` is that of the vendor's figure, where such figures are of chains of several lengths.
    """

    name: str
    vendor: str = ""
    ours: str = ""
    independent: str = ""
    size: str = ""

    def signals(self) -> Iterator[tuple[str, str]]:
        """(side, signal) for each side that says it."""
        for side in SIDES:
            if signal := getattr(self, side):
                yield side, signal


QUANTITIES = (
    Quantity("two-qubit error", "quantum.calibration.two_qubit_error"),
    Quantity("one-qubit error", "quantum.calibration.one_qubit_error"),
    Quantity("readout error", "quantum.calibration.readout_error"),
    Quantity("T1", "quantum.calibration.t1"),
    Quantity("T2", "quantum.calibration.t2"),
    Quantity(
        "EPLG",
        "quantum.calibration.eplg_100",
        "quantum.layer_fidelity.error_per_gate",
        "metriq.eplg",
        "n100",
    ),
    Quantity(
        "layer fidelity",
        "quantum.calibration.lf_100",
        "quantum.layer_fidelity.fidelity",
        size="n100",
    ),
    Quantity("quantum volume", "quantum.calibration.quantum_volume", "quantum.volume.volume"),
    # metriq-gym runs the circuits of the hardware's own layers ("twirled")
    Quantity("CLOPS", "quantum.calibration.clops_h", independent="metriq.clops"),
    Quantity("CLOPS, virtual", "quantum.calibration.clops_v"),
    # not the same circuits: metriq-gym's layers have fewer two-qubit gates, and no barriers
    Quantity("mirror circuits", ours="quantum.mirror.polarization"),
    Quantity("metriq's mirrors", independent="metriq.mirror_polarization"),
)
"""All that is compared, in the order of the table."""


@dataclass(slots=True)
class _Row:
    quantity: str
    size: str
    unit: str
    sides: dict[str, Reading] = field(default_factory=dict)


def key(device: str) -> str:
    """What all names of a device have in common: "kingston" of ibm_kingston and fake_kingston,
    "garnet" of iqm/garnet, iqm_garnet and its ARN, "forte-1" of qpu.forte-1 and ionq_forte-1."""
    return OWNERS.sub("", re.split(r"[/.]", device.lower())[-1])


def document(store: Store, device: str) -> dict[str, Any]:
    """Every quantity that any side says of a device, whatever name it has there: `names`."""
    rows = list(_rows(store, key(device)))
    names = {_split(r.target, key(device))[0] for row in rows for r in row.sides.values()}
    return {"device": device, "names": sorted(names), "rows": [_as_json(row) for row in rows]}


def known(store: Store) -> list[str]:
    """The names under which something is known that could be compared."""
    signals = {signal for quantity in QUANTITIES for _, signal in quantity.signals()}
    return sorted({t.partition("/")[0] for s, t, _ in store.names(past=True) if s in signals})


def _rows(store: Store, device: str) -> Iterator[_Row]:
    units = {signal: unit for signal, _, unit in store.names(past=True)}
    for quantity in QUANTITIES:
        found: dict[str, _Row] = {}
        for side, signal in quantity.signals():
            for reading in latest_of(store, signal, past=True):
                name, size = _split(reading.target, device)
                if not name or (side == "vendor" and reading.origin != "vendor"):
                    continue
                said = words(quantity.size if side == "vendor" else size)
                row = found.setdefault(said, _Row(quantity.name, said, units[signal]))
                if side not in row.sides or _rank(reading) > _rank(row.sides[side]):
                    row.sides[side] = reading
        yield from (found[size] for size in sorted(found, key=_natural))


def _split(target: str, device: str) -> tuple[str, str]:
    """The device's name in a target and what stands behind it; "" twice for another device's."""
    if key(target) == device:
        return target, ""
    name, _, size = target.rpartition("/")
    return (name, size) if key(name) == device else ("", "")


def words(size: str) -> str:
    """The size of a benchmark in words: "8 qubits, depth 32" of w8-d32."""
    found = SIZE.fullmatch(size)
    if found is None:
        return size
    chain, qubits, depth = found.groups()
    said = f"{qubits} qubits"
    said += f", depth {depth}" if depth else ""
    return f"{said}, {chain} chain" if chain else said


def _natural(text: str) -> list[tuple[int, str]]:
    parts = re.split(r"(\d+)", text)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def _rank(reading: Reading) -> tuple[bool, bool, float]:
    """Which of several counts: hardware before a simulation, the device before its snapshot, then
    the newest."""
    is_snapshot = reading.target.startswith(SNAPSHOT)
    return reading.origin != "simulated", not is_snapshot, reading.at


def _as_json(row: _Row) -> dict[str, Any]:
    sides = [_side(side, row.sides[side]) for side in SIDES if side in row.sides]
    return {
        "quantity": row.quantity,
        "size": row.size,
        "unit": row.unit,
        "sides": sides,
        "differences": [_difference(one, other) for one, other in combinations(sides, 2)],
    }


def _side(side: str, reading: Reading) -> dict[str, Any]:
    dated = CALIBRATED.match(reading.note)
    return {
        "side": side,
        "value": reading.value,
        "sigma": reading.sigma,
        "origin": reading.origin,
        "dated": dated[1] if dated else _day(reading.at),
        "at": iso(reading.at),
        "signal": reading.signal,
        "target": reading.target,
        "snapshot": reading.target.startswith(SNAPSHOT),
        "note": reading.note,
    }


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).date().isoformat()


def _difference(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """How far the second is from the first: as a ratio, and in sigmas where both have one."""
    return {
        "of": other["side"],
        "against": one["side"],
        "ratio": other["value"] / one["value"] if one["value"] else None,
        "sigmas": _sigmas((one["value"], other["value"]), (one["sigma"], other["sigma"])),
    }


def _sigmas(values: tuple[float, float], sigmas: Sequence[float | None]) -> float | None:
    given = [sigma for sigma in sigmas if sigma]
    both = len(given) == len(sigmas)
    return abs(values[0] - values[1]) / hypot(*given) if both else None
