"""What a rule would have been judged on: its targets in the stored history, and their readings."""

from collections.abc import Callable
from dataclasses import dataclass

from monitor.config import Config
from monitor.subjects import covered
from storage import history
from storage.history import Stretch
from storage.store import Store
from triggers.backtest import Past, backtest
from triggers.check import lookback
from triggers.episodes import Tally, tally
from triggers.rule import KEYED, Rule

WARM = 2
"""So many lookbacks are judged before the stretch that is asked for, and not counted: a trigger
may have fired, or hold a baseline, from before it."""


@dataclass(frozen=True, slots=True)
class Covered:
    """One target of a rule: its readings, how many of them lie in the stretch that is asked for,
    and since when it is judged there."""

    past: Past
    readings: int
    refused: int
    since: float


@dataclass(frozen=True, slots=True)
class Row:
    """What a rule did on one target, and what that rests on: how many readings, since when, and
    the last of them. Nothing is known where none was accepted."""

    unit: str
    readings: int
    refused: int
    since: float
    last: float | None
    tally: Tally | None


Load = Callable[[Rule, str], Covered | None]


def targets(store: Store, config: Config, rule: Rule) -> list[str]:
    """The targets that a rule covers: those that the service would judge it on."""
    known = {target for signal, target, _ in store.names() if signal == rule.signal}
    return covered(rule, config.probes, known)


def loader(store: Store, since: float, until: float, *rules: Rule) -> Load:
    """Readings of a target for any of `rules`; those of the last target are kept, since two rules
    are often about the same ones."""
    before = tuple(WARM * max(lookback(rule)[n] for rule in rules) for n in (0, 1))
    reach = (float(before[0]), int(before[1]))
    kept: dict[tuple[str | None, str, tuple[str, ...], bool], Covered | None] = {}

    def load(rule: Rule, target: str) -> Covered | None:
        key = (rule.signal, target, rule.accept, rule.when in KEYED)
        if key not in kept:
            kept.clear()
            found = _stretch(store, rule, target, (since, until), reach)
            kept[key] = _covered(found, _setups(store, rule, found), since)
        return kept[key]

    return load


def one_row(rule: Rule, covered: Covered, until: float) -> Row:
    """What the rule would have done on one target."""
    past, found, last = covered.past, None, None
    if len(past.at):
        events, _ = backtest(rule, past, begin=float(past.at[0]), end=until)
        found, last = tally(events, covered.since, until), float(past.at[-1])
    return Row(past.unit, covered.readings, covered.refused, covered.since, last, found)


def _stretch(
    store: Store,
    rule: Rule,
    target: str,
    span: tuple[float, float],
    before: tuple[float, int],
) -> Stretch:
    since, until = span
    if rule.when == "fails":
        return history.runs(store, target, since=since, until=until, before=before)
    return history.readings(
        store, rule.signal or "", target, rule.accept, since=since, until=until, before=before
    )


def _setups(store: Store, rule: Rule, found: Stretch) -> tuple[str, ...]:
    """What the readings were made with, where the rule asks whether they compare."""
    if rule.when not in KEYED:
        return ()
    return history.setups(store, rule.signal or "", found.target, found.at)


def _covered(found: Stretch, setups: tuple[str, ...], since: float) -> Covered | None:
    if not len(found.at) and not found.refused:
        return None
    past = Past(found.unit, found.target, found.at, found.value, found.ends, found.notes, setups)
    inside = int((found.at >= since).sum())
    first = float(found.at[0]) if len(found.at) else since
    return Covered(past, inside, found.refused, max(since, first))
