"""Triggers that are about other triggers: "all" and "any". Pure: standings of the members in, a
verdict out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from storage.types import Standing
from triggers.check import Verdict
from triggers.rule import COMPOSITE, Rule

EVERYWHERE = "*"
"""The target of an "all" whose members share none: each may fire on a target of its own."""

_ABOUT_OTHERS = tuple(f"{kind} " for kind in COMPOSITE)
"""How the subjects of composites begin, and no others."""

Standings = Mapping[str, Sequence[Standing]]
"""Standings by trigger, one per target."""


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a composite on the target that speaks for it.

    `holds`: it fires there; None where it has no data, or no standing yet.
    """

    trigger: str
    target: str | None
    holds: bool | None
    why: str

    @property
    def label(self) -> str:
        """Which trigger on which target."""
        where = "" if self.target in (None, EVERYWHERE) else f" on {self.target}"
        return f"{self.trigger}{where}"


def is_composite(rule: Rule) -> bool:
    """Whether a rule is about other triggers."""
    return rule.when in COMPOSITE


def members_text(rule: Rule) -> str:
    """What a composite asks for: "all of a, b"."""
    return f"{rule.when} of {', '.join(rule.of)}"


def targets(rule: Rule, standings: Standings) -> tuple[str, ...]:
    """The targets that a composite is judged on, sorted.

    "any": every target that a member stands on. "all": those that every member stands on, and
    where there is none, "*" alone. A composite whose members were never judged waits on "*".
    """
    of_members = [{s.target for s in standings.get(name, ())} for name in rule.of]
    if rule.when == "any":
        return tuple(sorted(set().union(*of_members))) or (EVERYWHERE,)
    shared = set.intersection(*of_members) - {EVERYWHERE}
    return tuple(sorted(shared)) or (EVERYWHERE,)


def members(rule: Rule, target: str, standings: Standings) -> tuple[Member, ...]:
    """How each member stands, as far as a composite on `target` is concerned.

    Members of "any" are asked about that target alone, and those that never stood there are left
    out. An "all" on "*" takes each member where it comes nearest to firing.
    """
    found: list[Member] = []
    for name in rule.of:
        here: Iterable[Standing] = standings.get(name, ())
        if rule.when == "any" or target != EVERYWHERE:
            here = [standing for standing in here if standing.target == target]
        best = max(here, key=_nearness, default=None)
        if best is not None:
            found.append(Member(name, best.target, _holds(best), _why(best)))
        elif rule.when == "all":
            found.append(Member(name, None, None, "not judged yet"))
    return tuple(found)


def verdict(rule: Rule, target: str, standings: Standings, now: float) -> Verdict:
    """Judge a composite on one of its targets.

    "any": True if a member fires, else None if one is unknown, else False. "all": False if a
    member does not fire, else None if one is unknown, else True. The value is how many fire, the
    threshold how many must.
    """
    asked = members(rule, target, standings)
    answers = [member.holds for member in asked]
    decisive = rule.when == "any"
    holds: bool | None = not decisive
    if not answers or None in answers:
        holds = None
    if decisive in answers:
        holds = decisive
    return Verdict(
        holds,
        sentence(asked) or "no member has been judged yet",
        sustained=holds is True,
        clears=holds is False,
        at=now,
        value=float(answers.count(True)),
        threshold=float(len(rule.of) if rule.when == "all" else 1),
        unit="1",
        origin="derived",
    )


def sentence(asked: Iterable[Member]) -> str:
    """Who fires, who does not and of whom nothing is known, each on its target and why."""
    parts: list[str] = []
    known = list(asked)
    for answer, word in ((True, "fires"), (False, "does not fire"), (None, "unknown")):
        said = [_said(member) for member in known if member.holds is answer]
        parts += [f"{word}: {'; '.join(said)}"] if said else []
    return ". ".join(parts)


def order(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """The rules with every member before the composites that it is of.

    Members that are not among the rules are no concern of it. Raises ValueError naming a circle
    in full ("a → b → a").
    """
    named = {rule.name: rule for rule in rules}
    try:
        return tuple(named[name] for name in _sorter(named).static_order())
    except CycleError:
        raise ValueError(" → ".join(circle(named.values()))) from None


def circle(rules: Iterable[Rule]) -> tuple[str, ...]:
    """Composites that are of each other, from the first in the file on round to itself ("a", "b",
    "a"); nothing where there are none."""
    named = {rule.name: rule for rule in rules}
    try:
        _sorter(named).prepare()
    except CycleError as error:
        # the sorter goes the other way round, and names where it began at both ends
        ring = error.args[1][:0:-1]
        names = list(named)
        start = min(range(len(ring)), key=lambda index: names.index(ring[index]))
        return (*ring[start:], *ring[: start + 1])
    return ()


def _sorter(named: Mapping[str, Rule]) -> TopologicalSorter[str]:
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for rule in named.values():
        sorter.add(rule.name, *(name for name in rule.of if name in named))
    return sorter


def _holds(standing: Standing) -> bool | None:
    return {"firing": True, "no-data": None}.get(standing.state, False)


def _nearness(standing: Standing) -> int:
    """Firing speaks before unknown, and unknown before the rest."""
    return {"firing": 2, "no-data": 1}.get(standing.state, 0)


def _why(standing: Standing) -> str:
    """The reason of a member; of a composite among them how many fire, since its own sentence
    would put one into the other."""
    if standing.subject.startswith(_ABOUT_OTHERS) and standing.value is not None:
        return f"{standing.value:.0f} of its members fire"
    return standing.why


def _said(member: Member) -> str:
    return f"{member.label} ({member.why})" if member.why else member.label
