"""The commands that start the service, or one pass of it, and try what it needs."""

from collections.abc import Sequence
from typing import Any

import click

from monitor.commands.common import config_of, json_option, prose, say, warn
from monitor.lock import holder
from monitor.problems import nearest


@click.command()
@click.pass_context
def run(context: click.Context) -> None:
    """Start the service in the foreground; SIGTERM or Ctrl-C ends it."""
    from monitor import service

    service.run(config_of(context, with_token=True))


@click.command()
@click.argument("probes", nargs=-1)
@click.option("--dry-run", is_flag=True, help="Say what would run and cost; run nothing.")
@json_option
@click.pass_context
def once(context: click.Context, probes: Sequence[str], dry_run: bool, as_json: bool) -> None:
    """Run every probe (or those named) once, and judge.

    Where a service runs, it is asked to do it. A dry run prepares what waits in a queue, and asks
    for its price.
    """
    from monitor import plan, service, tables
    from monitor.jobs import plan_table

    config = config_of(context, with_token=not dry_run)
    for name in probes:
        if name not in config.probes:
            known = ", ".join(config.probes)
            near = nearest(name, config.probes)
            raise click.BadParameter(f"no probe {name!r} in {config.path}; it has {known}.{near}")
    if dry_run:
        document = plan.dry_run(config, probes)
        say(document) if as_json else tables.console().print(plan_table.plan(document))
        _fail_where_one_failed(document["probes"])
        return
    if not as_json and (other := holder(config.monitor.database)):
        which = ", ".join(probes or config.probes)
        who = other.get("pid") or "unknown"
        prose(f"asking the running service (process {who}) to run {which}", err=True)
    document = service.once(config, probes, quiet=as_json)
    say(document) if as_json else _print_once(document)
    _fail_where_one_failed(document["runs"])


def _fail_where_one_failed(rows: Sequence[dict[str, Any]]) -> None:
    if any(row["outcome"] in ("failed", "timeout") for row in rows):
        raise SystemExit(1)


def _print_once(document: dict[str, Any]) -> None:
    from monitor import tables

    console = tables.console()
    for part in (
        tables.runs(document["runs"]),
        tables.signals(document["readings"]),
        tables.checklist(document["checklist"]),
    ):
        console.print()
        console.print(part)


@click.command()
@json_option
@click.pass_context
def check(context: click.Context, as_json: bool) -> None:
    """Check the config; say where alerts and readings go."""
    from monitor import report

    document = report.check(config_of(context, with_token=True))
    if as_json:
        say(document)
        return
    counts = ", ".join(
        f"{document[f'{what}s']} {what}{'' if document[f'{what}s'] == 1 else 's'}"
        for what in ("probe", "trigger", "question")
    )
    click.echo(f"{document['path']} is valid: {counts}.")
    for warning in document["warnings"]:
        warn(warning)
    click.echo(f"Alerts go to {document['alerts']}.")
    click.echo(f"The database is {document['database']} (SQLite {document['sqlite']}).")


@click.group()
def slack() -> None:
    """Slack: try the connection."""


@slack.command("test")
@click.pass_context
def slack_test(context: click.Context) -> None:
    """Post one message to the channel of the config."""
    from monitor import service

    click.echo(service.slack_test(config_of(context, with_token=True)))
