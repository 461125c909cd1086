"""`gpu.collective` with real ranks on loopback, and its arithmetic on nodes that are not here."""

import json
import math
import os
import platform
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from probes.gpu import collective, gate
from probes.gpu.collective import Collective, Node
from probes.gpu.launch import launch
from probes.gpu.neighbours import ids_are_the_hosts
from probes.gpu.nvml import Gpu
from probes.gpu.timing import Spread

HOST = platform.node()
CONTAINED = not ids_are_the_hosts()
SMALL = {"target": "cpu", "sizes": ["1MiB"], "iterations": 5, "steps": 5, "max_seconds": 120}
UUIDS = [f"GPU-00000000-0000-0000-0000-{index:012}" for index in range(3)]


def test_two_ranks_on_the_cpu(run_probe: Callable[..., Any]) -> None:
    run = run_probe("gpu.collective", SMALL, OMP_NUM_THREADS="1")
    assert (run["outcome"], run["reason"]) == ("ok", "")
    found = {item["signal"].removeprefix("gpu.collective."): item for item in run["readings"]}
    assert {f"gpu.collective.{name}" for name in found} == {
        signal.name for signal in Collective.signals
    }
    for name, item in found.items():
        size = "/1MiB" if name.endswith("bandwidth") else ""
        assert item["target"] == f"{HOST}/2xcpu{size}"
        assert (item["origin"], item["family"], item["note"]) == ("measured", "", "")

    first, second = run["payload"]["results"]
    assert run["payload"]["measuring_seconds"] == max(
        first["measuring_seconds"], second["measuring_seconds"]
    )
    assert first["measuring_seconds"] > sum(first["latency"] + first["ddp"])
    median = {
        name: np.median(np.maximum(first[name], second[name]))
        for name in ("latency", "alone", "ddp", "fsdp")
    }
    sums = np.median(np.maximum(first["sizes"][0], second["sizes"][0]))
    expected = {
        "algorithm_bandwidth": 1048576 / sums / 1e9,
        "bus_bandwidth": 1048576 / sums / 1e9,  # of two ranks each sends it once
        "latency": median["latency"],
        "step_time": median["alone"],
        "ddp_step_time": median["ddp"],
        "fsdp_step_time": median["fsdp"],
        "ddp_communication_share": (median["ddp"] - median["alone"]) / median["ddp"],
        "fsdp_communication_share": (median["fsdp"] - median["alone"]) / median["fsdp"],
    }
    assert {name: item["value"] for name, item in found.items()} == pytest.approx(expected)
    assert all(item["sigma"] > 0 for item in found.values())
    assert [len(times) for times in (first["latency"], first["sizes"][0], first["ddp"])] == [5] * 3
    setup = json.loads(found["latency"]["setup"])
    assert (setup["kind"], setup["backend"], setup["threads"]) == ("gpu.collective", "gloo", 1)
    assert "max_seconds" not in setup


TOGETHER = """
import json, pathlib, sys
import torch, torch.distributed as dist
from probes.gpu import gpt
from probes.gpu.ranks import allreduce, group, steps
folder, rank = pathlib.Path(sys.argv[1]), int(sys.argv[2])
order = json.loads((folder / "order.json").read_text())
cpu = torch.device("cpu")

def summed(numbers):
    dist.all_reduce(numbers)
    try:
        allreduce.verify(numbers, order["ranks"])
    except allreduce.WrongSum as wrong:
        return str(wrong)
    return numbers[-3:].tolist()

def by_hand(work, who):
    torch.manual_seed(steps.SEED)
    weights = gpt.initial(work, cpu)
    loss = gpt.loss(weights, steps.rows(work, who), work)
    loss.backward()
    return loss.item(), weights

def gradients(model):
    found = {}
    for name, weight in model.named_parameters():
        grad = weight.grad
        found[name.removeprefix("module.").removeprefix("blocks.")] = (
            grad.full_tensor() if hasattr(grad, "full_tensor") else grad
        )
    return found

def furthest(found, wanted):
    assert found.keys() == wanted.keys(), found.keys() ^ wanted.keys()
    return max(float((found[name] - wanted[name]).abs().max()) for name in wanted)

with group.joined(folder / "store", rank, order, cpu):
    honest = summed(allreduce.share(4 * 1003, rank, cpu))
    lie = allreduce.share(4 * 1003, rank, cpu)
    lie[7] += rank
    lied = summed(lie)

    work = gpt.Workload(layers=2, width=32, heads=2, sequence=16, batch=2, vocabulary=64)
    hands = [by_hand(work, who) for who in range(2)]
    mean = {name: (hands[0][1][name].grad + hands[1][1][name].grad) / 2 for name in hands[0][1]}
    own = {name: weight.grad for name, weight in hands[rank][1].items()}
    rows = steps.rows(work, rank)
    replica = steps.replicated(steps.Model(work, cpu), cpu)
    with replica.no_sync():
        loss = replica(rows)
        loss.backward()
    alone = furthest(gradients(replica), own)
    replica.zero_grad()
    replica(rows).backward()
    ddp = furthest(gradients(replica), mean)
    shards = steps.sharded(steps.Model(work, cpu), cpu)
    shards(rows).backward()
    fsdp = furthest(gradients(shards), mean)
    parts = sum(weight.to_local().numel() for weight in shards.parameters())
    whole = sum(weight.numel() for weight in hands[0][1].values())
    apart = furthest(own, mean)
try:
    with group.joined(folder / "store", rank, order, torch.device("cuda:0")):
        no_gpu = "there is one"
except RuntimeError as error:
    no_gpu = str(error)
left = {"no_gpu": no_gpu, "honest": honest, "lied": lied, "alone": alone,
        "loss": [loss.item(), hands[rank][0]], "ddp": ddp, "fsdp": fsdp, "apart": apart,
        "part": parts / whole}
file = folder / f"result-{rank}"
file.write_text(json.dumps({"result": left}))
file.rename(f"{file}.json")
"""


def test_sums_and_gradients_are_those_worked_out_by_hand() -> None:
    surroundings = {"GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    program = (sys.executable, "-c", TOGETHER)
    for left in launch({}, 2, 120.0, surroundings, program=program):
        # elements 1000 to 1002 begin the cycle again: i mod 1000 from rank 0, and 1 more from 1
        assert left["honest"] == [1.0, 3.0, 5.0]
        assert left["lied"] == (
            "an all-reduce of 4012 B over 2 ranks is wrong in 1 elements, first [7]: "
            "16 (0x41800000), expected 15 (0x41700000): a link, a device or a library is broken"
        )
        assert left["loss"][0] == pytest.approx(left["loss"][1], rel=1e-6)
        assert left["apart"] > 1e-3, "ranks train on other tokens"
        assert max(left["alone"], left["ddp"], left["fsdp"]) < 1e-6
        assert left["part"] == 0.5
        if not torch.cuda.is_available():
            assert left["no_gpu"] == (
                f"torch {torch.__version__} cannot use these GPUs with NCCL: install a torch built "
                'with CUDA for this driver, or set target = "cpu"'
            )


def test_bandwidths_and_shares_of_eight_gpus() -> None:
    gpus = tuple(Gpu(index, f"GPU-{index}", "NVIDIA H200") for index in range(8))
    node = Node("NVIDIA H200", 8, gpus)
    quick = {
        "latency": [20e-6] * 5,
        "sizes": [[1e-3] * 5],
        "alone": [0.03] * 5,
        "ddp": [0.04] * 5,
        "fsdp": [0.048] * 5,
    }
    # a rank that is late for one repetition, and one that is slower throughout
    slow = {**quick, "sizes": [[2e-3] * 5], "latency": [20e-6] * 4 + [1.0]}
    probe = Collective(sizes=[256 << 20])
    found = {
        reading.signal.removeprefix("gpu.collective."): reading
        for reading in probe.readings(node, [quick] * 7 + [slow])
    }
    assert found["bus_bandwidth"].target == f"{HOST}/8xNVIDIA H200/256MiB"
    assert found["latency"].target == f"{HOST}/8xNVIDIA H200"
    assert {name: round(reading.value, 6) for name, reading in found.items()} == {
        "algorithm_bandwidth": 134.217728,  # 268,435,456 B in 2 ms
        "bus_bandwidth": 234.881024,  # times 14/8
        "latency": 20e-6,
        "step_time": 0.03,
        "ddp_step_time": 0.04,
        "fsdp_step_time": 0.048,
        "ddp_communication_share": 0.25,
        "fsdp_communication_share": 0.375,
    }


@pytest.mark.parametrize(("ranks", "factor"), [(2, 1), (4, 1.5), (8, 1.75), (16, 1.875)])
def test_what_a_bus_carries(ranks: int, factor: float) -> None:
    # a ring: n-1 steps to sum and n-1 to spread, each with one n-th of the message
    steps = 2 * (ranks - 1)
    assert collective.bus_factor(ranks) == steps * (1 / ranks) == factor


def test_the_share_has_the_uncertainty_of_both_times() -> None:
    share, sigma = collective.share(Spread(3.0, 0, 0, 0.03), Spread(4.0, 0, 0, 0.08))
    # by differences: d(1 - a/b) = -da/b + a/b^2 db
    assert share == pytest.approx(0.25)
    assert sigma == pytest.approx(math.hypot(0.03 / 4, 3 * 0.08 / 16))


def test_a_step_that_communication_made_no_longer_is_a_share_of_about_0_and_no_guess() -> None:
    share, _ = collective.share(Spread(1.01, 0, 0, 0.02), Spread(1.0, 0, 0, 0.02))
    assert share == pytest.approx(-0.01)


def test_what_is_usual_fits_into_the_usual_memory() -> None:
    room = 2 << 30  # 4 GiB, less 1 for CUDA and 1 for NCCL
    assert max(collective.USUAL_SIZES["cuda"]) * collective.COPIES <= room
    for dtype in ("float32", "bfloat16"):
        assert collective.WORKLOADS["cuda"].memory(dtype) <= room
    order = Collective().order(Node("NVIDIA H200", 8, (Gpu(0, "GPU-0", "NVIDIA H200"),)))
    assert gate.room(order["max_memory"]) == room  # what a rank confines torch to


def test_targets_of_sizes_and_of_gpus_that_differ() -> None:
    assert [collective.said(size) for size in (1 << 20, 3 << 19, 256 << 20)] == [
        "1MiB",
        "1572864B",
        "256MiB",
    ]
    gpus = [Gpu(0, "a", "NVIDIA B"), Gpu(1, "b", "NVIDIA A"), Gpu(2, "c", "NVIDIA B")]
    assert collective.named(gpus) == "NVIDIA A+NVIDIA B"


ENVIRONMENT = """
import json
from probes.gpu import collective, nvml
print(json.dumps([collective.environment((), 2), collective.environment(nvml.gpus(), 2)]))
"""


def test_ranks_see_the_chosen_gpus_or_none(
    run_python: Callable[..., Any], driver: dict[str, str]
) -> None:
    cpu, gpu = run_python(ENVIRONMENT, **driver, FAKE_GPUS="2", OMP_NUM_THREADS="3")
    assert cpu == {
        "GLOO_SOCKET_IFNAME": "lo",
        "OMP_NUM_THREADS": "3",
        "CUDA_VISIBLE_DEVICES": "",
    }
    assert gpu == {"CUDA_VISIBLE_DEVICES": f"{UUIDS[0]},{UUIDS[1]}"}


@pytest.mark.parametrize(
    ("settings", "fake", "reason"),
    [
        ({}, {"FAKE_GPUS": "1"}, f"needs 2 GPUs, {HOST} has 1 (1 NVIDIA H100 80GB HBM3)"),
        ({"ranks": 4}, {"FAKE_GPUS": "1"}, f"needs 4 GPUs, {HOST} has 1"),
        ({}, {"FAKE_GPUS": "3", "CUDA_VISIBLE_DEVICES": "1"}, "needs 2 GPUs"),
        ({}, {"FAKE_GPUS": "3", "FAKE_2_PID": "42"}, f"busy: {UUIDS[2]} used by pid 42"),
        ({}, {"FAKE_GPUS": "2", "FAKE_0_UTILISATION": "97"}, f"busy: {UUIDS[0]} is 97 % utilised"),
    ],
)
def test_a_node_that_is_not_free_as_a_whole_is_skipped(
    run_probe: Callable[..., Any],
    driver: dict[str, str],
    settings: dict[str, Any],
    fake: dict[str, str],
    reason: str,
) -> None:
    run = run_probe("gpu.collective", settings, **driver, **fake)
    assert run["outcome"] == "skipped"
    assert run["reason"].startswith(reason)


def test_more_ranks_than_gpus_is_an_error_that_counts_them(
    run_probe: Callable[..., Any], driver: dict[str, str]
) -> None:
    run = run_probe("gpu.collective", {"ranks": 3}, **driver, FAKE_GPUS="2")
    assert run["outcome"] == "failed"
    assert f"ranks = 3 needs as many GPUs, {HOST} has 2" in run["reason"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ranks": 1}, "greater than or equal to 2"),
        ({"target": "cuda:0"}, "'auto' or 'cpu'"),
        ({"sizes": []}, "at least 1 item"),
        ({"sizes": ["1MiB", "512KiB"]}, r"512.0KiB is not between 1 MiB and 409.6MiB"),
        ({"sizes": ["2GiB"], "max_memory": "8GiB"}, r"2.0GiB is not between 1 MiB and 1.2GiB"),
        ({"sizes": [1048578]}, "1048578 B are no whole number of float32"),
        ({"max_memory": "3GiB"}, "greater than or equal to 4294967296"),
    ],
)
def test_settings_that_cannot_be_refuse(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Collective.model_validate(settings)


EXECUTE = """
import json
from probes.__main__ import execute
from probes.gpu.collective import Collective
print(json.dumps(execute(Collective, {"max_seconds": 120})))
"""


def ranks_of(parent: int) -> list[int]:
    listing = Path(f"/proc/{parent}/task/{parent}/children").read_text()
    return [int(pid) for pid in listing.split()]


@pytest.mark.parametrize("joined", [0, 1])
def test_a_neighbour_on_any_of_the_gpus_ends_all_ranks(
    start_python: Callable[..., Any], driver: dict[str, str], tmp_path: Path, joined: int
) -> None:
    first, second, third = (tmp_path / name for name in ("first", "second", "third"))
    fake = {f"FAKE_{joined}_PID": f"@{first}", f"FAKE_{joined}_PID2": f"@{second}"}
    fake[f"FAKE_{1 - joined}_PID"] = f"@{third}"  # in a container two may be ours
    child = start_python(EXECUTE, **driver, FAKE_GPUS="2", **fake)
    end = time.monotonic() + 60
    while len(ranks := ranks_of(child.pid)) < 2 and time.monotonic() < end:
        time.sleep(0.02)
    assert len(ranks) == 2
    for pid in ranks:
        os.kill(pid, signal.SIGSTOP)  # they would find no CUDA in this torch
    if CONTAINED:
        third.write_text("97")
    second.write_text("98")
    first.write_text("99")
    run = json.loads(child.communicate(timeout=60)[0])
    assert run["outcome"] == "skipped"
    assert run["reason"].startswith("busy: ")
    assert f"{UUIDS[joined]} was shared during the measurement" in run["reason"]
    assert not any(Path(f"/proc/{pid}").exists() for pid in ranks)
