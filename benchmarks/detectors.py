"""How often each detector of `[trigger]` gives a false alarm, and how soon it sees a shift.

Simulated on normal values, seeded; `--quick` with a tenth of the runs. The tables stand in
docs/detectors.md. What the service runs, `triggers.shifts.sums` and `triggers.replay`, is one of
the columns; numpy is the other, and Siegmund's formula a third.
"""

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from storage.types import Reading
from triggers.baseline import MAD_TO_SIGMA, tail
from triggers.replay import Batch, replay
from triggers.rule import Rule
from triggers.shifts import sums

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
SEED = 20261126
RUNS = 4000
CELLS = 4_000_000
"""So many numbers are sorted at once: 32 MiB."""
CHARTS = ((1.0, 3.0), (1.0, 4.0), (0.5, 4.0), (0.5, 5.0))
SHIFTS = (0.0, 1.0, 2.0, 3.0)
WINDOWS = (20, 50, 100, 300)
START = 1_700_000_000.0
EVERY = 900.0


# --- level and scatter known -------------------------------------------------------------------


def siegmund(shift: float, allowance: float, threshold: float) -> float:
    """Mean readings to an alarm of a one-sided CUSUM, by D. Siegmund's approximation ("Sequential
    Analysis", 1985): (exp(−2Δb) + 2Δb − 1) / 2Δ² with Δ = shift − k and b = h + 1.166."""
    drift, edge = shift - allowance, threshold + 1.166
    if drift == 0:
        return edge**2
    return (math.exp(-2 * drift * edge) + 2 * drift * edge - 1) / (2 * drift**2)


def cusum_length(
    random: np.random.Generator, shift: float, chart: tuple[float, float], runs: int
) -> float:
    """The same, simulated: the mean of `runs` first passages, all series in step."""
    allowance, threshold = chart
    total, steps, now = np.zeros(runs), 0, 0
    while len(total):
        now += 1
        total = np.maximum(0.0, total + random.normal(shift, 1, len(total)) - allowance)
        passed = total > threshold
        steps += now * int(np.count_nonzero(passed))
        total = total[~passed]
    return steps / runs


def shipped_length(
    random: np.random.Generator, shift: float, chart: tuple[float, float], runs: int
) -> float:
    """The same by the service's own sum: readings looked at for each alarm, in blocks."""
    length = 3000 if shift == 0 else 200
    seen, alarms = 0, 0
    for _ in range(runs):
        found = sums(random.normal(shift, 1, length).tolist(), *chart)
        first = next((k for k, total in enumerate(found, 1) if total > chart[1]), None)
        seen += first or length
        alarms += first is not None
    return seen / alarms if alarms else math.inf


def point_length(shift: float, sigmas: float, row: int = 1) -> float:
    """Mean readings until so many in a `row` lie more than `sigmas` to one side: exact, since they
    are independent (W. Feller, "An Introduction to Probability Theory", XIII.7)."""
    p = math.erfc((sigmas - shift) / math.sqrt(2)) / 2
    return float((1 - p**row) / ((1 - p) * p**row))


# --- level and scatter estimated ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Chart:
    """A detector on an estimated baseline: where it alarms, given series of readings."""

    rule: Rule
    window: int

    @property
    def newest(self) -> int:
        """Readings that the baseline leaves out."""
        return tail(self.rule) if self.rule.when == "shifts" else self.rule.hold.of

    @property
    def warm(self) -> int:
        """Readings before the first that is judged with a full baseline."""
        return self.window + self.newest - 1

    def alarms(self, values: Floats) -> Flags:
        """Of each series (row), at which readings from `warm` on it would fire."""
        rows, length = values.shape
        found = np.zeros((rows, length - self.warm), dtype=np.bool_)
        span = self.window + self.newest
        cells = sliding_window_view(values, span, axis=1).reshape(-1, span)
        flat = found.reshape(-1)
        size = max(1, CELLS // span)
        for first in range(0, len(cells), size):
            flat[first : first + size] = self._judge(cells[first : first + size])
        return found

    def _judge(self, cells: Floats) -> Flags:
        before, latest = cells[:, : self.window], cells[:, self.window :]
        level = np.median(before, axis=1, keepdims=True)
        if self.rule.when == "drops":
            beyond = latest < level * (1 - self.rule.limit)
            return np.asarray(beyond.sum(axis=1) >= self.rule.hold.readings)
        spread = MAD_TO_SIGMA * np.median(np.abs(before - level), axis=1, keepdims=True)
        scores = (latest - level) / spread
        signs = {"below": (-1,), "above": (1,), None: (1, -1)}[self.rule.side]
        sides = [self._passed(sign * scores) for sign in signs]
        return np.asarray(np.logical_or.reduce(sides))

    def _passed(self, scores: Floats) -> Flags:
        """Whether the sum is beyond the threshold at each of the readings that are asked for."""
        carried = np.zeros(len(scores))
        passed = np.ones(len(scores), dtype=np.bool_)
        asked = scores.shape[1] - self.rule.hold.readings
        for k in range(scores.shape[1]):
            total = np.maximum(0.0, carried + scores[:, k] - self.rule.allowance)
            passed &= (total > self.rule.limit) | (k < asked)
            carried = np.minimum(total, self.rule.limit)
        return passed


def rule(when: str, window: int, **more: Any) -> Rule:
    """A rule with a baseline of so many readings."""
    table = {"name": "d", "signal": "s", "when": when, "baseline": f"{window} readings", **more}
    return Rule.model_validate(table)


def series(random: np.random.Generator, chart: Chart, shape: tuple[int, int], by: float) -> Floats:
    """Normal readings about 100 with a sigma of 1, so that a sigma is one per cent; worse by so
    many sigmas from the first that is judged on."""
    runs, length = shape
    values = random.normal(100, 1, (runs, chart.warm + length))
    values[:, chart.warm :] -= by
    return values


def estimated_length(random: np.random.Generator, chart: Chart, runs: int, length: int) -> float:
    """Readings looked at for each false alarm; a series is looked at until its first."""
    found = chart.alarms(series(random, chart, (runs, length), 0.0))
    first = np.where(found.any(axis=1), found.argmax(axis=1) + 1, length)
    alarms = int(found.any(axis=1).sum())
    return float(first.sum()) / alarms if alarms else math.inf


def delay(firsts: Sequence[int | None]) -> tuple[float, float]:
    """Mean readings to the alarm of those that gave one, and the share of those."""
    seen = [first for first in firsts if first is not None]
    return (float(np.mean(seen)) if seen else math.inf), len(seen) / len(firsts)


def first_alarms(chart: Chart, values: Floats) -> list[int | None]:
    """By numpy: after how many of the readings from `warm` on each series alarms."""
    found = chart.alarms(values)
    return [int(row.argmax()) + 1 if row.any() else None for row in found]


def shipped_alarms(chart: Chart, values: Floats) -> list[int | None]:
    """The same by the service's own code, reading for reading; 0 where it fires already on the
    reading before those."""
    return [_shipped(chart, row) for row in values.tolist()]


def _shipped(chart: Chart, values: Sequence[float]) -> int | None:
    at = [START + EVERY * k for k in range(len(values))]
    batches = [
        Batch(moment, (Reading("s", "t", value, "measured", at=moment),))
        for moment, value in zip(at, values, strict=True)
    ]
    events, _ = replay(chart.rule, "1", "t", batches, begin=at[chart.warm], end=at[-1])
    read = next((event.standing.read_at for event in events if event.kind == "fires"), None)
    return None if read is None else round((read - at[chart.warm]) / EVERY) + 1


# --- tables ------------------------------------------------------------------------------------


def known(random: np.random.Generator, runs: int) -> None:
    """Level and scatter known."""
    print("| detector, one side | by | to a false alarm | to see 1 σ | 2 σ | 3 σ |")
    print("| --- | --- | --- | --- | --- | --- |")
    for chart in CHARTS:
        name = f"CUSUM, k = {chart[0]:g}, h = {chart[1]:g}"
        few = runs if chart == CHARTS[0] else runs // 4
        _row(name, "numpy", [cusum_length(random, shift, chart, few) for shift in SHIFTS])
        _row(name, "as shipped", [shipped_length(random, shift, chart, few) for shift in SHIFTS])
        _row(name, "Siegmund", [siegmund(shift, *chart) for shift in SHIFTS])
    for sigmas in (3.0, 4.0):
        for row in (1, 2):
            name = f"{sigmas:g} σ, {row} reading{'s' * (row > 1)}"
            _row(name, "exact", [point_length(shift, sigmas, row) for shift in SHIFTS])


def estimated(random: np.random.Generator, runs: int) -> None:
    """Level and scatter estimated from the readings before, rolling."""
    print("| `shifts`, baseline of | sides | confirm | to a false alarm | 2 σ seen | after | 3 σ |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for window in WINDOWS:
        for side in ("below", None):
            for confirm in (False, True):
                more = {"confirm": confirm} | ({"side": side} if side else {})
                _estimated(random, Chart(rule("shifts", window, **more), window), runs)


def _estimated(random: np.random.Generator, chart: Chart, runs: int) -> None:
    few = runs // 20 * 100 // max(100, chart.window)  # a long window takes long to sort
    false = estimated_length(random, chart, few, 2000)
    two, three = (
        delay(first_alarms(chart, series(random, chart, (runs // 2, 20), by))) for by in (2.0, 3.0)
    )
    sides = "one" if chart.rule.side else "both"
    said = "yes" if chart.rule.confirm else "no"
    print(
        f"| {chart.window} readings | {sides} | {said} | {_said(false)} | {100 * two[1]:.0f}% "
        f"| {_said(two[0])} | {100 * three[1]:.0f}%, {_said(three[0])} |"
    )


def drops() -> None:
    """Drops of 5 % where the scatter is a share of the level; exact for a level that is known."""
    print("| `drops` 5%, scatter | confirm | to a false alarm | to see −3% | −5% | −8% |")
    print("| --- | --- | --- | --- | --- | --- |")
    for scatter in (0.5, 1.0, 2.0, 3.0):
        for row in (1, 2):
            lengths = [point_length(by / scatter, 5 / scatter, row) for by in (0.0, 3.0, 5.0, 8.0)]
            _row(f"{scatter:g}%", "yes" if row > 1 else "no", lengths)


def _row(name: str, way: str, lengths: Sequence[float]) -> None:
    print(f"| {name} | {way} | {' | '.join(map(_said, lengths))} |")


def _said(length: float) -> str:
    if length >= 1e6:
        return f"{length:.1e}" if math.isfinite(length) else "none seen"
    return f"{length:,.0f}" if length >= 100 else f"{length:.1f}"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the runs")
    options = parser.parse_args()
    random = np.random.default_rng(SEED)
    runs = RUNS // 10 if options.quick else RUNS
    known(random, runs)
    print()
    estimated(random, runs)
    print()
    drops()


if __name__ == "__main__":
    main()
