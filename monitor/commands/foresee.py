"""`qrossover trigger backtest` and `suggest`: what a threshold would do, before it is saved."""

from typing import Any

import click

from monitor.commands.common import Failure, Misused, duration, in_force, json_option, reader, say
from monitor.config import Config
from monitor.problems import nearest
from triggers.rule import Rule


@click.command("backtest")
@click.argument("name")
@click.option("--set", "words", multiple=True, metavar="KEY=VALUE", help="Try another value.")
@click.option("--since", default="90d", callback=duration, show_default=True, help="How far back.")
@click.option("--target", default=None, help="Only targets that match.")
@json_option
@click.pass_context
def backtest(
    context: click.Context,
    *,
    name: str,
    words: tuple[str, ...],
    since: float,
    target: str | None,
    as_json: bool,
) -> None:
    """How often it would have fired, now and with --set."""
    values = _read(name, words)
    config = in_force(context).config
    known(config, name)
    changed = _changed(config, name, values) if words else None
    _require_past(config, name, changed)

    from monitor import tables  # numpy is loaded once all words make sense
    from monitor.foresee import backtest as documents
    from monitor.foresee import backtest_tables
    from storage.types import now

    until = now()
    document = documents.compare(
        reader(config), config, name, changed, until - since, until, target=target
    )
    if as_json:
        say(document)
        return
    tables.console().print(backtest_tables.backtest(document))


def _require_past(config: Config, name: str, changed: Rule | None) -> None:
    """Raises Failure where the trigger, or one that it is about, has no past."""
    from monitor.foresee.askable import NoPast, require_past

    asked = [config.triggers[name], *([changed] if changed else [])]
    try:
        for rule in asked:  # it grows while members are found
            require_past(rule)
            asked += [config.triggers[member] for member in rule.of]
    except NoPast as why:
        raise Failure(str(why)) from None


def known(config: Config, name: str) -> Rule:
    """A trigger of the config. Raises Failure."""
    if name not in config.triggers:
        raise Failure(f"no trigger {name!r} in {config.path}.{nearest(name, config.triggers)}")
    return config.triggers[name]


def _read(name: str, words: tuple[str, ...]) -> dict[str, Any]:
    from monitor.edit.values import WrongValue, read

    try:
        return read(name, words)
    except WrongValue as wrong:
        raise Misused(str(wrong)) from None


def _changed(config: Config, name: str, values: dict[str, Any]) -> Rule:
    """The trigger with other values, as the edited file would have it."""
    from monitor.edit.edited import edited
    from monitor.edit.values import WrongValue

    try:
        return edited(config.path, name, values, said=config.text).new.triggers[name]
    except WrongValue as wrong:
        raise Misused(str(wrong)) from None


@click.command("suggest")
@click.argument("name")
@click.option(
    "--alarms-per-month",
    "a_month",
    type=click.FloatRange(min=0.0),
    required=True,
    help="How often it may fire, on all targets together.",
)
@click.option("--since", default="90d", callback=duration, show_default=True, help="How far back.")
@click.option("--target", default=None, help="Only targets that match.")
@json_option
@click.pass_context
def suggest(
    context: click.Context,
    *,
    name: str,
    a_month: float,
    since: float,
    target: str | None,
    as_json: bool,
) -> None:
    """The tightest threshold for so many alarms a month."""
    from monitor.foresee.askable import NoPast, NoThreshold, require

    config = in_force(context).config
    try:
        require(known(config, name))
    except (NoPast, NoThreshold) as why:
        raise Failure(str(why)) from None

    from monitor import tables  # numpy is loaded once all words make sense
    from monitor.foresee import suggestion, suggestion_tables
    from storage.types import now

    until = now()
    try:
        document = suggestion.suggestion(
            reader(config), config, name, a_month, (until - since, until), target=target
        )
    except NoThreshold as why:
        raise Failure(str(why)) from None
    if as_json:
        say(document)
        return
    tables.console().print(suggestion_tables.suggestion(document))
