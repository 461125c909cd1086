"""`qrossover trigger ack`, `unack`, `snooze` and `unsnooze`: what people say about triggers."""

from typing import TYPE_CHECKING, Any

import click

from monitor.commands.common import Failure, duration, in_force, json_option, say
from monitor.problems import nearest
from monitor.slack.limits import clean

if TYPE_CHECKING:
    from monitor.attention import Verb

_target = click.option("--target", default=None, help="Only this target.")


@click.command()
@click.argument("name")
@_target
@click.option("--note", default="", help="What to say to the others in the thread.")
@json_option
@click.pass_context
def ack(context: click.Context, *, name: str, target: str | None, note: str, as_json: bool) -> None:
    """Say that you know of an alert: it is not said again.

    The acknowledgement ends when the trigger resolves.
    """
    _say(context, "ack", name, target, note=note, as_json=as_json)


@click.command()
@click.argument("name")
@_target
@json_option
@click.pass_context
def unack(context: click.Context, name: str, target: str | None, as_json: bool) -> None:
    """Take an acknowledgement back: reminders go on."""
    _say(context, "unack", name, target, as_json=as_json)


@click.command()
@click.argument("name")
@click.argument("duration", callback=duration)
@_target
@json_option
@click.pass_context
def snooze(
    context: click.Context, *, name: str, duration: float, target: str | None, as_json: bool
) -> None:
    """Say nothing new about a trigger for 2h, 3d, …

    What still fires then is told then. An alert that is open already is still closed.
    """
    if duration <= 0:
        raise click.BadParameter('expected more than 0, such as "2h"', param_hint="DURATION")
    _say(context, "snooze", name, target, seconds=duration, as_json=as_json)


@click.command()
@click.argument("name")
@_target
@json_option
@click.pass_context
def unsnooze(context: click.Context, name: str, target: str | None, as_json: bool) -> None:
    """End a snooze now: what fires is told."""
    _say(context, "unsnooze", name, target, as_json=as_json)


def _say(
    context: click.Context,
    verb: "Verb",
    name: str,
    target: str | None,
    *,
    note: str = "",
    seconds: float | None = None,
    as_json: bool,
) -> None:
    """Say it to the service, and print where the trigger stands then."""
    from monitor import attention, trigger_tables, who
    from storage.types import now

    config = in_force(context).config
    known = [*config.triggers, *(f"checklist.{item}" for item in config.checklist)]
    if name not in known:
        raise Failure(f"no trigger {name!r} in {config.path}.{nearest(name, known)}")
    until = None if seconds is None else now() + seconds
    word = attention.Word(verb, name, target, clean(who.name()), clean(note), until)
    heard = attention.say(config, word)
    if as_json:
        say(heard["standings"])
        return
    for row, refused in zip(heard["standings"], heard["refused"], strict=True):
        told = _refused(row, verb, refused) if refused else trigger_tables.stands(row)
        click.echo(clean(f"{row['name']} on {row['target']}: {told}"))


def _refused(row: "dict[str, Any]", verb: "Verb", why: str) -> str:
    """Why nothing was done on a target: what was done before, or how it stands."""
    if verb != "ack":
        return f"{row['state']}, {why}"
    if row["acknowledged_by"] is not None:
        return f"acknowledged by {row['acknowledged_by']} already"
    return f"{row['state']}, nothing to acknowledge"
