"""`qrossover scenario` for eyes, in 80 columns."""

import re
from collections.abc import Iterable
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from monitor.tables import cell
from monitor.text import number

ARROWS = {"toward": ("→", "green"), "away": ("←", "red"), "unknown": ("?", "yellow")}
NEXT = 3
"""How many of the milestones to come are shown."""
STRONGEST = 3
"""How many lines of evidence a scenario has in the summary."""
SIGNS = {"above": "> ", "below": "< ", "rises": "> ", "drops": "< "}


def scenarios(document: dict[str, Any], *, each: bool = False) -> RenderableType:
    """The headline, the scenarios with what weighs most for and against each, and the milestones.
    `each`: every indicator, with its evidence."""
    parts: list[RenderableType] = [
        cell(document["headline"], "bold"),
        Text("→ toward, ← away, ? not known. A count of chosen evidence, no probability.", "dim"),
    ]
    for scenario in document["scenarios"]:
        rows = scenario["indicators"]
        shown = _indicators(rows) if each else _strongest(rows)
        parts += [Text(), _head(scenario, each=each), Padding(shown, (0, 0, 0, 2))]
    late = [row for row in document["milestones"] if row["past_due"]]
    to_come = [row for row in document["milestones"] if not row["past_due"]]
    if to_come:
        parts += [Text(), Text("The next milestones", "bold"), _milestones(to_come[:NEXT])]
    if late:
        head = Text("Past due: please confirm what came of them", "bold yellow")
        parts += [Text(), head, _milestones(late)]
    if not each:
        more = "Every indicator with its evidence: qrossover scenario --all"
        parts += [Text(), Text(more, "dim")]
    return Group(*parts)


def _head(scenario: dict[str, Any], *, each: bool) -> RenderableType:
    title = cell(f"{scenario['letter']}. {scenario['title']}", "bold")
    counts = ", ".join(f"{scenario[way]} {way}" for way in ARROWS)
    line = Table.grid(padding=(0, 1), expand=True)
    line.add_column()
    line.add_column(justify="right")
    line.add_row(title, cell(counts))
    means = Padding(cell(scenario["means"], "dim"), (0, 0, 0, 3))
    return Group(line, means) if each else line


def _strongest(rows: Iterable[dict[str, Any]]) -> RenderableType:
    """A line each: what readings say goes before what was promised or published."""
    measured_first = sorted(rows, key=lambda row: row["value"] is None)
    toward, away = (
        [row for row in measured_first if row["points"] == way] for way in ("toward", "away")
    )
    both = [*toward[: STRONGEST - 1], *away[:1]] if away else toward[:STRONGEST]
    shown = [*both, *away[1 : 1 + STRONGEST - len(both)]]
    table = Table.grid(padding=(0, 1))
    for row in shown:
        arrow, style = ARROWS[row["points"]]
        table.add_row(Text(arrow, style=f"bold {style}"), cell(row["says"]))
    return table


def _indicators(rows: Iterable[dict[str, Any]]) -> RenderableType:
    table = Table.grid(padding=(0, 1))
    table.add_column()
    table.add_column(ratio=1)
    for row in rows:
        arrow, style = ARROWS[row["points"]]
        evidence = _by_milestone(row) if row["milestone"] else _by_signal(row)
        table.add_row(
            Text(arrow, style=f"bold {style}"),
            Text("\n").join([cell(row["says"]), cell(evidence, "dim")]),
        )
    return table


def _by_milestone(row: dict[str, Any]) -> str:
    return f"{row['why']}: {row['source']}"


def _by_signal(row: dict[str, Any]) -> str:
    """A reading with what it is held against, where it comes from and of when."""
    if row["value"] is None:
        return f"{row['signal']}: {row['why']}"
    dated = f"({row['origin']}, {_day(row)})"
    if row["when"] == "crosses":  # its words have the number in them
        return f"{row['signal']} {dated}: {row['why']}"
    seen = f"{row['signal']} {number(row['value'], row['unit'])} on {row['target']} {dated}"
    if row["points"] == "unknown" or row["threshold"] is None:
        return f"{seen}; {row['why']}"
    return f"{seen}; level {SIGNS[row['when']]}{number(row['threshold'], row['unit'])}"


def _day(row: dict[str, Any]) -> str:
    """The day of what was read: of a calibration, however late it was looked at."""
    dated = re.match(r"calibrated (\d{4}-\d\d-\d\d)", row["note"])
    return dated[1] if dated else str(row["read_at"])[:10]


def _milestones(rows: Iterable[dict[str, Any]]) -> RenderableType:
    table = Table.grid(padding=(0, 1))
    for row in rows:
        said = f"{row['who']}: {row['what']} ({row['status']})"
        table.add_row(Text(" "), cell(row["due"]), cell(said))
    return table
