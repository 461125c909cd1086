"""`qrossover probe`: real children, no config, no database, no home."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from documented import assert_documented

from monitor import alone
from storage.types import Reading

METER = ["--set", 'signals={"meter.value" = "V"}']


def probe(*words: str, cwd: Path | str = "/", **more: Any) -> "subprocess.CompletedProcess[str]":
    """The command with nothing in its environment, where no config is."""
    return subprocess.run(
        command(*words), env=bare(), cwd=cwd, capture_output=True, text=True, check=False, **more
    )


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "monitor.cli", "probe", *words]


def bare() -> dict[str, str]:
    return {"PATH": os.defpath, "PYTHONPATH": str(Path(alone.__file__).parents[1])}


def external(code: str, *words: str) -> list[str]:
    argv = json.dumps([sys.executable, "-c", code])
    return ["external.command", "--set", f"argv={argv}", *METER, *words]


@pytest.fixture(scope="module")
def measured() -> "subprocess.CompletedProcess[str]":
    return probe("quantum.calibration", "--set", "device=fake_kingston", "--json")


def test_a_probe_without_config_home_or_database_prints_one_document(
    measured: "subprocess.CompletedProcess[str]",
) -> None:
    assert measured.returncode == 0, measured.stderr
    document = json.loads(measured.stdout)
    assert_documented("qrossover probe KIND --json", document)
    assert document["outcome"] == "ok"
    assert {row["unit"] for row in document["readings"]} >= {"1", "s"}
    assert document["settings"] == {"device": "fake_kingston"}


def test_the_table_is_80_columns_and_alone_on_stdout() -> None:
    done = probe("quantum.logical", "--set", "device=fake_boston")
    assert done.returncode == 0, done.stderr
    assert "quantum.logical" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["gpu.gem"], 'Did you mean "gpu.gemm"?'),
        (["gpu.training", "--set", "step=5"], 'step: unknown key. Did you mean "steps"?'),
        (["gpu.training", "--set", "steps=five"], "steps: expected a whole number, got 'five'"),
        (["gpu.training", "--set", "steps"], "--set steps: expected KEY=VALUE"),
        (["gpu.training", "--timeout", "5"], "duration"),
        (["gpu.training", "--fail-if", "too slow"], 'expected "SIGNAL above NUMBER"'),
        (["gpu.training", "--fail-if", "gpu.training.mfu below x"], "SIGNAL above NUMBER"),
        (
            ["gpu.training", "--fail-if", "gpu.training.tokens above 1"],
            "writes no 'gpu.training.tokens'",
        ),
        (
            ["quantum.mirror", "--set", "provider=ionq", "--set", "device=qpu.forte-1"],
            "its work waits in a provider's queue and may cost money",
        ),
        (external("pass", "--set", "usd=0.5"), "a run costs money"),
    ],
)
def test_words_that_name_no_run_are_usage(words: list[str], said: str) -> None:
    done = probe(*words)
    assert done.returncode == 2, done.stdout
    assert said in done.stderr
    assert done.stdout == ""


def test_usage_is_told_in_80_columns() -> None:
    done = probe("gpu.gem")
    assert max(map(len, done.stderr.splitlines())) <= 80


def test_a_folder_that_is_gone_and_a_terminal_without_unicode_will_do(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    words = command("quantum.volume", "--set", "device=fake_kingston", "--set", "widths=[2]")
    code = "import os, sys; os.rmdir(os.getcwd()); os.execv(sys.argv[1], sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        env={**bare(), "PYTHONIOENCODING": "ascii"},
        cwd=gone,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert " ?" in done.stdout  # for ±


def test_a_gpu_that_is_not_there_is_a_failed_run() -> None:
    done = probe("gpu.gemm", "--set", "target=cuda:7", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["outcome"] == "failed"
    assert "gpu.gemm failed: LookupError: target cuda:7 is not on" in done.stderr


def test_a_broken_installation_is_told_apart_from_a_bad_gpu(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('libcudnn.so.9: cannot open it')\n")
    path = f"{tmp_path}:{bare()['PYTHONPATH']}"
    done = subprocess.run(
        command("gpu.gemm", "--set", "target=cpu"),
        env={**bare(), "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 70
    assert "gpu.gemm failed: ImportError: libcudnn.so.9" in done.stderr


def test_what_must_not_run_now_has_a_code_of_its_own() -> None:
    done = subprocess.run(
        command("gpu.gemm", "--json", "--set", "target=auto"),
        env={**bare(), "CUDA_VISIBLE_DEVICES": "MIG-1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert json.loads(done.stdout)["outcome"] == "skipped"
    assert "MIG slice" in done.stderr


def test_a_run_past_its_timeout_is_killed() -> None:
    done = probe(*external("import time; time.sleep(60)", "--timeout", "2s", "--json"), timeout=30)
    assert done.returncode == 1
    assert json.loads(done.stdout)["reason"] == "killed after 2 s, its timeout"


def test_a_term_ends_the_command_and_what_it_started(tmp_path: Path) -> None:
    began = tmp_path / "began"
    code = f"import os,time; open({str(began)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    process = subprocess.Popen(command(*external(code)), env=bare(), cwd="/")
    end = time.monotonic() + 30
    while not (began.exists() and began.read_text()):
        assert time.monotonic() < end
        time.sleep(0.02)
    since = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 143
    assert time.monotonic() - since < 5
    assert not runs(int(began.read_text()))


def runs(pid: int) -> bool:
    """Whether a process is more than what its new parent has not waited for."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


NOBODY = "setpriv --reuid 4242 --regid 4242 --clear-groups"
"""A user without a name, as in a container."""
CHILD = (
    "import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-c', 'import monitor']))"
)


@pytest.mark.parametrize("user", ["", NOBODY])
def test_a_disk_that_cannot_be_written_will_do(user: str) -> None:
    """In a namespace of its own, in which all but /tmp is read-only."""
    if shutil.which("unshare") is None or shutil.which("setpriv") is None:
        pytest.skip("unshare and setpriv (util-linux) are not here")
    if read_only(user, [sys.executable, "-c", CHILD]).returncode:
        pytest.skip("no namespace may be made here, or nobody else may read this folder")
    done = read_only(user, command("quantum.logical", "--set", "device=fake_boston", "--json"))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["readings"]


def read_only(user: str, words: list[str]) -> "subprocess.CompletedProcess[str]":
    inside = f'mount -o remount,ro,bind / && cd / && exec {user} "$@"'
    return subprocess.run(
        ["unshare", "-m", "sh", "-c", inside, "sh", *words],
        env=bare(),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("a=5", 5),
        ("a=small", "small"),
        ("a=[2, 3]", [2, 3]),
        ("a=true", True),
        ("a=1e3", 1000.0),
        ('a="5"', "5"),
        ("a=", ""),
        ("a=2026-01-01", "2026-01-01"),
        ("a=b=c", "b=c"),
        ("a=5\nb = 6", "5\nb = 6"),
        ('a={x = "y"}', {"x": "y"}),
    ],
)
def test_a_value_is_toml_or_text(word: str, value: object) -> None:
    assert alone.settings_of([word]) == {"a": value}


@pytest.mark.parametrize(
    ("when", "value", "holds"),
    [("above", 2.0, False), ("above", 2.5, True), ("below", 2.0, False), ("below", 1.5, True)],
)
def test_a_condition_holds_beyond_its_bound(when: Any, value: float, holds: bool) -> None:
    bound = alone.Condition("a.b", when, 2.0)
    assert bound.holds(Reading("a.b", "x", value, "measured")) is holds
    assert not bound.holds(Reading("a.c", "x", value, "measured"))
