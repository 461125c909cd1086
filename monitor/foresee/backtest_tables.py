"""A backtest for eyes, in 80 columns. The document is made in monitor/foresee/backtest.py."""

from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from monitor.foresee.backtest import alarms, summary
from monitor.foresee.chart import CHANGED, THRESHOLD, chart
from monitor.foresee.little import LEAST, caveat
from monitor.tables import cell, grid
from monitor.text import ago, lasted, number, percent, times

EPISODES = 20
WORST = 8
"""So many targets are listed, those with most alarms first."""
IN = {"both": "both", "present": "only now", "changed": "only changed"}
PRESENT_MARK, CHANGED_MARK = "▲", "△"


def backtest(document: dict[str, Any]) -> RenderableType:
    """How often a trigger would have fired: a sentence, the figures, the episodes, the chart."""
    parts: list[RenderableType] = [cell(summary(document), "bold")]
    parts += [cell(_change(change)) for change in document["changes"]]
    if not document["total"]["readings"]:
        return Group(*parts)
    if document["total"]["seconds"] < LEAST:
        parts.append(cell(caveat(document["total"]["seconds"]), "yellow"))
    parts += [Text(), _figures(document), Text()]
    rows = sorted(document["targets"], key=alarms, reverse=True)
    if len(rows) > 1:
        parts += [_targets(document, rows), Text()]
    parts += _episodes(document)
    for row in rows:
        parts += _drawn(document, row)
    parts += [cell(line, "dim") for line in _small_print(document)]
    return Group(*parts)


def _change(change: dict[str, Any]) -> str:
    old, new = (
        "–" if value in (None, "") else str(value) for value in (change["old"], change["new"])
    )
    return f"{change['key']}: {old} → {new}"


def _figures(document: dict[str, Any]) -> RenderableType:
    total = document["total"]
    columns = [total["present"]] + ([total["changed"]] if total["changed"] else [])
    table = grid("", *((">now", ">changed") if total["changed"] else (">now",)))
    for words, texts in (
        ("times it fires", [f"{one['alarms']:,}" for one in columns]),
        ("a month", [_rate(one["alarms_per_month"]) for one in columns]),
        ("of the time", [_share(one["firing_share"]) for one in columns]),
        ("longest", [lasted(one["longest_seconds"]) for one in columns]),
    ):
        table.add_row(words, *texts)
    if any(one["no_data"] for one in columns):
        table.add_row("says that data is missing", *(f"{one['no_data']:,}" for one in columns))
    return table


def _share(share: float | None) -> str:
    return "–" if share is None else percent(share)


def _rate(rate: float | None) -> str:
    if rate is None:
        return "–"
    return f"{rate:,.0f}" if rate >= 10 or rate == int(rate) else f"{rate:.2g}"  # noqa: PLR2004


def _targets(document: dict[str, Any], rows: list[dict[str, Any]]) -> RenderableType:
    is_compared = document["total"]["changed"] is not None
    headings = (">now", ">changed") if is_compared else (">fires",)
    table = grid("target", *headings, ">of the time", ">readings", ">over")
    for row in rows[:WORST]:
        both = [row["present"]] + ([row["changed"]] if is_compared else [])
        table.add_row(
            cell(row["target"]),
            *(f"{one['alarms']:,}" for one in both),
            _share(both[-1]["firing_share"]),
            f"{row['readings']:,}",
            ago(row["seconds"]),
        )
    left = len(rows) - WORST
    if left <= 0:
        return table
    return Group(table, Text(f"and {left:,} more targets, --json has all", style="dim"))


def _episodes(document: dict[str, Any]) -> list[RenderableType]:
    """When it fires, each time with what was read, latest last."""
    found = [
        (row, episode, episode["present"] or episode["changed"])
        for row in document["targets"]
        for episode in row["episodes"]
    ]
    if not found:
        return []
    found.sort(key=lambda one: one[2]["fired_at"])
    is_compared = document["total"]["changed"] is not None
    has_targets = len(document["targets"]) > 1
    extra = [*(["target"] if has_targets else []), *(["fires"] if is_compared else [])]
    has_values = document["when"] != "fails"
    units = {row["unit"] for row in document["targets"]} - {"", "1"}
    # one unit is said once; of a span or a size each number has its own
    unit = "" if len(units) != 1 or units & {"s", "B", "USD"} else units.pop()
    value = f">value ({unit})" if unit else ">value"
    table = grid("fires at (UTC)", *([value, ">threshold"] if has_values else []), ">for", *extra)
    table.columns[0].no_wrap = True
    for row, episode, first in found[-EPISODES:]:
        table.add_row(
            f"{'before ' if episode['began_before'] else ''}{_moment(first['fired_at'])}",
            *(
                [_number(first[key], "" if unit else row["unit"]) for key in ("value", "threshold")]
                if has_values
                else []
            ),
            lasted(first["seconds"]) + ("" if first["resolved_at"] else " so far"),
            *([cell(row["target"])] if has_targets else []),
            *([IN[episode["in"]]] if is_compared else []),
        )
    left = len(found) - EPISODES
    parts: list[RenderableType] = [table]
    if left > 0:
        ones = "one" if left == 1 else "ones"
        parts.append(Text(f"and {left:,} earlier {ones}, --json has all", style="dim"))
    return [*parts, Text()]


def _moment(at: str) -> str:
    return at[:16].replace("T", " ")


def _number(value: float | None, unit: str) -> Text:
    return cell("–" if value is None else number(value, unit))


def _drawn(document: dict[str, Any], row: dict[str, Any]) -> list[RenderableType]:
    """The chart of one target; nothing where there is none."""
    is_compared = document["total"]["changed"] is not None
    spans = [(PRESENT_MARK, _spans(row, "present"))]
    if is_compared:
        spans.append((CHANGED_MARK, _spans(row, "changed")))
    lines = chart(row["trace"], "s" if row["unit"] == "s" else "", spans)
    if not lines:
        return []
    subject = "silence" if document["when"] == "stale" else document["subject"]
    signs = f"{THRESHOLD} threshold, {PRESENT_MARK} fires"
    if is_compared:
        signs += f"; changed: {CHANGED} threshold, {CHANGED_MARK} fires"
    unit = "" if row["unit"] in ("", "1", "s") else f" ({row['unit']})"
    head = cell(f"{subject} on {row['target']}{unit}", "bold")
    return [head, *(Text(line, no_wrap=True) for line in lines), Text(signs, style="dim"), Text()]


def _spans(row: dict[str, Any], which: str) -> list[tuple[str, str | None]]:
    return [
        (episode[which]["fired_at"], episode[which]["resolved_at"])
        for episode in row["episodes"]
        if episode[which] is not None
    ]


def _small_print(document: dict[str, Any]) -> list[str]:
    total, told = document["total"], document["told"]
    where = "1 target" if total["targets"] == 1 else f"{total['targets']:,} targets"
    lines = [f"{total['readings']:,} readings on {where} over {ago(total['seconds'])}."]
    if total["refused"]:
        lines[0] += f" {total['refused']:,} readings not accepted."
    if told["since"] is not None:
        really = f"fired {times(told['fires'])}" if told["fires"] else "never fired"
        lines.append(f"What was really told in that time: it {really}.")
    return [*lines, *([document["hint"]] if document["hint"] else []), document["assumes"]]
