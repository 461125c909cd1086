"""`qrossover scenario`: what may come, and what now speaks for which of it."""

import click

from monitor.commands.common import in_force, json_option, say


@click.command()
@click.option("--all", "each", is_flag=True, help="Every indicator, with its evidence.")
@json_option
@click.pass_context
def scenario(context: click.Context, *, each: bool, as_json: bool) -> None:
    """Three scenarios, and which the evidence points to now.

    Indicators from signals and dated milestones are counted, each with its evidence; the count is
    no probability. Then come the next milestones, and those past due.
    """
    from monitor import tables
    from monitor.outlook import scenario as scenarios
    from monitor.outlook import scenario_tables
    from storage.store import Store
    from storage.types import now

    config = in_force(context).config
    try:
        store = Store.reader(config.monitor.database)
    except FileNotFoundError:
        store = None  # milestones have something to say before anything is measured
    document = scenarios.document(config, store, now())
    if as_json:
        say(document)
        return
    tables.console().print(scenario_tables.scenarios(document, each=each))
