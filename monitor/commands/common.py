"""What the commands share: the config they read, how they say things, how they fail."""

import json
import textwrap
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from monitor import config as configs
from monitor.config import Config
from monitor.slack.limits import clean
from storage.store import Store

if TYPE_CHECKING:
    from monitor.reload.running import InForce

_F = TypeVar("_F", bound=Callable[..., Any])


class Failure(click.ClickException):
    """Something asked for that failed, told in one line on stderr."""

    def show(self, file: Any = None) -> None:  # noqa: ARG002 click's own signature
        """Print the message without click's prefix."""
        click.echo(self.message, err=True)


class Misused(Failure):
    """Words on the command line that make no sense: exit code 2."""

    exit_code = 2


def json_option(command: _F) -> _F:
    """The `--json` of every command that reports."""
    return click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")(
        command
    )


def config_of(context: click.Context, *, with_token: bool = False) -> Config:
    """The config as the file says it. Raises ConfigError."""
    return configs.read(configs.find(context.find_root().obj), with_token=with_token)


def in_force(context: click.Context) -> "InForce":
    """The config that is in force: the one that the running service has, else that of the file.
    That they differ is told. Raises ConfigError."""
    from monitor.reload.running import reading

    found = reading(context.find_root().obj)
    if found.why:
        name = clean(found.config.path.name)
        warn(f"{name} {found.why}: the service's config in force is used here", err=True)
    return found


def folded(text: str) -> str:
    """Sentences in 80 columns."""
    lines = (
        textwrap.fill(line, 80, break_long_words=False, break_on_hyphens=False)
        for line in text.splitlines()
    )
    return "\n".join(lines)


def prose(text: str, *, err: bool = False) -> None:
    """Print sentences in 80 columns."""
    if text:
        click.echo(folded(text), err=err)


def warn(text: str, *, err: bool = False) -> None:
    """Print a warning in 80 columns."""
    prose(f"warning: {clean(text)}", err=err)


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
