"""`qrossover trigger ack`, `unack`, `snooze` and `unsnooze`: what people say about triggers."""

from typing import TYPE_CHECKING

import click

from monitor.commands.common import Failure, duration, in_force
from monitor.problems import nearest
from monitor.slack.limits import clean

if TYPE_CHECKING:
    from monitor.attention import Verb

_target = click.option("--target", default=None, help="Only this target.")


@click.command()
@click.argument("name")
@_target
@click.option("--note", default="", help="What to say to the others in the thread.")
@click.pass_context
def ack(context: click.Context, name: str, target: str | None, note: str) -> None:
    """Say that you know of an alert: it is not said again.

    The acknowledgement ends when the trigger resolves.
    """
    _say(context, "ack", name, target, note=note)


@click.command()
@click.argument("name")
@_target
@click.pass_context
def unack(context: click.Context, name: str, target: str | None) -> None:
    """Take an acknowledgement back: reminders go on."""
    _say(context, "unack", name, target)


@click.command()
@click.argument("name")
@click.argument("duration", callback=duration)
@_target
@click.pass_context
def snooze(context: click.Context, name: str, duration: float, target: str | None) -> None:
    """Say nothing new about a trigger for 2h, 3d, …

    What still fires then is told then. An alert that is open already is still closed.
    """
    if duration <= 0:
        raise click.BadParameter('expected more than 0, such as "2h"', param_hint="DURATION")
    _say(context, "snooze", name, target, seconds=duration)


@click.command()
@click.argument("name")
@_target
@click.pass_context
def unsnooze(context: click.Context, name: str, target: str | None) -> None:
    """End a snooze now: what fires is told."""
    _say(context, "unsnooze", name, target)


def _say(
    context: click.Context,
    verb: "Verb",
    name: str,
    target: str | None,
    *,
    note: str = "",
    seconds: float | None = None,
) -> None:
    """Say it to the service, and print where the trigger stands then."""
    from monitor import attention, trigger_tables
    from storage.types import now

    config = in_force(context).config
    known = [*config.triggers, *(f"checklist.{item}" for item in config.checklist)]
    if name not in known:
        raise Failure(f"no trigger {name!r} in {config.path}.{nearest(name, known)}")
    until = None if seconds is None else now() + seconds
    word = attention.Word(verb, name, target, attention.who(), clean(note), until)
    for row in attention.say(config, word):
        click.echo(f"{clean(row['name'])} on {clean(row['target'])}: {trigger_tables.stands(row)}")
