"""Every number of docs/forecasts.md, worked out anew from the calibrations that come with
qiskit-ibm-runtime. Prints the tables of that page.

.venv/bin/python benchmarks/forecasts.py [--trials 500]
"""

import argparse
import math
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import cache

from probes.backfill import Snapshots
from storage.types import Reading
from triggers.crosses import years
from triggers.forecast import (
    SEED,
    YEAR,
    Forecast,
    NoForecast,
    Point,
    best_of_families,
    every_target,
    forecast,
)

SIGNAL = "quantum.calibration.two_qubit_error"
GOALS = (1e-3, 1e-4, 1e-6)
CUT = 2024
FAMILIES_OF_2026 = ("Heron r2", "Heron r3", "Nighthawk r1", "Eagle r3")
DECLINE, SCATTER, GOAL = -0.35, 0.4, -4.6
"""Of the simulated truth: change of ln(error) a year, its standard deviation around that, and the
logarithm of the threshold."""


def new_year(year: int) -> float:
    """1 January, UTC, in seconds since the epoch."""
    return datetime(year, 1, 1, tzinfo=UTC).timestamp()


def errors(before: int = 9999) -> list[Reading]:
    """The real snapshots' two-qubit errors, each at its own time, of years before `before`."""
    return [reading for reading in _all_errors() if reading.at < new_year(before)]


@cache
def _all_errors() -> list[Reading]:
    found = (reading for reading in Snapshots().run() if reading.signal == SIGNAL)
    return sorted(found, key=lambda one: one.at)


def points(readings: Sequence[Reading], fit: str) -> tuple[Point, ...]:
    """What a trigger with that `fit` is fitted to."""
    return best_of_families(readings, "below")[0] if fit == "best" else every_target(readings)


def day(moment: float) -> str:
    """A date, UTC."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d")


def families() -> Iterator[tuple[str, ...]]:
    """Family, first and last calibration, devices, best error and when, median over the devices."""
    readings = errors()
    for name in dict.fromkeys(reading.family for reading in readings):
        own = [reading for reading in readings if reading.family == name]
        best = min(own, key=lambda one: one.value)
        values = sorted(reading.value for reading in own)
        middle = (values[(len(values) - 1) // 2] + values[len(values) // 2]) / 2
        yield (
            name or "not given",
            day(own[0].at),
            day(own[-1].at),
            str(len(own)),
            f"{best.value:.2e}",
            day(best.at),
            f"{middle:.2e}",
        )


def lines() -> Iterator[tuple[str, ...]]:
    """Fit, calibrations before, points, factor a year, halving, R², and the years of the goals."""
    for fit in ("best", "all"):
        for before in range(2022, 2028):
            chosen = points(errors(before), fit)
            try:
                told = [forecast(chosen, goal, "below") for goal in GOALS]
            except NoForecast as refused:
                why = str(refused).removeprefix("no forecast: ")
                yield (fit, str(before), str(len(chosen)), why, "", "", "", "", "")
                continue
            first = told[0]
            yield (
                fit,
                str(before),
                str(len(chosen)),
                f"{first.pace:.2f}",
                f"{first.halving:.1f}" if first.halving else "never",
                f"{first.r2:.2f}",
                *(years(one, level=False) for one in told),
            )


def told_2026() -> Iterator[tuple[str, ...]]:
    """For each fit on the years before the cut: the line's value in April 2026, the range that nine
    of ten new points would lie in, and what came."""
    moment = datetime(2026, 4, 17, tzinfo=UTC).timestamp()
    late = [reading for reading in errors() if reading.at >= new_year(2026)]
    best = min(reading.value for reading in late)
    values = sorted(reading.value for reading in late)
    middle = (values[(len(values) - 1) // 2] + values[len(values) // 2]) / 2
    for fit in ("best", "all"):
        chosen = points(errors(CUT), fit)
        trend = forecast(chosen, GOALS[0], "below")
        low, high = band(trend, moment)
        yield (
            fit,
            str(len(chosen)),
            f"{trend.at(moment):.2e}",
            f"{low:.1e} to {high:.1e}",
            f"{best:.2e}",
            f"{middle:.2e}",
        )


def families_2026() -> Iterator[tuple[str, ...]]:
    """Each family calibrated in 2026: its best and median then, as multiples of what the line of
    the best families before the cut says for that day."""
    trend = forecast(points(errors(CUT), "best"), GOALS[0], "below")
    for name in FAMILIES_OF_2026:
        own = sorted(
            (r for r in errors() if r.family == name and r.at >= new_year(2026)),
            key=lambda one: one.value,
        )
        middle = (own[(len(own) - 1) // 2].value + own[len(own) // 2].value) / 2
        said = trend.at(own[0].at)
        yield (
            name,
            str(len(own)),
            f"{own[0].value:.2e}",
            f"{middle:.2e}",
            f"{said:.2e}",
            f"{own[0].value / said:.1f}",
        )


def band(trend: Forecast, moment: float) -> tuple[float, float]:
    """The range in which a new point at that moment lies with 90 %, where the errors are normal:
    line ± t · s · sqrt(1 + 1/n + (x - mean)²/Sxx) (Draper and Smith, Applied Regression Analysis,
    3rd ed. 1998, §3.1)."""
    times = [point.at for point in trend.points]
    count = len(times)
    mean = math.fsum(times) / count
    spread = math.fsum((at - mean) ** 2 for at in times)
    residuals = [math.log(p.value / trend.at(p.at)) for p in trend.points]
    deviation = math.sqrt(math.fsum(r * r for r in residuals) / (count - 2))
    reach = deviation * math.sqrt(1 + 1 / count + (moment - mean) ** 2 / spread)
    reach *= student_95(count - 2)
    return trend.at(moment) * math.exp(-reach), trend.at(moment) * math.exp(reach)


def student_95(freedom: int) -> float:
    """The 95th percentile of Student's t, from the integral of its density (Simpson's rule)."""
    scale = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2))
    scale /= math.sqrt(freedom * math.pi)

    def density(x: float) -> float:
        return scale * (1 + x * x / freedom) ** (-(freedom + 1) / 2)

    low, high = 0.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        step = middle / 2000
        inner = math.fsum((4 if i % 2 else 2) * density(i * step) for i in range(1, 2000))
        area = step / 3 * (density(0) + inner + density(middle))
        low, high = (middle, high) if area < 0.45 else (low, middle)
    return low


DESIGNS = ("6 points over 5 years", "families before 2024", "families to 2026", "64 devices")
ERRORS = ("normal", "exponential")


def design(name: str) -> list[float]:
    """The moments of a made-up history, in seconds."""
    if name == "6 points over 5 years":
        return [year * YEAR for year in range(6)]
    if name == "64 devices":
        return [reading.at for reading in errors()]
    return [point.at for point in points(errors(CUT if "2024" in name else 9999), "best")]


def coverage(name: str, shape: str, trials: int) -> tuple[float, float, float]:
    """How often the interval holds the true crossing of a simulated trend, how often its later end
    is "never", and how often the plain percentile bootstrap of the points holds it. The truth
    declines by DECLINE a year and reaches the threshold some 13 years after its beginning."""
    chance = random.Random(f"{name} {shape}")
    times = design(name)
    truth = min(times) + GOAL / DECLINE * YEAR
    hits = never = plain = 0
    for _ in range(trials):
        made = tuple(
            Point(
                at,
                math.exp(DECLINE * (at - min(times)) / YEAR + SCATTER * _error(chance, shape)),
                "",
            )
            for at in times
        )
        trend = forecast(made, math.exp(GOAL), "below")
        first = math.inf if trend.earliest is None else trend.earliest
        last = math.inf if trend.latest is None else trend.latest
        hits += first <= truth <= last
        never += trend.latest is None
        first, last = percentile(made, random.Random(SEED))
        plain += first <= truth <= last
    return hits / trials, never / trials, plain / trials


def percentile(made: Sequence[Point], chance: random.Random) -> tuple[float, float]:
    """The ends of the usual interval: 1,000 resamples of the points, the middle 90 %."""
    pairs = [(point.at, math.log(point.value)) for point in made]
    crossings = sorted(_crossing(chance.choices(pairs, k=len(pairs))) for _ in range(1000))
    return crossings[50], crossings[950]


def _crossing(pairs: Sequence[tuple[float, float]]) -> float:
    count = len(pairs)
    at, level = (sum(column) / count for column in zip(*pairs, strict=True))
    spread = sum((x - at) ** 2 for x, _ in pairs)
    slope = sum((x - at) * y for x, y in pairs) / spread if spread else 0.0
    return at + (GOAL - level) / slope if slope < 0 else math.inf


def _error(chance: random.Random, shape: str) -> float:
    return chance.gauss(0, 1) if shape == "normal" else chance.expovariate(1) - 1


COVERED = ("history", "errors", "coverage", "ends at never", "plain percentile")


def covered(trials: int) -> Iterator[tuple[str, ...]]:
    """Coverage and the share of ends at never, with the plain percentile bootstrap beside it."""
    for name in DESIGNS:
        for shape in ERRORS:
            yield name, shape, *(f"{share:.0%}" for share in coverage(name, shape, trials))


TABLES = {
    "families": (
        families,
        ("family", "first", "last", "devices", "best", "reached", "median"),
    ),
    "lines": (
        lines,
        (
            "fit",
            "before",
            "points",
            "a year later",
            "halves in (y)",
            "R²",
            "1e-3",
            "1e-4",
            "1e-6",
        ),
    ),
    "told_2026": (
        told_2026,
        ("fit", "points", "predicted", "90 % range", "best of 2026", "median of 2026"),
    ),
    "families_2026": (
        families_2026,
        ("family", "devices", "best", "median", "predicted", "best ÷ predicted"),
    ),
}


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table as the page has it."""
    lines_ = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines_)


def main() -> None:
    """Print every table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=500)
    options = parser.parse_args()
    for name, (rows, header) in TABLES.items():
        print(f"\n{name}\n\n{markdown(header, list(rows()))}")
    print(f"\ncoverage\n\n{markdown(COVERED, list(covered(options.trials)))}")


if __name__ == "__main__":
    main()
