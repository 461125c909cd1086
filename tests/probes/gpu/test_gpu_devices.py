"""Which device a target becomes, with the real nvidia-ml-py on a fake driver library."""

import ctypes
import platform
from collections.abc import Callable
from typing import Any

import pytest

from probes.gpu import devices

Ask = Callable[..., dict[str, Any]]

UUIDS = [f"GPU-00000000-0000-0000-0000-{index:012}" for index in range(3)]
GONE = 5_000_001
"""An id that no process can have: Linux ends at 2^22."""

RESOLVE = """
import dataclasses, json, sys
from probes.base import Skipped
from probes.gpu import devices
try:
    device = devices.resolve(sys.argv[1], int(sys.argv[2]))
    answer = {**dataclasses.asdict(device), "kind": device.kind}
except Skipped as skipped:
    answer = {"skipped": str(skipped)}
except (LookupError, RuntimeError) as error:
    answer = {"error": f"{type(error).__name__}: {error}"}
answer["loaded"] = sorted({"torch", "numpy"} & set(sys.modules))
print(json.dumps(answer))
"""


@pytest.fixture
def ask(run_python: Callable[..., Any], driver: dict[str, str]) -> Ask:
    """`resolve(target, memory)` in a child that sees these fake GPUs."""

    def run(target: str = "auto", memory: int = 1 << 30, **fake: object) -> dict[str, Any]:
        extra = {name: str(value) for name, value in fake.items()}
        return run_python(RESOLVE, target, str(memory), **driver, **extra)

    return run


def has_driver() -> bool:
    try:
        ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return False
    return True


@pytest.mark.skipif(has_driver(), reason="this machine has an NVIDIA driver")
def test_without_a_driver_library_auto_is_this_cpu(run_python: Callable[..., Any]) -> None:
    assert run_python(RESOLVE, "auto", "0")["target"] == f"cpu:{platform.node()}"


@pytest.mark.parametrize("init", [0, 9, 28])
def test_a_driver_without_gpus_gives_the_cpu(ask: Ask, init: int) -> None:
    answer = ask(FAKE_GPUS=0, FAKE_INIT=init)
    assert answer == {
        "target": f"cpu:{platform.node()}",
        "name": devices.processor(),
        "gpu": None,
        "kind": "cpu",
        "loaded": [],
    }


def test_a_free_gpu_is_named_by_its_uuid_before_torch_is_there(ask: Ask) -> None:
    answer = ask(FAKE_GPUS=1)
    assert answer["target"] == UUIDS[0]
    assert answer["kind"] == "cuda"
    assert answer["gpu"] == {"index": 0, "uuid": UUIDS[0], "name": "NVIDIA H100 80GB HBM3"}
    assert answer["loaded"] == []


def test_a_busy_gpu_skips_the_run_and_never_becomes_a_cpu(ask: Ask) -> None:
    assert ask(FAKE_GPUS=1, FAKE_0_UTILISATION=6)["skipped"] == (
        f"busy: {UUIDS[0]} is 6 % utilised"
    )


@pytest.mark.parametrize("target", ["cuda:0", UUIDS[0]])
def test_an_explicit_gpu_is_waited_for_although_another_is_free(ask: Ask, target: str) -> None:
    assert ask(target, FAKE_GPUS=2, FAKE_0_PID=GONE)["skipped"] == (
        f"busy: {UUIDS[0]} used by pid {GONE} (1024 MiB)"
    )


def test_auto_takes_the_next_free_gpu(ask: Ask) -> None:
    assert ask(FAKE_GPUS=3, FAKE_0_PID=GONE, FAKE_1_MIG=1)["target"] == UUIDS[2]


def test_all_busy_names_each(ask: Ask) -> None:
    answer = ask(FAKE_GPUS=2, FAKE_0_PID=GONE, FAKE_1_UTILISATION=97)
    assert answer["skipped"] == (
        f"busy: {UUIDS[0]} used by pid {GONE} (1024 MiB); {UUIDS[1]} is 97 % utilised"
    )


@pytest.mark.parametrize("target", ["cuda:1", UUIDS[1]])
def test_an_explicit_gpu_is_taken_although_an_earlier_one_is_free(ask: Ask, target: str) -> None:
    assert ask(target, FAKE_GPUS=2)["target"] == UUIDS[1]


@pytest.mark.parametrize("target", ["cuda:2", UUIDS[2]])
def test_an_absent_target_is_an_error_that_lists_what_is_there(ask: Ask, target: str) -> None:
    error = ask(target, FAKE_GPUS=2)["error"]
    assert error.startswith(f"LookupError: target {target} is not on {platform.node()}")
    assert f"cuda:1 = {UUIDS[1]} (NVIDIA H100 80GB HBM3)" in error
    assert "no NVIDIA GPU" in ask(target, FAKE_GPUS=0)["error"]


@pytest.mark.parametrize(
    ("setting", "target"), [("1", UUIDS[1]), (UUIDS[2], UUIDS[2]), ("2,0", UUIDS[0])]
)
def test_gpus_hidden_from_the_service_are_left_alone(ask: Ask, setting: str, target: str) -> None:
    assert ask(FAKE_GPUS=3, CUDA_VISIBLE_DEVICES=setting)["target"] == target


def test_an_empty_list_of_visible_gpus_gives_the_cpu(ask: Ask) -> None:
    assert ask(FAKE_GPUS=3, CUDA_VISIBLE_DEVICES="")["kind"] == "cpu"
    assert "hides any other" in ask("cuda:0", FAKE_GPUS=3, CUDA_VISIBLE_DEVICES="1")["error"]


def test_a_mig_slice_is_no_gpu_to_compare(ask: Ask) -> None:
    assert "MIG slice" in ask(FAKE_GPUS=1, CUDA_VISIBLE_DEVICES="MIG-1")["skipped"]


def test_a_driver_that_fails_is_an_error_and_no_cpu(ask: Ask) -> None:
    assert ask(FAKE_GPUS=1, FAKE_INIT=18)["error"].startswith(
        "BrokenGpu: the NVIDIA driver does not start: RM has detected an NVML/RM version mismatch."
    )
    lost = ask(FAKE_GPUS=2, FAKE_1_LOST=1)["error"]
    assert lost.startswith("BrokenGpu: GPU 1 does not answer the NVIDIA driver: GPU is lost; see")


@pytest.mark.parametrize("target", ["cuda:0", UUIDS[0]])
def test_a_named_gpu_needs_no_other_to_be_well(ask: Ask, target: str) -> None:
    assert ask(target, FAKE_GPUS=2, FAKE_1_LOST=1)["target"] == UUIDS[0]


@pytest.mark.parametrize("target", ["cuda:1", UUIDS[1]])
def test_a_named_gpu_that_is_lost_is_not_said_to_be_absent(ask: Ask, target: str) -> None:
    error = ask(target, FAKE_GPUS=2, FAKE_1_LOST=1)["error"]
    assert error.startswith("BrokenGpu: GPU 1 does not answer the NVIDIA driver: GPU is lost; see")


def test_the_cpu_is_never_asked_of_the_driver(ask: Ask) -> None:
    assert ask("cpu", FAKE_GPUS=1, FAKE_INIT=18)["kind"] == "cpu"


@pytest.mark.parametrize("target", ["auto", "cpu", "cuda:0", "cuda:15", UUIDS[0]])
def test_targets_that_can_name_a_device(target: str) -> None:
    assert devices.check_target(target) == target


@pytest.mark.parametrize("target", ["", "gpu", "cuda", "cuda:-1", "MIG-1", "GPU-1", "CPU", "tpu:0"])
def test_targets_that_cannot(target: str) -> None:
    with pytest.raises(ValueError, match="names no device; expected"):
        devices.check_target(target)


def test_a_gpu_that_torch_cannot_use_is_a_failed_run(
    run_probe: Callable[..., Any], run_python: Callable[..., Any], driver: dict[str, str]
) -> None:
    built = run_python("import json, torch; print(json.dumps(torch.version.cuda))")
    run = run_probe("gpu.gemm", {}, **driver, FAKE_GPUS="1")
    assert run["outcome"] == "failed"
    assert f"cannot use NVIDIA H100 80GB HBM3 ({UUIDS[0]}): install a torch" in run["reason"]
    # a torch that was built without CUDA says nothing of the GPU, one that was built with it does
    assert run["answer"]["missing"] == (built is None)
    assert run["readings"] == []


@pytest.mark.parametrize("kind", ["gpu.gemm", "gpu.training"])
def test_a_busy_gpu_is_a_skipped_run(
    run_probe: Callable[..., Any], driver: dict[str, str], kind: str
) -> None:
    run = run_probe(kind, {}, **driver, FAKE_GPUS="1", FAKE_0_PID=str(GONE))
    assert run["outcome"] == "skipped"
    assert run["reason"] == f"busy: {UUIDS[0]} used by pid {GONE} (1024 MiB)"
    assert run["readings"] == []


def test_torch_must_not_be_there_before_its_device_is_chosen(
    run_python: Callable[..., Any],
) -> None:
    program = """
import json, torch
from probes.gpu import devices
try:
    devices.open_torch(devices.cpu())
except RuntimeError as error:
    print(json.dumps(str(error)))
"""
    assert "import it later" in run_python(program)
