"""What a backfill found, for eyes, and how the trends that it feeds stand after it."""

from typing import Any

from rich.text import Text

from monitor.tables import cell, console, grid, trend
from monitor.text import figure

UNKNOWN = "not given"


def show(document: dict[str, Any]) -> None:
    """A table of the families, and a line on each trend."""
    screen = console()
    table = grid("family", "first", "last", ">devices", ">best 2q error", "on")
    for row in document["families"]:
        best = row["best_two_qubit_error"]
        table.add_row(
            cell(row["family"] or UNKNOWN, "" if row["family"] else "dim"),
            row["first"][:10],
            row["last"][:10],
            str(row["devices"]),
            "–" if best is None else figure(best, 3),
            cell(row["best_device"] or ""),
        )
    screen.print(table)
    screen.print()
    screen.print(Text(said(document)))
    for row in document["trends"]:
        screen.print(trend(row))


def said(document: dict[str, Any]) -> str:
    """What was stored and what was left out, in words."""
    new = document["new"]
    text = f"{document['snapshots']} calibrations, {new} of them new"
    text += f" ({document['readings']:,} readings)." if new else "."
    left_out = document["left_out"]
    return (
        f"{text} Left out, since no device has them: {', '.join(left_out)}." if left_out else text
    )
