"""Real children of `python -m probes`, and a driver library that a compiler makes on the spot."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[2]

Document = dict[str, Any]
RunProbe = Callable[..., Document]
RunPython = Callable[..., Any]
StartPython = Callable[..., "subprocess.Popen[str]"]


def surroundings(extra: dict[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"}
    return {**kept, "PYTHONPATH": str(ROOT), **extra}


@pytest.fixture
def run_probe() -> RunProbe:
    """One run as the service starts it: settings on stdin, the result on a pipe of its own."""

    def run(kind: str, settings: Document, **extra: str) -> Document:
        reader, writer = os.pipe()
        child = subprocess.Popen(
            [sys.executable, "-m", "probes", "--result", str(writer), "--parent", str(os.getpid())],
            stdin=subprocess.PIPE,
            pass_fds=[writer],
            env=surroundings(extra),
            cwd=ROOT,
        )
        os.close(writer)
        assert child.stdin is not None
        with child.stdin as pipe:
            pipe.write(json.dumps({"kind": kind, "settings": settings}).encode())
        with os.fdopen(reader, encoding="utf-8") as result:
            text = result.read()
        assert child.wait() == 0
        return json.loads(text)

    return run


@pytest.fixture
def run_python() -> RunPython:
    """Run a program text in a fresh interpreter; what it prints is JSON."""

    def run(program: str, *arguments: str, **extra: str) -> Any:
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments],
            env=surroundings(extra),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


@pytest.fixture
def start_python() -> StartPython:
    """Start a program text in a fresh interpreter."""

    def start(program: str, *arguments: str, **extra: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            env=surroundings(extra),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment in which nvidia-ml-py finds the fake driver library."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no C compiler here (cc, gcc, clang) to build the fake libnvidia-ml.so.1 with")
    folder = tmp_path_factory.mktemp("nvml")
    library = folder / "libnvidia-ml.so.1"
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-o", str(library), str(HERE / "fake_nvml.c")], check=True
    )
    return {"LD_LIBRARY_PATH": str(folder)}
