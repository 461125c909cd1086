"""`gpu.quality`: how long this device trains a tiny GPT until it is good.

Expected: in float32 on a CPU the usual target is reached after 190 steps, 194,560 tokens, in 4 s on
two cores (measured). The text's best possible perplexity is 1.446; at 2 the curve is still steep,
so that noise moves the end by one look.
"""

import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from probes.gpu import corpus, devices, gpt
from probes.gpu.canary import Bench, GpuCanary
from probes.gpu.gpt import Workload
from probes.gpu.trainer import Trainer
from storage.types import Reading, Signal

if TYPE_CHECKING:
    import torch

WORK = Workload(layers=2, width=64, heads=4, sequence=64, batch=16, vocabulary=256)
LEARNING_RATE = 2e-3
TRAINING_BYTES = 1 << 17
TRAINING_SEED, HELD_OUT_SEED = 1, 2
HELD_OUT_ROWS = 32
LOOK_EVERY = 10  # steps


@dataclass(frozen=True, slots=True)
class Reached:
    """How the target was reached: steps and seconds of training, and each look's perplexity."""

    steps: int
    seconds: float
    perplexities: list[float]


class Quality(GpuCanary):
    """Train a tiny GPT until its perplexity on a text that it has not seen is low enough.

    Summary
        Bytes of a synthetic text (`probes/gpu/corpus.py`) from a fixed seed, the same weights and
        the same rows in the same order on every device. After each tenth step the perplexity is
        taken on other text of the same grammar; the run ends once that is at most
        `target_perplexity`, and fails where `max_steps` do not suffice.

    What the number means
        `time_to_target` is the time in training alone, without the looks and without the start of
        the device's libraries; `steps_to_target` and
        `tokens_to_target` say how much was learned from, in whole looks; `perplexity` is the last
        look's, e to the mean loss a byte. A wrong precision or a library's fault shows as more
        steps at the same speed, which no throughput sees. The model is so small that a GPU's time
        is mostly its host's: read `gpu.training` for speed. The text's own entropy bounds what any
        model can reach (`corpus.entropy`); a perplexity below that fails the run, since something
        looked ahead.

    References
        Time to a target quality as the measure: Mattson et al., MLPerf Training Benchmark, arXiv
        1910.01500. Entropy of a Markov chain: Cover and Thomas, Elements of Information Theory,
        2nd ed., theorem 4.2.4, https://doi.org/10.1002/047174882X.
    """

    signals: ClassVar[tuple[Signal, ...]] = (
        Signal("gpu.quality.time_to_target", "s", "lower", "Time in training to the target"),
        Signal("gpu.quality.steps_to_target", "step", "lower", "Training steps to the target"),
        Signal("gpu.quality.tokens_to_target", "token", "lower", "Bytes trained on to the target"),
        Signal(
            "gpu.quality.perplexity", "1", "lower", "Perplexity a byte of unseen text at the end"
        ),
    )

    indifferent: ClassVar[frozenset[str]] = GpuCanary.indifferent | {"max_steps"}

    target_perplexity: float = Field(
        default=2.0, gt=1, lt=256, description="a byte, on unseen text, that ends the run"
    )
    max_steps: int = Field(default=600, ge=10, le=100_000, description="after which a run fails")
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto",
        description="of the matrix products; weights stay float32. auto: bfloat16 on GPUs with it",
    )
    seed: int = Field(default=1, ge=0, lt=1 << 63, description="of weights and order")

    @model_validator(mode="after")
    def _can_be_reached(self) -> Self:
        best = math.exp(corpus.entropy())
        if self.target_perplexity <= best:
            raise ValueError(
                f"target_perplexity {self.target_perplexity} cannot be reached: the text's own is "
                f"{best:.3f}; set it higher"
            )
        return self

    def measure(self, bench: Bench) -> Iterator[Reading]:
        """Train. Raises RuntimeError where the target is not reached, or cannot be true."""
        dtype = devices.resolve_dtype(self.dtype, bench.place)
        reached = self.trained(bench, dtype)
        self.keep(
            workload=asdict(WORK),
            dtype=dtype,
            best_perplexity=math.exp(corpus.entropy()),
            **asdict(reached),
        )
        yield from self.readings(bench.device, reached)

    def trained(self, bench: Bench, dtype: str) -> Reached:
        """Train to the target."""
        import torch

        place = bench.place
        held_out = as_tokens(corpus.text(HELD_OUT_ROWS * (WORK.sequence + 1), HELD_OUT_SEED))
        held_out = held_out.view(HELD_OUT_ROWS, -1).to(place)
        rows = self._rows().to(place)
        load_libraries(self._trainer(place, dtype), rows[0])
        trainer = self._trainer(place, dtype)
        seconds, perplexities = 0.0, []
        for begin in range(0, len(rows) - LOOK_EVERY + 1, LOOK_EVERY):
            start = time.perf_counter()
            for step in range(begin, begin + LOOK_EVERY):
                trainer.step(rows[step])
            if place.type == "cuda":
                torch.cuda.synchronize(place)
            seconds += time.perf_counter() - start
            perplexities.append(math.exp(trainer.evaluate(held_out)))
            if perplexities[-1] <= self.target_perplexity:
                bench.stamp()
                check(perplexities[-1])
                return Reached(begin + LOOK_EVERY, seconds, perplexities)
        raise RuntimeError(
            f"it did not reach a perplexity of {self.target_perplexity:g} in {len(rows)} steps, "
            f"but {perplexities[-1]:.3f}: look for a changed precision or library, or raise "
            "max_steps"
        )

    def _trainer(self, place: "torch.device", dtype: str) -> Trainer:
        """One with fresh weights, of the same numbers on every device and at each call."""
        import torch

        torch.manual_seed(self.seed)
        fresh = gpt.initial(WORK, torch.device("cpu"))
        weights = {name: it.detach().to(place).requires_grad_() for name, it in fresh.items()}
        return Trainer(WORK, weights, dtype, LEARNING_RATE)

    def _rows(self) -> "torch.Tensor":
        """The rows of every step (max_steps, batch, sequence + 1), drawn from the text."""
        import torch

        tokens = as_tokens(corpus.text(TRAINING_BYTES, TRAINING_SEED))
        starts = torch.randint(
            TRAINING_BYTES - WORK.sequence,
            (self.max_steps, WORK.batch, 1),  # row by row: the first are the same for any number
            generator=torch.Generator().manual_seed(self.seed),
        )
        return tokens[starts + torch.arange(WORK.sequence + 1)]

    def readings(self, device: devices.Device, reached: Reached) -> Iterator[Reading]:
        """The signals of a run that reached its target."""

        def reading(name: str, value: float, **more: Any) -> Reading:
            more = {"origin": "measured", **more}
            return Reading(f"gpu.quality.{name}", device.target, value, **more)

        yield reading("time_to_target", reached.seconds)
        yield reading("steps_to_target", reached.steps)
        yield reading("tokens_to_target", reached.steps * WORK.tokens)
        yield reading("perplexity", reached.perplexities[-1])


def load_libraries(trainer: Trainer, tokens: "torch.Tensor") -> None:
    """Take a step for nothing: the first of a process loads a GPU's libraries and kernels, which
    takes as long as a hundred others."""
    trainer.step(tokens)
    trainer.losses()  # waits for the device


def as_tokens(text: bytes) -> "torch.Tensor":
    """The bytes as numbers, one dimension of int64."""
    import torch

    return torch.tensor(list(text), dtype=torch.int64)


def check(perplexity: float) -> None:
    """Raise RuntimeError for a perplexity that no model can have: below the text's own, less what
    the text held out may be easier than the average (a tenth)."""
    best = math.exp(corpus.entropy())
    if perplexity < 0.9 * best:
        raise RuntimeError(
            f"a perplexity of {perplexity:.3f} is below the text's own, {best:.3f}: the model sees "
            "what it is to predict, so the device or its libraries compute wrongly"
        )
