"""`qrossover devices`: the providers that there are, and the devices that one of them has."""

import asyncio
import sys
from typing import Any

from monitor.asking import asking
from monitor.config import Config, ProbeEntry
from monitor.refusal import Refused
from monitor.runner import Finished
from probes.listing import Listing
from probes.quantum.account import NoAccount
from probes.quantum.provider import NoLibrary
from probes.quantum.providers import known, load

CHILD = (sys.executable, "-P", "-m", "probes.listing")


def providers() -> list[dict[str, Any]]:
    """Every provider, what it can be asked, and what this machine lacks for it. No network."""
    return [
        {
            "provider": name,
            "queued": load(name).queued,
            "supports": sorted(load(name).supports),
            "lacks": _lacks(name),
        }
        for name in known()
    ]


def _lacks(name: str) -> str:
    try:
        load(name).ready()
    except (NoAccount, NoLibrary) as lack:
        return str(lack)
    return ""


def devices(config: Config, provider: str) -> dict[str, Any]:
    """What a provider says of its devices. Raises Refused with what it says instead."""
    came = asyncio.run(_ask(config, Listing(provider=provider)))
    if came.run.outcome != "ok":
        raise Refused(f"{provider}: {came.run.reason}")
    found = sorted(came.run.payload["devices"], key=lambda device: device["name"])
    return {"provider": provider, "supports": sorted(load(provider).supports), "devices": found}


async def _ask(config: Config, listing: Listing) -> Finished:
    settings = listing.model_dump()
    entry = ProbeEntry("devices", "listing", 0.0, listing.deadline, listing, settings)
    async with asking(config, CHILD) as runner:
        return await runner.run(entry)
