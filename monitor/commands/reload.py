"""`qrossover reload`: have the running service load its config file now."""

import click

from monitor.commands.common import Failure, config_of, json_option, say, warn


@click.command()
@json_option
@click.pass_context
def reload(context: click.Context, as_json: bool) -> None:
    """Have the running service load the config file now.

    A changed file is loaded within seconds without this too.
    """
    from monitor.differences import value_text
    from monitor.http.control import NotListening, ask_reload
    from monitor.lock import holder
    from monitor.slack.limits import clean

    config = config_of(context)
    database = config.monitor.database
    if not holder(database):
        raise Failure(f"no service runs on {database}: `qrossover run` starts one")
    try:
        document = ask_reload(database)
    except NotListening:
        raise Failure(
            f"nobody listens on {database}.sock: the service is starting, or makes a single pass"
        ) from None
    if as_json:
        say(document)
        return
    for change in document["changes"]:
        told = f"{change['key']}: {value_text(change['old'])} → {value_text(change['new'])}"
        click.echo(clean(told))
    if not document["changes"]:
        click.echo("Nothing to load: the service has what the file says.")
    for warning in document["warnings"]:
        warn(warning)
