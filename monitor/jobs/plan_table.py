"""`qrossover once --dry-run` for eyes, in 80 columns. The document is made in monitor/plan.py."""

from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from monitor.jobs.tables import money
from monitor.tables import cell, grid


def plan(document: dict[str, Any]) -> RenderableType:
    """What each probe would send, and what that would cost at most; then why some would not."""
    table = grid("probe", "kind, and what is sent", ">at most", ">killed after")
    for row in document["probes"]:
        table.add_row(
            cell(row["name"]),
            Text("\n").join([cell(row["kind"]), *_sent(row)]),
            money(row["usd"], row["qpu_seconds"]),
            f"{row['timeout_seconds']:g} s",
        )
    parts: list[RenderableType] = [table]
    for row in document["probes"]:
        if why := row["refused"] or row["reason"]:
            parts += [Text(), cell(f"{row['name']}: {row['outcome']}: {why}")]
    return Group(*parts)


def _sent(row: dict[str, Any]) -> list[Text]:
    """How much would go to which device, where it waits in a queue there."""
    if row["device"] is None:
        return []
    circuits, shots = row["circuits"], row["shots"]
    batch = "" if circuits is None else f"{circuits} × {shots} shots to "
    return [cell(f"{batch}{row['provider']} {row['device']}", "dim")]
