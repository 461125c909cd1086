"""`qrossover crossover`: from where on a quantum computer would win."""

import click

from monitor.commands.common import in_force, json_option, reader, say


@click.command()
@click.option("--all", "each", is_flag=True, help="A line for each device, however many.")
@json_option
@click.pass_context
def crossover(context: click.Context, *, each: bool, as_json: bool) -> None:
    """From where on a quantum computer would win."""
    from monitor import tables
    from monitor.outlook import crossover as document
    from monitor.outlook import crossover_table

    config = in_force(context).config
    rows = document.rows(config, reader(config))
    if as_json:
        say(rows)
        return
    tables.console().print(crossover_table.crossover(rows, each=each))
