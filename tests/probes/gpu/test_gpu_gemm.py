"""`gpu.gemm` by its real door, and its arithmetic on devices that this machine lacks."""

import platform
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from probes.gpu.devices import Device
from probes.gpu.gemm import Gemm, Shape
from probes.gpu.nvml import Gpu
from storage.types import Reading

H100 = Device("GPU-1", "NVIDIA H100 PCIe", Gpu(0, "GPU-1", "NVIDIA H100 PCIe"))
CPU = Device("cpu:here", "NVIDIA H100 PCIe")


def on(device: Device, dtype: str, seconds: list[float], note: str = "") -> dict[str, Reading]:
    found = Gemm().readings(device, Shape(8192, 4096, 2048), dtype, seconds, note)
    return {reading.signal.removeprefix("gpu.gemm."): reading for reading in found}


@pytest.mark.parametrize("dtype", ["auto", "bfloat16"])
def test_a_run_on_the_cpu(run_probe: Callable[..., Any], dtype: str) -> None:
    settings = {"target": "cpu", "m": 64, "n": 48, "k": 32, "iterations": 20, "dtype": dtype}
    run = run_probe("gpu.gemm", settings)
    assert (run["outcome"], run["reason"]) == ("ok", "")
    readings = {item["signal"].removeprefix("gpu.gemm."): item for item in run["readings"]}
    assert set(readings) == {"throughput", "throughput_p10", "throughput_p90", "time"}
    assert {item["target"] for item in readings.values()} == {f"cpu:{platform.node()}"}
    assert {item["origin"] for item in readings.values()} == {"measured"}

    payload = run["payload"]
    assert payload["shape"] == [64, 48, 32]
    assert payload["dtype"] == ("float32" if dtype == "auto" else dtype)
    assert len(payload["seconds"]) == 20
    rates = 2 * 64 * 48 * 32 / np.array(payload["seconds"]) / 1e12
    expected = np.percentile(rates, [10, 50, 90])
    names = ("throughput_p10", "throughput", "throughput_p90")
    assert [readings[name]["value"] for name in names] == pytest.approx(list(expected))
    assert readings["time"]["value"] == pytest.approx(np.median(payload["seconds"]))
    assert readings["throughput"]["sigma"] > 0


def test_share_of_peak_on_a_gpu_of_known_peak() -> None:
    seconds = [2 * 8192 * 4096 * 2048 / 378e12] * 20  # half of 756 TFLOP/s
    found = on(H100, "bfloat16", seconds, note="clocks held down: power brake")
    assert found["share_of_peak"].value == pytest.approx(0.5)
    assert found["share_of_peak"].origin == "derived"
    assert {reading.note for reading in found.values()} == {
        "bfloat16; clocks held down: power brake"
    }
    assert {reading.signal for reading in found.values()} == {
        signal.name for signal in Gemm().promises()
    }
    assert on(H100, "float32", seconds)["share_of_peak"].value == pytest.approx(378 / 51)


def test_a_cpu_is_never_held_against_a_gpus_peak() -> None:
    assert "share_of_peak" not in on(CPU, "bfloat16", [1.0] * 20)


def test_the_slow_tenth_is_p10() -> None:
    found = on(CPU, "float32", [1.0] * 15 + [2.0] * 5)
    assert found["throughput_p10"].value < found["throughput"].value
    assert found["throughput_p90"].value == pytest.approx(found["throughput"].value)


def test_the_shape_follows_the_device_unless_set() -> None:
    assert Gemm().shape("cpu") == Shape(1024, 1024, 1024)
    assert Gemm().shape("cuda") == Shape(8192, 8192, 8192)
    assert Gemm(k=64).shape("cuda") == Shape(8192, 8192, 64)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"m": 15}, "greater than or equal to 16"),
        ({"k": 32769}, "less than or equal to 32768"),
        ({"iterations": 19}, "greater than or equal to 20"),
        ({"warmup": 0}, "greater than or equal to 1"),
        ({"dtype": "float8"}, "'bfloat16' or 'float16'"),
        ({"target": "cuda"}, "names no device; expected"),
        ({"shape": [1, 2, 3]}, "Extra inputs are not permitted"),
    ],
)
def test_settings_out_of_bounds_refuse(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Gemm.model_validate(settings)
