"""Children: one process a run, in a process group of its own, with a deadline, killed whole.

The settings go in as JSON on stdin, the result comes back on a pipe of its own; stdout and stderr
belong to the libraries, and their tail is kept with the run.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, TextIO, get_args
from uuid import uuid4

from monitor.config import ProbeEntry
from monitor.problems import redacted
from probes.base import LEFT
from storage.types import Outcome, Reading, Run, now

MARK = "QROSSOVER_RUN"
"""Environment variable by which a run's processes are known, wherever they have gone."""
CHILD = (sys.executable, "-P", "-m", "probes")
MOST_RESULT = 16 << 20
TAIL = 8 << 10
DRAIN_SECONDS = 1.0
"""How long the pipes of a dead child are waited for: what left its group may hold them open."""
REAP_SECONDS = 5.0
"""How long a killed child is waited for: one that hangs in a driver cannot die."""
SWEEPS = 10
GENTLE = {"OMP_WAIT_POLICY": "PASSIVE"}
"""Threads that wait sleep instead of spinning: beside other work on the same cores a training step
is some 20 times quicker so (docs/performance.md), and takes nothing from it. The service's own
environment may say otherwise."""
CHILD_ENVIRONMENT = {
    "PYTHONUNBUFFERED": "1",
    "QDK_PYTHON_TELEMETRY": "none",
    "USAGE_DATA_OPT_OUT": "True",
}


@dataclass(frozen=True, slots=True)
class Finished:
    """A run with its readings, not stored yet. `ended` is when its child was gone."""

    run: Run
    readings: tuple[Reading, ...]
    ended: float
    answer: Mapping[str, Any] = field(default_factory=dict)
    """Of one step of queued work: what `probes/queued.py` says of it."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a child ended: what it reported, or why there is no report. `host` is the machine that it
    says it ran on.

    `charged`: it may have cost what its probe quoted. A run that was cut off may have.
    """

    outcome: Outcome
    reason: str
    stderr: str = ""
    readings: tuple[Reading, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    payload: Mapping[str, Any] = field(default_factory=dict)
    host: str = ""
    answer: Mapping[str, Any] = field(default_factory=dict)
    charged: bool = True


class Runner:
    """Runs probes, one at a time on each resource. `mark` tells this service's children."""

    def __init__(
        self, mark: str, folder: Path, child: Sequence[str] = CHILD, secrets: Collection[str] = ()
    ) -> None:
        """`folder` is where children run, `child` the program that takes `--result` and
        `--parent`. Children do not see the environment variables named in `secrets`."""
        self._mark = mark
        self._folder = folder
        self._child = tuple(child)
        self._secrets = frozenset(secrets)
        self._resources: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._children: dict[int, asyncio.Future[None]] = {}
        self._sweeps: set[asyncio.Task[None]] = set()
        self._closed = False

    async def run(
        self,
        entry: ProbeEntry,
        task: Mapping[str, Any] | None = None,
        child: Sequence[str] | None = None,
    ) -> Finished:
        """Run a probe to its end or its deadline, or one step of its work in a queue (`task`, as
        `probes/queued.py` has it), in `child` instead of the usual program where that is given.
        Every end is a result; nothing is raised for a probe's fault."""
        # what is sent and fetched takes nothing of this machine
        measures = task is None or task["do"] == "prepare"
        async with self._turn(entry.probe.resource() if measures else None):
            started = now()
            try:
                ending, ended = await self._run(entry, task, child or self._child)
            except OSError as error:  # no such program, no room for a process or its pipes
                ending = Ending("failed", f"the child could not be started: {error}", charged=False)
                ended = now()
        quote = entry.probe.quote()
        run = Run(
            probe=entry.name,
            kind=entry.kind,
            outcome=ending.outcome,
            reason=ending.reason,
            started=started,
            seconds=round(ended - started, 3),
            usd=quote.usd if ending.charged else 0.0,
            qpu_seconds=quote.qpu_seconds if ending.charged else 0.0,
            settings=dict(entry.settings),
            versions=ending.versions,
            payload=ending.payload,
            stderr=ending.stderr,
            host=ending.host,
        )
        return Finished(run, ending.readings, ended, ending.answer)

    @property
    def closed(self) -> bool:
        """Whether it is being closed: what comes out of a child then is no answer."""
        return self._closed

    async def close(self) -> None:
        """Start nothing more, kill every child, and return when nothing that ran is left."""
        self._closed = True
        for pid in self._children:
            _kill_group(pid)
        if self._children:
            await asyncio.wait(self._children.values(), timeout=REAP_SECONDS)
        await asyncio.to_thread(kill_marked, self._mark)
        await asyncio.gather(*self._sweeps)

    @contextlib.asynccontextmanager
    async def _turn(self, resource: str | None) -> AsyncIterator[None]:
        if resource is None:
            yield
            return
        async with self._resources[resource]:
            yield

    async def _run(
        self, entry: ProbeEntry, task: Mapping[str, Any] | None, child: Sequence[str]
    ) -> tuple[Ending, float]:
        """One child, from its start to its result, and when it was gone."""
        if self._closed:
            return replace(_STOPPED, charged=False), now()
        mark = f"{self._mark}{uuid4().hex}"
        result, said = _Kept(MOST_RESULT + 1, head=True), _Kept(TAIL)
        async with _pipe(result) as result_end, _pipe(said) as said_end:
            with _order(entry, task) as order:
                process = await asyncio.create_subprocess_exec(
                    *child,
                    *("--result", str(result_end.fileno()), "--parent", str(os.getpid())),
                    stdin=order,
                    stdout=said_end,
                    stderr=said_end,
                    pass_fds=(result_end.fileno(),),
                    start_new_session=True,
                    cwd=self._folder,
                    env=self._environment(mark),
                )
            result_end.close()
            said_end.close()
            gone = self._children[process.pid] = asyncio.get_running_loop().create_future()
            try:
                status = await _watch(process, entry.timeout)
                ended = now()
            finally:
                del self._children[process.pid]
                gone.set_result(None)
                self._sweep(mark)
            await asyncio.wait((result.ended, said.ended), timeout=DRAIN_SECONDS)
        if self._closed:  # it was killed by the stop: that is no fault of the probe's
            return _STOPPED, ended
        stderr = redacted(said.kept.decode(errors="replace"))
        if status is None:
            reason = f"killed after {entry.timeout:g} s, its timeout"
            return Ending("timeout", reason, stderr), ended
        return understood(bytes(result.kept), status, stderr), ended

    def _environment(self, mark: str) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if name not in self._secrets}
        return {**GENTLE, **own, **CHILD_ENVIRONMENT, MARK: mark}

    def _sweep(self, mark: str) -> None:
        """Kill what left the group (setsid, a daemon of the probe's): it still carries the mark.

        In the background, since it looks at every process of the machine and the result is in.
        """
        task = asyncio.create_task(asyncio.to_thread(kill_marked, mark))
        self._sweeps.add(task)
        task.add_done_callback(self._sweeps.discard)


_OUTCOMES: dict[str, Outcome] = {outcome: outcome for outcome in get_args(Outcome)}
_STOPPED = Ending("skipped", "the service stopped while it ran")


class _Kept(asyncio.Protocol):
    """What comes out of a pipe: read to the end, so that the writer never blocks, and of that the
    first or the last `most` bytes kept."""

    def __init__(self, most: int, *, head: bool = False) -> None:
        self.kept = bytearray()
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._most = most
        self._head = head

    def data_received(self, data: bytes) -> None:
        if self._head:
            self.kept += data[: self._most - len(self.kept)]
            return
        self.kept += data
        del self.kept[: -self._most]

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 asyncio's signature
        if not self.ended.done():
            self.ended.set_result(None)


@contextlib.asynccontextmanager
async def _pipe(kept: _Kept) -> AsyncIterator[BinaryIO]:
    """A pipe that is read into `kept`; its writing end, to be closed once the child has it.

    Pipes of our own, since asyncio's Process counts as running while anyone holds one of its.
    """
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", 0) as source, os.fdopen(writing, "wb", 0) as end:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_read_pipe(lambda: kept, source)
        try:
            yield end
        finally:
            transport.close()


@contextlib.contextmanager
def _order(entry: ProbeEntry, task: Mapping[str, Any] | None) -> Iterator[TextIO]:
    """The settings as a file in memory: a child that does not read them blocks nobody."""
    order = json.dumps({"kind": entry.kind, "settings": dict(entry.settings), "task": task})
    with os.fdopen(os.memfd_create("order"), "w+", encoding="utf-8") as file:
        file.write(order)
        file.seek(0)
        yield file


async def _watch(process: asyncio.subprocess.Process, deadline: float) -> int | None:
    """The exit status of a child, or None after its deadline. Its group is gone in any case."""
    try:
        return await asyncio.wait_for(process.wait(), deadline)
    except TimeoutError:
        return None
    finally:
        _kill_group(process.pid)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), REAP_SECONDS)


def understood(document: bytes, status: int, stderr: str) -> Ending:
    """The child's document, checked: what is not one is a failed run that says why."""
    if len(document) > MOST_RESULT:
        return Ending("failed", f"its result is larger than {MOST_RESULT >> 20} MiB", stderr)
    if status == LEFT and (why := _last_line(stderr)).startswith("busy: "):
        return Ending("skipped", why, stderr, charged=False)
    if status != 0:
        return Ending("failed", _ending(status, stderr), stderr)
    if not document:
        return Ending("failed", "the child ended without a result", stderr)
    try:
        result = json.loads(document)
        return Ending(
            outcome=_OUTCOMES[result["outcome"]],
            reason=redacted(str(result["reason"])),
            stderr=stderr,
            readings=tuple(Reading(**reading) for reading in result["readings"]),
            versions=dict(result["versions"]),
            payload=dict(result["payload"]),
            host=str(result["host"]),
            answer=dict(result["answer"]),
            charged=result["outcome"] != "skipped",
        )
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        why = f"{type(error).__name__}: {error}"
        return Ending("failed", f"its result cannot be read: {why}", stderr)


def _last_line(stderr: str) -> str:
    said = stderr.strip().splitlines()
    return redacted(said[-1]) if said else ""


def _ending(status: int, stderr: str) -> str:
    said = _last_line(stderr)[:200]
    last = f": {said}" if said else ""
    if status < 0:
        return f"the child was ended by signal {-status} ({signal.strsignal(-status)}){last}"
    return f"the child ended with exit status {status}{last}"


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def kill_marked(prefix: str) -> None:
    """Kill every process of ours whose mark begins with `prefix`.

    A group does not hold a grandchild that made a session of its own, and the kernel's
    parent-death signal reaches children only: after kill -9 of the service, this finds the rest.
    """
    mark = f"\0{MARK}={prefix}".encode()
    for _ in range(SWEEPS):  # again, while there are any: they may have forked meanwhile
        found = [pid for pid, environment in _others() if mark in b"\0" + environment]
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if not found:
            return


def _others() -> Iterator[tuple[int, bytes]]:
    """Every other process and its environment, as far as we may see it."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended, or it is another user's
            if int(folder.name) != os.getpid():
                yield int(folder.name), (folder / "environ").read_bytes()
