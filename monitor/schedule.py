"""When which probe runs. A reload moves the probes that it changed, and no other."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from apscheduler.events import (
    EVENT_JOB_ERROR,
    EVENT_JOB_MAX_INSTANCES,
    EVENT_JOB_MISSED,
    JobEvent,
)
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from monitor.sections import ProbeEntry

NOTHING_BEGUN: Mapping[str, float] = MappingProxyType({})
SPREAD_SECONDS = 1.0
"""First runs start this far apart, so that a start does not run everything in one instant."""


class Schedule:
    """The probes' jobs and the service's own, on one scheduler."""

    def __init__(
        self,
        run: Callable[[ProbeEntry], Awaitable[None]],
        not_run: Callable[[ProbeEntry | None, JobEvent], None],
    ) -> None:
        """`run` runs a probe to its end; `not_run` hears of jobs that came to nothing, None where
        it was none of a probe."""
        self._run = run
        self._not_run = not_run
        self._entries: dict[str, ProbeEntry] = {}
        self._begun: set[str] = set()
        self._under_way: set[str] = set()
        self._again: set[str] = set()
        self.unheard: set[str] = set()
        """Probes that have not ended their first run of this life, or since they are new."""
        self._scheduler = AsyncIOScheduler(
            timezone=UTC,
            # Without these a job that is a second late is dropped and nobody hears of it.
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )

    @property
    def running(self) -> bool:
        """Whether it has been started and not stopped."""
        return bool(self._scheduler.running)

    def chore(
        self, name: str, work: Callable[[], Awaitable[None]], every: float, first: float = 0.0
    ) -> None:
        """Something the service does for itself each `every` seconds, first after `first`."""
        start = datetime.now(UTC) + timedelta(seconds=first or every)
        # a probe's name has no slash
        self._scheduler.add_job(work, "interval", seconds=every, id=f"/{name}", next_run_time=start)

    def start(
        self,
        probes: Mapping[str, ProbeEntry],
        begun_at: Mapping[str, float] = NOTHING_BEGUN,
    ) -> None:
        """Run every probe now, a little spread, and again for ever. One that was begun in a life
        before, at a moment in `begun_at` (seconds since the epoch), runs when its time has come."""
        self._scheduler.add_listener(
            lambda event: self._not_run(self._entries.get(event.job_id), event),
            EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES | EVENT_JOB_ERROR,
        )
        self.update(probes)
        self._resume(begun_at)
        self._scheduler.start()

    def stop(self) -> None:
        """Start nothing more. What runs is the caller's to end."""
        if self.running:
            self._scheduler.shutdown(wait=False)

    def update(self, probes: Mapping[str, ProbeEntry]) -> None:
        """Have these probes from now on. One that is new or measures something else runs soon;
        one with another interval runs that long after its last run; the rest keep their clocks. A
        run under way goes on to its end."""
        before, self._entries = self._entries, dict(probes)
        for name in before.keys() - probes.keys():
            self._scheduler.remove_job(name)
            self._begun.discard(name)
            self._again.discard(name)
            self.unheard.discard(name)
        soon = datetime.now(UTC)
        for name, entry in probes.items():
            was = before.get(name)
            if was is None or was.probe != entry.probe:
                self._soon(entry, soon, known=was is not None)
                soon += timedelta(seconds=SPREAD_SECONDS)
            elif was.every != entry.every:
                self._pace(was, entry)

    def now(self, begun_at: Mapping[str, float] = NOTHING_BEGUN) -> None:
        """Run everything now: the clock by which it was planned has been set. What was begun at a
        moment in `begun_at` still waits until its time has come."""
        for job in self._scheduler.get_jobs():
            job.modify(next_run_time=datetime.now(UTC))
        self._resume(begun_at)

    def next_at(self) -> dict[str, float]:
        """When each probe runs next, in seconds since the epoch."""
        jobs = self._scheduler.get_jobs() if self.running else ()
        return {
            job.id: job.next_run_time.timestamp()
            for job in jobs
            if job.id in self._entries and job.next_run_time
        }

    def _soon(self, entry: ProbeEntry, at: datetime, *, known: bool) -> None:
        self.unheard.add(entry.name)
        if entry.name in self._under_way:
            # beside the run that ends it would be skipped; after it, it is not
            self._again.add(entry.name)
            at += timedelta(seconds=entry.every)
        trigger = IntervalTrigger(seconds=entry.every, timezone=UTC)
        if known:
            self._scheduler.modify_job(entry.name, trigger=trigger, next_run_time=at)
            return
        self._scheduler.add_job(
            self._job, trigger, id=entry.name, args=[entry.name], next_run_time=at
        )

    def _resume(self, begun_at: Mapping[str, float]) -> None:
        for name, at in begun_at.items():
            every = timedelta(seconds=self._entries[name].every)
            now = datetime.now(UTC)
            # by a clock that was set back since, it was begun in the future
            due = min(datetime.fromtimestamp(at, UTC), now) + every
            if due > now:
                self._scheduler.modify_job(name, next_run_time=due)
                self.unheard.discard(name)
                self._begun.add(name)

    def _pace(self, was: ProbeEntry, entry: ProbeEntry) -> None:
        planned = self._scheduler.get_job(entry.name).next_run_time
        if entry.name in self._begun:
            planned += timedelta(seconds=entry.every - was.every)
        self._scheduler.modify_job(
            entry.name,
            trigger=IntervalTrigger(seconds=entry.every, timezone=UTC),
            next_run_time=max(planned, datetime.now(UTC)),
        )

    async def _job(self, name: str) -> None:
        entry = self._entries.get(name)
        if entry is None:
            return  # it was removed at the moment it was due
        self._begun.add(name)
        self._under_way.add(name)
        try:
            await self._run(entry)
        finally:
            self._under_way.discard(name)
            if name in self._again and self.running:
                self._again.discard(name)
                # for the scheduler this run goes on until it has returned
                soon = datetime.now(UTC) + timedelta(seconds=SPREAD_SECONDS)
                self._scheduler.modify_job(name, next_run_time=soon)
