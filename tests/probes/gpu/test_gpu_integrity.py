"""`gpu.integrity`: one right result, every wrong bit counted, and where the first of them is."""

import platform
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from probes.gpu import devices, integrity
from probes.gpu.canary import Bench
from probes.gpu.flips import NONE, Flips, flips
from probes.gpu.integrity import ALTERNATING, DEPTH, LARGEST, Checked, Integrity

CPU = torch.device("cpu")
RULES = (
    "allow_tf32",
    "allow_fp16_accumulation",
    "allow_fp16_reduced_precision_reduction",
    "allow_bf16_reduced_precision_reduction",
)
SMALL = {"target": "cpu", "edge": 64, "seconds": 0.01, "memory": 1 << 20}


@pytest.fixture(autouse=True)
def _rules_of_torch_stay() -> Iterator[None]:
    """A canary changes them for its process, which is the tests' here."""
    rules = torch.backends.cuda.matmul
    before = {name: getattr(rules, name) for name in RULES}
    yield
    for name, value in before.items():
        setattr(rules, name, value)


def test_a_run_on_the_cpu(run_probe: Callable[..., Any]) -> None:
    run = run_probe("gpu.integrity", {**SMALL, "seed": 7})
    assert (run["outcome"], run["reason"]) == ("ok", "")
    found = {item["signal"].removeprefix("gpu.integrity."): item for item in run["readings"]}
    assert {item["target"] for item in found.values()} == {f"cpu:{platform.node()}"}
    assert {item["note"] for item in found.values()} == {""}
    assert found["wrong_bits"]["value"] == found["wrong_values"]["value"] == 0
    assert found["checked_memory"]["value"] == 4 << 20
    one = 2 * 64 * 64 * DEPTH
    assert found["checked_operations"]["value"] >= 3 * one
    assert found["checked_operations"]["value"] % one == 0
    assert run["payload"]["seed"] == 7
    assert [done["what"] for done in run["payload"]["products"]] == list(LARGEST)


def test_each_run_has_integers_of_its_own() -> None:
    probes = [Integrity.model_validate(SMALL) for _ in range(2)]
    for probe in probes:
        assert [*probe.measure(Bench(devices.cpu(), CPU))]
    assert probes[0].payload["seed"] != probes[1].payload["seed"]


@pytest.mark.parametrize("dtype", LARGEST)
def test_no_order_of_sums_can_leave_what_is_exact(dtype: str) -> None:
    largest, kind = LARGEST[dtype], getattr(torch, dtype)
    every = range(-largest, largest + 1)
    assert torch.tensor(every, dtype=kind).tolist() == list(every), "factors are exact"
    # any sum of any of the products, in any order, lies within the sum of their magnitudes
    worst = DEPTH * largest * largest
    assert worst < 1 << 24
    assert float(np.float32(worst - 1)) == worst - 1
    assert worst <= torch.finfo(kind).max, "a result of the dtype is finite"


@pytest.mark.parametrize("dtype", LARGEST)
def test_the_reference_is_that_of_pythons_integers(dtype: str) -> None:
    torch.manual_seed(3)
    a, b = integrity.factors(64, LARGEST[dtype])
    assert a.dtype == torch.int64
    assert int(a.abs().max()) == LARGEST[dtype] == int(b.abs().max())
    expected = [
        [sum(x * y for x, y in zip(row, column, strict=True)) for column in b.T.tolist()]
        for row in a[:8].tolist()
    ]
    right = integrity.reference(a, b)
    assert right.dtype == torch.float32
    assert right[:8].to(torch.int64).tolist() == expected
    assert np.array_equal(right.numpy(), a.numpy() @ b.numpy())


@pytest.mark.parametrize("dtype", LARGEST)
def test_a_product_is_the_integer_rounded_once(dtype: str) -> None:
    torch.manual_seed(4)
    a, b = integrity.factors(64, LARGEST[dtype])
    kind = getattr(torch, dtype)
    found = integrity.product(a.to(kind), b.to(kind))
    digits = {"float32": 24, "bfloat16": 8, "float16": 11}[dtype]
    whole = a.numpy() @ b.numpy()
    # round half to even, in integers
    drop = np.maximum(np.ceil(np.log2(np.abs(whole) + 1)).astype(int) - digits, 0)
    expected = np.rint(whole / 2.0**drop) * 2.0**drop
    assert np.array_equal(found.to(torch.float64).numpy(), expected)


def test_sums_of_less_than_float32_are_off() -> None:
    rules = torch.backends.cuda.matmul
    assert rules.allow_bf16_reduced_precision_reduction, "torch allows it by default"
    integrity.sum_in_float32()
    assert not any(getattr(rules, name) for name in RULES)


@pytest.mark.parametrize(
    ("dtype", "bits", "whole"),
    [
        (torch.float32, [0, 22, 23, 31], torch.int32),
        (torch.bfloat16, [15], torch.int16),
        (torch.float16, [0, 9, 14], torch.int16),
        (torch.int64, [63], torch.int64),
        (torch.int64, [*range(64)], torch.int64),
    ],
)
def test_flipped_bits_are_counted_to_the_last(
    dtype: torch.dtype, bits: list[int], whole: torch.dtype
) -> None:
    right = torch.arange(35).reshape(5, 7).to(dtype)
    wrong = right.clone()
    assert flips(wrong, right) == NONE
    places = wrong.view(whole).view(-1)
    size = 8 * right.element_size()
    for bit in bits:
        places[17] ^= 1 << bit if bit < size - 1 else -(1 << bit)
    found = flips(wrong, right)
    assert (found.bits, found.values) == (len(bits), 1)
    assert found.first.startswith("[2, 3]: ")
    assert (
        f"expected 17 ({right.view(whole).view(-1)[17].item():#0{size // 4 + 2}x})" in found.first
    )
    places[3] ^= 6
    found = flips(wrong, right)
    assert (found.bits, found.values) == (len(bits) + 2, 2)
    assert found.first.startswith("[0, 3]: "), "the first in the order of rows"


def test_what_is_told_of_the_first_wrong_value() -> None:
    right = torch.tensor([[1.0, 3.0]])
    assert flips(torch.tensor([[1.0, -3.0]]), right).first == (
        "[0, 1]: -3 (0xc0400000), expected 3 (0x40400000)"
    )


def test_no_number_and_minus_zero_are_bits_like_any_other() -> None:
    nan = torch.tensor([float("nan")])
    assert flips(nan, nan.clone()) == NONE
    assert flips(torch.tensor([-0.0]), torch.tensor([0.0])).bits == 1


@pytest.mark.parametrize("other", [torch.zeros(3, 2), torch.zeros(2, 3, dtype=torch.int32)])
def test_tensors_of_two_forms_are_not_held_against_each_other(other: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"torch.float32 \(2, 3\) cannot be held against"):
        flips(torch.zeros(2, 3), other)


def test_counts_add_up_and_the_first_place_stays_the_first() -> None:
    assert NONE + Flips(1, 1, "a") + Flips(3, 2, "b") == Flips(4, 3, "a")


def test_patterns_hold_each_bit_both_ways_and_each_words_own_number() -> None:
    block = torch.empty(4, dtype=torch.int64)
    held = [
        integrity.pattern(block, 10, factor, mask).tolist() for factor, mask in integrity.PATTERNS
    ]
    assert held == [
        [ALTERNATING] * 4,
        [~ALTERNATING] * 4,
        [10, 11, 12, 13],
        [~10, ~11, ~12, ~13],
    ]
    assert bin(ALTERNATING) == f"0b{'10' * 31}1"


def test_memory_is_filled_in_blocks_and_all_of_it_counts() -> None:
    size = integrity.BLOCK + (8 << 10)
    blocks = integrity.filled(CPU, size)
    assert [block.amount for block in blocks] == [4 * integrity.BLOCK, 32 << 10]
    assert {block.wrong for block in blocks} == {NONE}


def test_wrong_bits_are_readings_of_a_run_that_is_ok_and_say_where() -> None:
    products = [Checked("float32", 100), Checked("bfloat16", 100, Flips(2, 1, "[0, 1]: 3"))]
    blocks = [Checked(f"memory, block {n},", 64, Flips(n, n, "[5]: 6")) for n in range(5)]
    readings = [*Integrity().readings("GPU-1", products, blocks)]
    assert [(reading.signal.split(".")[-1], reading.value) for reading in readings] == [
        ("wrong_bits", 12),
        ("wrong_values", 11),
        ("checked_operations", 200),
        ("checked_memory", 320),
    ]
    assert {reading.note for reading in readings} == {
        "bfloat16 [0, 1]: 3; memory, block 1, [5]: 6; memory, block 2, [5]: 6; and 2 more"
    }
    assert {reading.sigma for reading in readings} == {None}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"edge": 63}, "greater than or equal to 64"),
        ({"edge": 4097}, "less than or equal to 4096"),
        ({"seconds": 0}, "greater than 0"),
        ({"memory": "1 KiB"}, "greater than or equal to 1048576"),
    ],
)
def test_settings_out_of_bounds_refuse(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Integrity.model_validate(settings)
