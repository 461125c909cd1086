"""How fast plain torch multiplies in bfloat16, by shape: `gpu_check.py` sets gpu.gemm beside it.

    CUDA_VISIBLE_DEVICES=UUID .venv/bin/python benchmarks/plain_product.py

Prints JSON, TFLOP/s by shape (M×N×K). Written by itself: it shares no code with the canary. The
shapes are cubes, and those that ml-engineering's search found best on A100, H100, B200, B300 and
GB200 (https://github.com/stas00/ml-engineering compute/accelerator).
"""

import json
import statistics
import sys
import time

import torch

SHAPES = (
    (4096, 4096, 4096),
    (8192, 8192, 4096),
    (8192, 8192, 8192),
    (1024, 10240, 5120),
    (1024, 15360, 4096),
    (2048, 2048, 13312),
    (2048, 5120, 6144),
    (4096, 9728, 2048),
    (1792, 16128, 3072),
    (12288, 18432, 1024),
)
WARM, TIMED, REST = 10, 30, 0.25


def rate(m: int, n: int, k: int, flush: torch.Tensor) -> float:
    """TFLOP/s of the median of some products, each with an empty cache and a fresh result."""
    a = torch.randn(m, k, device="cuda", dtype=torch.bfloat16)
    b = torch.randn(k, n, device="cuda", dtype=torch.bfloat16)
    c = torch.empty(m, n, device="cuda", dtype=torch.bfloat16)
    events = []
    time.sleep(REST)
    for _ in range(WARM + TIMED):
        flush.zero_()
        c.normal_()
        begun, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begun.record()
        torch.mm(a, b, out=c)
        ended.record()
        events.append((begun, ended))
    torch.cuda.synchronize()
    milliseconds = statistics.median(begun.elapsed_time(ended) for begun, ended in events[WARM:])
    return 2e-9 * m * n * k / milliseconds


def main() -> int:
    if not torch.cuda.is_available():
        print(f"torch {torch.__version__} sees no GPU here", file=sys.stderr)
        return 1
    torch.manual_seed(1)
    flush = torch.empty(256 << 20, device="cuda", dtype=torch.uint8)
    rates = {f"{m}×{n}×{k}": round(rate(m, n, k, flush), 2) for m, n, k in SHAPES}
    print(json.dumps(rates))
    return 0


if __name__ == "__main__":
    sys.exit(main())
