"""`gpu.gemm` by its real door, and its arithmetic on devices that this machine lacks."""

import platform
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from probes.gpu.devices import Device
from probes.gpu.gemm import Gemm, Timed, by_tenth
from probes.gpu.nvml import Gpu
from probes.gpu.product import LEAST_CAPABILITY, Dtype, Shape
from storage.types import Reading

H100 = Device("GPU-1", "NVIDIA H100 PCIe", Gpu(0, "GPU-1", "NVIDIA H100 PCIe"))
H200_NVL = Device("GPU-1", "NVIDIA H200 NVL", Gpu(0, "GPU-1", "NVIDIA H200 NVL"))
CPU = Device("cpu:here", "NVIDIA H100 PCIe")
SHAPE = Shape(8192, 4096, 2048)
SMALL = {"target": "cpu", "m": 64, "n": 48, "k": 32, "iterations": 20, "sustain": 0.01}
MEASURED = {"throughput", "throughput_p10", "throughput_p90", "time", "sustained_throughput"}


def on(device: Device, dtype: Dtype, timed: Timed) -> dict[str, Reading]:
    found = Gemm().readings(device, SHAPE, dtype, timed)
    return {reading.signal.removeprefix("gpu.gemm."): reading for reading in found}


def at(tflops: float, count: int = 20) -> list[float]:
    return [2 * 8192 * 4096 * 2048 / (tflops * 1e12)] * count


def test_a_run_on_the_cpu_measures_each_dtype_that_it_has(run_probe: Callable[..., Any]) -> None:
    run = run_probe("gpu.gemm", SMALL)
    assert (run["outcome"], run["reason"]) == ("ok", "")
    host = f"cpu:{platform.node()}"
    assert {item["target"] for item in run["readings"]} == {f"{host}/float32", f"{host}/bfloat16"}
    assert {item["origin"] for item in run["readings"]} == {"measured"}
    assert {item["family"] for item in run["readings"]} == {""}
    for dtype, facts in run["payload"]["dtypes"].items():
        readings = {
            item["signal"].removeprefix("gpu.gemm."): item
            for item in run["readings"]
            if item["target"] == f"{host}/{dtype}"
        }
        assert set(readings) == MEASURED
        assert facts["shape"] == [64, 48, 32]
        assert len(facts["seconds"]) == 20
        rates = 2 * 64 * 48 * 32 / np.array(facts["seconds"]) / 1e12
        expected = np.percentile(rates, [10, 50, 90])
        names = ("throughput_p10", "throughput", "throughput_p90")
        assert [readings[name]["value"] for name in names] == pytest.approx(list(expected))
        assert readings["time"]["value"] == pytest.approx(np.median(facts["seconds"]))
        assert readings["throughput"]["sigma"] > 0
        assert facts["sustained"]["products"] >= 20
        last = 2 * 64 * 48 * 32 / np.array(facts["sustained"]["seconds_by_tenth"][5:]) / 1e12
        settled = readings["sustained_throughput"]["value"]
        assert last.min() <= settled <= last.max() or settled == pytest.approx(last[0])


def test_one_dtype_alone(run_probe: Callable[..., Any]) -> None:
    run = run_probe("gpu.gemm", {**SMALL, "dtypes": ["bfloat16"]})
    assert {item["target"] for item in run["readings"]} == {f"cpu:{platform.node()}/bfloat16"}


def test_a_dtype_that_the_device_lacks_is_a_failed_run(run_probe: Callable[..., Any]) -> None:
    run = run_probe("gpu.gemm", {**SMALL, "dtypes": ["float32", "float8"]})
    assert run["outcome"] == "failed"
    assert "does not multiply in float8, but in float32, bfloat16; set dtypes" in run["reason"]


def test_numbers_on_a_gpu_of_known_peak() -> None:
    found = on(H100, "bfloat16", Timed(at(378), [*at(378, 10), *at(300, 10)]))
    assert {reading.signal for reading in found.values()} == {
        signal.name for signal in Gemm().promises()
    }
    assert {reading.target for reading in found.values()} == {"GPU-1/bfloat16"}
    assert found["throughput"].value == pytest.approx(378)
    assert found["sustained_throughput"].value == pytest.approx(300)
    assert found["share_of_peak"].value == pytest.approx(378 / 756)
    assert found["sustained_share_of_peak"].value == pytest.approx(300 / 756)
    assert found["share_of_peak"].origin == "derived"


@pytest.mark.parametrize(
    ("dtype", "peak"), [("float8", 1513), ("tf32", 378), ("float16", 756), ("float32", 51)]
)
def test_each_dtype_has_a_peak_of_its_own(dtype: Dtype, peak: float) -> None:
    found = on(H100, dtype, Timed(at(50), at(50)))
    assert found["share_of_peak"].value == pytest.approx(50 / peak)


@pytest.mark.parametrize("device", [CPU, H200_NVL])
def test_a_cpu_and_a_gpu_of_unknown_peak_have_no_share(device: Device) -> None:
    assert set(on(device, "bfloat16", Timed(at(1), at(1)))) == MEASURED


def test_the_slow_tenth_is_p10() -> None:
    found = on(CPU, "float32", Timed([1.0] * 15 + [2.0] * 5, [1.0] * 20))
    assert found["throughput_p10"].value < found["throughput"].value
    assert found["throughput_p90"].value == pytest.approx(found["throughput"].value)


def test_what_was_before_the_clocks_came_down_is_not_in_the_sustained_rate() -> None:
    # as a B200 does: 1450 TFLOP/s at first, 1237 within 80 products
    falling = [*at(1450, 40), *at(1300, 40), *at(1237, 81)]
    found = on(H100, "bfloat16", Timed(at(1450), falling))
    assert found["sustained_throughput"].value == pytest.approx(1237)
    assert found["throughput"].value == pytest.approx(1450)


def test_a_series_in_little_keeps_its_course() -> None:
    assert by_tenth([float(n) for n in range(100)]) == [10 * n + 4.5 for n in range(10)]
    assert len(by_tenth([1.0] * 23)) == 10


def test_the_shape_follows_device_and_dtype_unless_set() -> None:
    assert Gemm().shape("cpu", "float32") == Shape(1024, 1024, 1024)
    assert Gemm().shape("cpu", "bfloat16") == Shape(512, 512, 512)
    assert Gemm().shape("cuda", "float32") == Shape(4096, 4096, 4096)
    for dtype in ("tf32", "bfloat16", "float16", "float8"):
        assert Gemm().shape("cuda", dtype) == Shape(8192, 8192, 8192)
    assert Gemm(k=64).shape("cuda", "bfloat16") == Shape(8192, 8192, 64)


def test_what_it_measures_by_itself_fits_into_the_memory_it_may_take() -> None:
    for dtype in LEAST_CAPABILITY:
        assert Gemm().shape("cuda", dtype).bytes(dtype) < 3 << 30


def test_limits_hold_where_they_matter() -> None:
    assert Gemm(target="cpu", m=32768, n=32760, k=32768).n == 32760
    assert Gemm(n=72, dtypes=("bfloat16",)).n == 72


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"m": 15}, "greater than or equal to 16"),
        ({"k": 32769}, "less than or equal to 32768"),
        ({"iterations": 19}, "greater than or equal to 20"),
        ({"warmup": 0}, "greater than or equal to 1"),
        ({"sustain": 0}, "greater than 0"),
        ({"dtypes": ["float64"]}, "'float16' or 'float8'"),
        ({"dtype": "float32"}, "Extra inputs are not permitted"),
        ({"target": "cuda"}, "names no device; expected"),
        ({"shape": [1, 2, 3]}, "Extra inputs are not permitted"),
        ({"n": 72}, "n = 72 and k = 8192 must be multiples of 16 in float8"),
        (
            {"m": 32768, "n": 32768, "dtypes": ["float16"]},
            r"32768 × 8192 × 32768 in float16 takes 5376 MiB, max_memory leaves 3072 MiB",
        ),
    ],
)
def test_settings_out_of_bounds_refuse(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Gemm.model_validate(settings)
