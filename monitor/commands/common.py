"""What the commands share: the config they read, how they say things, how they fail."""

import json
from collections.abc import Callable
from typing import Any, TypeVar

import click

from monitor import config as configs
from monitor.config import Config
from monitor.problems import ConfigError
from storage.store import Store

_F = TypeVar("_F", bound=Callable[..., Any])


class Failure(click.ClickException):
    """Something asked for that failed, told in one line on stderr."""

    def show(self, file: Any = None) -> None:  # noqa: ARG002 click's own signature
        """Print the message without click's prefix."""
        click.echo(self.message, err=True)


def json_option(command: _F) -> _F:
    """The `--json` of every command that reports."""
    return click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")(
        command
    )


def config_of(context: click.Context, *, with_token: bool = False) -> Config:
    """The config that this call is about. Raises ConfigError."""
    return configs.read(configs.find(context.find_root().obj), with_token=with_token)


def config_in_force(context: click.Context) -> tuple[Config, tuple[str, ...]]:
    """The config of the file and, where that cannot be used and a service runs all the same, the
    one that this service has, with the faults of the file. Raises ConfigError."""
    from monitor.reload.running import in_force

    path = configs.find(context.find_root().obj)
    try:
        return configs.read(path, with_token=False), ()
    except ConfigError as error:
        running = in_force(path)
        if running is None:
            raise
        return running, error.lines


def say(document: Any) -> None:
    """Print one JSON document."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))


def reader(config: Config) -> Store:
    """The database, read-only. Raises Failure where there is none yet."""
    try:
        return Store.reader(config.monitor.database)
    except FileNotFoundError as missing:
        raise Failure(str(missing)) from None


def duration(_: click.Context, __: click.Parameter, value: str) -> float:
    """Seconds of an option such as "7d"."""
    from triggers.quantity import parse_duration

    try:
        return parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
