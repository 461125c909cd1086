"""Readings by device family and year: how a signal has moved over years."""

from collections import defaultdict
from collections.abc import Iterable
from itertools import groupby
from statistics import median
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from monitor.sparkline import sparkline
from monitor.tables import TREND_WIDTH, cell, grid
from monitor.text import number
from storage.progress import families
from storage.store import Store

UNKNOWN = "not given"
LEGEND = "Devices, lowest, median, highest: of all the years. Bars: each year's median."
Readings = list[dict[str, Any]]


def rows(store: Store, readings: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row for each signal, family and year (UTC), by the family's first appearance: devices,
    and lowest, median and highest of what they were read at. Family "" is not known."""
    return [
        _row(signal, family, int(year), list(taken))
        for (signal, family), found in _grouped(store, readings).items()
        for year, taken in groupby(found, key=lambda one: one["at"][:4])
    ]


def _grouped(store: Store, readings: Iterable[dict[str, Any]]) -> dict[tuple[str, str], Readings]:
    """The readings of each signal and family, oldest first."""
    known = families(store)
    grouped: dict[tuple[str, str], Readings] = defaultdict(list)
    for reading in sorted(readings, key=lambda one: (one["signal"], one["at"])):
        grouped[reading["signal"], known.get(reading["target"], "")].append(reading)
    return grouped


def _row(signal: str, family: str, year: int, taken: list[dict[str, Any]]) -> dict[str, Any]:
    values = [reading["value"] for reading in taken]
    return {
        "signal": signal,
        "unit": taken[0]["unit"],
        "family": family,
        "year": year,
        "devices": len({reading["target"] for reading in taken}),
        "lowest": min(values),
        "median": median(values),
        "highest": max(values),
    }


def show(store: Store, readings: Iterable[dict[str, Any]]) -> RenderableType:
    """A table for each signal: a line a family, with the figures of all its years and its medians
    by year."""
    grouped = _grouped(store, readings)
    if not grouped:
        return Text(
            "No readings in this stretch of time; --since 7y looks at more.", style="yellow"
        )
    parts: list[RenderableType] = []
    for signal, group in groupby(grouped.items(), key=lambda one: one[0][0]):
        lines = [(family, found) for (_, family), found in group]
        unit = lines[0][1][0]["unit"]
        table = grid("family", "years", ">devices", ">lowest", ">median", ">highest", "medians")
        for family, found in lines:
            table.add_row(*_line(family, found, unit))
        parts += [cell(signal if _is_said(unit) else f"{signal} ({unit})", "bold"), table, Text()]
    return Group(*parts, Text(LEGEND, style="dim"))


def _line(family: str, found: Readings, unit: str) -> list[Text | str]:
    whole = _row("", family, 0, found)
    first, last = found[0]["at"][:4], found[-1]["at"][:4]
    span = first if first == last else f"{first}–{last}"
    shown = unit if _is_said(unit) else ""
    figures = [cell(number(whole[key], shown)) for key in ("lowest", "median", "highest")]
    years = [list(taken) for _, taken in groupby(found, key=lambda one: one["at"][:4])]
    medians = [median(one["value"] for one in taken) for taken in years]
    trend = sparkline(medians, TREND_WIDTH) if len(years) > 1 else ""
    return [cell(family or UNKNOWN), span, str(whole["devices"]), *figures, trend]


def _is_said(unit: str) -> bool:
    """Whether each number says its unit itself: a span, a size, an amount, or none at all."""
    return unit in ("", "1", "s", "B", "year") or unit.startswith("USD")
