"""A series as a chart of text: the range of its readings over time, thresholds, and alarms."""

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from monitor.text import number

ROWS = 10
MARGIN = 13
"""Columns for the numbers on the left."""
READING, THRESHOLD, CHANGED = "█", "─", "╌"
DATES = 4
"""So many dates stand under the axis."""
LONG = 10 * 86400.0
"""Days are enough to tell columns of a longer time apart."""
DATE_WIDTH = 16


def chart(
    columns: Sequence[dict[str, Any]], unit: str, spans: Sequence[tuple[str, Iterable[Any]]]
) -> list[str]:
    """Lines of text: `columns` as `trace.py` gives them, the marks of `spans` (a sign, and
    (from, to) as ISO moments; to null means to the end) under the time axis.

    Nothing where no column has a reading.
    """
    numbers = [
        column[key]
        for column in columns
        for key in ("low", "high", "threshold", "changed_threshold")
        if column[key] is not None
    ]
    if all(column["low"] is None for column in columns):
        return []
    low, high = min(numbers), max(numbers)
    if low == high:
        low, high = low - (abs(low) or 1.0) / 10, high + (abs(high) or 1.0) / 10
    picture = [[" "] * len(columns) for _ in range(ROWS)]
    for index, column in enumerate(columns):
        _draw(picture, index, column, (low, high))
    labels = _labels(columns, (low, high), unit)
    lines = [
        f"{labels.get(row, ''):>{MARGIN - 2}} ┤{''.join(cells)}".rstrip()
        for row, cells in enumerate(picture)
    ]
    lines.append(f"{'':>{MARGIN - 2}} └{'─' * len(columns)}")
    moments = [_epoch(column["at"]) for column in columns]
    for sign, told in spans:
        marks = _marks(moments, sign, told)
        lines.append(f"{'':{MARGIN}}{marks}".rstrip())
    lines.append(f"{'':{MARGIN}}{_dates(moments)}".rstrip())
    return lines


def _draw(
    picture: list[list[str]], index: int, column: dict[str, Any], span: tuple[float, float]
) -> None:
    """One column: the thresholds first, the readings over them."""
    for key, sign in (("threshold", THRESHOLD), ("changed_threshold", CHANGED)):
        if column[key] is not None:
            picture[_row(column[key], span)][index] = sign
    if column["low"] is None:
        return
    for row in range(_row(column["high"], span), _row(column["low"], span) + 1):
        picture[row][index] = READING


def _row(value: float, span: tuple[float, float]) -> int:
    low, high = span
    # halved first: the difference of two floats may be past the largest
    share = (value / 2 - low / 2) / (high / 2 - low / 2)
    return round((1 - share) * (ROWS - 1))


def _labels(
    columns: Sequence[dict[str, Any]], span: tuple[float, float], unit: str
) -> dict[int, str]:
    """The numbers beside the rows: of a row on which a threshold is drawn that threshold itself,
    else of every third row its own."""
    low, high = span
    found = {}
    for row in range(0, ROWS, 3):
        share = 1 - row / (ROWS - 1)
        found[row] = _label(low * (1 - share) + high * share, unit)
    # the present threshold goes before the one that is tried where both are on one row
    for key in ("changed_threshold", "threshold"):
        levels = {column[key] for column in columns if column[key] is not None}
        if len(levels) == 1:  # one that moves with its baseline is on many rows
            level = levels.pop()
            found[_row(level, span)] = _label(level, unit)
    return found


def _label(value: float, unit: str) -> str:
    text = number(value, unit)
    return (text if len(text) <= MARGIN - 2 else number(value, ""))[: MARGIN - 2]


def _marks(moments: Sequence[float], sign: str, told: Iterable[Any]) -> str:
    """A sign in every column in which it fires."""
    width = moments[1] - moments[0] if len(moments) > 1 else 1.0
    cells = [" "] * len(moments)
    for begin, end in told:
        first = math.floor((_epoch(begin) - moments[0]) / width)
        last = len(cells) - 1 if end is None else math.floor((_epoch(end) - moments[0]) / width)
        for index in range(max(0, first), min(last, len(cells) - 1) + 1):
            cells[index] = sign
    return "".join(cells)


def _dates(moments: Sequence[float]) -> str:
    """Dates at equal distances, the hour too where the whole is a few days."""
    span = moments[-1] - moments[0]
    pattern = "%Y-%m-%d" if span > LONG else "%m-%d %H:%M"
    cells = [" "] * (len(moments) + DATE_WIDTH)
    step = len(moments) // DATES
    for index in range(0, step * DATES, step):
        text = _said(moments[index], pattern)
        cells[index : index + len(text)] = list(text)
    return "".join(cells).rstrip()


def _said(moment: float, pattern: str) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime(pattern)


def _epoch(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()
