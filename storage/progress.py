"""The readings that a long trend is fitted to: all matching targets of a signal in one series."""

from collections.abc import Container, Iterator, Sequence
from fnmatch import fnmatchcase

from storage.store import Store, milliseconds
from storage.thinning import MONTH, thinned
from storage.types import ORIGINS, Origin, Reading, Series

_MONTH = milliseconds(MONTH)


def progress(
    store: Store, signal: str, pattern: str = "*", accept: Container[str] = ORIGINS
) -> Series:
    """Every accepted reading of a signal on the targets that match, oldest first, thinned.

    The series' target is the pattern; each reading names its own target, and its family where that
    is known. A pattern that is the name of a target means that one. Where no reading is accepted
    the last one that is refused, as in `Store.window`.
    """
    unit, found_on = targets(store, signal, pattern)
    accepted = [origin for origin in ORIGINS if origin in accept]
    found = thinned(r for target in found_on for r in _ends(store, signal, target, accepted))
    if not found:
        refused = (store.window(signal, target).readings[-1:] for target in found_on)
        latest = [reading for one in refused for reading in one]
        found = tuple(sorted(latest, key=lambda one: one.at)[-1:])
    return Series(signal, unit, pattern, found)


def families(store: Store) -> dict[str, str]:
    """The family of every target that has one."""
    rows = store.connection.execute("SELECT target, family FROM families").fetchall()
    return {row["target"]: row["family"] for row in rows}


def targets(store: Store, signal: str, pattern: str) -> tuple[str, list[str]]:
    """The unit of a signal, and the targets of it that match, those of the past too."""
    named = {target: unit for name, target, unit in store.names(past=True) if name == signal}
    unit = next(iter(named.values()), "")
    if pattern in named:  # a name with signs of a pattern in it is a name first
        return unit, [pattern]
    return unit, [target for target in named if fnmatchcase(target, pattern)]


def _ends(store: Store, signal: str, target: str, origins: Sequence[Origin]) -> Iterator[Reading]:
    """The lowest and the highest of each month, each at its earliest. SQLite looks for them: ten
    years of polls must not pass through Python at each judgement."""
    ask = store.connection.execute
    [series, family] = ask(
        "SELECT series.id, coalesce(family, '') FROM series"
        " JOIN signals ON signals.id = series.signal"
        " LEFT JOIN families ON families.target = series.target"
        " WHERE name = ? AND series.target = ?",
        (signal, target),
    ).fetchone()
    wanted = f"series = ? AND origin IN ({', '.join('?' for _ in origins)})"
    months = ask(
        "SELECT at / ?, min(value), max(value) FROM samples"  # noqa: S608 marks alone
        f" WHERE {wanted} GROUP BY 1",
        (_MONTH, series, *origins),
    ).fetchall()
    for month, lowest, highest in months:
        for value in {lowest, highest}:
            at, sigma, origin, note = ask(
                f"SELECT at, sigma, origin, note FROM samples WHERE {wanted}"  # noqa: S608
                " AND at >= ? AND at < ? AND value = ? ORDER BY at LIMIT 1",
                (series, *origins, month * _MONTH, (month + 1) * _MONTH, value),
            ).fetchone()
            yield Reading(signal, target, value, origin, sigma, at / 1000, note, family)
