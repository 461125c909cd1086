"""`qrossover trigger`: where triggers stand, why, and what people say about them."""

import click

from monitor.commands.common import Failure, in_force, json_option, reader, say
from monitor.problems import nearest
from monitor.slack.limits import clean


@click.group()
def trigger() -> None:
    """Triggers: where they stand, why, and other thresholds."""


@trigger.command("list")
@click.option("--firing", is_flag=True, help="Only what fires.")
@json_option
@click.pass_context
def trigger_list(context: click.Context, firing: bool, as_json: bool) -> None:
    """Every trigger on every target, those that fire first."""
    from monitor import report, tables, trigger_tables

    config = in_force(context).config
    every = report.triggers(config, reader(config))
    document = [row for row in every if row["state"] == "firing"] if firing else every
    if as_json:
        say(document)
        return
    judged = {row["name"] for row in every}
    unjudged = [name for name in config.triggers if name not in judged]
    console = tables.console()
    console.print(trigger_tables.counts(every, len(unjudged)))
    if firing:
        unjudged = []
    if document or unjudged:
        console.print()
        console.print(trigger_tables.triggers(document, unjudged))


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
    """Why a trigger fires now, or why it does not."""
    from monitor import explain, tables, trigger_tables
    from storage.types import now

    config = in_force(context).config
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
    for one in told:
        tables.console().print(trigger_tables.explanation(one))
