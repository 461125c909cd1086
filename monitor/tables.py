"""Reports for eyes, in 80 columns. The documents they show are made in monitor/report.py."""

import math
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from monitor.slack.limits import clean
from monitor.sparkline import sparkline
from monitor.text import ago, amount, number
from storage.types import now

MARKS = {True: ("✔", "green"), False: ("✘", "red"), None: ("?", "yellow")}
STATES = {"firing": "bold red", "pending": "yellow", "inactive": "green", "no-data": "dim"}
OUTCOMES = {
    "ok": "green",
    "waiting": "cyan",
    "skipped": "yellow",
    "failed": "red",
    "timeout": "red",
}
TREND_WIDTH = 10


def grid(*columns: str, **options: Any) -> Table:
    """A borderless table with dim headings; a heading that begins with > is right-aligned."""
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="dim", **options)
    for heading in columns:
        right = heading.startswith(">")
        table.add_column(heading.lstrip(">"), justify="right" if right else "left", overflow="fold")
    return table


def pairs(gap: int = 1) -> Table:
    """A borderless table of labels or marks and their texts. A long word in these, such as a path
    or an id, is folded and never cut."""
    table = Table.grid(padding=(0, gap))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    return table


def cell(data: str, style: str = "", indent: int = 0) -> Text:
    """What a probe, a device or a file said, as it is: no markup in it counts, and no control
    character reaches the terminal."""
    return Text(" " * indent + clean(data), style=style)


def value(reading: dict[str, Any]) -> str:
    """A value with its uncertainty and unit."""
    text = number(reading["value"], reading["unit"])
    sigma = reading.get("sigma")
    return text if not sigma else f"{text} ±{_share(sigma, reading['value'])}"


def _share(sigma: float, value_of: float) -> str:
    return f"{abs(sigma / value_of):.1%}" if value_of else f"{sigma:.2g}"


def signals(readings: Sequence[dict[str, Any]]) -> RenderableType:
    """Every series: its last value, its origin and age, and how it went."""
    if not readings:
        return Text("No readings in this stretch of time.", style="yellow")
    ordered = sorted(readings, key=lambda r: (r["signal"], natural(r["target"]), r["at"]))
    parts: list[RenderableType] = []
    for group, rows in groupby(ordered, key=lambda row: row["signal"].rpartition(".")[0]):
        parts += [_group(group, rows), Text()]
    return Group(*parts[:-1])


def _group(group: str, rows: Iterable[dict[str, Any]]) -> RenderableType:
    found = [list(one) for _, one in groupby(rows, key=lambda r: (r["signal"], r["target"]))]
    # one reading is no trend; without a column for it 80 columns hold the names whole
    trends = ["trend"] if any(len(series) > 1 for series in found) else []
    table = grid("", "target", ">latest", "origin", ">age", *trends)
    table.columns[0].header = cell(group, "bold not dim")
    table.columns[0].no_wrap = True
    for series in found:
        last = series[-1]
        values = [reading["value"] for reading in series]
        table.add_row(
            cell(last["signal"].rpartition(".")[2], indent=2),
            cell(last["target"]),
            cell(value(last)),
            cell(last["origin"], "" if last["origin"] == "measured" else "cyan"),
            ago(age(last["at"])),
            *(sparkline(values, TREND_WIDTH) if len(values) > 1 else "" for _ in trends),
        )
    return table


def natural(text: str) -> list[tuple[int, str]]:
    """A sort key that puts w8-d32 before w8-d128."""
    return [
        (int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", text)
    ]


def runs(rows: Sequence[dict[str, Any]]) -> RenderableType:
    """Runs with their ends."""
    if not rows:
        return Text("No such run.", style="yellow")
    # one machine is no news
    hosts = ["host"] if len({row["host"] for row in rows}) > 1 else []
    table = grid(">run", "probe", *hosts, "outcome", "started (UTC)", ">took", "reason")
    for row in rows:
        table.add_row(
            str(row["id"]),
            cell(row["probe"]),
            *(cell(row["host"]) for _ in hosts),
            _outcome(row["outcome"], row["job"]),
            row["started"][:16].replace("T", " "),
            f"{row['seconds']:.1f} s",
            cell(_why(row)),
        )
    return table


def _why(row: dict[str, Any]) -> str:
    """Why a run ran beside its schedule, and why it was not ok."""
    again = f"again, {row['cause']}" if row["cause"] else ""
    return "; ".join(filter(None, (again, row["reason"])))


def _outcome(outcome: str, job: int | None) -> Text:
    """What a run came to, or that its job at a quantum cloud is waited for."""
    shown = outcome if job is None else "waiting"
    return Text(shown, style=OUTCOMES.get(shown, "dim"))


def checklist(document: dict[str, Any]) -> RenderableType:
    """The re-evaluation checklist."""
    parts: list[RenderableType] = []
    for index, item in enumerate(document["items"], start=1):
        mark, style = MARKS[item["holds"]]
        head = Table.grid(padding=(0, 1))
        head.add_row(Text(mark, style=f"bold {style}"), f"{index}.", cell(item["question"]))
        parts += [head, Padding(_criteria(item["criteria"]), (0, 0, 1, 2))]
    shown = {row["trigger"] for item in document["items"] for row in item["criteria"]}
    if ahead := [row for row in document["trends"] if row["name"] not in shown]:
        parts += [Text("Ahead, at the present pace:", style="bold"), *map(trend, ahead), Text()]
    parts.append(cell(document["verdict"], "bold"))
    return Group(*parts)


def trend(row: dict[str, Any]) -> RenderableType:
    """A trigger on a trend as a line: what is there, what is needed, and when that will be."""
    mark, style = {"firing": ("!", "bold yellow"), "no-data": MARKS[None]}.get(
        row["state"], ("·", "dim")
    )
    line = pairs()
    line.add_row(Text(mark, style=style), cell(trend_text(row["name"], row)))
    return line


def trend_text(name: str, row: dict[str, Any]) -> str:
    """The name, the reason with its years, and where the value comes from."""
    origin = "" if row["origin"] is None else f" ({row['origin']})"
    return f"{name}: {row['why']}{origin}"


def _criteria(criteria: Iterable[dict[str, Any]]) -> RenderableType:
    table = grid("", "criterion", ">value", ">needs", ">reached")
    lines: list[RenderableType] = []
    for row in criteria:
        mark, style = MARKS[row["holds"]]
        if row["holds"] is None or row["when"] == "crosses":
            line = pairs()
            line.add_row(Text(mark, style=style), cell(_in_words(row)))
            lines.append(line)
            continue
        table.add_row(
            Text(mark, style=style),
            Text("\n").join([cell(row["trigger"]), cell(f"{row['target']} {_from(row)}")]),
            cell(maybe(row["value"], row["unit"])),
            cell(_needs(row)),
            _reached(row["ratio"]),
        )
    return Group(*([table] if table.row_count else []), *lines)


def _from(row: dict[str, Any]) -> str:
    """Where a value comes from, and of when: the day of a calibration, however late it was read."""
    if row["age_seconds"] is None:
        return ""
    dated = re.match(r"calibrated (\d{4}-\d\d-\d\d)", row["note"] or "")
    return f"({row['origin']}, {dated[1] if dated else ago(row['age_seconds'])})"


def _in_words(row: dict[str, Any]) -> str:
    """A criterion that nothing can be said about, and why; or a trend, whose years and interval no
    column holds."""
    if row["trigger"] is None:
        return f"not measured yet: {row['why']}"
    if row["when"] == "crosses":
        return trend_text(row["trigger"], row)
    seen = (
        "" if row["value"] is None else f" {number(row['value'], row['unit'])} on {row['target']},"
    )
    return f"{row['trigger']}:{seen} needs {_needs(row)}; {row['why']}"


def _needs(row: dict[str, Any]) -> str:
    sign = {"above": "> ", "below": "< "}.get(row["when"], "")
    return sign + maybe(row["threshold"], row["unit"])


def _reached(ratio: float | None) -> str:
    """How much of the way is gone."""
    if ratio is None:
        return "–"
    if ratio >= 1:
        return f"{ratio:.3g}×"
    digits = max(0, 1 - math.floor(math.log10(ratio * 100)))
    return f"{ratio:.{min(digits, 4)}%}"


def status(document: dict[str, Any]) -> RenderableType:
    """The service at a glance."""
    facts = pairs(2)
    up = document["uptime_seconds"]
    running = (
        "not running"
        if document["pid"] is None
        else (f"running as process {document['pid']} for {ago(up)}")
    )
    facts.add_row("service", f"Qrossover {document['version']}, {running}")
    if document["health"] is not None:
        facts.add_row("health", "; ".join(document["health"]) or "ok")
    if document["http"]:
        facts.add_row("http", f"http://{document['http']}/metrics")
    config, database = document["config"], document["database"]
    facts.add_row("config", cell(config["path"] + _loaded(config, running=document["pid"])))
    for line in (config["error"] or "").splitlines():
        facts.add_row("", cell(line, "red"))
    for line in config["warnings"]:
        facts.add_row("", cell(f"warning: {line}"))
    size = number(database["bytes"], "B")
    said = f"{database['path']}, {size}, {database['readings']} readings"
    facts.add_row("database", cell(said))
    box = document["outbox"]
    said = f"{box['owed']} owed, {box['sent']} sent, {box['dead']} refused"
    facts.add_row("alerts", cell(said + (f": {box['error']}" if box["error"] else "")))
    facts.add_row(
        "triggers",
        cell(_counts(document["triggers"])),
    )
    if document["jobs"]["open"]:
        facts.add_row("jobs", _jobs(document["jobs"]))
    if document["milestones"]:
        facts.add_row("milestones", cell(document["milestones"]))
    table = grid("probe", "kind", "last run", ">ended", ">next")
    for probe in document["probes"]:
        since = probe["running_since"]
        table.add_row(
            cell(probe["name"]),
            cell(probe["kind"]),
            _outcome(probe["last_outcome"] or "never", probe["job"]),
            f"{ago(age(probe['last_at']))} ago" if probe["last_at"] else "–",
            f"running for {ago(age(since))}" if since else _until(probe["next_at"]),
        )
    return Group(facts, Text(), table)


def _jobs(jobs: dict[str, Any]) -> str:
    reserved = amount(jobs["reserved_usd"], jobs["reserved_qpu_seconds"])
    return f"{jobs['open']} open, oldest {ago(age(jobs['oldest']))}, {reserved} reserved"


def _counts(counts: dict[str, int]) -> str:
    known = f" ({counts['acknowledged']} acknowledged)" if counts["acknowledged"] else ""
    quiet = f", {counts['snoozed']} snoozed" if counts["snoozed"] else ""
    stand = f"{counts['pending']} pending, {counts['no_data']} without data"
    return f"{counts['firing']} firing{known}, {stand}{quiet}"


def _loaded(config: dict[str, Any], *, running: int | None) -> str:
    """How the running config and its file stand to each other."""
    if running is None:
        return ""
    if config["error"]:
        return ", cannot be used; an earlier one is in force:"
    if not config["loaded"]:
        return ", edited; it is loaded within seconds"
    return f", loaded {ago(age(config['loaded_at']))} ago" if config["loaded_at"] else ""


def _until(due: str | None) -> str:
    if due is None:
        return "–"
    left = -age(due)
    return f"in {ago(left)}" if left > 0 else "now"


def maybe(number_or_none: float | None, unit: str) -> str:
    """A number with its unit, or a dash."""
    return "–" if number_or_none is None else number(number_or_none, unit)


def age(at: str) -> float:
    """Seconds since a moment in ISO 8601."""
    return now() - datetime.fromisoformat(at).timestamp()


def console() -> Console:
    """Standard output, at the width of the terminal, 80 columns elsewhere.

    Without markup and emoji codes: a "[/z]" or ":key:" in what a probe said is text.
    """
    found = _console()
    return found if found.is_terminal else _console(width=80)


def _console(width: int | None = None) -> Console:
    return Console(highlight=False, markup=False, emoji=False, width=width)
