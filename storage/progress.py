"""The readings that a long trend is fitted to: all matching targets of a signal in one series."""

from collections.abc import Container, Iterator, Sequence
from fnmatch import fnmatchcase

from storage.store import Store
from storage.thinning import thinned
from storage.types import ORIGINS, Origin, Reading, Series


def progress(
    store: Store, signal: str, pattern: str = "*", accept: Container[str] = ORIGINS
) -> Series:
    """Every accepted reading of a signal on the targets that match, oldest first, thinned.

    The series' target is the pattern; each reading names its own target, and its family where that
    is known. A pattern that is the name of a target means that one. Where no reading is accepted
    the last one that is refused, as in `Store.window`.
    """
    unit, targets = _targets(store, signal, pattern)
    accepted = [origin for origin in ORIGINS if origin in accept]
    found = thinned(r for target in targets for r in _distinct(store, signal, target, accepted))
    if not found:
        refused = (store.window(signal, target).readings[-1:] for target in targets)
        latest = [reading for one in refused for reading in one]
        found = tuple(sorted(latest, key=lambda one: one.at)[-1:])
    return Series(signal, unit, pattern, found)


def _targets(store: Store, signal: str, pattern: str) -> tuple[str, list[str]]:
    named = {target: unit for name, target, unit in store.names(past=True) if name == signal}
    unit = next(iter(named.values()), "")
    if pattern in named:  # a name with signs of a pattern in it is a name first
        return unit, [pattern]
    return unit, [target for target in named if fnmatchcase(target, pattern)]


def _distinct(
    store: Store, signal: str, target: str, origins: Sequence[Origin]
) -> Iterator[Reading]:
    """Every value that a target has had, each at its earliest: SQLite takes the other columns of a
    group from the row that `min` chose (https://www.sqlite.org/lang_select.html#bareagg)."""
    marks = ", ".join("?" for _ in origins)
    rows = store.connection.execute(
        "SELECT min(samples.at) AS at, value, sigma, origin, note,"  # noqa: S608 marks alone
        " coalesce((SELECT family FROM families WHERE families.target = series.target), '')"
        " AS family FROM samples JOIN series ON series.id = samples.series"
        " JOIN signals ON signals.id = series.signal"
        f" WHERE name = ? AND series.target = ? AND origin IN ({marks}) GROUP BY value",
        (signal, target, *origins),
    )
    for at, value, sigma, origin, note, family in rows:
        yield Reading(signal, target, value, origin, sigma, at / 1000, note, family)
