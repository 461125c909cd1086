"""The service at its edges: paid runs that it does not survive, a second pass, its secrets."""

import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from living import PATIENCE, Living, eventually

from monitor.http.control import NotListening, ask_once, path_for
from monitor.lock import Lock

PAID = """
[budget]
usd_per_day = 1.0
[probe.paid]
kind = "external.command"
argv = ["sh", "-c", "touch begun; sleep 600"]
signals = { "test.paid" = "1" }
every = "1h"
timeout = "10m"
usd = 1.0
[probe.too]
kind = "external.command"
argv = ["sh", "-c", "touch begun; sleep 600"]
signals = { "test.too" = "1" }
every = "1h"
timeout = "10m"
usd = 1.0
"""


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (signal.SIGTERM, "the service stopped while it ran"),
        (signal.SIGKILL, "the service was killed while it ran"),
    ],
)
def test_a_paid_run_stays_charged_when_the_service_ends(
    tmp_path: Path, number: signal.Signals, reason: str
) -> None:
    living = Living(tmp_path, more=PAID, every="1h")
    with living.running() as service:
        eventually((tmp_path / "begun").exists, "the paid run")
        eventually(lambda: living.runs("paid") and living.runs("too"), "both rows")
        service.send_signal(number)
        service.wait(PATIENCE)
    rows = living.rows("SELECT reason, usd FROM runs WHERE probe IN ('paid', 'too') ORDER BY usd")
    assert [usd for _, usd in rows] == [0.0, 1.0]
    assert rows[0][0].startswith("budget: ")
    assert rows[1][0] == reason


def test_a_second_pass_is_told_who_makes_the_first(tmp_path: Path) -> None:
    living = Living(tmp_path)
    (tmp_path / "meter.py").write_text("import time; open('begun', 'w'); time.sleep(600)")
    first = subprocess.Popen(
        [sys.executable, "-m", "monitor.cli", "once"], cwd=tmp_path, stderr=subprocess.DEVNULL
    )
    try:
        eventually((tmp_path / "begun").exists, "the first pass")
        second = living.command("once")
    finally:
        first.kill()
        first.wait()
    assert second.returncode == 75
    assert f"another Qrossover (process {first.pid})" in second.stderr


def test_a_service_that_does_not_listen_yet_is_told_of_too(tmp_path: Path) -> None:
    living = Living(tmp_path)
    lock = Lock(living.database)
    lock.take()
    try:
        with socket.socket(socket.AF_UNIX) as leftover:
            leftover.bind(str(path_for(living.database)))
        with pytest.raises(NotListening):
            ask_once(living.database, ["meter"])
        done = living.command("once")
    finally:
        lock.release()
    assert (done.returncode, f"process {os.getpid()}" in done.stderr) == (75, True)


def test_what_is_stored_is_closed_to_others(tmp_path: Path) -> None:
    living = Living(tmp_path)
    with living.running():
        living.another_run()
        modes = {
            suffix: stat.S_IMODE((tmp_path / "var" / f"test.db{suffix}").stat().st_mode)
            for suffix in ("", "-wal", "-shm", ".lock", ".sock")
        }
    assert modes == {"": 0o640, "-wal": 0o640, "-shm": 0o640, ".lock": 0o640, ".sock": 0o600}


HIDES = """
import ctypes, os
from monitor.channels import hide

def seen():
    "What a probe of the same user finds of the token in the environment of the service."
    service, (reading, writing) = os.getpid(), os.pipe()
    if os.fork() == 0:
        try:
            with open(f"/proc/{service}/environ") as environment:
                os.write(writing, b"seen" if "TEST_SLACK_TOKEN" in environment.read() else b"gone")
        except PermissionError:
            os.write(writing, b"refused")
        os._exit(0)
    os.wait()
    return os.read(reading, 100).decode()

if os.getuid() == 0:  # root may read everything
    os.setgid(65534)
    os.setuid(65534)
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # as after an exec
before = seen()
hide(["TEST_SLACK_TOKEN", "NOT_SET"])
print(before, seen(), os.environ.get("TEST_SLACK_TOKEN"), len(os.listdir("/proc/self/fd")) > 2)
"""


def test_a_probe_cannot_read_the_environment_of_the_service() -> None:
    done = subprocess.run(
        [sys.executable, "-c", HIDES],
        env={**os.environ, "TEST_SLACK_TOKEN": "xoxb-1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("seen refused None True\n", "")
