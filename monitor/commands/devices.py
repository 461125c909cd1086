"""`qrossover devices`: which clouds there are, and what they have."""

import click

from monitor.commands.common import config_of, json_option, say


@click.command()
@click.argument("provider", required=False)
@json_option
@click.pass_context
def devices(context: click.Context, provider: str | None, as_json: bool) -> None:
    """The quantum clouds; with a name, what that one has now.

    Without one nobody is asked: what each supports, and what this machine lacks for it.
    """
    from monitor import device_tables
    from monitor import devices as asked
    from monitor.tables import console

    config = config_of(context)
    if provider is None:
        found = asked.providers(config)
        say(found) if as_json else console().print(device_tables.providers(found))
        return
    document = asked.devices(config, provider)
    say(document) if as_json else console().print(device_tables.devices(document))
