"""`gpu.training` by its real door, and its arithmetic on devices that this machine lacks."""

import importlib.util
import math
import os
import platform
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from probes.gpu import gpt
from probes.gpu.canary import Bench
from probes.gpu.compiling import lacking, prepare
from probes.gpu.devices import Device, cpu
from probes.gpu.nvml import Gpu
from probes.gpu.trainer import Trainer
from probes.gpu.training import SIZES, Measured, Training, check_losses
from storage.types import Reading

TINY = {
    "target": "cpu",
    "layers": 1,
    "width": 16,
    "heads": 2,
    "sequence": 16,
    "batch": 2,
    "vocabulary": 32,
    "steps": 6,
    "warmup": 1,
}
H100 = Device("GPU-1", "NVIDIA H100 80GB HBM3", Gpu(0, "GPU-1", "NVIDIA H100 80GB HBM3"))
ON_EVERY_DEVICE = {
    "tokens_per_second",
    "step_time",
    "step_time_p10",
    "step_time_p90",
    "flops",
    "loss",
    "peak_memory",
}
SECONDS = [0.020, 0.021, 0.019, 0.020, 0.022]


LOSSES = (9.2, 9.1)
EAGER = Measured(SECONDS, LOSSES, 5 << 30, 6 << 30)
COMPILED = Measured(SECONDS, LOSSES, 4 << 30, 5 << 30, compiling=30.0)


def on(device: Device, dtype: str = "bfloat16", measured: Measured = EAGER) -> dict[str, Reading]:
    found = Training().readings(device, SIZES["large"], dtype, measured)
    return {reading.signal.removeprefix("gpu.training."): reading for reading in found}


def test_a_run_on_the_cpu(run_probe: Callable[..., Any]) -> None:
    run = run_probe("gpu.training", TINY)
    assert (run["outcome"], run["reason"]) == ("ok", "")
    readings = {item["signal"].removeprefix("gpu.training."): item for item in run["readings"]}
    assert set(readings) == ON_EVERY_DEVICE
    assert {item["target"] for item in readings.values()} == {f"cpu:{platform.node()}"}

    step, rate = readings["step_time"], readings["tokens_per_second"]
    eager = run["payload"]["eager"]
    seconds = eager["seconds"]
    assert len(seconds) == 6
    names = ("step_time_p10", "step_time", "step_time_p90")
    assert [readings[name]["value"] for name in names] == pytest.approx(
        list(np.percentile(seconds, [10, 50, 90]))
    )
    assert step["value"] * rate["value"] == pytest.approx(2 * 16)
    assert step["sigma"] / step["value"] == pytest.approx(rate["sigma"] / rate["value"])
    assert step["origin"] == rate["origin"] == "measured"

    # 6 for each of 3584 weights in products, and the causal half of attention, a token
    assert readings["flops"]["value"] == pytest.approx(
        (6 * 3584 + 6 * 16 * 16) * rate["value"] / 1e12
    )
    assert readings["loss"]["value"] == eager["losses"][1]
    assert eager["losses"][0] == pytest.approx(np.log(32), rel=0.01)

    assert readings["peak_memory"]["value"] > 50e6  # the interpreter with torch
    assert "resident set" in readings["peak_memory"]["note"]

    payload = run["payload"]
    assert payload["workload"] == {name: TINY[name] for name in payload["workload"]}
    assert (payload["size"], payload["dtype"], payload["seed"]) == ("small", "float32", 1)
    assert payload["device"]["kind"] == "cpu"


def test_the_same_seed_trains_the_same_model() -> None:
    def losses(seed: int, dtype: str = "float32") -> tuple[float, float]:
        probe = Training.model_validate({**TINY, "seed": seed})
        work = probe.workload("cpu")
        bench = Bench(cpu(), torch.device("cpu"))
        return probe.timed(bench, work, dtype, compiled=False).losses

    first = losses(5)
    assert first == losses(5)
    assert first != losses(6)
    assert first != losses(5, "bfloat16")
    assert first == pytest.approx([np.log(32)] * 2, rel=0.05)  # random tokens teach nothing


def test_peak_memory_is_this_process_and_not_its_parent(run_python: Callable[..., Any]) -> None:
    program = """
import json, torch
from probes.gpu.trainer import peak_memory
before = peak_memory(torch.device("cpu"))
block = torch.ones(25_000_000)
print(json.dumps([before, peak_memory(torch.device("cpu"))]))
"""
    ballast = np.ones(100_000_000)  # 800 MB here must not show there
    before, after = run_python(program)
    assert ballast[-1] == 1
    assert before < 600e6
    assert after - before == pytest.approx(100e6, rel=0.2)


def test_numbers_on_a_gpu_of_known_peak() -> None:
    found = on(H100)
    rate = 3 * 1024 / 0.020
    flops = 6 * (12 * 6 * 1024**2 + 8192 * 1024) + 6 * 6 * 1024 * 1024  # causal half, per token
    assert found["tokens_per_second"].value == pytest.approx(rate)
    assert found["flops"].value == pytest.approx(flops * rate / 1e12)
    assert found["mfu"].value == pytest.approx(flops * rate / 989e12)
    assert found["mfu"].origin == found["flops"].origin == "derived"
    assert found["peak_memory"].value == 5 << 30
    assert found["peak_memory_reserved"].value == 6 << 30
    assert {reading.target for reading in found.values()} == {"GPU-1"}
    assert {reading.note for reading in found.values()} == {""}


def test_mfu_is_measured_against_the_peak_of_the_dtype() -> None:
    assert on(H100, "float32")["mfu"].value == pytest.approx(on(H100)["mfu"].value * 989 / 67)


@pytest.mark.parametrize(
    "device",
    [
        Device("cpu:here", "NVIDIA H100 80GB HBM3"),  # a name alone makes no GPU
        Device("GPU-1", "NVIDIA H200 NVL", Gpu(0, "GPU-1", "NVIDIA H200 NVL")),
    ],
)
def test_no_mfu_without_a_known_peak(device: Device) -> None:
    found = on(device, measured=Measured(SECONDS, LOSSES, 5 << 30))
    assert set(found) == ON_EVERY_DEVICE


def test_compiled_code_has_series_of_its_own() -> None:
    anew, cached = (on(H100, measured=replace(COMPILED, cached=cached)) for cached in (False, True))
    assert {reading.target for reading in anew.values()} == {"GPU-1/compiled"}
    assert anew["compile_time"].value == cached["compile_time_cached"].value == 30
    assert set(anew) - set(on(H100)) == {"compile_time"}
    assert set(cached) - set(on(H100)) == {"compile_time_cached"}


STAMPS = [{"clock_reasons": reasons, "processes": {}} for reasons in (0x4, 0x40)]


def test_a_throttled_sample_says_so() -> None:
    bench = Bench(H100, torch.device("cpu"), STAMPS)
    assert bench.note() == "clocks held down: hardware thermal slowdown"


def test_every_signal_is_written_by_some_mode() -> None:
    written = on(H100) | on(H100, measured=COMPILED)
    written |= on(H100, measured=replace(COMPILED, cached=True))
    promised = {signal.name for signal in Training().promises()}
    assert {reading.signal for reading in written.values()} == promised


def test_losses_that_cannot_be_fail_the_run() -> None:
    work = SIZES["large"]
    usual = (math.log(8192) + 0.2, math.log(8192))
    check_losses(work, [usual])
    check_losses(work, [usual, (usual[0] * 1.01, usual[1])])
    for wrong in ((math.log(8192) * 1.3, 9.0), (0.1, 0.1), (9.2, 11.2)):
        with pytest.raises(RuntimeError, match=r"9\.216 were expected"):
            check_losses(work, [wrong])
    with pytest.raises(RuntimeError, match=r"torch\.compile makes wrong code here"):
        check_losses(work, [usual, (usual[0], usual[1] * 0.97)])


def test_a_loss_that_is_no_number_fails_the_run() -> None:
    work = Training.model_validate(TINY).workload("cpu")
    weights = gpt.initial(work, torch.device("cpu"))
    with torch.no_grad():
        weights["head"][0] = torch.inf
    trainer = Trainer(work, weights, "float32", 1e-3)
    trainer.step(torch.zeros(2, 17, dtype=torch.int64))
    with pytest.raises(RuntimeError, match=r"loss of step 0 is (nan|inf)"):
        trainer.losses()


@pytest.fixture(scope="module")
def compiler_cache(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a compiler that has compiled nothing yet."""
    if lacks := lacking("cpu"):
        pytest.skip(f"torch.compile needs {' and '.join(lacks)}")
    # not looking for vector instructions saves ten seconds
    folder = tmp_path_factory.mktemp("compiled")
    return {"TORCHINDUCTOR_CACHE_DIR": str(folder), "TORCHINDUCTOR_VEC_ISA_OK": "0"}


@pytest.mark.slow
def test_compiled_code_on_the_cpu(
    run_probe: Callable[..., Any], compiler_cache: dict[str, str]
) -> None:
    first = run_probe("gpu.training", {**TINY, "mode": "both"}, **compiler_cache)
    assert (first["outcome"], first["reason"]) == ("ok", "")
    assert first["payload"]["compiler_cache"] == compiler_cache["TORCHINDUCTOR_CACHE_DIR"]
    eager, compiled = first["payload"]["eager"], first["payload"]["compiled"]
    assert compiled["losses"] == pytest.approx(eager["losses"], rel=1e-5)
    assert compiled["seconds"] != eager["seconds"]
    names = {item["signal"] for item in first["readings"] if item["target"].endswith("/compiled")}
    own = {f"gpu.training.{name}" for name in ON_EVERY_DEVICE - {"peak_memory"}}
    assert names == own | {"gpu.training.compile_time"}

    second = run_probe("gpu.training", {**TINY, "mode": "compiled"}, **compiler_cache)
    assert (second["outcome"], second["reason"]) == ("ok", "")
    assert {item["target"] for item in second["readings"]} == {f"cpu:{platform.node()}/compiled"}
    names = {item["signal"] for item in second["readings"]}
    assert names == own | {"gpu.training.compile_time_cached"}
    assert second["payload"]["compiled"]["losses"] == compiled["losses"]
    assert second["payload"]["compiled"]["compiling"] < compiled["compiling"]


def test_no_compiler_is_a_failure_that_says_what_to_install(run_probe: Callable[..., Any]) -> None:
    run = run_probe("gpu.training", {**TINY, "mode": "both"}, CXX="no-such-compiler")
    assert run["outcome"] == "failed"
    assert "torch.compile needs the C++ compiler no-such-compiler (Debian: g++)" in run["reason"]
    assert 'mode = "eager"' in run["reason"]


def test_a_gpu_needs_triton_and_a_c_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    assert "a C compiler, no-such-compiler (Debian: gcc)" in lacking("cuda")
    has_triton = importlib.util.find_spec("triton") is not None
    assert ("the package triton" in lacking("cuda")) == (not has_triton)


def test_the_compilers_cache_lies_where_caches_lie(monkeypatch: pytest.MonkeyPatch) -> None:
    if lacks := lacking("cpu"):
        pytest.skip(f"torch.compile needs {' and '.join(lacks)}")
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/cache/somewhere")
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "/srv/shared")
    assert prepare("cpu") == "/srv/shared"
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR")
    assert prepare("cpu") == "/var/cache/somewhere/qrossover/torch-compile"
    assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == "/var/cache/somewhere/qrossover/torch-compile"


@pytest.mark.parametrize("size", SIZES)
def test_every_size_fits_into_the_usual_memory(size: str) -> None:
    for dtype in ("auto", "float32", "bfloat16"):
        Training.model_validate({"size": size, "dtype": dtype})
    with pytest.raises(ValidationError, match="max_memory leaves 1024 MiB beside CUDA's own"):
        Training.model_validate({"size": size, "batch": 64, "max_memory": "2GiB"})
    Training.model_validate({"size": size, "batch": 64, "max_memory": "2GiB", "target": "cpu"})


def test_the_size_follows_the_device_and_single_settings_follow_the_user() -> None:
    probe = Training()
    assert probe.workload("cpu") == SIZES["small"]
    assert probe.workload("cuda") == SIZES["large"]
    own = Training(size="small", layers=7).workload("cuda")
    assert (own.layers, own.width) == (7, SIZES["small"].width)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layers": 0}, "greater than or equal to 1"),
        ({"width": 1 << 20}, "less than or equal to 16384"),
        ({"steps": 4}, "greater than or equal to 5"),
        ({"warmup": 0}, "greater than or equal to 1"),
        ({"dtype": "float16"}, "'float32' or 'bfloat16'"),
        ({"size": "huge"}, "'small', 'medium' or 'large'"),
        ({"mode": "jit"}, "'eager', 'compiled' or 'both'"),
        ({"target": "gpu0"}, "names no device; expected"),
        ({"heads": 5}, "width 256 is no multiple of heads 5"),
        ({"stesp": 20}, "Extra inputs are not permitted"),
    ],
)
def test_settings_out_of_bounds_refuse(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Training.model_validate(settings)


@pytest.mark.parametrize(
    "module", ["training", "trainer", "compiling", "gemm", "devices", "nvml", "gpt", "timing"]
)
def test_importing_loads_nothing_heavy(run_python: Callable[..., Any], module: str) -> None:
    program = f"import json, sys, probes.gpu.{module}; print(json.dumps(sorted(sys.modules)))"
    assert not {"torch", "numpy", "pynvml"} & set(run_python(program))
