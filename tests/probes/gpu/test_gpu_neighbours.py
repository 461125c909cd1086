"""Who else is on a GPU, as seen from a container: a namespace of process ids of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
UUID = "GPU-00000000-0000-0000-0000-000000000000"
UNSHARE = ("unshare", "--user", "--pid", "--fork")
pytestmark = pytest.mark.skipif(
    shutil.which("unshare") is None or subprocess.run([*UNSHARE, "true"], check=False).returncode,
    reason="no namespace of process ids may be made here",
)


def contained(program: str, **extra: str) -> str:
    """What a Python program says there."""
    return subprocess.run(
        [*UNSHARE, sys.executable, "-c", program],
        env={**os.environ, **extra},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout.strip()


def test_in_a_container_the_processes_are_counted(driver: dict[str, str]) -> None:
    program = (
        "from probes.gpu import neighbours, nvml;"
        "there = neighbours.Neighbours(nvml.gpus());"
        "print(*[{gpu.index: found for gpu, found in there.now(n).items()} for n in (0, 1, 2)],"
        "neighbours.ids_are_the_hosts())"
    )

    def run(**fake: str) -> str:
        return contained(program, **driver, FAKE_GPUS="2", **fake)

    # 1 is the child's own id there, and here somebody else's
    assert run(FAKE_0_PID="1") == "{0: {1: 1073741824}} {} {} False"
    two = "{0: {1: 1073741824, 7: 2147483648}}"
    assert run(FAKE_0_PID="1", FAKE_0_PID2="7") == f"{two} {two} {{}} False"
    # two ranks, of which one is seen on its peer's GPU too, are two
    ranks = "{0: {1: 1073741824, 7: 2147483648}, 1: {7: 1073741824}}"
    assert run(FAKE_0_PID="1", FAKE_0_PID2="7", FAKE_1_PID="7") == f"{ranks} {ranks} {{}} False"


WATCHED = """
import os, time
from pathlib import Path
from probes.base import Skipped
from probes.gpu import gate, nvml
used = Path(os.environ["FAKE_0_USED_MIB"][1:])
try:
    with gate.watched(nvml.gpus(), 4 << 30, 20.0):
        used.write_text(os.environ["THEN"])
        time.sleep(float(os.environ["SECONDS"]))
    print("alone")
except Skipped as busy:
    print(busy)
"""


@pytest.mark.parametrize(
    ("used", "seconds", "said"),
    [
        # what a canary may hold, and what the driver may need
        (("0", "5120"), "0.7", "alone"),
        (("0", "30000"), "30", "25904 MiB"),
        (("0", "30000"), "0", "25904 MiB"),
        # it came while torch was loading, when nothing can be ours
        (("1025", "1025"), "30", "1025 MiB"),
    ],
)
def test_in_a_container_memory_gives_away_who_is_hidden(
    driver: dict[str, str], tmp_path: Path, used: tuple[str, str], seconds: str, said: str
) -> None:
    (tmp_path / "used").write_text(used[0])
    fake = {"FAKE_GPUS": "1", "FAKE_0_USED_MIB": f"@{tmp_path / 'used'}"}
    found = contained(WATCHED, **driver, **fake, THEN=used[1], SECONDS=seconds)
    shared = f"busy: {UUID} was shared during the measurement: it has {said} in use by processes"
    assert found.startswith(shared) or found == said == "alone"
