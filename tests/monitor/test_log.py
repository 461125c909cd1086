"""The log where it cannot be written, and what it must not say."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from living import PATIENCE, Living

from monitor.log import unfailing

SAYS = """
import sys
from rich.console import Console
import structlog
from monitor import log
log.configure()
def fails(token):
    raise ValueError("no")
try:
    fails("xoxb-local")
except ValueError:
    structlog.get_logger().exception("it failed")
Console(stderr=True).print("an alert")
print("still there", file=sys.stderr)
print("the end")
"""


def _say(stderr: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", SAYS], stdout=subprocess.PIPE, stderr=stderr, text=True, check=False
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_under_the_log_ends_nothing() -> None:
    with Path("/dev/full").open("w") as full:
        done = _say(full.fileno())
    assert (done.returncode, done.stdout) == (0, "the end\n")


def test_a_closed_pipe_under_the_log_ends_nothing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = _say(writing)
    finally:
        os.close(writing)
    assert (done.returncode, done.stdout) == (0, "the end\n")


def test_a_traceback_in_the_log_has_no_local_variables() -> None:
    done = _say(subprocess.PIPE)
    first, *rest = done.stderr.splitlines()
    assert json.loads(first)["exception"][0]["exc_value"] == "no"
    assert "xoxb-local" not in done.stderr
    assert rest == ["an alert", "still there"]


def test_what_a_descriptor_takes_in_parts_arrives_whole() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, encoding="utf-8") as source:
        stream = unfailing(writing)
        stream.write("µ" * 1000 + "\udcff\n")
        os.close(writing)
        assert source.read() == "µ" * 1000 + "\\udcff\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_the_service_outlives_its_log(tmp_path: Path) -> None:
    living = Living(tmp_path)
    living.log.symlink_to("/dev/full")
    with living.running() as service:
        living.another_run()
        assert service.poll() is None
    assert service.wait(PATIENCE) == 0
