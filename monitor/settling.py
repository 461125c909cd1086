"""Everything that the end of one run changes, in one transaction: record, derive, judge, owe."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import structlog

from monitor.config import Config, ProbeEntry
from monitor.derive import derive
from monitor.derived import writes
from monitor.judge import Judge
from monitor.runner import Finished, Runner
from monitor.writer import Writer
from storage.store import Reserved, Store, UnitChanged
from storage.types import Job, Reading, Run, Signal, now

_log = structlog.get_logger()
_WORST_FIRST = ("failed", "timeout", "ok", "skipped")


@dataclass(frozen=True, slots=True)
class Cadence:
    """How often a job is looked at: after a share of its age, within two bounds in seconds."""

    soonest: float = 15.0
    latest: float = 900.0
    share: float = 0.1

    def after(self, age: float) -> float:
        """Seconds until the next look at a job of this age."""
        return min(self.latest, max(self.soonest, age * self.share))


@dataclass(frozen=True, slots=True)
class Settled:
    """A run that is stored: its id, and the readings that stand with it. `job` is the one that it
    waits for, None where it has ended. `unsure` are the triggers, each with its target, that it has
    left pending and that want another run to confirm it."""

    id: int
    run: Run
    readings: Sequence[Reading]
    job: Job | None = None
    unsure: tuple[tuple[str, str], ...] = ()
    also: tuple["Settled", ...] = ()
    """The runs of the same pass on other nodes of a fleet."""

    @property
    def everywhere(self) -> tuple["Settled", ...]:
        """This run, and those on other nodes."""
        return (self, *self.also)


@dataclass(slots=True)
class House:
    """What a tick works with. There is one, and a reload puts another config and its judge in: a
    run that is under way is settled by what is in force when it ends."""

    config: Config
    writer: Writer
    runner: Runner
    judge: Judge
    cadence: Cadence = field(default_factory=Cadence)
    busy: dict[int, asyncio.Event] = field(default_factory=dict)
    """The jobs that a child is at work on, and what is set when it has ended."""


def settle(
    house: House, entry: ProbeEntry, finished: Finished, reserved: Reserved | None = None
) -> Settled:
    """Everything that one run changes. The caller holds the transaction."""
    settled = record(house.writer.store, entry, finished, reserved, house.config)
    unsure = house.judge.after_run(settled.run, settled.readings, now())
    return replace(settled, unsure=unsure)


def settle_pass(house: House, entry: ProbeEntry, finished: Sequence[Finished]) -> Settled:
    """Everything that one pass over a fleet changes. All of it is stored before anything is judged:
    a probe that failed on the last node has not recovered on the first."""
    store, config = house.writer.store, house.config
    each = [record(store, entry, one, None, config) for one in finished]
    each.sort(key=lambda one: _WORST_FIRST.index(one.run.outcome))
    readings = [reading for one in each for reading in one.readings]
    unsure = house.judge.after_run(each[0].run, readings, now())
    return replace(each[0], also=tuple(each[1:]), unsure=unsure)


def record(
    store: Store,
    entry: ProbeEntry,
    finished: Finished,
    reserved: Reserved | None,
    config: Config,
) -> Settled:
    """Store a run with its readings and with what follows of them; one whose units contradict
    history is a failed run."""
    run, readings = finished.run, finished.readings
    promises: Sequence[Signal] = writes(entry.probe)
    try:
        store.check_units(promises)
    except UnitChanged as changed:
        run, readings, promises = replace(run, outcome="failed", reason=str(changed)), (), ()
    readings = (*readings, *derive(config, store, readings))
    return Settled(store.record(run, readings, promises, reserved), run, readings)


def log(settled: Settled) -> None:
    """The line of a tick in the log, one for each node of a fleet."""
    for one in settled.everywhere:
        _log_one(one)


def _log_one(settled: Settled) -> None:
    run, job = settled.run, settled.job
    if job is not None:
        _log.info("job ordered", probe=run.probe, job=job.id, device=job.device)
        return
    say = _log.info if run.outcome in ("ok", "skipped") else _log.warning
    reason = {"reason": run.reason} if run.reason else {}
    where = {"host": run.host} if run.host else {}
    say(f"run {run.outcome}", probe=run.probe, **where, seconds=run.seconds, **reason)


def skipped(entry: ProbeEntry, reason: str) -> Finished:
    """A run that was not begun, and why."""
    moment = now()
    run = Run(entry.name, entry.kind, "skipped", reason, moment, 0.0, settings=entry.settings)
    return Finished(run, (), moment)
