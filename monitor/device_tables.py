"""Clouds and their devices, for eyes, in 80 columns."""

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from monitor.tables import MARKS, cell, grid
from monitor.text import ago


def providers(found: Sequence[dict[str, Any]]) -> Table:
    """What each provider supports, and what lacks here."""
    table = grid("provider", "", "supports, and what lacks here")
    for row in found:
        mark, style = MARKS[not row["lacks"]]
        lines = [cell(", ".join(row["supports"]))]
        if row["lacks"]:
            lines.append(cell(row["lacks"], "yellow"))
        table.add_row(cell(row["provider"]), Text(mark, style), Text("\n").join(lines))
    return table


def _queue(row: dict[str, Any]) -> str:
    if row["queue"] is None:
        return "–"
    return f"{'≥ ' if row['queue_at_least'] else ''}{row['queue']}"


def devices(document: dict[str, Any]) -> RenderableType:
    """The devices of one provider."""
    head = cell(f"{document['provider']} supports {', '.join(document['supports'])}.")
    if not document["devices"]:
        return Group(head, Text("It lists no device.", style="yellow"))
    table = grid("device", ">qubits", "status", ">queue", ">wait", "")
    for row in document["devices"]:
        table.add_row(
            cell(row["name"]),
            "–" if row["qubits"] is None else str(row["qubits"]),
            cell(row["status"], "green" if row["online"] else "yellow"),
            _queue(row),
            "–" if row["wait"] is None else ago(row["wait"]),
            "simulator" if row["simulator"] else "",
        )
    return Group(head, Text(), table)
