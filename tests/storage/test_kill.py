"""kill -9 at any moment: a transaction is in the file whole, or not at all."""

import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from storage.store import Store

ROOT = Path(__file__).parents[2]
READINGS = 50
# Writes transactions for ever and says each one's number once it is committed. At a step of
# SQLite's own machine that the first argument names, if any, it kills itself: in the middle of a
# statement. The payload is larger than SQLite's cache, so that some of it is in the file by then.
CHILD = """
import os, signal, sys
from pathlib import Path
from storage.outbox import Outbox
from storage.store import Store
from storage.types import Alert, Reading, Run, Signal, Standing

path, kill_at, readings = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
store = Store.writer(path)
steps = 0

def count():
    global steps
    steps += 1
    if steps == kill_at:
        os.kill(os.getpid(), signal.SIGKILL)

store.connection.set_progress_handler(count, 10)
for number in range(1, 10**9):
    with store.transaction():
        taken = [Reading("s", "t", i, "measured", at=1000.0 * number + i) for i in range(readings)]
        run = Run("p", "k", "ok", "", number, 1.0, payload={"raw": "x" * 3_000_000})
        store.record(run, taken, [Signal("s", "1", "neither", "")])
        alert = Alert(str(number), "fires", "a", "t", "info", number, {})
        owed = Outbox(store).owe(alert)
        store.put(Standing("a", "t", "firing", number, number, alert=owed))
    print(number, flush=True)
"""


def start(path: Path, kill_at: int) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(path), str(kill_at), str(READINGS)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def whole_transactions(path: Path) -> int:
    """How many transactions the file has, after having seen that each is whole."""
    with closing(Store.writer(path)) as store:
        assert store.connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        counts = [
            store.connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("runs", "samples", "alerts", "standings")
        ]
        runs = counts[0]
        assert counts == [runs, runs * READINGS, runs, min(runs, 1)]
        assert [standing.alert for standing in store.standings()] == [runs][:runs]
        return int(runs)


@pytest.mark.parametrize("kill_at", [1, 60, 120, 180, 240, 300, 360, 420, 500, 700])
def test_killed_in_the_middle_of_a_statement(path: Path, kill_at: int) -> None:
    with start(path, kill_at) as child:
        said, _ = child.communicate(timeout=30)
    assert child.returncode == -signal.SIGKILL
    assert whole_transactions(path) == len(said.splitlines())


@pytest.mark.parametrize("committed", [1, 2, 5])
def test_killed_from_outside_after_a_commit_was_said(path: Path, committed: int) -> None:
    with start(path, 0) as child:
        assert child.stdout is not None
        for _ in range(committed):
            child.stdout.readline()
        child.kill()
        said = committed + len(child.stdout.readlines())
    # The next one may have been committed, and its number not yet said.
    assert whole_transactions(path) in (said, said + 1)
