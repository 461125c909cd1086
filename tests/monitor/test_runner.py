"""What becomes of a probe's run, whatever the probe does: real children, real ends."""

import asyncio
import os
import resource
import socket
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import odd_probes
import pytest
import pytest_asyncio
from living import alive, eventually
from odd_probes import GOOD, Odd, entry

from monitor.config import ProbeEntry
from monitor.runner import Finished, Runner


@pytest_asyncio.fixture
async def runner(tmp_path: Path) -> AsyncIterator[Runner]:
    runner = Runner(f"{tmp_path}#", tmp_path, odd_probes.CHILD)
    yield runner
    await runner.close()


def pids(file: Path) -> list[int]:
    """The processes that a probe has told of."""
    return [int(word) for word in eventually(file.read_text, f"{file.name}").split()]


def descriptors() -> int:
    """How many files this process has open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def apart(spans: Iterable[tuple[float, float]]) -> bool:
    """Whether each span begins after the one before has ended, to the millisecond."""
    return all(ended <= begun + 0.001 for (_, ended), (begun, _) in pairwise(sorted(spans)))


def values(finished: Finished) -> list[float]:
    return [reading.value for reading in finished.readings]


def outcome(finished: Finished) -> tuple[str, str]:
    return finished.run.outcome, finished.run.reason


async def test_a_good_run_brings_its_readings_and_what_made_them(runner: Runner) -> None:
    finished = await runner.run(entry(Odd, where="x"))
    run = finished.run
    setup = '{"kind": "__main__", "revision": 1, "share": null, "where": "x"}'
    assert finished.readings == (replace(GOOD, setup=setup),)
    assert outcome(finished) == ("ok", "")
    assert (run.probe, run.kind, run.settings) == ("odd", "Odd", {"where": "x"})
    assert run.host == socket.gethostname()
    assert run.payload == {"seed": 7}
    assert set(run.versions) == {"python", "pydantic"}
    assert (run.usd, run.qpu_seconds, run.stderr) == (2.0, 3.0, "")
    assert run.started + run.seconds == pytest.approx(finished.ended, abs=0.002)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (odd_probes.DumpsCore, "the child was ended by signal 11 (Segmentation fault): about to"),
        (odd_probes.Aborts, "the child was ended by signal 6 (Aborted)"),
        (odd_probes.DiesOfAnOddSignal, "the child was ended by signal 37 (Real-time signal 3)"),
        (odd_probes.IsNaN, "odd.value on there is nan, not a finite number"),
        (odd_probes.Undeclared, "undeclared signal 'odd.other'; declared are odd.value"),
        (odd_probes.Raises, "KeyError: 'no\\nsuch\\tthing \\udcffxxx"),
        (odd_probes.Leaves, "the child ended without a result"),
        (odd_probes.Quits, "the child ended with exit status 1: no licence"),
        (odd_probes.Huge, "its result is larger than 16 MiB"),
        (odd_probes.KeepsNoJson, "its result is no JSON: Out of range float values"),
    ],
)
async def test_a_probe_that_fails_is_a_failed_run_that_says_why(
    runner: Runner, kind: type[Odd], reason: str
) -> None:
    finished = await runner.run(entry(kind))
    assert finished.run.outcome == "failed"
    assert finished.run.reason[: len(reason)] == reason
    assert len(finished.run.reason) < 1000
    assert finished.readings == ()


async def test_settings_that_the_child_refuses_are_a_failed_run(runner: Runner) -> None:
    good = entry(Odd)
    wrong = ProbeEntry("odd", "Odd", 60.0, 30.0, good.probe, {"colour": "red"})
    finished = await runner.run(wrong)
    assert finished.run.outcome == "failed"
    assert "colour" in finished.run.reason


async def test_a_trace_is_kept_with_the_run(runner: Runner) -> None:
    finished = await runner.run(entry(odd_probes.IsNaN))
    assert finished.run.stderr.startswith("Traceback")
    assert finished.run.payload == {}


async def test_an_exit_status_is_named(runner: Runner) -> None:
    finished = await runner.run(entry(odd_probes.Leaves, where="3"))
    assert outcome(finished) == ("failed", "the child ended with exit status 3")


async def test_a_skipped_run_has_its_reason_and_costs_nothing(runner: Runner) -> None:
    finished = await runner.run(entry(odd_probes.Skips))
    assert outcome(finished) == ("skipped", "the device is busy")
    assert (finished.readings, finished.run.payload) == ((), {"busy": ["someone"]})
    assert (finished.run.usd, finished.run.qpu_seconds) == (0.0, 0.0)


async def test_a_flood_blocks_nobody_and_its_tail_is_kept(runner: Runner) -> None:
    finished = await runner.run(entry(odd_probes.Floods))
    assert values(finished) == [GOOD.value]
    assert len(finished.run.stderr) == 8192
    assert finished.run.stderr.endswith("the end")


async def test_what_c_prints_is_no_result(runner: Runner) -> None:
    finished = await runner.run(entry(odd_probes.PrintsInC))
    assert values(finished) == [GOOD.value]
    for text in ("from C", "to stderr from C", '{"outcome": "ok"'):
        assert text in finished.run.stderr


async def test_a_large_result_comes_whole(runner: Runner) -> None:
    finished = await runner.run(entry(odd_probes.Large))
    assert values(finished) == [GOOD.value]
    assert len(finished.run.payload["counts"]) == 4 << 20


async def test_settings_larger_than_a_pipe_reach_the_child(runner: Runner) -> None:
    finished = await runner.run(entry(Odd, where="x" * (1 << 20)))
    assert values(finished) == [GOOD.value]


async def test_a_crash_leaves_no_core_file(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    runner = Runner(f"{tmp_path}#", tmp_path, odd_probes.CHILD)
    try:
        await runner.run(entry(odd_probes.DumpsCore))
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))
        await runner.close()
    assert os.listdir(tmp_path) == []  # noqa: PTH208 an async test may not use iterdir


async def test_a_child_that_cannot_be_started_is_a_failed_run(tmp_path: Path) -> None:
    before = descriptors()
    for folder, child in ((tmp_path, ("no-such-program",)), (tmp_path / "gone", ("true",))):
        runner = Runner(f"{tmp_path}#", folder, child)
        finished = await runner.run(entry(Odd))
        assert finished.run.outcome == "failed"
        assert finished.run.reason.startswith("the child could not be started: ")
        await runner.close()
    assert descriptors() == before


async def test_without_descriptors_to_spare_runs_fail_and_leak_none(
    runner: Runner, tmp_path: Path
) -> None:
    before, outcomes = descriptors(), []
    first_free = os.dup(0)
    os.close(first_free)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    while not outcomes or outcomes[-1] != ("ok", ""):
        resource.setrlimit(resource.RLIMIT_NOFILE, (first_free + len(outcomes), hard))
        try:
            outcomes.append(outcome(await runner.run(entry(Odd))))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    why = "the child could not be started: [Errno 24] Too many open files"
    assert len(outcomes) > 3
    assert all(said == "failed" and reason[: len(why)] == why for said, reason in outcomes[:-1])
    await runner.close()
    assert descriptors() == before


@pytest.mark.parametrize(
    "document", ["", "[]", "{}", "null", '{"outcome": "great"}', "[" * 100_000, "\\377", "{"]
)
async def test_a_child_that_reports_nonsense_is_a_failed_run(tmp_path: Path, document: str) -> None:
    # the shell's $2 is the descriptor that follows --result
    child = ("sh", "-c", f"printf '{document}' >/dev/fd/$2", "child")
    runner = Runner(f"{tmp_path}#", tmp_path, child)
    finished = await runner.run(entry(Odd))
    await runner.close()
    assert finished.run.outcome == "failed"
    assert "result" in finished.run.reason


# --- time and other processes --------------------------------------------------------------------


async def test_a_probe_that_hangs_is_killed_with_all_that_it_started(
    runner: Runner, tmp_path: Path
) -> None:
    finished = await runner.run(entry(odd_probes.Hangs, timeout=4.0, where=str(tmp_path / "pids")))
    assert outcome(finished) == ("timeout", "killed after 4 s, its timeout")
    assert finished.readings == ()
    await runner.close()
    assert [pid for pid in pids(tmp_path / "pids") if alive(pid)] == []


@pytest.mark.parametrize("kind", [odd_probes.LeavesOne, odd_probes.Forks])
async def test_a_run_ends_with_its_probe_and_what_that_left_is_killed(
    runner: Runner, tmp_path: Path, kind: type[Odd]
) -> None:
    finished = await runner.run(entry(kind, timeout=120.0, where=str(tmp_path / "pids")))
    assert values(finished) == [GOOD.value]
    left = pids(tmp_path / "pids")
    await runner.close()
    assert [pid for pid in left if alive(pid)] == []


async def test_a_run_that_is_cancelled_leaves_nothing(runner: Runner, tmp_path: Path) -> None:
    task = asyncio.create_task(
        runner.run(entry(odd_probes.Hangs, timeout=120.0, where=str(tmp_path / "pids")))
    )
    left = await asyncio.to_thread(pids, tmp_path / "pids")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not alive(left[0])
    await runner.close()
    assert [pid for pid in left if alive(pid)] == []


async def test_a_stop_ends_what_runs_and_starts_nothing_more(
    runner: Runner, tmp_path: Path
) -> None:
    running = asyncio.create_task(
        runner.run(entry(odd_probes.Hangs, timeout=120.0, where=str(tmp_path / "pids")))
    )
    left = await asyncio.to_thread(pids, tmp_path / "pids")
    await runner.close()
    stopped = ("skipped", "the service stopped while it ran")
    assert outcome(await running) == stopped
    assert outcome(await runner.run(entry(Odd))) == stopped
    assert [pid for pid in left if alive(pid)] == []


async def test_probes_of_one_resource_never_overlap(runner: Runner) -> None:
    shared = entry(odd_probes.Sleeps, share="the bench")
    runs = [
        finished.run for finished in await asyncio.gather(*(runner.run(shared) for _ in range(3)))
    ]
    assert apart((run.payload["begun"], run.payload["ended"]) for run in runs)
    # the time in the queue is no part of a run
    assert apart((run.started, run.started + run.seconds) for run in runs)


async def test_probes_of_different_resources_run_beside_each_other(runner: Runner) -> None:
    kinds = [entry(odd_probes.Sleeps, share=name) for name in ("one", "two")]
    runs = [finished.run for finished in await asyncio.gather(*map(runner.run, kinds))]
    first, second = sorted(runs, key=lambda run: run.started)
    assert second.started < first.started + first.seconds
