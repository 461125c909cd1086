"""`qrossover trigger`: where triggers stand, why, and what people say about them."""

import click

from monitor.commands.common import Failure, config_of, json_option, reader, say
from monitor.config import Config
from monitor.lock import holder
from monitor.problems import nearest
from monitor.slack.limits import clean


@click.group()
def trigger() -> None:
    """Triggers: where they stand, and why."""


@trigger.command("list")
@json_option
@click.pass_context
def trigger_list(context: click.Context, as_json: bool) -> None:
    """Every trigger on every target."""
    from monitor import report, tables, trigger_tables

    config = config_of(context)
    document = report.triggers(config, reader(config))
    if as_json:
        say(document)
        return
    _tell_an_edit(config)
    tables.console().print(trigger_tables.triggers(document))


def _tell_an_edit(config: Config) -> None:
    """Say that the running service judges by another config than the one that is read here."""
    running = holder(config.monitor.database)
    if running.get("sha256", config.sha256) == config.sha256:
        return
    name = clean(config.path.name)
    if running.get("faults"):
        click.echo(f"{name} is not in force, the service could not use it: see qrossover status")
    else:
        click.echo(f"{name} has changed: the service loads it within seconds")


@trigger.command("explain")
@click.argument("name")
@click.option("--target", default=None, help="Only this target.")
@json_option
@click.pass_context
def trigger_explain(
    context: click.Context,
    name: str,
    target: str | None,
    as_json: bool,
) -> None:
    """Why a trigger fires now, or why it does not: the readings, and each step."""
    from monitor import explain, tables, trigger_tables
    from storage.types import now

    config = config_of(context)
    rule = config.triggers.get(name)
    if rule is None:
        raise Failure(f"no trigger {name!r} in {config.path}.{nearest(name, config.triggers)}")
    store = reader(config)
    standings = explain.standings(store, config, rule, now())
    chosen = [s for s in standings if target in (None, s.target)]
    if not chosen:
        known = ", ".join(clean(standing.target) for standing in standings)
        raise Failure(f"{name} has no target {target!r}; it has {known}")
    told = [explain.explain(store, rule, standing, now()) for standing in chosen]
    if as_json:
        say([explain.as_json(one) for one in told])
        return
    _tell_an_edit(config)
    for one in told:
        tables.console().print(trigger_tables.explanation(one))
