"""Which jobs at quantum clouds are looked at now, a few at a time."""

from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from monitor.jobs import walk
from monitor.settling import House, Settled
from storage.ledger import NotOpen
from storage.types import Job, now

_log = structlog.get_logger()

MOST_AT_ONCE = 4
"""Jobs that are looked at side by side: each look is a process."""


class Following:
    """Follows the open jobs of one service."""

    def __init__(
        self,
        house: House,
        wake: Callable[[], None],
        soon: Callable[[Coroutine[Any, Any, object]], None],
    ) -> None:
        """`wake` is called when something may be owed, `soon` has work done beside the loop's."""
        self._house = house
        self._wake = wake
        self._soon = soon

    @property
    def every(self) -> float:
        """Seconds from one search for what is due to the next."""
        return self._house.cadence.soonest / 3

    async def begin(self) -> None:
        """Note that the children of a life before are gone."""
        writer = self._house.writer
        await writer.insist(lambda: writer.ledger.doubt(now()))

    async def look(self) -> None:
        """Begin to follow what is due."""
        free = MOST_AT_ONCE - len(self._house.busy)
        for job in self._due()[: max(0, free)]:
            self._soon(self.follow(job))

    async def look_once(self) -> list[Settled]:
        """Follow what is due by one step each, to the end of that; the runs that ended."""
        steps = [await self.follow(job) for job in self._due()]
        return [settled for settled in steps if settled is not None]

    async def follow(self, job: Job) -> Settled | None:
        """The next step of a job, with its line in the log where it ends with it; its run then."""
        try:
            settled = await walk.follow(self._house, job)
        except NotOpen as error:  # a damaged database was replaced during the step
            _log.error("what a job came to cannot be stored", job=job.id, why=str(error))
            return None
        self._wake()
        if settled is not None:
            run, state = settled.run, self._house.writer.ledger.get(job.id).state
            say = _log.info if run.outcome in ("ok", "skipped") else _log.warning
            reason = {"reason": run.reason} if run.reason else {}
            say(f"job {state}", job=job.id, probe=run.probe, device=job.device, **reason)
        return settled

    def _due(self) -> list[Job]:
        return [
            job for job in self._house.writer.ledger.due(now()) if job.id not in self._house.busy
        ]

    def ordered_at(self) -> dict[str, float]:
        """When work that waits in a queue was last ordered, by probe: a start must not order it
        again before its time."""
        ordered = self._house.writer.ledger.ordered_at()
        return {
            name: ordered[name]
            for name, entry in self._house.config.probes.items()
            if name in ordered and walk.is_queued(entry)
        }
