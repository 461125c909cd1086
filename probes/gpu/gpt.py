"""The model that `gpu.training` trains: a plain GPT, and how much arithmetic it is.

Pre-norm blocks, learned positions, GELU, no biases and no dropout, output layer of its own: the
shape of GPT-2 (Radford et al., 2019) as nanoGPT writes it (https://github.com/karpathy/nanoGPT).
Functions over a table of weights: a class would need torch to be imported with this file.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

Weights = dict[str, "torch.Tensor"]

INITIAL_SCALE = 0.02


@dataclass(frozen=True, slots=True)
class Workload:
    """One training step's shape: the model and its batch, resolved."""

    layers: int
    width: int
    heads: int
    sequence: int
    batch: int
    vocabulary: int

    @property
    def tokens(self) -> int:
        """Tokens of one step."""
        return self.batch * self.sequence

    @property
    def matmul_parameters(self) -> int:
        """Weights that take part in matrix products: blocks and output, not the embeddings."""
        return 12 * self.layers * self.width**2 + self.vocabulary * self.width

    @property
    def flops_per_token(self) -> int:
        """Floating-point operations per token, forward and backward.

        6 N + 6 L·H·Q·T, with N the weights in matrix products and H·Q the width: PaLM's appendix B
        (arXiv 2204.02311) with attention counted as the causal mask leaves it, half the square.
        PaLM and nanoGPT count the whole square, 12 L·H·Q·T, and so read higher. Nothing that is
        computed twice is counted twice.
        """
        return 6 * self.matmul_parameters + 6 * self.layers * self.width * self.sequence

    @property
    def memory(self) -> int:
        """Bytes that a step needs, about: an upper estimate that decides whether to begin.

        16 bytes a parameter (weight, gradient, two moments), 80 a token, layer and unit of width
        for activations, 16 a token and word for logits and their gradients, 1 GiB for CUDA.
        """
        embeddings = (self.vocabulary + self.sequence) * self.width
        activations = self.tokens * (80 * self.layers * self.width + 16 * self.vocabulary)
        return 16 * (self.matmul_parameters + embeddings) + activations + (1 << 30)


def initial(work: Workload, device: "torch.device") -> Weights:
    """Fresh weights in float32, normal with the global generator of `device`."""
    import torch

    width = work.width
    shapes: dict[str, tuple[int, ...]] = {
        "tokens": (work.vocabulary, width),
        "positions": (work.sequence, width),
        "head": (work.vocabulary, width),
        "norm": (width,),
    }
    for layer in range(work.layers):
        shapes |= {
            f"{layer}.norm1": (width,),
            f"{layer}.qkv": (3 * width, width),
            f"{layer}.proj": (width, width),
            f"{layer}.norm2": (width,),
            f"{layer}.up": (4 * width, width),
            f"{layer}.down": (width, 4 * width),
        }
    return {
        name: (
            torch.ones(shape, device=device)
            if len(shape) == 1
            else torch.randn(shape, device=device) * INITIAL_SCALE
        ).requires_grad_()
        for name, shape in shapes.items()
    }


def loss(weights: Weights, tokens: "torch.Tensor", work: Workload) -> "torch.Tensor":
    """Mean cross entropy (nats) of each next token; `tokens` is (batch, sequence + 1) of int64."""
    from torch.nn import functional as F  # noqa: N812

    scores = logits(weights, tokens[:, :-1], work)
    return F.cross_entropy(scores.flatten(0, 1), tokens[:, 1:].flatten())


def logits(weights: Weights, tokens: "torch.Tensor", work: Workload) -> "torch.Tensor":
    """Scores (batch, sequence, vocabulary) of what follows each of `tokens` (batch, sequence)."""
    from torch.nn import functional as F  # noqa: N812

    hidden = F.embedding(tokens, weights["tokens"]) + weights["positions"]
    for index in range(work.layers):
        hidden = block(layer(weights, index), hidden, work.heads)
    return F.linear(F.layer_norm(hidden, (work.width,), weights["norm"]), weights["head"])


def layer(weights: Weights, index: int) -> Weights:
    """The weights of one block, by their names within it."""
    names = ("norm1", "qkv", "proj", "norm2", "up", "down")
    return {name: weights[f"{index}.{name}"] for name in names}


def block(weights: Weights, hidden: "torch.Tensor", heads: int) -> "torch.Tensor":
    """What one block makes of (batch, sequence, width): attention, then the feed-forward part."""
    hidden = hidden + _attention(weights, hidden, heads)
    return hidden + _feed_forward(weights, hidden)


def _attention(block: Weights, hidden: "torch.Tensor", heads: int) -> "torch.Tensor":
    from torch.nn import functional as F  # noqa: N812

    batch, length, width = hidden.shape
    normal = F.layer_norm(hidden, (width,), block["norm1"])
    query, key, value = (
        part.view(batch, length, heads, width // heads).transpose(1, 2)
        for part in F.linear(normal, block["qkv"]).chunk(3, dim=-1)
    )
    mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True)
    return F.linear(mixed.transpose(1, 2).reshape(batch, length, width), block["proj"])


def _feed_forward(block: Weights, hidden: "torch.Tensor") -> "torch.Tensor":
    from torch.nn import functional as F  # noqa: N812

    normal = F.layer_norm(hidden, (hidden.shape[-1],), block["norm2"])
    return F.linear(F.gelu(F.linear(normal, block["up"])), block["down"])
