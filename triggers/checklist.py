"""The re-evaluation checklist: questions, each with what must hold and what nobody measures yet.
Pure: standings in, judgements and one verdict line out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from pydantic import BaseModel, ConfigDict, Field

from storage.types import Origin, Standing
from triggers.check import Verdict
from triggers.composite import members_text
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


_Found = Mapping[str, Mapping[str, Standing]]
"""Standings by trigger and target."""


def judge(
    item: Item, rules: Mapping[str, Rule], standings: Mapping[str, Sequence[Standing]]
) -> Judgement:
    """Judge one item. `standings` lists, by trigger, one standing per target.

    Triggers that stand on common targets are about one thing, and one target must satisfy all of
    them: qubits on one device and low errors on another are no device with both. They are shown on
    the target that comes nearest: most of them firing, then most of them known, then the best of
    the smallest ratios. A trigger that shares no target with the others, and one about runs
    (`fails`), is judged alone in the same way.
    """
    asked = [rules[name] for name in item.requires]
    found = {rule.name: {s.target: s for s in standings.get(rule.name, ())} for rule in asked}
    chosen: dict[str, str | None] = {}
    for group in _groups(asked, found):
        target = _nearest(group, found)
        chosen |= {rule.name: target for rule in group}
    measured = [_criterion(r, chosen[r.name], found[r.name]) for r in asked]
    criteria = (*measured, *(_gap(text) for text in item.gaps))
    answers = [criterion.holds for criterion in criteria]
    holds = False if False in answers else None if None in answers or not answers else True
    return Judgement(item.name, item.question, holds, criteria)


def _groups(asked: Iterable[Rule], found: _Found) -> list[list[Rule]]:
    """The rules by what they share: one group where targets are common, directly or by a third."""
    groups: list[list[Rule]] = []
    for rule in asked:
        met = [group for group in groups if any(_meet(rule, other, found) for other in group)]
        apart = [group for group in groups if group not in met]
        groups = [*apart, [*chain.from_iterable(met), rule]]
    return groups


def _meet(one: Rule, other: Rule, found: _Found) -> bool:
    if "fails" in (one.when, other.when):  # its targets are probes, whatever they are called
        return False
    return not found[one.name].keys().isdisjoint(found[other.name])


def _nearest(group: Sequence[Rule], found: _Found) -> str | None:
    """The target that comes nearest to satisfying all rules of a group; None where none stands."""
    targets = dict.fromkeys(target for rule in group for target in found[rule.name])

    def nearness(target: str) -> tuple[int, int, float]:
        here = [(rule, found[rule.name].get(target)) for rule in group]
        states = [standing.state for _, standing in here if standing]
        ways = [ratio(r, s.value, s.threshold) if s else None for r, s in here]
        known = len(states) - states.count("no-data")
        return states.count("firing"), known, min(way or 0.0 for way in ways)

    return max(targets, key=nearness, default=None)


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


def _criterion(rule: Rule, target: str | None, here: Mapping[str, Standing]) -> Criterion:
    best = None if target is None else here.get(target)
    subject = rule.signal or (f"runs of {rule.probe}" if rule.probe else members_text(rule))
    if best is None:
        where = "" if target is None else f" on {target}"
        why = f"nothing has been measured for it{where} yet"
        fixed = _fixed(rule)
        return Criterion(
            rule.name, subject, target, None, "", fixed, None, None, None, None, why, rule.when
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
    return rule.limit if rule.when in ("above", "below", "crosses") else None


def ratio(rule: Rule, value: float | None, threshold: float | None) -> float | None:
    """How much of the way to the threshold is gone; None where no ratio can be taken."""
    if value is None or threshold is None or value <= 0 or threshold <= 0:
        return None
    less = rule.when in ("below", "drops") or rule.side == "below"
    return threshold / value if less else value / threshold
