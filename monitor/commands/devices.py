"""`qrossover devices`: which clouds there are, and what they have."""

from typing import Any

import click
from rich.console import RenderableType
from rich.table import Table

from monitor.commands.common import config_of, json_option, say


@click.command()
@click.argument("provider", required=False)
@json_option
@click.pass_context
def devices(context: click.Context, provider: str | None, as_json: bool) -> None:
    """The devices of a provider, asked now; without one, the providers.

    Those are told without network: what each supports, and what this machine lacks for it.
    """
    from monitor import devices as asked
    from monitor.tables import console

    config = config_of(context)
    if provider is None:
        found = asked.providers(config)
        say(found) if as_json else console().print(_providers(found))
        return
    document = asked.devices(config, provider)
    say(document) if as_json else console().print(_devices(document))


def _providers(found: list[dict[str, Any]]) -> Table:
    from rich.text import Text

    from monitor.tables import MARKS, cell, grid

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


def _devices(document: dict[str, Any]) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    from monitor.tables import cell, grid
    from monitor.text import ago

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
