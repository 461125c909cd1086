"""`qrossover crossover`: from where on a quantum computer would win."""

import click

from monitor.commands.common import in_force, json_option, reader, say


@click.command()
@json_option
@click.pass_context
def crossover(context: click.Context, as_json: bool) -> None:
    """From where on a quantum computer would win."""
    from monitor import tables
    from monitor.outlook import crossover as document
    from monitor.outlook import crossover_table

    config = in_force(context).config
    rows = document.rows(config, reader(config))
    say(rows) if as_json else tables.console().print(crossover_table.crossover(rows))
