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
LEGEND = "Devices, lowest, median and highest are of the last of the years."


def rows(store: Store, readings: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row for each signal, family and year (UTC), by the family's first appearance: devices,
    and lowest, median and highest of what they were read at. Family "" is not known."""
    known = families(store)
    grouped: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for reading in sorted(readings, key=lambda one: (one["signal"], one["at"])):
        grouped[reading["signal"], known.get(reading["target"], "")].append(reading)
    return [
        _row(signal, family, int(year), list(taken))
        for (signal, family), found in grouped.items()
        for year, taken in groupby(found, key=lambda one: one["at"][:4])
    ]


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


def show(found: list[dict[str, Any]]) -> RenderableType:
    """A table for each signal: a line a family, its last year's figures and its medians by year."""
    if not found:
        return Text(
            "No readings in this stretch of time; --since 7y looks at more.", style="yellow"
        )
    parts: list[RenderableType] = []
    for signal, group in groupby(found, key=lambda row: row["signal"]):
        table = grid("family", "years", ">devices", ">lowest", ">median", ">highest", "medians")
        for family, lines in groupby(group, key=lambda row: row["family"]):
            table.add_row(*_line(family, list(lines)))
        parts += [cell(signal, "bold"), table, Text()]
    return Group(*parts, Text(LEGEND, style="dim"))


def _line(family: str, years: list[dict[str, Any]]) -> list[Text | str]:
    first, last = years[0], years[-1]
    span = str(first["year"]) if first is last else f"{first['year']}–{last['year']}"
    figures = [cell(number(last[key], last["unit"])) for key in ("lowest", "median", "highest")]
    trend = sparkline([row["median"] for row in years], TREND_WIDTH) if len(years) > 1 else ""
    return [cell(family or UNKNOWN), span, str(last["devices"]), *figures, trend]
