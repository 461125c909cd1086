"""`qrossover backfill`: a past that can be had, brought into the history."""

from pathlib import Path
from typing import Any

import click

from monitor.commands.common import config_of, duration, json_option, reader, say

OWNERS = {"azure": "Azure", "ibm": "IBM", "ionq": "IonQ"}
"""Providers that keep the calibrations of their devices: those with `history` in what they
support, which a test holds this against."""


@click.group()
def backfill() -> None:
    """Add readings of years past to the history.

    What is stored already is left alone. A running service does it itself.
    """


@backfill.command("snapshots")
@json_option
@click.pass_context
def backfill_snapshots(context: click.Context, as_json: bool) -> None:
    """Store real IBM calibrations, 2020 to 2026.

    They come with qiskit-ibm-runtime.
    """
    _bring(context, as_json, "snapshots")


@backfill.command("metriq")
@click.argument("place", metavar="PATH|URL")
@json_option
@click.pass_context
def backfill_metriq(context: click.Context, place: str, as_json: bool) -> None:
    """Store independent results, published in metriq-data.

    PATH is a file, a folder or an archive of its JSON files, URL the address of one, such as
    https://github.com/unitaryfoundation/metriq-data/archive/refs/heads/main.zip
    """
    is_url = place.startswith(("http://", "https://"))
    # the child, and a running service, look from a folder of their own
    _bring(context, as_json, "metriq", place=place if is_url else str(Path(place).absolute()))


def _history(provider: str, owner: str) -> click.Command:
    """The command for the calibrations that a provider has kept."""

    @click.command(provider, help=f"Store the calibrations that {owner} has kept of DEVICE.")
    @click.argument("device")
    @click.option(
        "--since", default="1y", show_default=True, callback=duration, help="How far back: 30d, 1y."
    )
    @json_option
    @click.pass_context
    def command(context: click.Context, device: str, since: float, as_json: bool) -> None:
        from storage.types import now

        until = now()
        settings = {"provider": provider, "device": device, "since": until - since, "until": until}
        _bring(context, as_json, "history", **settings)

    return command


for _provider, _owner in OWNERS.items():
    backfill.add_command(_history(_provider, _owner))


def _bring(context: click.Context, as_json: bool, source: str, **settings: Any) -> None:
    """Have a source stored, and say what came of it and how the trends stand now."""
    from monitor import backfill as past_of
    from monitor import past, report

    config = config_of(context)
    found = past_of.backfill(config, source, settings)
    document = found | {"trends": report.trends(config, reader(config))}
    say(document) if as_json else past.show(document)
