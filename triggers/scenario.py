"""Scenarios: what may come, and which way each of its indicators points now. Pure: readings,
milestones and now in, findings and one line out. Indicators are counted; none has a weight, and a
count is no probability."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from storage.types import Reading, Series
from triggers.check import Verdict, check
from triggers.milestone import Milestone, last_day
from triggers.rule import Rule

Points = Literal["toward", "away", "unknown"]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SignalIndicator(_Table):
    """An indicator that readings decide: a rule, held against every target that it matches.

    It points to `holds` where the rule holds on `any` of the targets that can be told, or on `all`
    of them, and to `otherwise` where it does not. Readings older than `max_age` say
    nothing. A rule that crosses is one about the trend of all its targets, whatever their age; it
    holds where that reaches the threshold within `horizon`. `source` and `url` are where the
    threshold comes from.
    """

    id: str
    says: str
    signal: str
    when: Literal["above", "below", "drops", "rises", "crosses"]
    threshold: float | str
    baseline: str | None = None
    side: Literal["above", "below"] | None = None
    horizon: str | None = None
    target: str = "*"
    over: Literal["any", "all"] = "any"
    holds: Points = "toward"
    otherwise: Points = "away"
    max_age: str = "90d"
    source: str
    url: str

    @cached_property
    def rule(self) -> Rule:
        """The rule that every target is held against. Raises ValidationError."""
        table: dict[str, Any] = {
            "name": self.id,
            "signal": self.signal,
            "when": self.when,
            "threshold": self.threshold,
            "target": self.target,
            "max_age": None if self.when == "crosses" else self.max_age,
            "baseline": self.baseline,
            "side": self.side,
            "horizon": self.horizon,
        }
        return Rule.model_validate({key: said for key, said in table.items() if said is not None})


class MilestoneIndicator(_Table):
    """An indicator that a milestone decides: where it points once that is met, and once it is
    missed or has slipped. Until then it points nowhere."""

    id: str
    says: str
    milestone: str
    met: Points
    missed: Points


Indicator = SignalIndicator | MilestoneIndicator


class Scenario(_Table):
    """One `[scenario.NAME]` of triggers/scenarios.toml. `means` is what it would mean for somebody
    who plans a cluster."""

    name: str
    letter: str
    title: str
    means: str
    indicator: tuple[Indicator, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Finding:
    """Which way an indicator points, and the evidence: a reading or a milestone, where there is
    one, and the reason in words."""

    indicator: Indicator
    points: Points
    why: str
    reading: Reading | None = None
    unit: str = ""
    threshold: float | None = None
    milestone: Milestone | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """A scenario with all that was found on it."""

    scenario: Scenario
    findings: tuple[Finding, ...]

    def count(self, points: Points) -> int:
        """How many indicators point that way."""
        return sum(finding.points == points for finding in self.findings)

    @property
    def known(self) -> int:
        """How many indicators point anywhere."""
        return self.count("toward") + self.count("away")

    @property
    def surplus(self) -> int:
        """How many more point toward the scenario than away from it."""
        return self.count("toward") - self.count("away")


def judge(
    scenario: Scenario,
    series: Callable[[Rule], Sequence[Series]],
    milestones: Mapping[str, Milestone],
    now: float,
) -> Judged:
    """Judge one scenario. `series` gives the end of each series that a rule is about, as long as
    `triggers.check.lookback` asks; `milestones` are by id. Raises KeyError for an unknown one."""
    findings = (
        _of_signal(one, series(one.rule), now)
        if isinstance(one, SignalIndicator)
        else _of_milestone(one, milestones[one.milestone], now)
        for one in scenario.indicator
    )
    return Judged(scenario, tuple(findings))


def _of_signal(indicator: SignalIndicator, found: Sequence[Series], now: float) -> Finding:
    verdicts = [(check(indicator.rule, one, now), one) for one in found]
    told = [pair for pair in verdicts if pair[0].holds is not None]
    if not told:
        return _untold(indicator, verdicts)
    answers = [verdict.holds is True for verdict, _ in told]
    holds = any(answers) if indicator.over == "any" else all(answers)
    verdict, series = _decisive(indicator, told)
    points: Points = indicator.holds if holds else indicator.otherwise
    why = verdict.why if indicator.when == "crosses" else f"{verdict.why}, on {series.target}"
    why += f" ({len(told)} targets told)" if len(told) > 1 else ""
    # of a trend it is the best reading so far that is shown
    reading = next(one for one in reversed(series.readings) if one.value == verdict.value)
    return Finding(indicator, points, why, reading, series.unit, verdict.threshold)


def _untold(indicator: SignalIndicator, verdicts: Sequence[tuple[Verdict, Series]]) -> Finding:
    """Nothing counts. What was read and does not count is shown all the same."""
    seen = [(verdict, one.readings[-1], one.unit) for verdict, one in verdicts if one.readings]
    if not seen:
        return Finding(indicator, "unknown", "not measured yet")
    verdict, reading, unit = max(seen, key=lambda each: each[1].at)
    why = (
        f"there are only {reading.origin} readings, which do not count"
        if verdict.refused
        else verdict.why
    )
    return Finding(indicator, "unknown", why, reading, unit)


def _decisive(
    indicator: SignalIndicator, told: Sequence[tuple[Verdict, Series]]
) -> tuple[Verdict, Series]:
    """The target that decides: the furthest one for `any`, for `all` the one furthest behind."""
    upward = indicator.when in ("above", "rises")
    furthest = max if upward is (indicator.over == "any") else min

    def way(pair: tuple[Verdict, Series]) -> float:
        verdict = pair[0]
        value = verdict.value or 0.0
        # relative rules compare targets that have levels of their own
        return value / verdict.baseline if verdict.baseline else value

    return furthest(told, key=way)


def _of_milestone(indicator: MilestoneIndicator, milestone: Milestone, now: float) -> Finding:
    points: Points = "unknown"
    if milestone.status == "met":
        points, why = indicator.met, f"met {milestone.since}"
        if milestone.due is None:
            why = f"published {milestone.since}"
    elif milestone.status == "missed":
        points, why = indicator.missed, f"was due {milestone.due} and was missed"
    elif milestone.status == "slipped":
        points = indicator.missed
        why = f"was due {milestone.due}, has slipped to {milestone.moved_to}"
    else:
        why = _not_yet(milestone, now)
    return Finding(indicator, points, why, milestone=milestone)


def _not_yet(milestone: Milestone, now: float) -> str:
    today = datetime.fromtimestamp(now, UTC).date()
    if last_day(milestone.due or milestone.since) < today:
        return f"was due {milestone.due}: please confirm what came of it"
    if milestone.status == "open":
        return f"due {milestone.due}; what came of it is not confirmed"
    return f"due {milestone.due}"


def leading(judged: Sequence[Judged]) -> list[Judged]:
    """The scenarios that most speaks for: those with the largest surplus of indicators toward them
    over those away; none where no surplus is above 0.

    A surplus and no share: one known indicator of ten would be all of what is known.
    """
    most = max((one.surplus for one in judged), default=0)
    return [one for one in judged if one.surplus == most > 0]


WAY_OUT = "Run `qrossover backfill snapshots` once, and let the service run."


def headline(judged: Sequence[Judged]) -> str:
    """The line that an engineering lead reads."""
    if not any(one.known for one in judged):
        return "Nothing can be told yet: no indicator of any scenario is known."
    found = leading(judged)
    if any(one.known * 2 < len(one.findings) for one in found):
        counts = "; ".join(
            f"{one.scenario.letter}: {one.known} of {len(one.findings)}" for one in judged
        )
        return f"Too little is known to name a scenario (indicators known: {counts}). {WAY_OUT}"
    if not found:
        counts = "; ".join(f"{_named(one)}: {one.count('toward')} of {one.known}" for one in judged)
        return f"For none of the scenarios more speaks than against it ({counts})."
    return f"Of the scenarios, most speaks for {'; and for '.join(map(_tally, found))}."


def _tally(one: Judged) -> str:
    unknown = one.count("unknown")
    rest = f", {unknown} cannot be told yet" if unknown else ""
    known = "known indicator points" if one.known == 1 else "known indicators point"
    return f"{_named(one)}: {one.count('toward')} of {one.known} {known} to it{rest}"


def _named(one: Judged) -> str:
    return f"{one.scenario.letter} ({one.scenario.title.lower()})"
