"""`make gpu-check`: its table, its document and its checks on runs as a GPU would bring them; its
way through a real child; and what it says where there is no GPU."""

import asyncio
import importlib
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from monitor import config as configs
from monitor.runner import Runner
from probes.base import kinds
from probes.gpu.collective import Collective, Node
from probes.gpu.devices import Device
from probes.gpu.gemm import Gemm, Timed
from probes.gpu.memory import Memory
from probes.gpu.nvml import Gpu
from probes.gpu.product import Dtype
from storage.types import Reading, Run

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "gpu-results"
UUID = "GPU-4f1c6d9e-1111-2222-3333-444455556666"
GPU = Gpu(0, UUID, "NVIDIA H200")
HOST = platform.node()
DEVICE = Device(UUID, GPU.name, GPU)
RATES: dict[Dtype, tuple[float, float]] = {
    "bfloat16": (780.0, 700.0),
    "float8": (1400.0, 1300.0),
    "float32": (50.0, 49.0),
}
"""TFLOP/s of a burst and sustained, made up and near what is published."""


@pytest.fixture(scope="module")
def report() -> Any:
    return module("gpu_report")


@pytest.fixture(scope="module")
def check() -> Any:
    return module("gpu_check")


def module(name: str) -> Any:
    """A script of benchmarks/, which finds its neighbours as when it is run."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.pop(0)


def gemm(scale: float) -> Iterator[Reading]:
    for dtype, rates in RATES.items():
        shape = Gemm().shape("cuda", dtype)
        burst, settled = ([shape.flops / (rate * scale * 1e12)] * 20 for rate in rates)
        yield from Gemm().readings(DEVICE, shape, dtype, Timed(burst, settled))


def memory(scale: float) -> Iterator[Reading]:
    copies = [(2 << 30) / (4.4e12 * scale)] * 20
    loads = [(256 << 20) / 55e9] * 20
    yield from Memory().copy_readings(DEVICE, copies)
    yield from Memory().loading_readings(DEVICE, loads, loads)


def run(kind: str, **more: Any) -> Run:
    facts = {"device": GPU.name, "torch": "2.13.0", "cuda": "12.8"}
    payload = {
        "measuring_seconds": 4.2,
        "device": {**facts, "health": [{"sm_mhz": 1980}]},
    }
    given = {"seconds": 14.0, "versions": {"torch": "2.13.0"}, "payload": payload} | more
    return Run(kind.removeprefix("gpu."), kind, "ok", "", 1.8e9, **given)


def measured(report: Any, scale: float = 1.0) -> list[Any]:
    return [
        report.Measured(run("gpu.gemm"), [*gemm(scale)]),
        report.Measured(run("gpu.memory"), [*memory(scale)]),
    ]


def of(report: Any, second: float = 1.01, name: str = GPU.name) -> Any:
    plain = {"8192×8192×8192": 782.0, "4096×4096×4096": 700.0}
    passes = measured(report), measured(report, second)
    driver = {"driver": "570.86.15", "power_limit_watts": 700.0}
    return report.Report(name, UUID, "2026-11-26", passes, plain, driver)


def passed(made: Any) -> dict[str, bool | None]:
    words = ("canary", "plain", "copy", "two", "a run", "of that")
    return dict(zip(words, [one.passed for one in made.checks], strict=True))


def test_figures_stand_beside_the_data_sheet(report: Any) -> None:
    figures = {(one.signal, one.on): one for one in of(report).figures}
    burst = figures["gpu.gemm.throughput", "bfloat16"]
    assert (burst.unit, burst.peak, burst.kind) == ("TFLOP/s", 989.0, "gpu.gemm")
    assert burst.value == pytest.approx(780)
    assert burst.second == pytest.approx(787.8)
    assert burst.difference == pytest.approx(0.01)
    assert burst.share == pytest.approx(780 / 989)
    assert figures["gpu.gemm.sustained_throughput", "float8"].peak == 1979
    copy = figures["gpu.memory.copy_bandwidth", ""]
    assert (copy.peak, copy.value) == (4800, pytest.approx(4400))
    assert figures["gpu.memory.loading_bandwidth", ""].peak is None
    assert len(figures) == len(RATES) * len(Gemm.signals) + len(Memory.signals)


def test_what_should_hold_holds(report: Any) -> None:
    assert set(passed(of(report)).values()) == {True}


def test_two_runs_that_differ_by_more_than_two_percent_do_not_hold(report: Any) -> None:
    made = of(report, second=0.97)
    assert passed(made) == {**passed(of(report)), "two": False}
    assert "3% at most: gpu." in made.checks[3].said
    rates = len(RATES) * 2 + 3  # burst and sustained, and of memory three ways
    # loads are as fast in both, and so are not among them
    assert made.checks[3].said.endswith(f"; {rates - 2} of {rates} are further apart")


def test_a_product_slower_than_plain_torchs_does_not_hold(report: Any) -> None:
    made = replace(of(report), plain={"4096×4096×4096": 810.0})
    assert passed(made)["plain"] is False
    assert made.checks[1].said == "780 of 810 TFLOP/s (4096×4096×4096): 96.3%"


def test_a_copy_far_below_the_data_sheet_does_not_hold(report: Any) -> None:
    slow = [report.Measured(run("gpu.memory"), [*memory(0.9)])]
    made = replace(of(report), passes=(slow, slow))
    assert passed(made)["copy"] is False
    assert made.checks[2].said == "3,960 of 4,800 GB/s: 82.5%"


def test_a_gpu_of_unknown_peak_has_no_share_and_says_so(report: Any) -> None:
    made = of(report, name="NVIDIA H200 NVL")
    assert {one.peak for one in made.figures} == {None}
    assert passed(made)["copy"] is None
    assert "peaks.toml has no peak of this GPU" in made.checks[2].said


def test_a_long_run_and_a_long_measurement_do_not_hold(report: Any) -> None:
    slow = run("gpu.memory", seconds=31.0, payload={"measuring_seconds": 5.5})
    made = replace(of(report), passes=([report.Measured(slow, [])], measured(report)))
    assert (passed(made)["a run"], passed(made)["of that"]) == (False, False)
    assert made.checks[4].said == "31.0 s at most: gpu.memory"
    both = [report.Measured(replace(slow, kind=kind), []) for kind in ("gpu.a", "gpu.b")]
    said = replace(of(report), passes=(both, both)).checks[5].said
    assert said == "5.5 s at most: gpu.b; more than 5 s too: gpu.a"


@pytest.mark.parametrize(
    ("outcome", "holds"), [("failed", False), ("timeout", False), ("skipped", None)]
)
def test_a_run_that_brought_nothing_is_named(report: Any, outcome: Any, holds: Any) -> None:
    bad = replace(run("gpu.memory"), outcome=outcome, reason=f"busy: {UUID} used by pid 7")
    first, second = measured(report), [report.Measured(bad, [])]
    made = replace(of(report), passes=(first, second))
    assert passed(made)["canary"] is holds
    assert made.checks[0].said == f"gpu.memory {outcome}: busy: GPU-… used by pid 7"
    alone = next(one for one in made.figures if one.signal == "gpu.memory.copy_bandwidth")
    assert (alone.second, alone.difference) == (None, None)


def test_the_table_fits_80_columns(report: Any) -> None:
    text = [*report.lines(of(report))]
    assert max(map(len, text)) <= 80
    [row] = [line for line in text if re.match(r"throughput +bfloat16", line)]
    assert re.sub(" +", " ", row) == "throughput bfloat16 780 TFLOP/s 787.8 +1.0% 989 79%"
    [row] = [line for line in text if line.startswith("copy_bandwidth")]
    assert re.sub(" +", " ", row) == "copy_bandwidth 4,400 GB/s 4,444 +1.0% 4,800 92%"
    assert sum(line.startswith("✔ ") for line in text) == 6
    assert not any("p10" in line or "share_of_peak" in line for line in text)


def test_the_document_has_all_of_it_but_the_uuid(report: Any) -> None:
    text = json.dumps(report.document(of(report)), allow_nan=False)
    assert UUID not in text
    found = json.loads(text)
    assert (found["gpu"], found["date"]) == (GPU.name, "2026-11-26")
    assert (found["driver"], found["power_limit_watts"]) == ("570.86.15", 700.0)
    assert found["versions"] == {"torch": "2.13.0"}
    assert [each["health"] for each in found["runs"]] == [[{"sm_mhz": 1980}]] * 4
    burst = next(each for each in found["figures"] if each["on"] == "bfloat16")
    assert burst["difference"] == pytest.approx(0.01)
    assert len(found["checks"]) == 6
    assert found["plain_bfloat16_tflops"]["8192×8192×8192"] == 782.0


def test_the_document_does_not_name_the_host(report: Any) -> None:
    node = Node(GPU.name, 2, (GPU, GPU))
    rank = {"latency": [2e-5] * 5, "sizes": [[1e-3] * 5], "alone": [3e-2] * 5}
    ranks = [rank | {"ddp": [4e-2] * 5, "fsdp": [4e-2] * 5}] * 2
    both = [
        report.Measured(
            run("gpu.collective"), [*Collective(sizes=[1 << 28]).readings(node, ranks)]
        ),
        report.Measured(replace(run("gpu.memory"), outcome="failed", reason=f"{UUID} is lost"), []),
        report.Measured(
            replace(run("gpu.gemm"), outcome="failed", reason=f"{HOST} has 1, {HOST}x"), []
        ),
    ]
    made = replace(of(report), passes=(both, both))
    on = {one.signal: one.on for one in made.figures}
    assert on["gpu.collective.bus_bandwidth"] == "2xNVIDIA H200/256MiB"
    assert sum(line.count(" 256MiB ") for line in report.lines(made)) == 2
    assert passed(made)["two"] is None, "a collective's rates are not judged"
    found = report.document(made)
    assert [each["reason"] for each in found["runs"][1:3]] == [
        "GPU-… is lost",
        f"the host has 1, {HOST}x",
    ]
    assert UUID not in json.dumps(found)
    assert found["driver"] == "570.86.15", "although no run could tell"


def test_every_canary_of_the_house_is_run_on_that_gpu(check: Any, tmp_path: Path) -> None:
    given = check.entries(GPU, tmp_path)
    ours = {kind for kind in kinds() if kind.startswith("gpu.")}
    targets = {entry.kind: entry.probe.target for entry in given}
    assert targets.pop("gpu.collective") == "auto", "it takes all of the node"
    assert targets == dict.fromkeys(ours - {"gpu.collective"}, UUID)


def test_a_canary_runs_in_the_child_that_ships(check: Any, report: Any, tmp_path: Path) -> None:
    table = '[probe.gemm]\nkind = "gpu.gemm"\nevery = "1h"\ntarget = "cpu"\ndtypes = ["float32"]\n'
    more = "m = 32\nn = 32\nk = 32\niterations = 20\nsustain = 0.01\n"
    given = [*configs.parse(tmp_path / "c.toml", (table + more).encode()).probes.values()]

    async def ran() -> list[Any]:
        runner = Runner(f"{tmp_path}#", tmp_path)
        try:
            return list(await check.one_pass(runner, given))
        finally:
            await runner.close()

    found = asyncio.run(ran())
    assert found[0].run.outcome == "ok"
    assert 0 < found[0].run.payload["measuring_seconds"] < found[0].run.seconds
    made = report.Report("a processor", "cpu", "2026-11-26", (found, found))
    assert {one.difference for one in made.figures} == {0.0}
    assert passed(made)["plain"] is None


def call(*words: str, **extra: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "gpu_check.py"), *words],
        env={**os.environ, "PYTHONPATH": str(ROOT), **extra},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("words", [(), ("--target", "cpu"), ("--target", UUID)])
def test_without_a_gpu_it_says_so_and_writes_nothing(words: tuple[str, ...]) -> None:
    before = sorted(RESULTS.iterdir())
    done = call(*words, CUDA_VISIBLE_DEVICES="")
    assert done.returncode == 3, done.stderr
    said = " ".join(done.stdout.split())
    assert "no NVIDIA GPU" in said
    assert "Nothing was measured and nothing written." in said
    for kind in kinds():
        assert (f"  {kind} " in done.stdout) == kind.startswith("gpu.")
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert sorted(RESULTS.iterdir()) == before


def test_the_page_states_the_limits(report: Any) -> None:
    page = (RESULTS / "README.md").read_text("utf-8")
    for said in (
        f"{report.BEST_SHARE:.0%} of the best that plain torch",
        f"{report.COPY_SHARE:.0%} of the data sheet's",
        f"within {report.REPEATS_WITHIN:.0%} of",
        f"takes {report.MOST_SECONDS:.0f} s at most, and of that {report.MOST_MEASURING:.0f} s",
    ):
        assert said.replace("%", " %") in page


def test_what_is_in_the_folder_was_measured_on_gpus() -> None:
    for file in RESULTS.glob("*.json"):
        found = json.loads(file.read_text("utf-8"))
        assert file.stem == found["gpu"].replace(" ", "-")
        assert found["driver"], f"{file.name} is of no GPU"
