"""A suggested threshold for eyes, in 80 columns. The document: suggestion.py."""

from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from monitor.foresee.little import caveat
from monitor.foresee.suggestion import delay_rows, summary, threshold_said
from monitor.tables import cell, grid
from monitor.text import ago, fired

SHOWN = 10


def suggestion(document: dict[str, Any]) -> RenderableType:
    """A sentence, the targets, the delays, what it cannot say, and the command to apply it."""
    warning = caveat(document["seconds"])
    parts: list[RenderableType] = [cell(warning, "yellow"), Text()] if warning else []
    parts += [cell(summary(document), "bold"), Text(), _targets(document)]
    tighter = document["tighter"]
    if tighter["threshold"] is not None:
        said = f"One step tighter, {threshold_said(document, 'tighter')}, it would"
        parts += [Text(), cell(f"{said} {fired(tighter['alarms'])}.")]
    if document["delays"]:
        table = grid(">worse by", ">seen in 7 d", ">half of them within", ">90% within")
        for row in delay_rows(document["delays"]):
            table.add_row(*row)
        parts += [Text(), table]
    parts += [Text(), *(cell(note, "dim") for note in document["notes"] if note != warning)]
    if document["command"] is not None:
        parts += [Text(), cell(document["command"], "bold")]
    return Group(*parts)


def _targets(document: dict[str, Any]) -> RenderableType:
    rows = sorted(document["targets"], key=lambda row: row["present"], reverse=True)
    table = grid("target", ">fires now", ">with it", ">readings", ">over")
    for row in rows[:SHOWN]:
        table.add_row(
            cell(row["target"]),
            f"{row['present']:,}",
            "–" if row["suggested"] is None else f"{row['suggested']:,}",
            f"{row['readings']:,}",
            ago(row["seconds"]),
        )
    left = len(rows) - SHOWN
    if left <= 0:
        return table
    return Group(table, Text(f"and {left:,} more targets, --json has all", style="dim"))
