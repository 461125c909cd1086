"""The re-evaluation checklist: questions, each with what must hold and what nobody measures yet.
Pure: standings in, judgements and one verdict line out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from storage.types import Origin, Standing
from triggers.check import Verdict
from triggers.rule import Rule, When


class Item(BaseModel):
    """A `[checklist.NAME]` table. `requires` names triggers; `gaps` says what is not measured."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    question: str
    requires: tuple[str, ...] = Field(default=())
    gaps: tuple[str, ...] = Field(default=())


@dataclass(frozen=True, slots=True)
class Criterion:
    """One requirement, on the target that comes nearest to it.

    `ratio` is how much of the way is gone: value ÷ threshold where more is asked for, threshold ÷
    value where less is; 1 or more means there. A gap has neither trigger nor value.
    """

    trigger: str | None
    signal: str | None
    target: str | None
    value: float | None
    unit: str
    threshold: float | None
    origin: Origin | None
    read_at: float | None
    ratio: float | None
    holds: bool | None
    why: str
    when: When | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """An item judged: True when all hold, False when one does not, None while one is unknown."""

    name: str
    question: str
    holds: bool | None
    criteria: tuple[Criterion, ...]


def judge(
    item: Item, rules: Mapping[str, Rule], standings: Mapping[str, Sequence[Standing]]
) -> Judgement:
    """Judge one item. `standings` lists, by trigger, one standing per target."""
    measured = [_criterion(rules[name], standings.get(name, ())) for name in item.requires]
    criteria = (*measured, *(_gap(text) for text in item.gaps))
    answers = [criterion.holds for criterion in criteria]
    holds = False if False in answers else None if None in answers or not answers else True
    return Judgement(item.name, item.question, holds, criteria)


def verdict(judgements: Iterable[Judgement]) -> str:
    """The line that an engineering lead reads."""
    answers = [judgement.holds for judgement in judgements]
    yes, no, unknown = answers.count(True), answers.count(False), answers.count(None)
    if not answers:
        return "No checklist is configured: nothing to judge."
    tally = f"{yes} of {len(answers)} hold, {no} do not, {unknown} cannot be told yet"
    if yes == len(answers):
        return f"Plan for quantum: every question is answered with yes ({tally})."
    if yes:
        return f"Re-evaluate: {tally}."
    return f"GPUs first, keep watching: {tally}."


def as_rule(judgement: Judgement) -> Rule:
    """An item as a trigger on itself, so that one state machine decides what is told."""
    name = f"checklist.{judgement.name}"
    return Rule(name=name, signal=name, when="above", threshold=0, target="*", severity="page")


def as_verdict(judgement: Judgement, now: float) -> Verdict:
    """An item's answer as a verdict: unknown is no data, which changes nothing that was told."""
    open_ones = [c for c in judgement.criteria if c.holds is not True]
    why = (
        "every criterion holds"
        if not open_ones
        else "; ".join(f"{c.trigger or 'not measured yet'}: {c.why}" for c in open_ones)
    )
    holds = judgement.holds
    return Verdict(holds, why, sustained=holds is True, clears=holds is False, at=now)


def _criterion(rule: Rule, standings: Sequence[Standing]) -> Criterion:
    best = max(standings, key=lambda standing: _nearness(rule, standing), default=None)
    subject = rule.signal or f"runs of {rule.probe}"
    if best is None:
        why = "nothing has been measured for it yet"
        return Criterion(
            rule.name, subject, None, None, "", _fixed(rule), None, None, None, None, why, rule.when
        )
    holds = {"firing": True, "no-data": None}.get(best.state, False)
    threshold = best.threshold if best.threshold is not None else _fixed(rule)
    return Criterion(
        rule.name,
        subject,
        best.target,
        best.value,
        best.unit,
        threshold,
        best.origin,
        best.read_at,
        ratio(rule, best.value, threshold),
        holds,
        best.why,
        rule.when,
    )


def _gap(text: str) -> Criterion:
    return Criterion(None, None, None, None, "", None, None, None, None, None, text)


def _fixed(rule: Rule) -> float | None:
    return rule.limit if rule.when in ("above", "below") else None


def _nearness(rule: Rule, standing: Standing) -> tuple[bool, bool, float]:
    reached = ratio(rule, standing.value, standing.threshold)
    return standing.state == "firing", standing.state != "no-data", reached or 0.0


def ratio(rule: Rule, value: float | None, threshold: float | None) -> float | None:
    """How much of the way to the threshold is gone; None where no ratio can be taken."""
    if value is None or threshold is None or value <= 0 or threshold <= 0:
        return None
    return threshold / value if rule.when in ("below", "drops") else value / threshold
