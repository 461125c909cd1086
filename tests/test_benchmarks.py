"""The scripts of benchmarks/ still run: small, and without looking at what they measure."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.mark.parametrize(
    ("script", "options", "said"),
    [
        ("judging.py", ["--triggers", "8"], "slow clock"),
        ("backtest.py", ["--series", "2", "--readings", "400"], "peak memory"),
        ("reload.py", ["--triggers", "8"], "all triggers edited"),
    ],
)
def test_a_benchmark_runs_to_its_end(script: str, options: list[str], said: str) -> None:
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / script), *options],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={"PYTHONPATH": str(BENCHMARKS.parent)},
    )
    assert done.returncode == 0, done.stderr
    assert said in done.stdout
