"""The service: one loop that schedules ticks, delivers what is owed, and shows its health."""

import asyncio
import contextlib
import os
import signal
import socket
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import structlog
from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED, JobEvent

from monitor.attention import answer, heed, word_of
from monitor.backfill import bring
from monitor.channels import Channels
from monitor.config import Config, ProbeEntry
from monitor.hangup import Hangup
from monitor.health import Health
from monitor.http.control import Stopping
from monitor.jobs.cancelling import wish
from monitor.jobs.following import Following
from monitor.judge import Judge
from monitor.lock import Lock
from monitor.problems import ConfigError
from monitor.refusal import Refused
from monitor.reload.loaded import Edit, Loaded
from monitor.reload.notices import shortened
from monitor.reload.reloader import Reloader
from monitor.reload.swap import Swap, keep_start
from monitor.runner import Finished, Runner, kill_marked
from monitor.schedule import Schedule
from monitor.sender import Sender
from monitor.settling import Cadence, House, Settled, settle, skipped
from monitor.terminal import TERMINAL
from monitor.threads import in_thread
from monitor.turns import Turns
from monitor.writer import Writer, unwritable
from storage.types import Alert, now

_log = structlog.get_logger()

BEAT_SECONDS = 5
SLOW_SECONDS = 60
BACKUP_SECONDS = 86400
DRAIN_SECONDS = 15.0
"""How long a single pass waits for the channel; what it has not taken stays owed."""
REVIVE_SECONDS = 3600
CLOCK_STEP = 5.0
"""Seconds by which the wall clock may move against the monotonic one before it counts as set."""
STOP_SECONDS = 1.0
"""How long a stop waits for the children to be gone."""

DEFAULT_CADENCE = Cadence()

_WHY_NOT = {
    EVENT_JOB_MAX_INSTANCES: "the run before it has not ended",
    EVENT_JOB_MISSED: "the scheduler came too late for it",
}


class Daemon:
    """One service over one config. Made, it has the lock and the database; `serve` stays."""

    def __init__(
        self, config: Config, channels: Channels, cadence: Cadence = DEFAULT_CADENCE
    ) -> None:
        """Open the database. Raises lock.Taken, Refused, ConfigError and sqlite3.Error. `cadence`
        says how often jobs at quantum clouds are looked at."""
        channel, waits = channels.of(config)
        self._lock = Lock(config.monitor.database)
        try:
            self._lock.take(config=str(config.path))
        except OSError as error:
            raise unwritable(config.monitor.database, error) from error
        try:
            self.writer = Writer(config.monitor.database)
        except BaseException:
            self._lock.release()
            raise
        self._mark = f"{config.monitor.database.resolve()}#"
        self._runner = Runner(self._mark, config.path.parent, secrets=config.secret_names())
        self.health = Health(self.writer)
        self.sender = Sender(self.writer, channel, self.health)
        self.house = House(config, self.writer, self._runner, Judge(config, self.writer), cadence)
        self._following = Following(self.house, self.sender.wake, self._soon)
        self._schedule = Schedule(self._scheduled, self._not_run)
        swap = Swap(self.house, self._schedule, self.sender, channels)
        self._reloader = Reloader(self.house, swap, self._say, waits)
        self._when_in: Callable[[], None] | None = None
        """Called when all probes have run once."""
        self._turns = Turns(self.house, self._schedule.unheard.discard, self._after_run)
        self._started = now()
        self._begun = asyncio.Event()
        self._http_address = ""
        self._tasks: set[asyncio.Task[object]] = set()

    @property
    def running(self) -> Mapping[str, float]:
        """Since when which probe runs."""
        return self._turns.running

    @property
    def config(self) -> Config:
        """The config in force."""
        return self.house.config

    def close(self) -> None:
        """Close the database and give up the lock."""
        self.writer.close()
        self._lock.release()

    async def begin(self) -> None:
        """What every start does: end the children of a life before, judge what is stored."""
        await asyncio.to_thread(kill_marked, self._mark)
        await self._following.begin()
        await self.writer.insist(lambda: self.house.judge.everything(now()))
        await self.writer.insist(lambda: keep_start(self.writer.store, self.config, now()))
        await self._revive()
        if self.sender.channel.name != TERMINAL:
            await self.writer.insist(lambda: self.writer.outbox.owe_elsewhere(TERMINAL, now()))
        await self._tell_rescue()
        for warning in self.config.warnings:
            _log.warning(warning)

    async def _after_run(self) -> None:
        self.sender.wake()
        await self._tell_rescue()

    async def serve(self, when_in: Callable[[], None]) -> None:
        """Run until SIGTERM, SIGINT or the end of the terminal. `when_in` is called once, when the
        first runs have all ended."""
        self._when_in = when_in
        stop = asyncio.Event()
        self._on_signals(stop)
        async with self._http() as servers:
            waiting = asyncio.create_task(stop.wait())
            life = [
                asyncio.create_task(work) for work in (self._live(), self._clock(), self._watch())
            ]
            done, _ = await asyncio.wait(
                {waiting, *life, *servers}, return_when=asyncio.FIRST_COMPLETED
            )
            _log.info("stopping")
            await self._stop(waiting, *life)
        for task in done - {waiting}:
            task.result()  # a part that ended has failed: let it be seen, and be restarted

    def _on_signals(self, stop: asyncio.Event) -> None:
        hangup = Hangup()
        loop = asyncio.get_running_loop()

        def hung_up() -> None:
            if hangup.means_end():
                stop.set()
            else:
                self._soon(self._reload_by_signal())

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        loop.add_signal_handler(signal.SIGHUP, hung_up)

    async def _reload_by_signal(self) -> None:
        with contextlib.suppress(ConfigError):  # it has been told
            loaded = await self.reload(Edit())
            if not loaded.changes:
                _log.info("SIGHUP: nothing to load, the config file says what is in force")

    async def reload(self, edit: Edit) -> Loaded:
        """Load the config file now. Raises ConfigError where it cannot be used, and Stopping."""
        await self._begun.wait()
        if not self._schedule.running:
            raise Stopping("the service is stopping: the config is in force from its next start")
        return await self._reloader.ask(edit)

    async def _live(self) -> None:
        await self.begin()
        self._start_schedule()
        self._begun.set()
        await self.sender.run()

    async def _watch(self) -> None:
        await self._begun.wait()
        await self._reloader.watch()

    async def _clock(self) -> None:
        """Notice a step of the wall clock, by which the schedule counts, and start it anew: set
        back by an hour it would stand still for one."""
        offset = time.time() - time.monotonic()
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            before, offset = offset, time.time() - time.monotonic()
            if abs(offset - before) > CLOCK_STEP and self._schedule.running:
                _log.warning("the clock was set", seconds=round(offset - before, 1))
                self._schedule.now(self._following.ordered_at())

    async def _run_now(self, names: Sequence[str]) -> list[int]:
        """What the control socket asks for."""
        probes = self.config.probes
        if unknown := [name for name in names if name not in probes]:
            # the command line may read a newer config than the one that runs
            known = ", ".join(probes)
            raise Refused(f"the running service has no probe {', '.join(unknown)}; it has {known}")
        return [settled.id for settled in await self._run_all(names)]

    async def _attend(self, document: dict[str, Any]) -> dict[str, Any]:
        """What somebody says about a trigger, through the control socket."""
        word = word_of(document)
        moment = now()
        heard = await self.writer.insist(
            lambda: heed(self.house.judge.teller, self.writer.store, word, moment)
        )
        self.sender.wake()
        return answer(self.config, heard, moment)

    async def _cancel(self, number: int, by: str) -> None:
        """What `qrossover jobs cancel` asks for."""
        await self._begun.wait()
        await wish(self.house, self._following.follow, number, by)

    async def _backfill(self, source: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        """What `qrossover backfill` asks for."""
        found = await bring(lambda: self.house, source, settings)
        _log.info("backfill", source=source, new=found["new"], readings=found["readings"])
        self.sender.wake()
        return found

    async def _run_all(self, names: Sequence[str]) -> list[Settled]:
        probes = self.config.probes
        chosen = [probes[name] for name in names or probes]
        done = await asyncio.gather(*(self._turns.take(entry) for entry in chosen))
        return [one for runs in done for settled in runs for one in settled.everywhere]

    async def once(self, names: Sequence[str]) -> list[Settled]:
        """One pass over the named probes (all of them where none is named)."""
        await self.begin()
        settled = [*await self._following.look_once(), *await self._run_all(names)]
        await self.writer.insist(lambda: self.house.judge.slow(now()))
        await self.sender.drain(DRAIN_SECONDS)
        await self._runner.close()
        return settled

    # --- the schedule ------------------------------------------------------------------------

    def _start_schedule(self) -> None:
        self._schedule.chore("beat", self._beat, BEAT_SECONDS)
        self._schedule.chore("slow", self._slow, SLOW_SECONDS)
        self._schedule.chore("jobs", self._following.look, self._following.every)
        self._schedule.chore("revive", self._revive, REVIVE_SECONDS)
        due = self.writer.backup_due(BACKUP_SECONDS)
        self._schedule.chore("backup", self._backup, BACKUP_SECONDS, due)
        self._schedule.start(self.config.probes, self._following.ordered_at())
        self._say()
        _log.info(
            "watching",
            probes=len(self.config.probes),
            triggers=len(self.config.triggers),
            alerts_go_to=self.sender.channel.name,
        )

    async def _scheduled(self, entry: ProbeEntry) -> None:
        try:
            await self._turns.take(entry)
        finally:
            self._say()
            if not self._schedule.unheard and self._when_in:
                when_in, self._when_in = self._when_in, None
                when_in()
                _log.info("all probes have run once; watching goes on until SIGTERM or Ctrl-C")

    async def _beat(self) -> None:
        self.health.scheduler_beats()

    async def _slow(self) -> None:
        await self.writer.insist(lambda: self.house.judge.slow(now(), self._schedule.unheard))
        self.sender.wake()

    async def _revive(self) -> None:
        """Owe again what the channel refused: somebody may have invited us meanwhile."""
        if await self.writer.insist(lambda: self.writer.outbox.revive(now())):
            self.sender.wake()

    async def _backup(self) -> None:
        try:
            await in_thread(self.writer.backup)
        except (sqlite3.Error, OSError) as error:
            _log.error("the backup could not be written", error=str(error))

    def _not_run(self, entry: ProbeEntry | None, event: JobEvent) -> None:
        if isinstance(getattr(event, "exception", None), asyncio.CancelledError):
            return  # the stop of the service; the run has been stored as cut off
        if event.code == EVENT_JOB_ERROR:
            _log.error("a job of the schedule failed", job=event.job_id, exc_info=event.exception)
        if entry is None:
            return
        unrun = skipped(entry, _WHY_NOT.get(event.code, ""))
        if event.code == EVENT_JOB_ERROR:
            reason = f"the service's own fault: {event.exception!r}"
            unrun = replace(unrun, run=replace(unrun.run, outcome="failed", reason=reason))
        self._soon(self._record(entry, unrun))

    async def _record(self, entry: ProbeEntry, unrun: Finished) -> None:
        # While the file cannot be written these would pile up; the log has them then.
        if self.writer.fault:
            _log.warning("run not stored", probe=entry.name, reason=unrun.run.reason)
            return
        await self.writer.insist(lambda: settle(self.house, entry, unrun))

    def _soon(self, work: Coroutine[Any, Any, object]) -> None:
        task: asyncio.Task[object] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- the edges ---------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def _http(self) -> AsyncIterator[list[asyncio.Task[None]]]:
        from monitor.http.app import make_app  # noqa: PLC0415 `once` serves nothing
        from monitor.http.control import make_control, unix_socket  # noqa: PLC0415
        from monitor.http.server import listen, make  # noqa: PLC0415

        servers: list[tuple[Any, socket.socket]] = []
        address = self.config.monitor.http
        if address:
            listening = listen(address)
            host, port = listening.getsockname()[:2]
            servers.append((make(make_app(self.health, self._reloader.state)), listening))
            _log.info("serving /healthz and /metrics", address=f"{host}:{port}")
            address = f"{host}:{port}"
        control = unix_socket(self.config.monitor.database)
        asked = make_control(
            run_probes=self._run_now,
            backfill=self._backfill,
            attend=self._attend,
            cancel=self._cancel,
            load=self.reload,
            faults=self.health.faults,
            running=lambda: self.running,
        )
        servers.append((make(asked), control))
        self._http_address = address
        self._say()
        tasks = [asyncio.create_task(server.serve([sock])) for server, sock in servers]
        try:
            yield tasks
        finally:
            for server, _ in servers:
                server.should_exit = True
            await asyncio.wait(tasks, timeout=1.0)

    def _say(self) -> None:
        """Write what others may know about this instance into the lock file."""
        state = self._reloader.state
        self._lock.say(
            pid=os.getpid(),
            started=self._started,
            http=self._http_address,
            config=str(self.config.path),
            sha256=state.sha256,
            loaded_at=state.loaded_at,
            faults=shortened(state.faults),
            warnings=list(state.warnings),
            next_at=self._schedule.next_at(),
        )

    async def _stop(self, *tasks: asyncio.Task[Any]) -> None:
        """End at once: children are killed, what was not stored runs again, alerts stay owed."""
        for task in tasks:
            task.cancel()  # first of all: a start that goes on would start the schedule
        self._schedule.stop()
        # A child that hangs in a driver cannot be waited for: the kernel ends it with us.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._runner.close(), STOP_SECONDS)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*tasks, *self._tasks, return_exceptions=True)

    async def _tell_rescue(self) -> None:
        """Owe the notice that a damaged database was replaced."""
        if not self.writer.rescued:
            return
        body, self.writer.rescued = self.writer.rescued, ""
        alert = Alert(
            key=f"rescue-{round(now())}",
            kind="notice",
            trigger="database",
            target=Path(self.writer.path).name,
            severity="page",
            created=now(),
            facts={"title": "The database was damaged and replaced", "body": body},
        )
        await self.writer.insist(lambda: self.writer.outbox.owe(alert))
        self.sender.wake()
