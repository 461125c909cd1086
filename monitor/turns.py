"""The runs of a probe, one after the other; and one more at once, where it can confirm what a
trigger has begun to see. A drop that was a moment's is gone by then, and one that lasts is told
within seconds rather than after the probe's next interval."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace

import structlog

from monitor import tick
from monitor.budget import is_free
from monitor.config import ProbeEntry
from monitor.settling import House, Settled, log
from storage.types import now

_log = structlog.get_logger()


class Turns:
    """Who runs now, and whose turn it is to run again."""

    def __init__(
        self, house: House, heard: Callable[[str], None], settled: Callable[[], Awaitable[None]]
    ) -> None:
        """`heard` is told the name of a probe whose run has ended in whatever way, `settled` called
        when one is stored."""
        self._house = house
        self._heard = heard
        self._settled = settled
        self._locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.running: dict[str, float] = {}
        """Since when which probe runs."""

    async def take(self, entry: ProbeEntry) -> list[Settled]:
        """Run a probe, which never runs beside itself; and again while a run has left a trigger
        pending that wants to be confirmed, for each trigger and target once."""
        async with self._locks[entry.name]:
            done = [await self._run(entry)]
            asked: set[tuple[str, str]] = set()
            while (unsure := set(done[-1].unsure) - asked) and self._may_repeat(entry):
                asked |= unsure
                names = ", ".join(sorted({trigger for trigger, _ in unsure}))
                targets = {target for _, target in unsure}
                again, hosts = self._aimed(entry, targets), where(done[-1], targets)
                done.append(await self._run(again, f"to confirm {names}", hosts))
            return done

    def _aimed(self, entry: ProbeEntry, targets: Collection[str]) -> ProbeEntry:
        """The probe, to be run on the device in doubt: of two GPUs that are free another one would
        confirm nothing. On a fleet every device of a node is read anyway."""
        fleet = self._house.config.fleet
        if fleet and fleet.has(entry):
            return entry
        changes = map(entry.probe.aimed, sorted(targets))  # who chooses a device reads one a run
        return replace(entry, settings={**entry.settings, **next(filter(None, changes), {})})

    def _may_repeat(self, entry: ProbeEntry) -> bool:
        """Whether a run costs nothing, and a reload has not changed or removed its probe."""
        return is_free(entry.probe) and self._house.config.probes.get(entry.name) == entry

    async def _run(
        self, entry: ProbeEntry, cause: str = "", hosts: Collection[str] = ()
    ) -> Settled:
        """One tick, with its lines in the log."""
        why = {"again": cause} if cause else {}
        _log.info("run begins", probe=entry.name, **why)
        self.running[entry.name] = now()
        try:
            settled = await tick.tick(self._house, entry, cause, hosts)
        finally:
            self.running.pop(entry.name, None)
            self._heard(entry.name)
        log(settled)
        await self._settled()
        return settled


def where(settled: Settled, targets: Collection[str]) -> set[str]:
    """The nodes of a fleet to look at again: those that measured one of these targets, and those
    that failed, since a pass in which none has failed ends a trigger of `fails`."""
    return {
        one.run.host
        for one in settled.everywhere
        if one.run.outcome in ("failed", "timeout")
        or any(reading.target in targets for reading in one.readings)
    }
