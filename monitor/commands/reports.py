"""The commands that only look: status, checklist, signals, runs."""

from collections.abc import Collection

import click

from monitor.commands.common import (
    Failure,
    duration,
    in_force,
    json_option,
    reader,
    say,
)
from monitor.problems import nearest


@click.command()
@json_option
@click.pass_context
def status(context: click.Context, as_json: bool) -> None:
    """The service at a glance: probes, triggers, alerts owed."""
    from monitor import report, tables

    found = in_force(context)
    document = report.status(
        found.config, reader(found.config), found.faults, edited=bool(found.why)
    )
    say(document) if as_json else tables.console().print(tables.status(document))


@click.command()
@json_option
@click.pass_context
def checklist(context: click.Context, as_json: bool) -> None:
    """The three questions: what holds, and how far it is."""
    from monitor import report, tables

    config = in_force(context).config
    document = report.checklist(config, reader(config))
    say(document) if as_json else tables.console().print(tables.checklist(document))


@click.command()
@click.argument("name", default="*")
@click.option("--target", default="*", help="Only targets that match this pattern.")
@click.option("--since", default="7d", callback=duration, help="How far back: 12h, 7d, 7y.")
@click.option("--by", type=click.Choice(["family"]), help="One line a device family, by year.")
@json_option
@click.pass_context
def signals(
    context: click.Context,
    name: str,
    target: str,
    *,
    since: float,
    by: str | None,
    as_json: bool,
) -> None:
    """Readings of the signals that match NAME, such as gpu.*

    A short name leaves out the probe: quantum.two_qubit_error.
    """
    from monitor import tables
    from monitor.outlook import families
    from storage import reports
    from storage.types import now

    config = in_force(context).config
    store = reader(config)
    known = {signal for signal, _, _ in store.names(past=True)}
    name = _in_full(name, known)
    found = reports.readings(store, name, target, now() - since)
    if not found and name not in known and "*" not in name:
        near = nearest(name, known)
        raise Failure(f"no readings of a signal {name!r}.{near}")
    if by == "family":
        if as_json:
            say(families.rows(store, found))
        else:
            tables.console().print(families.show(store, found))
    else:
        say(found) if as_json else tables.console().print(tables.signals(found))


def _in_full(name: str, known: Collection[str]) -> str:
    """The signal that a short name means, where there is one alone that it can mean."""
    ends = name.partition(".")[::2]
    meant = [signal for signal in known if (signal.split(".")[0], signal.split(".")[-1]) == ends]
    return meant[0] if len(meant) == 1 and name not in known else name


@click.command()
@click.option("--failed", is_flag=True, help="Only runs that failed or timed out.")
@click.option(
    "--most",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="How many, newest first.",
)
@json_option
@click.pass_context
def runs(context: click.Context, failed: bool, most: int, as_json: bool) -> None:
    """Runs of the probes, newest first."""
    from monitor import report, tables

    document = report.runs(reader(in_force(context).config), failed=failed, most=most)
    say(document) if as_json else tables.console().print(tables.runs(document))
