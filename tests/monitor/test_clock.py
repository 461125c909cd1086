"""A wall clock that is set while the service runs."""

import shutil
import subprocess
from pathlib import Path

import pytest
from living import Living, eventually

SOURCE = Path(__file__).with_name("stepping_clock.c")


@pytest.fixture
def clock(tmp_path: Path) -> dict[str, str]:
    """The environment in which the wall clock is what a file says."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler to build the clock with (Debian: apt-get install gcc)")
    library = tmp_path / "clock.so"
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-ldl"], check=True
    )
    return {"LD_PRELOAD": str(library), "CLOCK_OFFSET": str(tmp_path / "offset")}


@pytest.mark.parametrize("step", [-7200, 7200])
def test_the_schedule_goes_on_after_the_clock_was_set(
    living: Living, clock: dict[str, str], step: int
) -> None:
    with living.running(**clock):
        living.another_run()
        Path(clock["CLOCK_OFFSET"]).write_text(str(step))
        eventually(lambda: "the clock was set" in living.said(), "the step to be noticed")
        living.another_run()
        assert living.http("/healthz")[0] == 200
