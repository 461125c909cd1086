"""The catalogue of peak rates (`peaks.toml`), looked up by the name that the driver prints."""

import functools
import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import Any


@dataclass(frozen=True, slots=True)
class Peak:
    """A dense peak rate in TFLOP/s and the data sheet that says so."""

    tflops: float
    source: str


def peak(name: str, dtype: str) -> Peak | None:
    """The dense peak of the device of that exact name in that dtype ("bfloat16").

    None for a device or dtype that the catalogue does not hold: a similar name is another device
    (an "NVIDIA H200 NVL" is slower than an "NVIDIA H200").
    """
    entry = catalogue().get(name, {})
    return Peak(tflops=entry[dtype], source=entry["source"]) if dtype in entry else None


def memory_peak(name: str) -> float | None:
    """The peak bandwidth, in TB/s, of the memory of the device of that exact name; None for a
    device that the catalogue does not hold."""
    return catalogue().get(name, {}).get("memory")


@functools.cache
def catalogue() -> dict[str, dict[str, Any]]:
    """Every entry of `peaks.toml`: device name to its rates (TFLOP/s by dtype), the bandwidth of
    its memory (TB/s), source and date."""
    return tomllib.loads(files("probes.gpu").joinpath("peaks.toml").read_text(encoding="utf-8"))
