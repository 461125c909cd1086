"""The command line. Every command that reports has `--json`: one document on stdout.

Exit codes: 0 done, 1 something asked for failed, 2 usage, 70 a fault of this program's, 75 another
instance has the database, 78 the config cannot be used.
"""

import io
import os
import sqlite3
import sys
import traceback
from pathlib import Path

import click

from monitor.commands import (
    attention,
    backfill,
    compare,
    config,
    crossover,
    devices,
    edit,
    foresee,
    jobs,
    probe,
    reload,
    reports,
    scenario,
    service,
    trial,
    trigger,
)
from monitor.lock import Taken
from monitor.problems import ConfigError
from monitor.refusal import Refused
from storage.schema import OtherSchema

TEMPFAIL = 75
CONFIG = 78


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
    """Watches whether quantum computing has started to matter for training large models.

    Exit codes: 0 done, 1 what was asked for failed, 2 usage, 75 another instance has the database,
    78 the config cannot be used.
    """
    context.obj = path


for command in (
    service.run,
    service.once,
    probe.probe,
    service.check,
    reload.reload,
    reports.status,
    reports.checklist,
    reports.signals,
    reports.runs,
    jobs.jobs,
    jobs.spend,
    devices.devices,
    trigger.trigger,
    config.config,
    crossover.crossover,
    scenario.scenario,
    backfill.backfill,
    compare.compare,
    service.slack,
):
    cli.add_command(command)
for about_one in (
    foresee.backtest,
    foresee.suggest,
    edit.trigger_set,
    trial.trigger_test,
    attention.ack,
    attention.unack,
    attention.snooze,
    attention.unsnooze,
):
    trigger.trigger.add_command(about_one)


def main() -> None:
    """The console script."""
    _print_anywhere()
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
    # The process ends here. Python's own code for it is 1, which tells a job's prolog that the GPU
    # is bad.
    except Exception:  # noqa: BLE001
        _end(traceback.format_exc().rstrip(), os.EX_SOFTWARE)


def _print_anywhere() -> None:
    """A terminal without Unicode has ? for ±."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _end(message: str, status_code: int) -> None:
    click.echo(message, err=True)
    sys.exit(status_code)


if __name__ == "__main__":
    main()
