"""The model: its arithmetic counted by torch itself, its mask, its learning."""

import dataclasses
import math

import pytest
import torch
from tensor_peak import Peak
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from probes.gpu import gate, gpt
from probes.gpu.gpt import Workload
from probes.gpu.trainer import Trainer
from probes.gpu.training import SIZES

TINY = Workload(layers=2, width=32, heads=4, sequence=16, batch=3, vocabulary=64)
CPU = torch.device("cpu")


def tokens_of(work: Workload) -> torch.Tensor:
    seeded = torch.Generator().manual_seed(3)
    return torch.randint(work.vocabulary, (work.batch, work.sequence + 1), generator=seeded)


@pytest.mark.parametrize(
    "work", [TINY, dataclasses.replace(TINY, layers=3, width=48, heads=2, sequence=24, batch=1)]
)
def test_flops_are_those_that_torch_counts(work: Workload) -> None:
    torch.manual_seed(0)
    weights = gpt.initial(work, CPU)
    counter = FlopCounterMode(display=False)
    # The plain kernel is made of matrix products, which the counter knows: the whole square of
    # attention, 12 L·H·Q·T a token. We count the causal half of it.
    with sdpa_kernel(SDPBackend.MATH), counter:
        gpt.loss(weights, tokens_of(work), work).backward()
    masked = 6 * work.layers * work.width * work.sequence * work.tokens
    assert counter.get_total_flops() == work.flops_per_token * work.tokens + masked


def test_matmul_parameters_are_the_matrices_that_multiply() -> None:
    weights = gpt.initial(TINY, CPU)
    multiplied = sum(
        weight.numel()
        for name, weight in weights.items()
        if weight.dim() == 2 and name not in ("tokens", "positions")
    )
    assert multiplied == TINY.matmul_parameters


def test_large_has_three_quarters_of_gpt2_smalls_weights() -> None:
    # Radford et al., 2019: 124 M
    assert SIZES["large"].parameters / 124e6 == pytest.approx(0.75, abs=0.01)


def test_a_fresh_model_knows_nothing() -> None:
    torch.manual_seed(0)
    loss = gpt.loss(gpt.initial(TINY, CPU), tokens_of(TINY), TINY)
    assert loss.item() == pytest.approx(math.log(TINY.vocabulary), rel=0.02)


def test_no_position_sees_a_later_token() -> None:
    torch.manual_seed(0)
    weights = gpt.initial(TINY, CPU)
    tokens = tokens_of(TINY)[:, :-1]
    changed = tokens.clone()
    changed[:, 9] = (changed[:, 9] + 1) % TINY.vocabulary
    with torch.no_grad():
        before, after = (gpt.logits(weights, row, TINY) for row in (tokens, changed))
    moved = (before - after).abs().amax(dim=(0, 2)) > 1e-6
    assert moved.tolist() == [position >= 9 for position in range(TINY.sequence)]


def test_it_learns_a_row_by_heart() -> None:
    torch.manual_seed(0)
    weights = gpt.initial(TINY, CPU)
    optimizer = torch.optim.AdamW(weights.values(), lr=1e-2)
    tokens = tokens_of(TINY)
    for _ in range(60):
        loss = gpt.loss(weights, tokens, TINY)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert gpt.loss(weights, tokens, TINY).item() < 0.5


def test_parameters_are_all_weights() -> None:
    weights = gpt.initial(TINY, CPU)
    assert TINY.parameters == sum(weight.numel() for weight in weights.values())


def peak_of_training(work: Workload, dtype: str) -> int:
    """Bytes at most during two steps, whose tensors have shapes and nothing in them."""
    with FakeTensorMode(), Peak() as peak:
        trainer = Trainer(work, gpt.initial(work, CPU), dtype, 1e-3)
        for _ in range(2):
            trainer.step(torch.zeros(work.batch, work.sequence + 1, dtype=torch.int64))
    return peak.most


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("size", SIZES)
def test_memory_is_what_a_step_takes_and_some_more(size: str, dtype: str) -> None:
    work = SIZES[size]
    taken = peak_of_training(work, dtype)
    assert 1.05 * taken < work.memory(dtype) < 1.35 * taken
    assert work.memory(dtype) <= gate.room(4 << 30)
