"""After kill -9 of the service: the kernel ends the child, the next start ends the rest."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from living import alive, eventually

from monitor.runner import MARK, kill_marked

TESTS = Path(__file__).parents[1]
SERVICE = """
import asyncio, sys
from pathlib import Path
from monitor.runner import Runner
from odd_probes import CHILD, Hangs, entry

mark, folder = sys.argv[1:]
asyncio.run(Runner(mark, Path(folder), CHILD).run(entry(Hangs, 600.0, where=f"{folder}/pids")))
"""


@pytest.fixture
def left(tmp_path: Path) -> Iterator[list[int]]:
    """The child, its child, and a process in a session of its own, of a service that was killed."""
    file = tmp_path / "pids"
    service = subprocess.Popen(
        [sys.executable, "-c", SERVICE, mark_of(tmp_path), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
    )
    try:
        pids = [int(word) for word in eventually(file.read_text, "the probe").split()]
    finally:
        service.kill()
        service.wait()
    yield pids
    for pid in filter(alive, pids):
        os.kill(pid, signal.SIGKILL)


def mark_of(folder: Path) -> str:
    return f"{folder}/q.db#"


def test_the_child_dies_with_the_service(left: list[int]) -> None:
    eventually(lambda: not alive(left[0]), "the child's end")


def test_the_next_start_ends_what_the_child_left(left: list[int], tmp_path: Path) -> None:
    eventually(lambda: not alive(left[0]), "the child's end")
    assert [alive(pid) for pid in left] == [False, True, True]
    kill_marked(f"{tmp_path}/other.db#")
    assert [alive(pid) for pid in left] == [False, True, True]
    kill_marked(mark_of(tmp_path))
    eventually(lambda: not any(alive(pid) for pid in left), "the end of all")


def test_a_process_does_not_end_itself(tmp_path: Path) -> None:
    # `qrossover` may be the program of a probe of another `qrossover`
    program = "import sys; from monitor.runner import kill_marked; kill_marked(sys.argv[1])"
    done = subprocess.run(
        [sys.executable, "-c", program, mark_of(tmp_path)],
        env={**os.environ, MARK: f"{mark_of(tmp_path)}1"},
        check=False,
    )
    assert done.returncode == 0


def test_a_child_whose_parent_is_gone_does_not_begin(tmp_path: Path) -> None:
    result = os.open(tmp_path / "result", os.O_CREAT | os.O_WRONLY)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "probes", "--result", str(result), "--parent", "99999999"],
            pass_fds=[result],
            input='{"kind": "external.command", "settings": {}}',
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        os.close(result)
    assert done.returncode == 1
    assert "has died already" in done.stderr
    assert (tmp_path / "result").read_text() == ""
