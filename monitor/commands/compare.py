"""`qrossover compare`: the owner's claim, our measurement and independent results of a device."""

import click

from monitor.commands.common import Failure, in_force, json_option, reader, say
from monitor.problems import nearest


@click.command()
@click.argument("device")
@json_option
@click.pass_context
def compare(context: click.Context, device: str, as_json: bool) -> None:
    """A device's claims beside what was measured.

    DEVICE may be any of its names: ibm_kingston, fake_kingston, iqm/garnet, an ARN.
    """
    from monitor import tables
    from monitor.outlook import compare as claims
    from monitor.outlook import compare_table

    store = reader(in_force(context).config)
    document = claims.document(store, device)
    if not document["rows"]:
        near = nearest(device, claims.known(store)) or (
            " `qrossover backfill snapshots` and `qrossover backfill metriq` bring what was "
            "published of some, a `quantum.calibration` probe what its owner says now."
        )
        raise Failure(f"nothing that could be compared is known of a device {device!r}.{near}")
    say(document) if as_json else tables.console().print(compare_table.compare(document))
