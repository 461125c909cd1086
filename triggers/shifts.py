"""A small shift that lasts, found by adding up: the tabular CUSUM on robust z-scores. Pure.

E. S. Page, "Continuous inspection schemes", Biometrika 41, 100 (1954); D. C. Montgomery,
"Introduction to Statistical Quality Control", chapter 9. What it costs and how soon it sees is in
docs/detectors.md, worked out by this very code.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from triggers.baseline import Level, Readings, newest, tail
from triggers.rule import Rule

SIDES = {"above": (1,), "below": (-1,), None: (1, -1)}


@dataclass(frozen=True, slots=True)
class Shift:
    """What the latest readings say of a shift to one side, `sign`: of how many sigmas on average,
    over how many `readings`, since when.

    `total` is the sum at the last reading, `over` at how many of those that are asked for it was
    beyond the threshold. `edge` is the value that the last reading had to pass for that.
    """

    sign: int
    total: float
    over: tuple[bool, ...]
    edge: float
    readings: int = 0
    sigmas: float = 0.0
    mean: float = 0.0
    since: float = 0.0

    @property
    def holds(self) -> bool:
        """Whether the sum is beyond the threshold at the last reading."""
        return self.over[-1]


def sums(scores: Iterable[float], allowance: float, threshold: float) -> list[float]:
    """The one-sided CUSUM at each score: S = max(0, S + z − k). What is carried on is no more than
    the threshold, so that a return shows after a few readings however long a shift has lasted; the
    first time that it is passed is the same."""
    found: list[float] = []
    carried = 0.0
    for score in scores:
        found.append(max(0.0, carried + score - allowance))
        carried = min(threshold, found[-1])
    return found


def shifts(rule: Rule, same: Readings, level: Level) -> list[Shift]:
    """The shift to each side that the rule looks at, over the latest of the readings of one setup;
    the spread of the level is more than 0."""
    latest = same[-(newest(rule, same) if level.fresh else tail(rule)) :]
    return [_to(rule, latest, level, sign) for sign in SIDES[rule.side]]


def _to(rule: Rule, latest: Readings, level: Level, sign: int) -> Shift:
    spread = level.spread or 1.0
    scores = [sign * (reading.value - level.value) / spread for reading in latest]
    found = sums(scores, rule.allowance, rule.limit)
    carried = min(rule.limit, found[-2]) if len(found) > 1 else 0.0
    edge = level.value + sign * (rule.limit + rule.allowance - carried) * spread
    asked = tuple(total > rule.limit for total in found[-rule.hold.of :])
    run = _run(found)
    if not run:
        return Shift(sign, found[-1], asked, edge)
    mean = sum(reading.value / run for reading in latest[-run:])
    sigmas = sum(score / run for score in scores[-run:])
    return Shift(sign, found[-1], asked, edge, run, sigmas, mean, latest[-run].at)


def _run(found: Sequence[float]) -> int:
    """Readings since the sum last was 0."""
    return next((k for k, total in enumerate(reversed(found)) if total == 0), len(found))


def sentence(rule: Rule, shift: Shift, level: Level) -> str:
    """The shift in words: "shifted down by 2.3 σ (0.9%) since 2026-11-25 14:05 UTC"."""
    if not shift.holds:
        return f"no shift: CUSUM {shift.total:.3g} of {rule.limit:g}"
    way = "up" if shift.sign > 0 else "down"
    share = f" ({_percent(shift.mean, level.value)})" if level.value else ""
    since = datetime.fromtimestamp(shift.since, UTC)
    return (
        f"shifted {way} by {shift.sigmas:.2g} σ{share} since {since:%Y-%m-%d %H:%M} UTC, "
        f"{shift.readings} reading{'s' * (shift.readings > 1)}: "
        f"CUSUM {shift.total:.3g} > {rule.limit:g}"
    )


def _percent(value: float, level: float) -> str:
    return f"{100 * abs(value / level - 1):.2g}%"
