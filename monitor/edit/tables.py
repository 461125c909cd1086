"""Edits of the config for eyes, in 80 columns. The documents are made in monitor/edit/report.py."""

from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from monitor.differences import value_text
from monitor.slack.limits import clean
from monitor.tables import cell, console, grid

_STYLES = {"+": "green", "-": "red", "@": "cyan"}
MOST_KEYS = 3
"""Keys of one version that are listed; the rest is counted."""


def changes(rows: Iterable[dict[str, Any]]) -> RenderableType:
    """Each key with its old and its new value."""
    table = grid("key", "now", "", "then")
    for row in rows:
        new = value_text(row["new"])
        table.add_row(cell(row["key"]), cell(value_text(row["old"])), "→", cell(new, "bold"))
    return table


def history(rows: Sequence[dict[str, Any]]) -> RenderableType:
    """The versions, newest first, each with what changed on lines of its own."""
    if not rows:
        return Text("No config has been in force yet: start `qrossover run`.", style="yellow")
    parts: list[RenderableType] = []
    for row in rows:
        head = Text.assemble(
            (f"{row['id']}", "bold"),
            f"  {row['at'][:16].replace('T', ' ')} UTC  {row['how']}",
            _by_whom(row),
            ("  in force", "green") if row["in_force"] else "",
        )
        parts += [head, *_lines(row["changes"])]
    return Group(*parts)


def _by_whom(row: dict[str, Any]) -> Text:
    """Who brought a config; an edit that nobody signed was made in the file."""
    who = clean(row["by"]) or ("hand" if row["how"] == "edit" else "")
    return Text(f" by {who}" if who else "")


def _lines(rows: Sequence[dict[str, Any]]) -> Iterable[Text]:
    for row in rows[:MOST_KEYS]:
        said = f"{row['key']}: {value_text(row['old'])} → {value_text(row['new'])}"
        yield cell(said, indent=4)
    if len(rows) > MOST_KEYS:
        yield Text(f"    and {len(rows) - MOST_KEYS} more", style="dim")


def print_lines(found: Sequence[str]) -> None:
    """Print a unified diff. Its lines are not folded: other programs read it too."""
    shown = [_line(line) for line in found] or [Text("They say the same.", style="dim")]
    for line in shown:
        console().print(line, soft_wrap=True)


def _line(line: str) -> Text:
    """A line as it is, its blanks too: without what could move the cursor or colour the rest."""
    plain = "".join(sign if sign.isprintable() else "�" for sign in line.expandtabs(4))
    return Text(plain, style=_STYLES.get(line[:1], ""))
