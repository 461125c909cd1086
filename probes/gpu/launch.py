"""Ranks: processes that measure together, started, waited for, and ended together.

Each is `python -m probes.gpu.ranks FOLDER RANK PARENT`. The folder holds the order, the file by
which they find each other, and of each rank what it says and its result. They die with the process
that started them.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

PROGRAM = (sys.executable, "-P", "-m", "probes.gpu.ranks")
LOOK_EVERY = 0.5
"""Seconds between two looks at the ranks; one that fails leaves the time, so which was first is
known all the same."""
LAST_LINES = 40
STAGE = "at: "
"""Begins a line in which a rank says what it is about to do."""


class RankFailed(RuntimeError):
    """A rank ended before it had a result, or had none in time."""


def launch(
    order: Mapping[str, Any],
    ranks: int,
    max_seconds: float,
    environment: Mapping[str, str],
    *,
    meanwhile: Callable[[], None] = lambda: None,
    program: Sequence[str] = PROGRAM,
) -> list[dict[str, Any]]:
    """The results of all ranks, by rank. `meanwhile` is called at each look at them.

    Raises RankFailed that names the rank and its reason; what it said last goes to stderr. However
    this ends, no rank is left.
    """
    with tempfile.TemporaryDirectory(prefix="qrossover-ranks-") as name:
        folder = Path(name)
        document = {**order, "ranks": ranks, "max_seconds": max_seconds}
        (folder / "order.json").write_text(json.dumps(document), encoding="utf-8")
        crew: list[subprocess.Popen[bytes]] = []
        try:
            for rank in range(ranks):
                # one by one: those that have started are ended where the next cannot start
                crew.append(_start(folder, rank, environment, program))  # noqa: PERF401
            _wait(crew, folder, max_seconds, meanwhile)
        finally:
            _end(crew)
        return [_left(folder, rank)["result"] for rank in range(ranks)]


def _start(
    folder: Path, rank: int, environment: Mapping[str, str], program: Sequence[str]
) -> subprocess.Popen[bytes]:
    with (folder / f"said-{rank}").open("wb") as said:
        return subprocess.Popen(
            [*program, str(folder), str(rank), str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
        )


def _wait(
    crew: Sequence[subprocess.Popen[bytes]],
    folder: Path,
    max_seconds: float,
    meanwhile: Callable[[], None],
) -> None:
    until = time.monotonic() + max_seconds
    while None in (codes := [process.poll() for process in crew]) and not any(codes):
        if time.monotonic() > until:
            missing = [rank for rank, code in enumerate(codes) if code is None]
            raise _late(folder, missing, max_seconds)
        meanwhile()
        time.sleep(LOOK_EVERY)
    if any(codes):
        raise _failed(folder, codes)


def _failed(folder: Path, codes: Sequence[int | None]) -> RankFailed:
    """One that fails takes the others with it: the first of them is the cause."""
    left = [_left(folder, rank) for rank in range(len(codes))]
    failed = [rank for rank, code in enumerate(codes) if code or "error" in left[rank]]
    first = min(failed, key=lambda rank: left[rank].get("at", 0.0))  # 0: it was killed
    _tell(folder, first)
    code = codes[first] or 0
    how = f"was killed by {signal.Signals(-code).name}" if code < 0 else "failed"
    why = f": {left[first].get('error', f'exit status {code}')}" if code >= 0 else ""
    return RankFailed(f"rank {first} of {len(codes)} {how} at {_stage(folder, first)}{why}")


def _late(folder: Path, missing: Sequence[int], max_seconds: float) -> RankFailed:
    for rank in missing:
        _tell(folder, rank)
    where = "; ".join(f"rank {rank} was at {_stage(folder, rank)}" for rank in missing)
    return RankFailed(
        f"not every rank had ended after {max_seconds:g} s, the probe's max_seconds: {where}"
    )


def _end(crew: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in crew:
        process.kill()
    for process in crew:
        process.wait()


def _left(folder: Path, rank: int) -> dict[str, Any]:
    """What a rank left: its result, or its error with the time; nothing if it was killed."""
    file = folder / f"result-{rank}.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


def _said(folder: Path, rank: int) -> list[str]:
    return (folder / f"said-{rank}").read_text(encoding="utf-8", errors="replace").splitlines()


def _stage(folder: Path, rank: int) -> str:
    stages = [line for line in _said(folder, rank) if line.startswith(STAGE)]
    return stages[-1].removeprefix(STAGE) if stages else "its start"


def _tell(folder: Path, rank: int) -> None:
    """Repeat what a rank said last, for the tail that is kept with the run."""
    for line in _said(folder, rank)[-LAST_LINES:]:
        print(f"rank {rank}: {line}", file=sys.stderr)  # noqa: T201 kept with the run
