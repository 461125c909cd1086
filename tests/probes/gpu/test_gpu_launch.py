"""Ranks as real processes: started, named when they fail, and gone however it ends."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from probes.gpu.launch import RankFailed, launch

ROOT = Path(__file__).parents[3]
# A rank without torch: says where it is, then does what the test wants.
RANK = """
import json, os, pathlib, signal, sys, time
folder, rank = pathlib.Path(sys.argv[1]), int(sys.argv[2])
order = json.loads((folder / "order.json").read_text())
def leave(**left):
    file = folder / f"result-{rank}"
    file.write_text(json.dumps(left))
    file.rename(f"{file}.json")
print("at: the middle", flush=True)
"""


def crew(body: str, ranks: int = 2, max_seconds: float = 20.0) -> list[dict[str, Any]]:
    program = (sys.executable, "-S", "-c", RANK + body)
    return launch({"word": "a"}, ranks, max_seconds, {"TOLD": "b"}, program=program)


def test_results_come_by_rank_from_an_order_that_all_have() -> None:
    body = "leave(result=[rank, order['word'], order['ranks'], os.environ['TOLD']])"
    results: list[Any] = list(crew(body, ranks=3))
    assert results == [[rank, "a", 3, "b"] for rank in range(3)]


def test_the_first_that_failed_is_named_and_what_it_said_is_repeated(
    capfd: pytest.CaptureFixture[str],
) -> None:
    body = """
while rank == 0 and not (folder / "result-1.json").exists():
    time.sleep(0.01)
leave(error="no link" if rank else "a neighbour has gone", at=time.monotonic())
time.sleep(60 if rank else 0)
sys.exit(1)
"""
    message = "^rank 1 of 2 failed at the middle: no link$"
    with pytest.raises(RankFailed, match=message):
        crew(body)
    assert "rank 1: at: the middle\n" in capfd.readouterr().err


def test_a_rank_that_was_killed_is_named_with_its_signal() -> None:
    body = "os.kill(os.getpid(), signal.SIGKILL) if rank == 1 else time.sleep(60)"
    begun = time.monotonic()
    with pytest.raises(RankFailed, match=r"^rank 1 of 2 was killed by SIGKILL at the middle$"):
        crew(body)
    assert time.monotonic() - begun < 15


def test_a_rank_that_cannot_start_says_what_python_said(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(RankFailed, match=r"^rank 0 of 2 failed at the middle: exit status 1$"):
        crew("raise SystemError('odd') if rank == 0 else time.sleep(60)")
    assert "rank 0: SystemError: odd" in capfd.readouterr().err


def test_ranks_that_hang_are_killed_at_the_deadline_and_told_by_where(
    capfd: pytest.CaptureFixture[str],
) -> None:
    body = """
if rank:
    print("at: a sum", flush=True)
    print(f"pid {os.getpid()}", flush=True)
    time.sleep(60)
leave(result={})
"""
    with pytest.raises(RankFailed) as failed:
        crew(body, max_seconds=1.0)
    assert str(failed.value) == (
        "not every rank had ended after 1 s, the probe's max_seconds: rank 1 was at a sum"
    )
    hung = re.search(r"rank 1: pid (\d+)", capfd.readouterr().err)
    assert hung is not None
    assert not alive(int(hung[1]))


STARTER = """
import sys
from probes.gpu.launch import launch
launch({"kind": "cpu"}, 2, 60.0, {"GLOO_SOCKET_IFNAME": "lo"})
"""


def ranks_of(parent: int) -> list[int]:
    listing = Path(f"/proc/{parent}/task/{parent}/children")
    return [int(pid) for pid in listing.read_text().split()]


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def until(condition: Any, seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def test_ranks_die_with_the_process_that_started_them(tmp_path: Path) -> None:
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    parent = subprocess.Popen([sys.executable, "-c", STARTER], env=surroundings)
    assert until(lambda: len(ranks_of(parent.pid)) == 2)
    ranks = ranks_of(parent.pid)

    def ready() -> bool:  # the real program has asked the kernel before it imports torch
        maps = [Path(f"/proc/{pid}/maps").read_text() for pid in ranks]
        return all("torch" in mapped for mapped in maps)

    assert until(ready)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert until(lambda: not any(map(alive, ranks)))
