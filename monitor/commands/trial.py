"""`qrossover trigger test`: unit tests of triggers."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import click

from monitor.commands.common import Failure, config_of, json_option, say
from monitor.config import Config


@click.command("test")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH …]")
@json_option
@click.pass_context
def trigger_test(context: click.Context, paths: Sequence[Path], as_json: bool) -> None:
    """Run unit tests of triggers: PATH is files or folders.

    Without PATH: those beside the config. A file that cannot be used hides no other.
    """
    from monitor.trial import files as trials
    from monitor.trial import report as trial_report

    usual = cache(lambda: config_of(context))
    places = paths or (_folder(usual()),)
    files = trials.find(places)
    if not files:
        raise Failure(f"no {trials.PATTERN} in {', '.join(str(place) for place in places)}")
    read, faults = trials.read(files, usual)
    told = trial_report.play(read)
    if read and as_json:
        say(trial_report.document(read, told))
    elif read:
        from monitor import tables
        from monitor.trial import view as trial_view

        tables.console().print(trial_view.report(read, told))
    if faults is not None:
        raise faults
    if any(one.result.faults for one in told):
        raise SystemExit(1)


def _folder(config: Config) -> Path:
    return config.path.parent
