"""`gpu.attention` by its real door, its check, and its arithmetic on a GPU that is not here."""

import platform
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from tensor_peak import Peak
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from probes.gpu import attention
from probes.gpu.attention import Attention, Shape
from probes.gpu.canary import Bench
from probes.gpu.devices import Device
from probes.gpu.nvml import Gpu

CPU = torch.device("cpu")
SHORT = {"target": "cpu", "lengths": [16, 32], "iterations": 10}
ONE_THREAD = {"OMP_NUM_THREADS": "1"}  # two that wait for one another waste a shared machine


def test_a_run_on_the_cpu(run_probe: Callable[..., Any]) -> None:
    run = run_probe("gpu.attention", SHORT, **ONE_THREAD)
    assert (run["outcome"], run["reason"]) == ("ok", "")
    host = f"cpu:{platform.node()}"
    found = {(item["signal"], item["target"]): item for item in run["readings"]}
    assert set(found) == {
        (f"gpu.attention.{name}", f"{host}/t{length}")
        for name in ("time", "throughput")
        for length in (16, 32)
    }
    for length, rows in ((16, 64), (32, 32)):
        kept = run["payload"][f"t{length}"]
        time = found["gpu.attention.time", f"{host}/t{length}"]
        rate = found["gpu.attention.throughput", f"{host}/t{length}"]
        assert time["value"] == pytest.approx(np.median(kept["seconds"]))
        assert time["note"] == rate["note"] == kept["backend"]
        # two products forward and five backward, of which the mask leaves half
        operations = 7 * 2 * length * length * 64 / 2 * 4 * rows
        assert rate["value"] * time["value"] == pytest.approx(operations / 1e12)
        assert rate["sigma"] / rate["value"] == pytest.approx(time["sigma"] / time["value"])


def test_operations_are_half_of_those_that_torch_counts() -> None:
    shape = Shape(2, 3, 64)
    inputs, gradient = attention.random_inputs(shape, CPU, "float32", 1)
    counter = FlopCounterMode(display=False)
    with sdpa_kernel(SDPBackend.MATH), counter:  # two products forward, four backward
        torch.autograd.grad(attention.attention(inputs), inputs, gradient)
    # the fast kernels compute the scores once more: five products backward
    assert counter.get_total_flops() / 6 * 7 / 2 == shape.flops


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("backend", ["MATH", "FLASH_ATTENTION"])
def test_memory_is_enough(backend: str, dtype: str) -> None:
    shape = Shape(2, 4, 512)
    with FakeTensorMode(), sdpa_kernel(getattr(SDPBackend, backend)), Peak() as peak:
        inputs, gradient = attention.random_inputs(shape, CPU, dtype, 1)
        torch.autograd.grad(attention.attention(inputs), inputs, gradient)
    assert peak.most < shape.memory(backend) < 5 * peak.most


def test_a_kernel_that_would_take_too_much_is_not_begun() -> None:
    gpu = Device("GPU-1", "NVIDIA H100 PCIe", Gpu(0, "GPU-1", "NVIDIA H100 PCIe"))
    bench = Bench(gpu, torch.device("cuda:0"))
    for shape in Attention().shapes("cuda"):
        Attention()._check_memory(bench, shape, "FLASH_ATTENTION")
    with pytest.raises(
        RuntimeError, match=r"16384 tokens by torch's kernel MATH may take 98\d\d\d"
    ):
        Attention()._check_memory(bench, Shape(1, 16, 16384), "MATH")


def test_on_a_gpu_peak_memory_is_told() -> None:
    found = list(attention.readings("GPU-1/t64", Shape(1, 1, 64), [0.5] * 10, 7, "MATH"))
    assert {reading.signal for reading in found} == {s.name for s in Attention().promises()}
    assert {reading.note for reading in found} == {"MATH"}
    assert {reading.target for reading in found} == {"GPU-1/t64"}


def test_plain_attention_is_the_textbooks() -> None:
    inputs, _ = attention.random_inputs(Shape(1, 1, 5, head_dim=3), CPU, "float32", 2)
    query, key, value = (tensor.detach().numpy()[0, 0].astype(float) for tensor in inputs)
    found = attention.plain(inputs).detach().numpy()[0, 0]
    for row in range(5):
        weights = np.exp(key[: row + 1] @ query[row] / np.sqrt(3))
        assert found[row] == pytest.approx(weights @ value[: row + 1] / weights.sum(), rel=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_right_kernel_passes(dtype: str) -> None:
    for seed in range(3):
        attention.check_kernel(CPU, dtype, seed)


def test_a_wrong_kernel_fails_the_run(run_python: Callable[..., Any]) -> None:
    # a library whose kernel is off by five parts in a thousand in float32
    program = """
import json, torch
from torch.nn import functional as F
from probes.gpu import attention
right = F.scaled_dot_product_attention
F.scaled_dot_product_attention = lambda *these, **more: right(*these, **more) * 1.005
try:
    attention.check_kernel(torch.device("cpu"), "float32", 1)
except RuntimeError as error:
    print(json.dumps(str(error)))
"""
    said = run_python(program, **ONE_THREAD)
    assert "the result is off by 0.005 of the largest, 0.0001 were expected at most" in said


def test_the_lengths_follow_the_device_unless_set() -> None:
    assert Attention().shapes("cuda") == [
        Shape(16, 16, 1024),
        Shape(4, 16, 4096),
        Shape(1, 16, 16384),
    ]
    assert Attention(lengths=(2048,)).shapes("cpu") == [Shape(1, 4, 2048)]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lengths": []}, "at least 1 item"),
        ({"lengths": [8]}, "greater than or equal to 16"),
        ({"lengths": [64, 64]}, "lengths names one twice"),
        ({"iterations": 9}, "greater than or equal to 10"),
        ({"dtype": "float16"}, "'float32' or 'bfloat16'"),
    ],
)
def test_settings_out_of_bounds_refuse(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Attention.model_validate(settings)
