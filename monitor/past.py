"""What a backfill found, for eyes, and how the trends that it feeds stand after it."""

from collections.abc import Iterable
from typing import Any

from rich.table import Table

from monitor.tables import cell, console, grid, trend
from monitor.text import figure

UNKNOWN = "not given"
NOUNS = {"snapshots": "calibrations", "calibrations": "calibrations", "results": "results"}
"""What a document's records are called, by the key that counts them."""


def show(document: dict[str, Any]) -> None:
    """A table of the families or signals, what is new and what is left out, a line a trend."""
    screen = console()
    calibrated = "families" in document
    if rows := document["families" if calibrated else "signals"]:
        screen.print(_families(rows) if calibrated else _signals(rows))
        screen.print()
    for line in said(document):
        screen.print(cell(line))
    for row in document["trends"]:
        screen.print(trend(row))


def _families(rows: Iterable[dict[str, Any]]) -> Table:
    table = grid("family", "first", "last", ">devices", ">best 2q error", "on")
    for row in rows:
        best = row["best_two_qubit_error"]
        table.add_row(
            cell(row["family"] or UNKNOWN, "" if row["family"] else "dim"),
            row["first"][:10],
            row["last"][:10],
            str(row["devices"]),
            "–" if best is None else figure(best, 3),
            cell(row["best_device"] or ""),
        )
    return table


def _signals(rows: Iterable[dict[str, Any]]) -> Table:
    table = grid("signal", ">readings", ">devices", "first", "last")
    for row in rows:
        counts = str(row["readings"]), str(row["devices"])
        table.add_row(cell(row["signal"]), *counts, row["first"][:10], row["last"][:10])
    return table


def said(document: dict[str, Any]) -> list[str]:
    """What was stored and what was left out, in words."""
    [(key, noun)] = [one for one in NOUNS.items() if one[0] in document]
    count, new = document[key], document["new"]
    text = f"{count} {noun if count != 1 else noun[:-1]}, {new} of them new"
    text += f" ({document['readings']:,} readings)." if new else "."
    if more := document.get("duplicates"):
        text += f" {more} more {'is a duplicate' if more == 1 else 'are duplicates'}."
    lines, left_out = [text], document.get("left_out", [])
    if left_out and isinstance(left_out[0], str):
        lines[0] += f" Left out, since no device has them: {', '.join(left_out)}."
    else:
        lines += [
            f"Left out {row['count']}: {row['reason']} (first in {row['first']})."
            for row in left_out
        ]
    return lines
