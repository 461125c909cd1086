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
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil

from monitor.config import ProbeEntry
from storage.types import Reading, Run, now

MARK = "QROSSOVER_RUN"
"""Environment variable by which a run's processes are known, wherever they have gone."""
MOST_RESULT = 16 << 20
TAIL = 8 << 10
DRAIN_SECONDS = 1.0
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


class Runner:
    """Runs probes, one at a time on each resource. `mark` tells this service's children."""

    def __init__(self, mark: str, folder: Path) -> None:
        self._mark = mark
        self._folder = folder
        self._resources: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._children: dict[int, str] = {}

    async def run(self, entry: ProbeEntry) -> Finished:
        """Run a probe to its end or its deadline. Every end is a result; nothing is raised for a
        probe's fault."""
        async with self._turn(entry.probe.resource()):
            started = now()
            ending = await self._child(entry)
        ended = now()
        quote = entry.probe.quote()
        run = Run(
            probe=entry.name,
            kind=entry.kind,
            outcome=ending["outcome"],
            reason=ending["reason"],
            started=started,
            seconds=round(ended - started, 3),
            usd=0.0 if ending["outcome"] == "skipped" else quote.usd,
            qpu_seconds=0.0 if ending["outcome"] == "skipped" else quote.qpu_seconds,
            settings=dict(entry.settings),
            versions=ending.get("versions", {}),
            payload=ending.get("payload", {}),
            stderr=ending["stderr"],
        )
        return Finished(run, tuple(ending.get("readings", ())), ended)

    def kill_all(self) -> None:
        """Kill every child with its whole group, now."""
        for pid, mark in list(self._children.items()):
            _kill_group(pid)
            kill_marked(mark)

    @contextlib.asynccontextmanager
    async def _turn(self, resource: str | None) -> AsyncIterator[None]:
        if resource is None:
            yield
            return
        async with self._resources[resource]:
            yield

    async def _child(self, entry: ProbeEntry) -> dict[str, Any]:
        mark = f"{self._mark}{uuid4().hex}"
        reading_end, writing_end = os.pipe()
        order = json.dumps({"kind": entry.kind, "settings": dict(entry.settings)}).encode()
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "probes"),
                *("--result", str(writing_end), "--parent", str(os.getpid())),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                pass_fds=(writing_end,),
                start_new_session=True,
                cwd=self._folder,
                env={**os.environ, **CHILD_ENVIRONMENT, MARK: mark},
            )
        except OSError as error:
            os.close(reading_end)
            return _failed(f"the child could not be started: {error.strerror}", "")
        finally:
            os.close(writing_end)
        self._children[process.pid] = mark
        try:
            return await self._watch(process, entry, order, reading_end)
        finally:
            del self._children[process.pid]
            _kill_group(process.pid)
            # what left the group (setsid, a daemon of the probe's) still carries the mark
            await asyncio.to_thread(kill_marked, mark)

    async def _watch(
        self, process: asyncio.subprocess.Process, entry: ProbeEntry, order: bytes, result: int
    ) -> dict[str, Any]:
        assert process.stdin is not None
        assert process.stdout is not None
        document, tail = bytearray(), bytearray()
        pipe, transport = await _reader(result)
        readers = asyncio.gather(
            _collect(pipe, document, MOST_RESULT + 1, keep_head=True),
            _collect(process.stdout, tail, TAIL, keep_head=False),
        )
        process.stdin.write(order)
        process.stdin.close()
        try:
            status: int | None = await asyncio.wait_for(process.wait(), entry.timeout)
        except TimeoutError:
            status = None
        finally:
            # the group goes before the pipes are drained: a grandchild may hold them open
            _kill_group(process.pid)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(readers), DRAIN_SECONDS)
            readers.cancel()
            transport.close()
        stderr = tail.decode(errors="replace")
        if status is None:
            reason = f"killed after {entry.timeout:g} s, its timeout"
            return {"outcome": "timeout", "reason": reason, "stderr": stderr}
        return understood(bytes(document), status, stderr)


def understood(document: bytes, status: int, stderr: str) -> dict[str, Any]:
    """The child's document, checked: what is not one is a failed run that says why."""
    if len(document) > MOST_RESULT:
        return _failed(f"its result is larger than {MOST_RESULT >> 20} MiB", stderr)
    if status != 0:
        return _failed(_ending(status, stderr), stderr)
    try:
        result = json.loads(document)
        readings = [Reading(**reading) for reading in result.get("readings", [])]
    except (ValueError, TypeError, AttributeError) as error:
        return _failed(f"its result cannot be read: {error}", stderr)
    return {**result, "readings": readings, "stderr": stderr}


def _failed(reason: str, stderr: str) -> dict[str, Any]:
    return {"outcome": "failed", "reason": reason, "stderr": stderr}


def _ending(status: int, stderr: str) -> str:
    said = stderr.strip().splitlines()
    last = f": {said[-1][:200]}" if said else ""
    if status < 0:
        return f"the child was ended by {signal.Signals(-status).name}{last}"
    return f"the child ended with exit status {status}{last}"


async def _reader(descriptor: int) -> tuple[asyncio.StreamReader, asyncio.BaseTransport]:
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb")
    )
    return reader, transport


async def _collect(
    reader: asyncio.StreamReader, into: bytearray, most: int, *, keep_head: bool
) -> None:
    """Read to the end, so that the writer never blocks, and keep at most `most` bytes of it."""
    while chunk := await reader.read(1 << 16):
        if keep_head:
            into += chunk[: most - len(into)]
        else:
            into += chunk
            del into[:-most]


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def kill_marked(prefix: str) -> None:
    """Kill every process of ours whose mark begins with `prefix`.

    A group does not hold a grandchild that made a session of its own, and the kernel's
    parent-death signal reaches children only: after kill -9 of the service, this finds the rest.
    """
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            environment: Mapping[str, str] = process.environ()
            if environment.get(MARK, "").startswith(prefix) and process.pid != os.getpid():
                process.kill()
