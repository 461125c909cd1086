"""`qrossover jobs` and `spend`: work at quantum clouds, and what it costs."""

from typing import Any

import click

from monitor.commands.common import Failure, duration, in_force, json_option, prose, reader, say
from monitor.config import Config
from monitor.lock import holder


class _Jobs(click.Group):
    """A group for which `jobs 17` is `jobs show 17`."""

    def resolve_command(
        self, context: click.Context, arguments: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The subcommand that a number stands for."""
        number = ["show"] if arguments[0].isdecimal() else []
        return super().resolve_command(context, [*number, *arguments])


@click.group(cls=_Jobs, invoke_without_command=True)
@click.option("--open", "only_open", is_flag=True, help="Only those that have not ended.")
@click.option(
    "--most",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="How many, open ones first, each newest first.",
)
@json_option
@click.pass_context
def jobs(context: click.Context, only_open: bool, most: int, as_json: bool) -> None:
    """Jobs at quantum clouds; `jobs ID` is one whole.

    Open ones come first.
    """
    if context.invoked_subcommand is not None:
        if as_json or only_open:
            raise click.UsageError("options stand behind the ID: `qrossover jobs 17 --json`")
        return
    from monitor.jobs import report, tables
    from monitor.tables import console

    config = in_force(context).config
    document = report.jobs(reader(config), only_open=only_open, most=most)
    if as_json:
        say(document)
        return
    console().print(tables.jobs(document))
    if any(row["ended"] is None for row in document):
        _say_who_looks(config)


@jobs.command("show")
@click.argument("number", type=int, metavar="ID")
@json_option
@click.pass_context
def jobs_show(context: click.Context, number: int, as_json: bool) -> None:
    """One job: where it stands, what happens next, and all that is known of it."""
    from monitor.jobs import tables
    from monitor.tables import console

    document = _job(context, number)
    if as_json:
        say(document)
        return
    console().print(tables.job(document))
    if document["ended"] is None:
        _say_who_looks(in_force(context).config)


@jobs.command("cancel")
@click.argument("number", type=int, metavar="ID")
@json_option
@click.pass_context
def jobs_cancel(context: click.Context, number: int, as_json: bool) -> None:
    """Ask the provider for a job's end.

    It is followed until it has ended, and what it may cost stays reserved until then.
    """
    from monitor.jobs.cancelling import cancel
    from monitor.who import name

    config = in_force(context).config
    cancel(config, number, name())
    document = _job(context, number)
    if as_json:
        say(document)
    else:
        prose(f"Job {number} at {document['device']} is {document['state']}. {_came(document)}")
        if document["ended"] is None:
            _say_who_looks(config)
    if document["ended"] is None and document["cancel_asked"] is None:
        raise SystemExit(1)


def _say_who_looks(config: Config) -> None:
    """That an open job is not followed now, where that is so."""
    if not holder(config.monitor.database):
        prose("\nNo service runs: an open job is looked at by the next `qrossover run` or `once`.")


def _came(document: dict[str, Any]) -> str:
    why = document["reason"]
    said = f"{why[:1].upper()}{why[1:]}." if why else ""
    return f"{said} Next: {document['next']}."


def _job(context: click.Context, number: int) -> dict[str, Any]:
    from monitor.jobs import report
    from storage.ledger import Ledger

    try:
        return report.whole(Ledger(reader(in_force(context).config)).get(number))
    except LookupError as error:
        raise Failure(f"{error}: `qrossover jobs` lists them") from None


@click.command()
@click.option("--since", default="28d", callback=duration, help="How far back: 1d, 28d, 1y.")
@json_option
@click.pass_context
def spend(context: click.Context, since: float, as_json: bool) -> None:
    """What was paid to whom, and what the budget leaves."""
    from monitor.jobs import report, tables
    from monitor.tables import console
    from monitor.text import ago
    from storage.types import now

    config = in_force(context).config
    document = report.spend(config.budget, reader(config), max(0.0, now() - since))
    say(document) if as_json else console().print(tables.spend(document, ago(since)))
