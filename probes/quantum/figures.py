"""What a calibration comes to: the figures of a device's parts, their ends, and the readings."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import Any, Literal

from probes.quantum.device import COIN, ENTANGLING_GATES, Calibration, Gate, Qubit
from storage.types import Reading

Better = Literal["higher", "lower"]

DEAD = {
    "one_qubit_error": "one_qubit_gates",
    "two_qubit_error": "two_qubit_gates",
    "readout_error": "readouts",
}
"""The signals that count what is dead, by the figure that it is left out of."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of all parts of a device; `live` is by part ("12", "12-13").

    `dead` is None for a figure that has no mark for dead parts; `about` names the gates meant, in
    their owner's words. `whole`: the owner gives one figure for the whole device, which says
    nothing about any part.
    """

    name: str
    part: str
    better: Better
    live: Mapping[str, float] = field(default_factory=dict)
    dead: int | None = None
    missing: int = 0
    about: str = ""
    whole: bool = False

    @property
    def listed(self) -> int:
        """Number of parts that the device has, live or not."""
        return len(self.live) + (self.dead or 0) + self.missing

    @property
    def parts(self) -> str:
        """The parts in the plural."""
        return f"{self.part}s"

    def ends(self) -> Iterator[tuple[str, str]]:
        """("best", its part) and ("worst", its part); the first of equals. Nothing where no part
        lives, and where the owner tells no parts apart."""
        if self.live and not self.whole:
            lowest, highest = _ends(self.live)
            best, worst = (lowest, highest) if self.better == "lower" else (highest, lowest)
            yield from (("best", best), ("worst", worst))

    def note(self) -> str:
        """In words: what the median is over."""
        about = f" ({self.about})" if self.about else ""
        if self.whole:
            return f"one figure for the whole device{about}"
        text = f"median of {len(self.live)} of {self.listed} {self.parts}{about}"
        text += f", {self.dead} dead" if self.dead else ""
        return text + (f", {self.missing} not given" if self.missing else "")

    def facts(self) -> dict[str, Any]:
        """For the record: counts and spread."""
        counts = {"dead": self.dead, "missing": self.missing, "listed": self.listed}
        return {"gates": self.about, "whole": self.whole, **counts, **_spread(self.live)}


def _ends(live: Mapping[str, float]) -> tuple[str, str]:
    """The parts of the lowest and of the highest value; the first of equals."""
    return min(live, key=live.__getitem__), max(live, key=live.__getitem__)


def _spread(live: Mapping[str, float]) -> dict[str, Any]:
    """Median, tenth and ninetieth percentile, and the two ends with the parts they belong to."""
    if not live:
        return {"live": 0}
    values = sorted(live.values())
    tenths = quantiles(values, n=10, method="inclusive") if len(values) > 1 else values * 9
    lowest, highest = _ends(live)
    return {
        "live": len(live),
        "median": median(values),
        "p10": tenths[0],
        "p90": tenths[-1],
        "lowest": [lowest, live[lowest]],
        "highest": [highest, live[highest]],
    }


def figures(calibration: Calibration) -> tuple[Figure, ...]:
    """The figures of a calibration, in the signals' order."""
    qubits = _present(calibration)
    singles = calibration.one_qubit_gates()
    couplings = calibration.couplings(ENTANGLING_GATES).values()
    return (
        _of_qubits(calibration, "t1", {index: qubit.t1 for index, qubit in qubits.items()}),
        _of_qubits(calibration, "t2", {index: qubit.t2 for index, qubit in qubits.items()}),
        _of_gates(calibration, "one_qubit_error", "qubit", singles),
        _of_gates(calibration, "two_qubit_error", "coupling", couplings),
        _of_readouts(calibration),
    )


def _present(calibration: Calibration) -> dict[int, Qubit]:
    """The qubits that there are, by number: some owners leave numbers out."""
    return {index: qubit for index, qubit in enumerate(calibration.qubits) if qubit.present}


def _of_qubits(calibration: Calibration, name: str, given: Mapping[int, float | None]) -> Figure:
    live = {str(index): value for index, value in given.items() if value is not None}
    missing = len(given) - len(live)
    return Figure(name, "qubit", "higher", live, None, missing, whole=not calibration.per_part)


def _of_readouts(calibration: Calibration) -> Figure:
    given = {str(index): qubit.readout_error for index, qubit in _present(calibration).items()}
    known = {index: value for index, value in given.items() if value is not None}
    live = {index: value for index, value in known.items() if value < 1}
    blind = sum(value >= COIN for value in live.values())
    return Figure(
        name="readout_error",
        part="qubit",
        better="lower",
        live=live,
        dead=len(known) - len(live),
        missing=len(given) - len(known),
        about=f"{blind} no better than a coin" if blind else "",
        whole=not calibration.per_part,
    )


def _of_gates(calibration: Calibration, name: str, part: str, gates: Iterable[Gate]) -> Figure:
    listed = list(gates)
    live = {
        "-".join(map(str, gate.qubits)): gate.error
        for gate in listed
        if gate.live and gate.error is not None
    }
    dead = sum(gate.dead for gate in listed)
    words = {calibration.natives.get(gate.name, gate.name) for gate in listed}
    return Figure(
        name=name,
        part=part,
        better="lower",
        live=live,
        dead=dead,
        missing=len(listed) - len(live) - dead,
        about=", ".join(sorted(words)),
        whole=not calibration.per_part,
    )


def usable_qubits(calibration: Calibration) -> frozenset[int] | None:
    """The qubits that lack no coherence time which others have, with a live one-qubit gate, a
    readout better than a coin and a live coupling.

    None where the owner does not tell parts apart, and where it gives one of the last three for no
    qubit at all: what is not published is not broken.
    """
    singles = calibration.one_qubit_gates()
    couplings = calibration.couplings(ENTANGLING_GATES).values()
    told = (
        any(qubit.readout_error is not None for qubit in calibration.qubits),
        any(gate.error is not None for gate in singles),
        any(gate.error is not None for gate in couplings),
    )
    if not calibration.per_part or not all(told):
        return None
    pulsed = {gate.qubits[0] for gate in singles if gate.live}
    coupled = {index for gate in couplings if gate.live for index in gate.qubits}
    return calibration.usable & pulsed & coupled


def record(calibration: Calibration) -> dict[str, Any]:
    """What is kept with a run: which calibration, and the spread of its figures."""
    whole = usable_qubits(calibration)
    return {
        "calibration": calibration.identity,
        "calibrated": calibration.time,
        "family": calibration.family,
        "usable": None if whole is None else sorted(whole),
        "figures": {figure.name: figure.facts() for figure in figures(calibration)},
        "published": dict(calibration.published),
    }


def readings(calibration: Calibration, at: float) -> Iterator[Reading]:
    """Every figure that a calibration gives, as it is seen at a moment."""
    count = len(_present(calibration))
    yield _reading(calibration, at, "qubits", count, f"of {calibration.backend}")
    fit = usable_qubits(calibration)
    if fit is not None:
        yield _reading(calibration, at, "usable_qubits", len(fit), f"of {count} qubits")
    for figure in figures(calibration):
        yield from _of_figure(calibration, at, figure)
    yield from _stated(calibration, at)


def _stated(calibration: Calibration, at: float) -> Iterator[Reading]:
    """The owner's figures of the whole device, and the EPLG that its layer fidelity says: n qubits
    have n - 1 gates in the two layers (arXiv 2311.05933)."""
    for name, value in calibration.published.items():
        yield _reading(calibration, at, name, value, "stated of the whole device")
    fidelity = calibration.published.get("lf_100")
    if fidelity is not None:
        eplg = 1 - fidelity ** (1 / 99)
        yield _reading(calibration, at, "eplg_100", eplg, f"of a layer fidelity of {fidelity:.4g}")


def _of_figure(calibration: Calibration, at: float, figure: Figure) -> Iterator[Reading]:
    if figure.live:
        value = median(figure.live.values())
        yield _reading(calibration, at, figure.name, value, figure.note())
    for end, part in figure.ends():
        note = f"{figure.part} {part}"
        yield _reading(calibration, at, f"{figure.name}_{end}", figure.live[part], note)
    if figure.dead is not None and figure.listed and not figure.whole:
        note = f"of {figure.listed} {figure.parts}"
        yield _reading(calibration, at, f"dead_{DEAD[figure.name]}", figure.dead, note)


def _reading(calibration: Calibration, at: float, name: str, value: float, note: str) -> Reading:
    return Reading(
        signal=f"quantum.calibration.{name}",
        target=calibration.device,
        value=float(value),
        origin=calibration.origin,
        at=at,
        # the reading is as old as this look at it, its content as old as the calibration
        note=f"calibrated {calibration.time[:10]}; {note}",
        family=calibration.family,
    )
