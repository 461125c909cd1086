"""`gpu.training` by its real door, and its arithmetic on devices that this machine lacks."""

import platform
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from probes.gpu.devices import Device, cpu
from probes.gpu.nvml import Gpu
from probes.gpu.training import SIZES, Measured, Training
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
SECONDS = [0.020, 0.021, 0.019, 0.020, 0.022]


def measured(reasons: int = 0) -> Measured:
    return Measured(SECONDS, 5 << 30, (10.8, 10.5), [{"clock_reasons": reasons}] * 3)


def on(device: Device, dtype: str = "bfloat16", reasons: int = 0) -> dict[str, Reading]:
    probe = Training()
    work = SIZES["medium"]
    found = probe.readings(device, work, dtype, measured(reasons))
    return {reading.signal.removeprefix("gpu.training."): reading for reading in found}


def test_a_run_on_the_cpu(run_probe: Callable[..., Any]) -> None:
    run = run_probe("gpu.training", TINY)
    assert (run["outcome"], run["reason"]) == ("ok", "")
    readings = {item["signal"].removeprefix("gpu.training."): item for item in run["readings"]}
    assert set(readings) == {"tokens_per_second", "step_time", "peak_memory"}
    assert {item["target"] for item in readings.values()} == {f"cpu:{platform.node()}"}

    step, rate = readings["step_time"], readings["tokens_per_second"]
    seconds = run["payload"]["seconds"]
    assert len(seconds) == 6
    assert step["value"] == pytest.approx(np.median(seconds))
    assert step["value"] * rate["value"] == pytest.approx(2 * 16)
    assert step["sigma"] / step["value"] == pytest.approx(rate["sigma"] / rate["value"])
    assert step["origin"] == rate["origin"] == "measured"

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
        return probe.measure(cpu(), torch.device("cpu"), work, dtype).losses

    first = losses(5)
    assert first == losses(5)
    assert first != losses(6)
    assert first != losses(5, "bfloat16")
    assert first == pytest.approx([np.log(32)] * 2, rel=0.05)  # random tokens teach nothing


def test_peak_memory_is_this_process_and_not_its_parent(run_python: Callable[..., Any]) -> None:
    program = """
import json, torch
from probes.gpu.training import peak_memory
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
    rate = 8 * 1024 / 0.020
    flops = 6 * (12 * 12 * 768**2 + 50304 * 768) + 6 * 12 * 768 * 1024  # causal half, per token
    assert found["tokens_per_second"].value == pytest.approx(rate)
    assert found["mfu"].value == pytest.approx(flops * rate / 989e12)
    assert found["mfu"].origin == "derived"
    assert found["peak_memory"].value == 5 << 30
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
    assert set(on(device)) == {
        "tokens_per_second",
        "step_time",
        "peak_memory",
    }


def test_a_throttled_sample_says_so() -> None:
    assert on(H100, reasons=0x40)["step_time"].note == "clocks held down: hardware thermal slowdown"


def test_every_reading_is_promised() -> None:
    promised = {signal.name for signal in Training().promises()}
    assert {reading.signal for reading in on(H100).values()} == promised


def test_the_size_follows_the_device_and_single_settings_follow_the_user() -> None:
    probe = Training()
    assert probe.workload("cpu") == SIZES["small"]
    assert probe.workload("cuda") == SIZES["medium"]
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
        ({"size": "large"}, "'small' or 'medium'"),
        ({"target": "gpu0"}, "names no device; expected"),
        ({"heads": 5}, "width 256 is no multiple of heads 5"),
        ({"stesp": 20}, "Extra inputs are not permitted"),
    ],
)
def test_settings_out_of_bounds_refuse(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Training.model_validate(settings)


@pytest.mark.parametrize("module", ["training", "gemm", "devices", "nvml", "gpt", "timing"])
def test_importing_loads_nothing_heavy(run_python: Callable[..., Any], module: str) -> None:
    program = f"import json, sys, probes.gpu.{module}; print(json.dumps(sorted(sys.modules)))"
    assert not {"torch", "numpy", "pynvml"} & set(run_python(program))
