"""`gpu.memory` by its real door, and its arithmetic on devices that this machine lacks."""

import platform
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from probes.gpu.devices import Device
from probes.gpu.memory import Memory, same
from probes.gpu.nvml import Gpu
from storage.types import Reading

H200 = Device("GPU-1", "NVIDIA H200", Gpu(0, "GPU-1", "NVIDIA H200"))
UNKNOWN = Device("GPU-1", "NVIDIA H200 NVL", Gpu(0, "GPU-1", "NVIDIA H200 NVL"))
CPU = Device("cpu:here", "NVIDIA H200")
GIB = 1 << 30
COPIES = {"copy_bandwidth", "copy_bandwidth_p10", "copy_bandwidth_p90"}


def named(readings: Any) -> dict[str, Reading]:
    return {reading.signal.removeprefix("gpu.memory."): reading for reading in readings}


def test_a_run_on_the_cpu_copies_the_hosts_memory(run_probe: Callable[..., Any]) -> None:
    run = run_probe("gpu.memory", {"target": "cpu", "iterations": 20})
    assert (run["outcome"], run["reason"]) == ("ok", "")
    readings = {item["signal"].removeprefix("gpu.memory."): item for item in run["readings"]}
    assert set(readings) == COPIES
    assert {item["target"] for item in run["readings"]} == {f"cpu:{platform.node()}"}
    seconds = np.array(run["payload"]["copy_seconds"])
    assert len(seconds) == 20
    rates = 2 * 128 * 2**20 / seconds / 1e9
    names = ("copy_bandwidth_p10", "copy_bandwidth", "copy_bandwidth_p90")
    assert [readings[name]["value"] for name in names] == pytest.approx(
        list(np.percentile(rates, [10, 50, 90]))
    )
    assert readings["copy_bandwidth"]["sigma"] > 0
    assert 0.1 < readings["copy_bandwidth"]["value"] < 2000


def test_a_copy_counts_what_is_read_and_what_is_written_against_the_data_sheet() -> None:
    found = named(Memory().copy_readings(H200, [2 * GIB / 4.32e12] * 20))
    assert found["copy_bandwidth"].value == pytest.approx(4320)
    assert found["share_of_peak"].value == pytest.approx(0.9)
    assert found["share_of_peak"].origin == "derived"


@pytest.mark.parametrize("device", [CPU, UNKNOWN])
def test_a_cpu_and_a_gpu_of_unknown_peak_have_no_share(device: Device) -> None:
    assert set(named(Memory().copy_readings(device, [0.1] * 20))) == COPIES


def test_a_transfer_counts_each_byte_once_and_loading_is_in_bits() -> None:
    to_gpu = [(256 << 20) / 55e9] * 20
    from_gpu = [(256 << 20) / 50e9] * 20
    found = named(Memory().loading_readings(H200, to_gpu, from_gpu))
    assert found["host_to_device_bandwidth"].value == pytest.approx(55)
    assert found["device_to_host_bandwidth"].value == pytest.approx(50)
    assert found["loading_bandwidth"].value == pytest.approx(55 * 8e9)


def test_every_signal_is_written_on_a_gpu_of_known_peak() -> None:
    probe, times = Memory(), [0.01 + index / 1000 for index in range(20)]
    both = [*probe.copy_readings(H200, times), *probe.loading_readings(H200, times, times)]
    assert [reading.signal for reading in both] == [signal.name for signal in probe.promises()]


def test_one_word_that_came_out_wrong_is_an_error() -> None:
    sent = torch.arange(1000)
    same(sent, sent.clone(), "within its memory", H200)
    came = sent.clone()
    came[7] ^= 1 << 40
    with pytest.raises(RuntimeError, match="1 of 1000 words that were copied within its memory"):
        same(sent, came, "within its memory", H200)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"iterations": 19}, "greater than or equal to 20"),
        ({"max_memory": "3GiB"}, "greater than or equal to"),
        ({"size": 1}, "Extra inputs are not permitted"),
    ],
)
def test_settings_out_of_bounds_refuse(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Memory.model_validate(settings)
