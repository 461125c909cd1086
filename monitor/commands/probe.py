"""`qrossover probe`: one run of one probe, for job prologs and for people."""

import asyncio
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from monitor.commands.common import Misused, duration, folded, json_option, prose, say

if TYPE_CHECKING:
    from monitor.runner import Finished
    from monitor.sections import ProbeEntry

SKIPPED = 3
ENDED = 128 + 15
"""As a shell has it for a program that SIGTERM ended."""


def _timeout(context: click.Context, option: click.Parameter, value: str | None) -> float | None:
    return None if value is None else duration(context, option, value)


@click.command()
@click.argument("kind")
@click.option(
    "--set",
    "settings",
    metavar="KEY=VALUE",
    multiple=True,
    help="A setting of the probe, as in a [probe.NAME] table.",
)
@click.option(
    "--fail-if",
    "conditions",
    metavar="CONDITION",
    multiple=True,
    help='Exit 1 where a reading is "SIGNAL above X" or "SIGNAL below X".',
)
@click.option(
    "--timeout", metavar="DURATION", callback=_timeout, help="Kill it after this: 30s, 2m."
)
@json_option
def probe(
    kind: str,
    settings: Sequence[str],
    conditions: Sequence[str],
    timeout: float | None,
    as_json: bool,
) -> None:
    """Run the probe KIND once; store nothing.

    No config and no database. Exit codes: 0 measured, 1 failed or --fail-if, 2 usage, 3 skipped
    (the GPU is busy), 70 the installation is broken.
    """
    from monitor import alone

    try:
        entry = alone.entry_of(kind, alone.settings_of(settings), timeout)
        bounds = [alone.condition_of(text, entry.probe) for text in conditions]
    except alone.Unusable as error:
        raise Misused(folded(str(error))) from None
    finished = _run(entry)
    document = alone.document(entry, finished, bounds)
    say(document) if as_json else _print(document)
    _explain(document, finished.run.stderr)
    # a broken installation is a fault of the program's own, as any other, and not the device's
    missing = finished.answer.get("missing")
    raise SystemExit(os.EX_SOFTWARE if missing else _exit_code(document))


def _run(entry: "ProbeEntry") -> "Finished":
    from monitor import alone

    try:
        return asyncio.run(alone.run(entry))
    except asyncio.CancelledError:
        raise SystemExit(ENDED) from None


def _print(document: dict[str, Any]) -> None:
    from monitor import tables

    if document["readings"]:
        tables.console().print(tables.signals(document["readings"]))


def _explain(document: dict[str, Any], stderr: str) -> None:
    """What kept a run from being a good one, on stderr: stdout has the result alone."""
    if document["outcome"] != "ok":
        prose(f"{document['kind']} {document['outcome']}: {document['reason']}", err=True)
    if document["outcome"] == "failed" and stderr:
        click.echo(stderr, err=True)
    for line in document["failed_if"]:
        prose(line, err=True)


def _exit_code(document: dict[str, Any]) -> int:
    if document["outcome"] == "skipped":
        return SKIPPED
    return int(document["outcome"] != "ok" or bool(document["failed_if"]))
