"""Where triggers stand and why, for eyes, in 80 columns."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from monitor.explain import SHOWN, Explanation
from monitor.slack.limits import clean
from monitor.tables import STATES, age, cell, grid, maybe
from monitor.text import ago, moment, number

COUNTED = {
    "firing": "firing",
    "pending": "pending",
    "no-data": "without data",
    "inactive": "inactive",
}
"""The states in the order in which they are listed, as they are counted."""


def counts(rows: Sequence[dict[str, Any]], unjudged: int) -> RenderableType:
    """How many standings are in which state, in a line."""
    if not rows and not unjudged:
        return Text("There is no trigger.", style="yellow")
    if not rows:
        return Text("No trigger has been judged yet: start `qrossover run`.", style="yellow")
    states = [row["state"] for row in rows]
    parts = [f"{states.count(state)} {word}" for state, word in COUNTED.items()]
    if unjudged:
        parts.append(f"{unjudged} not judged yet")
    return Text(", ".join(parts))


def triggers(rows: Sequence[dict[str, Any]], unjudged: Sequence[str]) -> RenderableType:
    """Where every trigger stands: what fires first, at the end those never judged."""
    order = list(COUNTED)
    ordered = sorted(rows, key=lambda row: order.index(row["state"]))
    parts: list[RenderableType] = []
    for name, standings in groupby(ordered, key=lambda row: row["name"]):
        parts += [_standings(name, standings), Text()]
    parts += [cell(f"{name}: not judged yet", STATES["no-data"]) for name in unjudged]
    return Group(*(parts if unjudged else parts[:-1]))


def _standings(name: str, standings: Iterable[dict[str, Any]]) -> RenderableType:
    rows = list(standings)
    table = grid("", "stands", ">value", ">threshold", ">since")
    table.columns[0].header = cell(name, "bold not dim")
    table.columns[0].no_wrap = True
    for row in rows:
        table.add_row(
            cell(row["target"], indent=2),
            cell(stands(row), STATES[row["state"]]),
            cell(maybe(row["value"], row["unit"])),
            cell(maybe(row["threshold"], row["unit"])),
            ago(age(row["since"])),
        )
    # what a trend says is a year and its interval, which no column holds
    trends = [cell(row["why"], "dim", indent=2) for row in rows if row["when"] == "crosses"]
    return Group(table, *trends) if trends else table


def stands(row: dict[str, Any]) -> str:
    """Where a trigger stands, and why nothing is said of it where that is so: "firing,
    acknowledged by ada"."""
    parts = [row["state"]]
    if row["acknowledged_by"] is not None:
        parts.append(f"acknowledged by {row['acknowledged_by']}")
    if row["snoozed_until"] is not None:
        parts.append(
            f"snoozed until {moment(datetime.fromisoformat(row['snoozed_until']).timestamp())}"
        )
    if not row["notify"]:
        parts.append("never told (notify = false)")
    return ", ".join(parts)


def explanation(told: Explanation) -> RenderableType:
    """One trigger on one target, step by step; the step that decided is marked."""
    standing, rule = told.standing, told.rule
    where: list[str | tuple[str, str]] = [("not judged yet", STATES["no-data"])]
    if told.judged:
        where = [(standing.state, STATES[standing.state]), f" since {moment(standing.since)}"]
    head = Text.assemble(
        cell(rule.name, "bold"),
        f" on {clean(standing.target)}: ",
        *where,
    )
    steps = Table.grid(padding=(0, 1))
    for index, step in enumerate(told.steps, start=1):
        mark = "▶" if step.decided else ""
        steps.add_row(mark, f"{index}.", cell(step.text, "bold" if step.decided else ""))
    parts: list[RenderableType] = [head, steps]
    if told.readings:
        parts.append(Padding(_looked_at(told), (1, 0, 0, 2)))
    return Group(*parts, Text())


def _looked_at(told: Explanation) -> RenderableType:
    table = grid("reading at", ">value", "origin", "note")
    for reading in told.readings[-SHOWN:]:
        table.add_row(
            moment(reading.at),
            cell(number(reading.value, told.unit)),
            reading.origin,
            cell(reading.note),
        )
    return _and_earlier(table, len(told.readings) - SHOWN)


def _and_earlier(table: Table, left: int) -> RenderableType:
    return Group(table, Text(f"and {left} earlier ones", style="dim")) if left > 0 else table
