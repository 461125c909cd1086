"""One training step after another, as `gpu.training` and `gpu.quality` take them."""

import gc
from pathlib import Path
from typing import TYPE_CHECKING

from probes.gpu import gpt
from probes.gpu.gpt import Weights, Workload

if TYPE_CHECKING:
    import torch


class Trainer:
    """Weights and their optimizer, AdamW; the products in `dtype`, the weights in float32."""

    def __init__(
        self,
        work: Workload,
        weights: Weights,
        dtype: str,
        learning_rate: float,
        *,
        compiled: bool = False,
    ) -> None:
        import torch

        place = weights["head"].device
        self.work = work
        self.weights = weights
        self.optimizer = torch.optim.AdamW(
            weights.values(), lr=learning_rate, fused=place.type == "cuda"
        )
        self.precision = torch.autocast(
            place.type, dtype=torch.bfloat16, enabled=dtype == "bfloat16"
        )
        self._loss = (
            torch.compile(gpt.loss, dynamic=False, fullgraph=True) if compiled else gpt.loss
        )
        self._losses: list[torch.Tensor] = []

    def step(self, tokens: "torch.Tensor") -> None:
        """Forward, loss, backward, AdamW; waits for nothing on a GPU."""
        with self.precision:
            loss = self._loss(self.weights, tokens, self.work)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.optimizer.zero_grad()
        self._losses.append(loss.detach())

    def evaluate(self, tokens: "torch.Tensor") -> float:
        """The loss (nats) on tokens that are not learned from."""
        import torch

        with torch.no_grad(), self.precision:
            return float(self._loss(self.weights, tokens, self.work))

    def losses(self) -> list[float]:
        """In nats, of every step so far. Raises RuntimeError unless each is a finite number."""
        losses = [float(loss) for loss in self._losses]
        for number, loss in enumerate(losses):
            if not abs(loss) < float("inf"):
                raise RuntimeError(
                    f"the loss of step {number} is {loss}, a finite number was expected: the "
                    "device or its libraries compute wrongly"
                )
        return losses


def peak_memory(place: "torch.device") -> int | None:
    """Bytes: torch's peak allocation on a GPU, else the process's peak resident set (Linux).

    Not getrusage's ru_maxrss: that one survives exec(2), so a child shows its parent's size.
    """
    import torch

    if place.type == "cuda":
        return torch.cuda.max_memory_allocated(place)
    status = Path("/proc/self/status")
    for line in status.read_text(encoding="utf-8").splitlines() if status.exists() else ():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return None


def forget_memory(place: "torch.device") -> None:
    """Give back what an earlier training held, and begin peaks anew; nothing on a CPU."""
    import torch

    gc.collect()
    if place.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(place)
