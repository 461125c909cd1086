"""`qrossover devices`: the clouds that there are, and the devices that one of them has.

A child answers both, since a cloud's library may hang, and is too heavy for this process.
"""

import asyncio
import sys
from typing import Any

from monitor.asking import asking
from monitor.config import Config, ProbeEntry
from monitor.refusal import Refused
from monitor.runner import Finished
from probes.base import Probe

CHILD = (sys.executable, "-P", "-m", "probes.listing")
DEADLINE = 120.0


def providers(config: Config) -> list[dict[str, Any]]:
    """Every provider, what it can be asked, and what this machine lacks for it. No network."""
    found: list[dict[str, Any]] = _answer(config, None)["providers"]
    return found


def devices(config: Config, provider: str) -> dict[str, Any]:
    """What a provider says of its devices. Raises Refused with what it says instead."""
    told = _answer(config, provider)
    return {"provider": provider, "supports": told["supports"], "devices": told["devices"]}


def _answer(config: Config, provider: str | None) -> dict[str, Any]:
    came = asyncio.run(_ask(config, provider))
    if came.run.outcome != "ok":
        raise Refused(came.run.reason)
    return dict(came.run.payload)


async def _ask(config: Config, provider: str | None) -> Finished:
    entry = ProbeEntry("devices", "listing", 0.0, DEADLINE, Probe(), {"provider": provider})
    async with asking(config, CHILD) as runner:
        return await runner.run(entry)
