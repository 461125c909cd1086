"""What a `crosses` trigger would have said as its readings came in."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.foresee.covering import Row
from storage import history, progress
from storage.store import Store
from storage.thinning import MONTH
from storage.types import Reading
from triggers.crossing import crossing
from triggers.ensemble import Judgement
from triggers.episodes import tally
from triggers.levels import Floats
from triggers.replay import Batch, Event
from triggers.rule import Rule


@dataclass(frozen=True, slots=True)
class Crossed:
    """What a trend said. `moments` are those at which a reading was judged, `first` and `last`
    those of the first and the last reading; `readings` is how many there are."""

    unit: str
    readings: int
    refused: int
    moments: tuple[float, ...] = ()
    events: tuple[Event, ...] = ()
    judgements: tuple[Judgement, ...] = ()


def trend(store: Store, rule: Rule, span: tuple[float, float]) -> dict[str, Row]:
    """The one row of a trend, on its pattern; none where nothing was ever read. All readings count
    that its line rests on, those before the span too."""
    found = crossed(store, rule, span)
    if not found.readings and not found.refused:
        return {}
    since, until = span
    if not found.moments:
        return {rule.target: Row(found.unit, 0, found.refused, since, None, None)}
    since = max(since, found.moments[0])
    told = tally(found.events, since, until)
    last = found.moments[-1]
    return {rule.target: Row(found.unit, found.readings, found.refused, since, last, told)}


def crossed(store: Store, rule: Rule, span: tuple[float, float]) -> Crossed:
    """A trend from so long before the span as it may go on firing, to its end."""
    since, until = span
    unit, targets = progress.targets(store, rule.signal or "", rule.target)
    families = progress.families(store)
    readings, refused = 0, 0
    kept: list[tuple[float, Reading]] = []
    judged: list[Floats] = [np.zeros(0)]
    for target in targets:
        seen = history.readings(store, rule.signal or "", target, rule.accept, until=until)
        moments = history.ended(store, rule.signal or "", target, seen.at)
        moments = moments[moments <= until]
        readings, refused = readings + len(moments), refused + seen.refused
        judged.append(moments)
        for k in _records(seen.at[: len(moments)], seen.value[: len(moments)]):
            at, family = float(seen.at[k]), families.get(target, "")
            origin = history.origin(store, rule.signal or "", target, at)
            made = Reading(
                rule.signal or "",
                target,
                float(seen.value[k]),
                next(one for one in rule.accept if one == origin),
                at=at,
                family=family,
            )
            kept.append((float(moments[k]), made))
    times = np.unique(np.concatenate(judged))
    if not len(times):
        return Crossed(unit, readings, refused)
    first = max(0, int(np.searchsorted(times, since - rule.keep_firing_for, "right")) - 1)
    events, judgements = crossing(rule, unit, _batches(kept), tuple(times[first:].tolist()), until)
    return Crossed(unit, readings, refused, tuple(times.tolist()), events, judgements)


def _records(at: Floats, value: Floats) -> list[int]:
    """The places of the readings that are the lowest or the highest of their month so far."""
    found: list[NDArray[np.intp]] = []
    edges = np.flatnonzero(np.diff(at // MONTH)) + 1
    for places in np.split(np.arange(len(at)), edges):
        if not len(places):
            continue
        month = value[places]
        low, high = np.minimum.accumulate(month), np.maximum.accumulate(month)
        new = np.ones(len(places), dtype=np.bool_)
        new[1:] = (low[1:] < low[:-1]) | (high[1:] > high[:-1])
        found.append(places[new])
    return [int(k) for places in found for k in places]


def _batches(kept: list[tuple[float, Reading]]) -> Iterator[Batch]:
    """Readings that are judged together, in order."""
    together: dict[float, list[Reading]] = {}
    for moment, reading in sorted(kept, key=lambda one: one[0]):
        together.setdefault(moment, []).append(reading)
    for moment, readings in together.items():
        yield Batch(moment, tuple(readings))
