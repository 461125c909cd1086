"""The gate, with the real nvidia-ml-py on a fake driver library, in real children."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from monitor.runner import understood
from probes.base import LEFT
from probes.gpu import gate
from probes.gpu.canary import GpuCanary

Busy = Callable[..., str | None]

ROOT = Path(__file__).parents[3]
UUID = "GPU-00000000-0000-0000-0000-000000000000"
GONE = 5_000_001
"""An id that no process can have: Linux ends at 2^22."""
ON_THE_HOST = str(Path("/proc/self/ns/pid").readlink()) == "pid:[4026531836]"

BUSY = """
import json, sys, threading, time
from pathlib import Path
from probes.gpu import gate, nvml
gpu, = nvml.gpus()
exec(sys.argv[2])
started = time.monotonic()
print(json.dumps([gate.busy(gpu, int(sys.argv[1])), time.monotonic() - started]))
"""


@pytest.fixture
def busy(run_python: Callable[..., Any], driver: dict[str, str]) -> Busy:
    """Why a canary of that many bytes must not go to this fake GPU."""

    def ask(memory: int = 4 << 30, first: str = "", **fake: object) -> str | None:
        said = {f"FAKE_0_{name}": str(value) for name, value in fake.items()}
        return run_python(BUSY, str(memory), first, **driver, FAKE_GPUS="1", **said)[0]

    return ask


@pytest.fixture
def neighbour() -> Iterator[subprocess.Popen[bytes]]:
    """Another program on this machine."""
    with subprocess.Popen(["sleep", "60"]) as program:
        yield program
        program.kill()


# --- before a run ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fake", "reason"),
    [
        ({"PID": GONE}, f"used by pid {GONE} (1024 MiB)"),
        (
            {"PID": GONE + 1, "PID2": GONE},
            f"used by pid {GONE} (2048 MiB), pid {GONE + 1} (1024 MiB)",
        ),
        ({"MPS_PID": GONE}, f"used by pid {GONE} (1024 MiB)"),
        ({"PID": GONE, "OLD": 1}, f"used by pid {GONE} (1024 MiB)"),
        ({"UTILISATION": 6}, "is 6 % utilised"),
        (
            {"UTILISATION": 9, "DRAWING_PID": GONE},
            f"is 9 % utilised, and draws for pid {GONE} (1024 MiB)",
        ),
        (
            {"USED_MIB": 80000},
            "has 1000 MiB free of 81559 MiB, 4096 MiB are needed",
        ),
        ({"USED_MIB": 1025}, "has 1025 MiB in use by processes that the driver does not show"),
        (
            {"USED_MIB": 1025, "PID": -1},
            "has 1025 MiB in use by processes that the driver does not show",
        ),
        ({"MIG": 1}, "is divided by MIG, and a slice does not compare with a GPU"),
        ({"MODE": 2}, "is in compute mode prohibited"),
        ({"MODE": 3}, "is in compute mode exclusive process"),
    ],
)
def test_a_gpu_that_is_used_or_kept_is_busy(busy: Busy, fake: dict[str, int], reason: str) -> None:
    assert busy(**fake) == reason


@pytest.mark.parametrize(
    "fake",
    [
        {},
        {"UTILISATION": 5},
        {"UTILISATION": -1},
        {"USED_MIB": 1024},
        {"OLD": 1, "USED_MIB": 465},  # an old driver counts its own 559 MiB
        {"USED_MIB": 9000, "ADDRESSING": 2},  # the host's kernel keeps pages there
        {"DRAWING_PID": GONE, "USED_MIB": 2048},  # an X server, and its memory
        {"PID": -1},  # not told who computes: memory and utilisation tell that nobody does
        {"MIG": -1, "MODE": -1},
    ],
)
def test_the_limits_themselves_and_what_is_not_told_are_free(
    busy: Busy, fake: dict[str, int]
) -> None:
    assert busy(**fake) is None


def test_a_canary_needs_its_memory_to_the_byte(busy: Busy) -> None:
    assert busy(memory=81000 << 20) is None
    assert busy(memory=(81000 << 20) + 1) == (
        "has 81000 MiB free of 81559 MiB, 81000 MiB are needed"
    )


@pytest.mark.parametrize(("seconds", "reason"), [(0.7, None), (60.0, "is 90 % utilised")])
def test_work_that_has_just_ended_is_forgiven(
    busy: Busy, tmp_path: Path, seconds: float, reason: str | None
) -> None:
    file = tmp_path / "utilisation"
    file.write_text("90")
    ending = f"threading.Timer({seconds}, Path({str(file)!r}).write_text, ['0'])"
    start = f"timer = {ending}; timer.daemon = True; timer.start()"
    assert busy(first=start, UTILISATION=f"@{file}") == reason


def test_who_uses_it_is_named_where_ids_tell(
    busy: Busy, neighbour: subprocess.Popen[bytes]
) -> None:
    said = busy(PID=neighbour.pid)
    if ON_THE_HOST:
        import pwd  # noqa: PLC0415 no module of every system

        user = pwd.getpwuid(os.getuid()).pw_name
        assert said == f"used by pid {neighbour.pid} (sleep of {user}, 1024 MiB)"
    else:
        assert said == f"used by pid {neighbour.pid} (1024 MiB)"


# --- during a run ------------------------------------------------------------------------------

WATCHED = """
import ctypes, json, os, subprocess, sys, time
from pathlib import Path
from probes.base import Skipped
from probes.gpu import gate, nvml
gpu, *others = nvml.gpus()
file, second = Path(os.environ["FILE"]), Path(os.environ["FILE"] + "2")
def come():
    file.write_text(os.environ["FIRST"])
    second.write_text(os.environ["SECOND"])
started = time.monotonic()
try:
    with gate.watched([gpu, *others], 4 << 30, float(sys.argv[1])):
        exec(sys.argv[2])
    said = ""
except (Skipped, RuntimeError) as error:
    said = f"{type(error).__name__}: {error}"
print(json.dumps([said, time.monotonic() - started]))
"""
COMES = "come(); time.sleep(30)"
"""Two come, since one alone is not told from us in a container."""


def watching(file: Path) -> dict[str, object]:
    """The surroundings of a child whose GPU has the processes that two files name."""
    usual = {"FAKE_GPUS": 1, "FAKE_0_PID": f"@{file}", "FAKE_0_PID2": f"@{file}2"}
    return {**usual, "FILE": file, "FIRST": GONE, "SECOND": GONE + 1}


@pytest.fixture
def watched(
    run_python: Callable[..., Any], driver: dict[str, str], tmp_path: Path
) -> Callable[..., tuple[str, float]]:
    """How a block ended that runs on a fake GPU whose processes are in two files, and in s."""

    def run(block: str, seconds: float = 20.0, **fake: object) -> tuple[str, float]:
        for number in ("", "2"):
            (tmp_path / f"value{number}").unlink(missing_ok=True)
        said = {**watching(tmp_path / "value"), **fake}
        extra = {name: str(value) for name, value in said.items()}
        reason, took = run_python(WATCHED, str(seconds), block, **driver, **extra)
        return reason, took

    return run


SHARED = f"Skipped: busy: {UUID} was shared during the measurement, by"
ONE_OF = "" if ON_THE_HOST else " one of"
COME = f"{SHARED}{ONE_OF} pid {GONE} (1024 MiB), pid {GONE + 1} (2048 MiB)"


def test_a_neighbour_that_comes_ends_the_run_at_once(
    watched: Callable[..., tuple[str, float]],
) -> None:
    reason, took = watched(COMES)
    assert reason == COME
    assert took < 2  # it waits 30 s else


@pytest.mark.parametrize(
    "block",
    [
        f"try:\n    {COMES}\nexcept Exception:\n    pass",
        f"try:\n    {COMES}\nexcept Exception as error:\n    raise ValueError('mine') from error",
    ],
)
def test_a_library_that_swallows_or_rewrites_the_interrupt_does_not_hide_it(
    watched: Callable[..., tuple[str, float]], block: str
) -> None:
    assert watched(block)[0] == COME


def test_one_that_came_in_the_last_moment_is_seen_at_the_end(
    watched: Callable[..., tuple[str, float]],
) -> None:
    reason, took = watched("come()")
    assert reason == COME
    assert took < gate.LOOK_EVERY


def test_one_that_came_while_torch_was_loading_is_seen_before_the_start(
    watched: Callable[..., tuple[str, float]],
) -> None:
    there = {"FAKE_0_PID": GONE, "FAKE_0_PID2": GONE + 1}
    assert watched("raise RuntimeError('it ran')", **there)[0] == COME


def test_what_begins_to_draw_is_a_neighbour_and_what_drew_before_is_none(
    watched: Callable[..., tuple[str, float]], tmp_path: Path
) -> None:
    file = tmp_path / "value"
    idle = {"FAKE_0_PID": 0, "FAKE_0_PID2": 0}
    drawing = {"FAKE_0_DRAWING_PID": f"@{file}", "FAKE_0_DRAWING_PID2": f"@{file}2"}
    assert watched(COMES, **idle, **drawing)[0] == COME
    assert watched("time.sleep(0.6)", **idle, FAKE_0_DRAWING_PID=GONE)[0] == ""


@pytest.mark.parametrize(
    "pid", ["os.getpid()", "subprocess.Popen(['sleep', '9'], stdout=-3, stderr=-3).pid"]
)
def test_we_and_what_we_started_are_no_neighbours(
    watched: Callable[..., tuple[str, float]], pid: str
) -> None:
    assert watched(f"file.write_text(str({pid})); time.sleep(0.6)")[0] == ""
    with_another = f"come(); file.write_text(str({pid})); time.sleep(30)"
    reason, _ = watched(with_another)
    if ON_THE_HOST:
        assert reason == f"{SHARED} pid {GONE + 1} (2048 MiB)"
    else:
        assert reason.startswith(f"{SHARED} one of pid ")


def test_a_gpu_that_is_lost_meanwhile_is_a_failure(
    watched: Callable[..., tuple[str, float]], tmp_path: Path
) -> None:
    reason, took = watched(COMES, FAKE_0_PID=0, FAKE_0_LOST=f"@{tmp_path / 'value'}")
    assert reason.startswith("BrokenGpu: GPU 0 does not answer the NVIDIA driver: GPU is lost; see")
    assert took < 2


def test_more_than_max_seconds_is_a_failure_that_says_what_to_do(
    watched: Callable[..., tuple[str, float]],
) -> None:
    reason, took = watched("time.sleep(30)", seconds=0.7)
    assert reason == (
        f"Overrun: it held {UUID} for 0.7 s, its max_seconds: give it less to do, or more time"
    )
    assert took < 2


def test_a_fault_of_the_block_stays_its_own(watched: Callable[..., tuple[str, float]]) -> None:
    assert watched("raise RuntimeError('mine')")[0] == "RuntimeError: mine"


def test_several_gpus_are_watched_at_once(watched: Callable[..., tuple[str, float]]) -> None:
    reason, took = watched(COMES, FAKE_GPUS=2)
    assert reason == COME
    assert took < 2
    late, _ = watched("time.sleep(30)", seconds=0.7, FAKE_GPUS=2)
    assert late.startswith(f"Overrun: it held {UUID}, GPU-00000000-0000-0000-0000-000000000001 for")


def test_on_a_cpu_nothing_is_watched() -> None:
    with gate.watched([], 0, 0.001):
        time.sleep(0.01)


# --- who does not leave ------------------------------------------------------------------------

STUCK = """
libc = ctypes.{library}(None)
lock = ctypes.create_string_buffer(64)
libc.pthread_mutex_lock(lock)
libc.pthread_mutex_lock(lock)
"""
"""A main thread in C that no signal brings back; PyDLL keeps the interpreter's lock meanwhile."""
DEAF = """
while True:
    try:
        time.sleep(1)
    except Exception:
        pass
"""


def test_who_does_not_leave_is_thrown_out(
    start_python: Callable[..., "subprocess.Popen[str]"], driver: dict[str, str], tmp_path: Path
) -> None:
    comes = {name: str(value) for name, value in watching(tmp_path / "value").items()}
    comes = {**comes, **driver}
    free = {**comes, "FAKE_0_PID": "0", "FAKE_0_PID2": "0"}
    in_c, with_the_lock = STUCK.format(library="CDLL"), STUCK.format(library="PyDLL")
    programs = {
        "shared": ("20", f"come()\n{in_c}", comes),
        "late": ("0.1", in_c, free),
        "deaf": ("0.1", DEAF, free),
        "locked": ("0.1", with_the_lock, free),
    }
    children = {
        name: start_python(WATCHED, seconds, block, **extra)
        for name, (seconds, block, extra) in programs.items()
    }
    ended = {
        name: (*child.communicate(timeout=60), child.wait()) for name, child in children.items()
    }
    endings = {name: understood(b"", status, stderr) for name, (_, stderr, status) in ended.items()}
    assert all(stdout == "" for stdout, _, _ in ended.values())
    shared = endings["shared"]
    assert (shared.outcome, shared.charged) == ("skipped", False)
    assert f"Skipped: {shared.reason}" == COME
    for name in ("late", "deaf"):
        assert endings[name].outcome == "failed"
        assert endings[name].reason == (
            f"the child ended with exit status 70: it held {UUID} for 0.1 s, its max_seconds: give "
            "it less to do, or more time"
        )
    locked = endings["locked"]
    assert locked.outcome == "failed"
    assert "Timeout" in locked.stderr
    assert 'File "<string>"' in locked.stderr  # where it is stuck


def test_the_status_alone_is_no_excuse() -> None:
    ending = understood(b"", LEFT, "a library gave up\n")
    assert ending.outcome == "failed"
    assert ending.reason == "the child ended with exit status 75: a library gave up"


# --- memory ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gib", "total", "expected"),
    [(4, 80, 3 / 80), (2, 16, 1 / 16), (24, 24, 23 / 24), (48, 24, 1.0)],
)
def test_torch_may_take_what_cuda_leaves_of_a_canarys_memory(
    gib: int, total: int, expected: float
) -> None:
    assert gate.share(gib << 30, total << 30) == pytest.approx(expected)
    assert gate.room(gib << 30) == (gib - 1) << 30


def test_a_canary_always_has_room_for_tensors() -> None:
    least = GpuCanary.model_fields["max_memory"].metadata[0].ge
    assert gate.room(least) > 0
