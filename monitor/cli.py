"""The command line. Every command that reports has `--json`: one document on stdout.

Exit codes: 0 done, 1 something asked for failed, 2 usage, 75 another instance has the database,
78 the config cannot be used.
"""

import json
import sqlite3
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from monitor import config as configs
from monitor.config import Config
from monitor.lock import Taken, holder
from monitor.problems import ConfigError, nearest
from monitor.refusal import Refused
from monitor.slack.limits import clean
from storage.schema import OtherSchema
from storage.store import Store

_F = TypeVar("_F", bound=Callable[..., Any])

TEMPFAIL = 75
CONFIG = 78


class Failure(click.ClickException):
    """Something asked for that failed, told in one line on stderr."""

    def show(self, file: Any = None) -> None:  # noqa: ARG002 click's own signature
        """Print the message without click's prefix."""
        click.echo(self.message, err=True)


def _json(command: _F) -> _F:
    return click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")(
        command
    )


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    "path",
    # whether it can be read is found out by reading it, which has its own exit code
    type=click.Path(path_type=Path, readable=False),
    help="Config file (else QROSSOVER_CONFIG, ./config.toml, the user's, the system's).",
)
@click.version_option(package_name="qrossover", message="qrossover %(version)s")
@click.pass_context
def cli(context: click.Context, path: Path | None) -> None:
    """Watches whether quantum computing has started to matter for training large models."""
    context.obj = path


def _config(context: click.Context, *, with_token: bool = False) -> Config:
    return configs.read(configs.find(context.obj), with_token=with_token)


def _say(document: Any) -> None:
    click.echo(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))


def _reader(config: Config) -> Store:
    try:
        return Store.reader(config.monitor.database)
    except FileNotFoundError as missing:
        raise Failure(str(missing)) from None


# --- the service -----------------------------------------------------------------------------


@cli.command()
@click.pass_context
def run(context: click.Context) -> None:
    """Start the service in the foreground; SIGTERM or Ctrl-C ends it."""
    from monitor import service

    service.run(_config(context, with_token=True))


@cli.command()
@click.argument("probes", nargs=-1)
@click.option("--dry-run", is_flag=True, help="Say what would run and cost; run nothing.")
@_json
@click.pass_context
def once(context: click.Context, probes: Sequence[str], dry_run: bool, as_json: bool) -> None:
    """Run every probe (or those named) once, judge, and exit. A running service does it itself."""
    from monitor import service

    config = _config(context, with_token=not dry_run)
    for name in probes:
        if name not in config.probes:
            known = ", ".join(config.probes)
            near = nearest(name, config.probes)
            raise click.BadParameter(f"no probe {name!r} in {config.path}; it has {known}.{near}")
    if dry_run:
        document = service.dry_run(config, probes)
        _say(document) if as_json else _print_plan(document)
        return
    if not as_json and (other := holder(config.monitor.database)):
        which = ", ".join(probes or config.probes)
        who = other.get("pid") or "unknown"
        click.echo(f"asking the running service (process {who}) to run {which}", err=True)
    document = service.once(config, probes, quiet=as_json)
    _say(document) if as_json else _print_once(document)
    if any(row["outcome"] in ("failed", "timeout") for row in document["runs"]):
        raise SystemExit(1)


def _print_plan(document: dict[str, Any]) -> None:
    from monitor import tables

    table = tables.grid("probe", "kind", ">killed after", ">USD at most", ">QPU s", "")
    for row in document["probes"]:
        table.add_row(
            tables.cell(row["name"]),
            tables.cell(row["kind"]),
            f"{row['timeout_seconds']:g} s",
            f"{row['usd']:.2f}",
            f"{row['qpu_seconds']:g}",
            tables.cell(row["refused"]),
        )
    tables.console().print(table)


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


# --- reports ---------------------------------------------------------------------------------


@cli.command()
@_json
@click.pass_context
def check(context: click.Context, as_json: bool) -> None:
    """Check the config, and say what it makes of this machine."""
    from monitor import report

    document = report.check(_config(context, with_token=True))
    if as_json:
        _say(document)
        return
    counts = ("probes", "triggers", "questions")
    click.echo(
        f"{document['path']} is valid: {', '.join(f'{document[what]} {what}' for what in counts)}."
    )
    for warning in document["warnings"]:
        click.echo(f"warning: {warning}")
    click.echo(f"Alerts go to {document['alerts']}.")
    click.echo(f"The database is {document['database']} (SQLite {document['sqlite']}).")


@cli.command()
@_json
@click.pass_context
def status(context: click.Context, as_json: bool) -> None:
    """The service at a glance: probes, triggers, alerts owed."""
    from monitor import report, tables

    config = _config(context)
    document = report.status(config, _reader(config))
    _say(document) if as_json else tables.console().print(tables.status(document))


@cli.command()
@_json
@click.pass_context
def checklist(context: click.Context, as_json: bool) -> None:
    """The re-evaluation checklist: what holds, what does not, and how far it is."""
    from monitor import report, tables

    config = _config(context)
    document = report.checklist(config, _reader(config))
    _say(document) if as_json else tables.console().print(tables.checklist(document))


def _duration(_: click.Context, __: click.Parameter, value: str) -> float:
    from triggers.quantity import parse_duration

    try:
        return parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@cli.command()
@click.argument("name", default="*")
@click.option("--target", default="*", help="Only targets that match this pattern.")
@click.option("--since", default="7d", callback=_duration, help="How far back: 12h, 7d, 7y.")
@_json
@click.pass_context
def signals(
    context: click.Context,
    name: str,
    target: str,
    since: float,
    as_json: bool,
) -> None:
    """Readings of the signals that match NAME (a pattern such as 'gpu.*')."""
    from monitor import tables
    from storage import reports
    from storage.types import now

    config = _config(context)
    store = _reader(config)
    found = reports.readings(store, name, target, now() - since)
    if not found and not any(signal == name for signal, _, _ in store.names()) and "*" not in name:
        near = nearest(name, {signal for signal, _, _ in store.names()})
        raise Failure(f"no readings of a signal {name!r}.{near}")
    _say(found) if as_json else tables.console().print(tables.signals(found))


@cli.command()
@click.option("--failed", is_flag=True, help="Only runs that failed or timed out.")
@click.option(
    "--most",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="How many, newest first.",
)
@_json
@click.pass_context
def runs(context: click.Context, failed: bool, most: int, as_json: bool) -> None:
    """Runs of the probes, newest first."""
    from monitor import report, tables

    document = report.runs(_reader(_config(context)), failed=failed, most=most)
    _say(document) if as_json else tables.console().print(tables.runs(document))


# --- triggers and Slack ----------------------------------------------------------------------


@cli.group()
def trigger() -> None:
    """Triggers: where they stand, and why."""


@trigger.command("list")
@_json
@click.pass_context
def trigger_list(context: click.Context, as_json: bool) -> None:
    """Every trigger on every target."""
    from monitor import report, tables

    config = _config(context)
    document = report.triggers(config, _reader(config))
    if as_json:
        _say(document)
        return
    _tell_an_edit(config)
    tables.console().print(tables.triggers(document))


def _tell_an_edit(config: Config) -> None:
    """Say that the running service judges by another config than the one that is read here."""
    if holder(config.monitor.database).get("sha256", config.sha256) != config.sha256:
        name = clean(config.path.name)
        click.echo(f"{name} has changed since the service loaded it: restart to apply it")


@trigger.command("explain")
@click.argument("name")
@click.option("--target", default=None, help="Only this target.")
@_json
@click.pass_context
def trigger_explain(
    context: click.Context,
    name: str,
    target: str | None,
    as_json: bool,
) -> None:
    """Why a trigger fires now, or why it does not: the readings, and each step."""
    from monitor import explain, tables
    from storage.types import now

    config = _config(context)
    rule = config.triggers.get(name)
    if rule is None:
        raise Failure(f"no trigger {name!r} in {config.path}.{nearest(name, config.triggers)}")
    store = _reader(config)
    standings = explain.standings(store, config, rule, now())
    chosen = [s for s in standings if target in (None, s.target)]
    if not chosen:
        known = ", ".join(clean(standing.target) for standing in standings)
        raise Failure(f"{name} has no target {target!r}; it has {known}")
    told = [explain.explain(store, rule, standing, now()) for standing in chosen]
    if as_json:
        _say([explain.as_json(one) for one in told])
        return
    _tell_an_edit(config)
    for one in told:
        tables.console().print(tables.explanation(one))


@cli.group()
def slack() -> None:
    """Slack: try the connection."""


@slack.command("test")
@click.pass_context
def slack_test(context: click.Context) -> None:
    """Post one message to the channel of the config."""
    from monitor import service

    click.echo(service.slack_test(_config(context, with_token=True)))


def main() -> None:
    """The console script."""
    try:
        cli.main(standalone_mode=False, prog_name="qrossover")
    except ConfigError as error:
        _end(str(error), CONFIG)
    except Taken as error:
        _end(str(error), TEMPFAIL)
    except click.exceptions.Exit as leave:
        sys.exit(leave.exit_code)
    except click.Abort:
        _end("interrupted", 130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (Refused, OtherSchema) as error:
        _end(str(error), 1)
    except (sqlite3.Error, OSError) as error:
        _end(f"{type(error).__name__}: {error}", 1)


def _end(message: str, status_code: int) -> None:
    click.echo(message, err=True)
    sys.exit(status_code)


if __name__ == "__main__":
    main()
