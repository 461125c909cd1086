"""A series as a chart of text."""

from typing import Any

from monitor.foresee.chart import ROWS, chart
from monitor.report import iso


def column(minute: int, low: float | None, high: float | None, limit: float) -> dict[str, Any]:
    at = iso(1_700_000_000.0 + 60 * minute)
    return {"at": at, "low": low, "high": high, "threshold": limit, "changed_threshold": None}


def test_a_chart_shows_ranges_threshold_and_alarms() -> None:
    columns = [column(m, 10.0 - m, 10.0, 5.0) for m in range(8)] + [column(8, None, None, 5.0)]
    fired = (iso(1_700_000_000.0 + 360), None)
    lines = chart(columns, "V", [("▲", [fired])])
    assert len(lines) == ROWS + 3
    assert lines[0].startswith("       10 V ┤████████")
    assert lines[ROWS - 1].endswith("┤       █")
    [level] = [line for line in lines[:ROWS] if "─" in line]
    assert level.startswith("        5 V ┤"), "the row of the threshold says the threshold"
    assert lines[-2] == " " * 13 + "      ▲▲▲"
    assert chart([column(0, None, None, 5.0)], "V", []) == []


def test_a_chart_of_one_level_or_of_huge_numbers_is_drawn() -> None:
    flat = [column(m, 0.0, 0.0, 0.0) for m in range(8)]
    assert len(chart(flat, "V", [])) == ROWS + 2
    huge = [column(m, -1.7e308, 1.7e308, 0.0) for m in range(8)]
    assert len(chart(huge, "V", [])) == ROWS + 2
