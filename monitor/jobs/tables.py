"""Jobs and what they cost, for eyes, in 80 columns."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from monitor.tables import age, cell, grid, pairs
from monitor.text import ago, amount, amounts, number
from storage.types import OPEN_JOBS

STATES = {"done": "green", "failed": "red", "lost": "bold red", "cancelled": "yellow"}
NONE = "–"


def jobs(rows: Sequence[dict[str, Any]]) -> RenderableType:
    """Open jobs, then those that have ended, and under each the reasons that there are."""
    if not rows:
        return Text("No job has been ordered.", style="yellow")
    opened = [row for row in rows if row["state"] in OPEN_JOBS]
    ended = [row for row in rows if row["state"] not in OPEN_JOBS]
    parts: list[RenderableType] = []
    for table, group in ((_open, opened), (_ended, ended)):
        if group:
            parts += [Text() for _ in parts[:1]] + [table(group), *_reasons(group)]
    return Group(*parts)


def _open(rows: Sequence[dict[str, Any]]) -> Table:
    table = grid(">job", "probe, device", "state", ">age", ">queue", ">next look", ">reserved")
    for row in rows:
        table.add_row(
            *_named(row),
            ago(age(row["created"])),
            NONE if row["position"] is None else str(row["position"]),
            f"in {ago(-age(row['due']))}" if age(row["due"]) < 0 else "due",
            money(row["quoted_usd"], row["quoted_qpu_seconds"]),
        )
    return table


def _ended(rows: Sequence[dict[str, Any]]) -> Table:
    table = grid(">job", "probe, device", "state", ">ended", ">waited", ">quoted", ">billed")
    for row in rows:
        waited = _between(row["submitted"], row["started"])
        table.add_row(
            *_named(row),
            f"{ago(age(row['ended']))} ago",
            NONE if waited is None else ago(waited),
            money(row["quoted_usd"], row["quoted_qpu_seconds"]),
            money(row["usd"], row["qpu_seconds"]),
        )
    return table


def _between(start: str | None, end: str | None) -> float | None:
    """Seconds between two moments; a start before our submission is another clock's."""
    if start is None or end is None:
        return None
    seconds = age(start) - age(end)
    return seconds if seconds >= 0 else None


def _named(row: dict[str, Any]) -> tuple[str, Text, Text]:
    """Its number, whose it is and where, and how it stands in our word and the provider's."""
    where = cell(f"{row['provider']} {row['device']}", "dim")
    return (
        str(row["id"]),
        Text("\n").join([cell(row["probe"]), where]),
        Text("\n").join(
            [Text(row["state"], STATES.get(row["state"], "")), cell(row["word"], "dim")]
        ),
    )


def money(usd: float | None, qpu_seconds: float | None) -> str:
    """Each on a line of its own; a dash where nothing is known, "free" where it is known to be."""
    if usd is None and qpu_seconds is None:
        return NONE
    return "\n".join(amounts(usd, qpu_seconds)) or "free"


def _reasons(rows: Sequence[dict[str, Any]]) -> list[RenderableType]:
    table = pairs()
    for row in rows:
        if row["reason"]:
            table.add_row(f"{row['id']:>3}:", cell(row["reason"]))
    return [table] if table.row_count else []


def job(document: dict[str, Any]) -> RenderableType:
    """One job, all of it."""
    table = pairs(2)
    state = Text(document["state"], STATES.get(document["state"], "bold"))
    if document["word"]:
        state += cell(f", {document['provider']} says {document['word']}")
    if document["position"] is not None:
        state += Text(f", place {document['position']} in the queue")
    table.add_row("job", cell(f"{document['id']} of {document['probe']} ({document['kind']})"))
    table.add_row("device", cell(f"{document['device']} at {document['provider']}"))
    table.add_row("state", state)
    for label, key in (("reason", "reason"), ("next", "next")):
        if document[key]:
            table.add_row(label, cell(document[key]))
    for label, text in _times(document):
        table.add_row(label, text)
    quoted = amount(document["quoted_usd"], document["quoted_qpu_seconds"])
    table.add_row("quoted", f"up to {quoted}")
    table.add_row("billed", _billed(document))
    table.add_row("attempts", _attempts(document))
    table.add_row("provider's id", cell(document["remote"] or "not known"))
    table.add_row("tag", document["tag"])
    table.add_row("sha256", document["sha256"])
    table.add_row("settings", cell("\n".join(_settings(document["settings"]))))
    return table


def _settings(settings: Mapping[str, Any]) -> list[str]:
    """A line for each, as the config file may have it."""
    return [f"{key} = {json.dumps(one, ensure_ascii=False)}" for key, one in settings.items()]


def _times(document: dict[str, Any]) -> list[tuple[str, str]]:
    labels = {
        "ordered": "created",
        "submitted": "submitted",
        "started": "started",
        "ended": "ended",
        "cancel asked": "cancel_asked",
    }
    told = [(label, document[key]) for label, key in labels.items() if document[key]]
    found = [(label, f"{at[:19].replace('T', ' ')} UTC, {ago(age(at))} ago") for label, at in told]
    waited = document["wait_seconds"]
    return found if waited is None else [*found, ("waited", number(waited, "s"))]


def _billed(document: dict[str, Any]) -> str:
    if document["usd"] is None and document["qpu_seconds"] is None:
        return "not known"
    return amount(document["usd"], document["qpu_seconds"])


def _attempts(document: dict[str, Any]) -> str:
    sent = document["attempts"]
    said = f"{sent} submission{'' if sent == 1 else 's'}"
    failed = document["failures"]
    looks = "look" if failed == 1 else f"{failed} looks"
    return f"{said}; the last {looks} failed" if failed else said


def spend(document: dict[str, Any], span: str) -> RenderableType:
    """Who was paid how much, and what each limit leaves."""
    parts: list[RenderableType] = []
    if document["rows"]:
        parts.append(_paid(document["rows"]))
    else:
        parts.append(Text(f"Nothing was ordered or paid for in the last {span}."))
    if unbilled := sum(row["unbilled"] for row in document["rows"]):
        said = "1 job has no bill: its quote counts"
        many = f"{unbilled} jobs have no bill: their quotes count"
        parts.append(Text(f"{said if unbilled == 1 else many} as spent."))
    parts.append(Text())
    table = grid("budget", ">limit", ">spent", ">reserved", ">left")
    for row in document["budget"]:
        style = "red" if row["left"] <= 0 and row["most"] > 0 else ""
        table.add_row(
            row["key"],
            *(number(row[key], row["unit"]) for key in ("most", "spent", "reserved")),
            Text(number(row["left"], row["unit"]), style),
        )
    return Group(*parts, table)


def _paid(rows: Sequence[dict[str, Any]]) -> Table:
    table = grid("probe, device", ">runs", ">open", ">reserved", ">quoted", ">spent")
    for row in rows:
        where = f"{row['provider']} {row['device']}" if row["provider"] else NONE
        table.add_row(
            Text("\n").join([cell(row["probe"]), cell(where, "dim")]),
            str(row["runs"]),
            str(row["open"]) if row["open"] else NONE,
            _sum(row, "reserved_"),
            _sum(row, "quoted_"),
            _sum(row, ""),
        )
    if len(rows) > 1:
        total = {key: sum(row[key] for row in rows) for key in rows[0] if key not in _NAMES}
        table.add_row(
            Text("in all", "bold"),
            str(total["runs"]),
            str(total["open"]) if total["open"] else NONE,
            *(_sum(total, of) for of in ("reserved_", "quoted_", "")),
        )
    return table


_NAMES = ("provider", "device", "probe")


def _sum(row: dict[str, Any], of: str) -> str:
    return "\n".join(amounts(row[f"{of}usd"], row[f"{of}qpu_seconds"])) or NONE
