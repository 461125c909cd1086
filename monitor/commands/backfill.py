"""`qrossover backfill`: a past that can be had, brought into the history."""

import click

from monitor.commands.common import config_of, json_option, reader, say


@click.group()
def backfill() -> None:
    """Bring a past that others measured into the history."""


@backfill.command("snapshots")
@json_option
@click.pass_context
def backfill_snapshots(context: click.Context, as_json: bool) -> None:
    """Store the real calibrations of IBM devices, 2020 to 2026, each at its own time.

    They come with qiskit-ibm-runtime. What is stored already is left alone. A running service does
    it itself.
    """
    from monitor import backfill, past, report

    config = config_of(context)
    found = backfill.snapshots(config)
    document = found | {"trends": report.trends(config, reader(config))}
    say(document) if as_json else past.show(document)
