"""Runs every canary on a GPU for real, twice, and says what came of it beside the data sheet.

    make gpu-check        or    .venv/bin/python benchmarks/gpu_check.py [--target cuda:1]

The canaries run as the service starts them, with their defaults; those of a whole node on all of
its GPUs. The table goes to the terminal, all of it to docs/gpu-results/NAME.json. Exit status: 0
all that could be told holds, 1 something does not, 3 nothing was measured (no GPU is free): then
nothing is written, and never of a CPU.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import textwrap
from datetime import UTC, datetime
from pathlib import Path

from gpu_report import WIDTH, Measured, Report, document, lines

from monitor import config as configs
from monitor.config import ProbeEntry
from monitor.runner import Runner
from probes.base import Probe, Skipped, kinds
from probes.gpu import devices, nvml
from probes.gpu.nvml import Gpu

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "docs" / "gpu-results"
MEMORY = 4 << 30
NOTHING_MEASURED = 3


def canaries() -> dict[str, type[Probe]]:
    """Every kind of probe that runs on GPUs."""
    return {kind: probe for kind, probe in kinds().items() if kind.startswith("gpu.")}


def is_of_one_gpu(probe: type[Probe]) -> bool:
    """Whether its target can be any text, and so name a GPU; else it takes all of the node."""
    return probe.model_fields["target"].annotation is str


def entries(gpu: Gpu, folder: Path) -> list[ProbeEntry]:
    """Each canary, on that GPU where it takes one, all else as it is by default."""
    tables = []
    for kind, probe in canaries().items():
        name = kind.removeprefix("gpu.")
        target = gpu.uuid if is_of_one_gpu(probe) else "auto"
        tables.append(f'[probe.{name}]\nkind = "{kind}"\nevery = "1h"\ntarget = "{target}"\n')
    text = "\n".join(tables).encode()
    return [*configs.parse(folder / "config.toml", text).probes.values()]


async def one_pass(runner: Runner, given: list[ProbeEntry]) -> list[Measured]:
    """Each canary once, one after the other."""
    found = []
    for entry in given:
        finished = await runner.run(entry)
        print(
            f"{entry.kind:<18} {finished.run.outcome:<8} {finished.run.seconds:5.1f} s", flush=True
        )
        found.append(Measured(finished.run, finished.readings))
    return found


async def two_passes(gpu: Gpu) -> tuple[list[Measured], list[Measured]]:
    """Every canary, and then every canary again."""
    with tempfile.TemporaryDirectory() as folder:
        runner = Runner(f"{folder}#", Path(folder))
        try:
            given = entries(gpu, Path(folder))
            return await one_pass(runner, given), await one_pass(runner, given)
        finally:
            await runner.close()


def plain_products(gpu: Gpu) -> dict[str, float]:
    """TFLOP/s of plain torch in bfloat16, by shape; nothing where that fails, which is told."""
    try:
        done = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("plain_product.py"))],
            env={**os.environ, "CUDA_VISIBLE_DEVICES": gpu.uuid},
            capture_output=True,
            text=True,
            timeout=300,
            check=True,
        )
    except subprocess.SubprocessError as error:  # what the canaries have measured is kept
        print(f"plain products failed: {error}", getattr(error, "stderr", ""), file=sys.stderr)
        return {}
    rates: dict[str, float] = json.loads(done.stdout)
    return rates


def without(reason: str) -> int:
    """Say that nothing was measured, and what would have been."""
    print(textwrap.fill(f"{reason}. Nothing was measured and nothing written.", WIDTH))
    print("\nOn a free NVIDIA GPU this would run twice, each in a process of its own:\n")
    for kind, probe in canaries().items():
        does = (probe.__doc__ or "").strip().splitlines()[0]
        print(textwrap.fill(f"  {kind:<18} {does}", WIDTH, subsequent_indent=" " * 21))
    return NOTHING_MEASURED


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--target", default="auto", type=devices.check_target, help="a GPU: cuda:N or its UUID"
    )
    target = parser.parse_args().target
    try:
        gpu = devices.resolve(target, MEMORY).gpu
    except Skipped as busy:
        return without(f"No GPU is free ({busy})")
    except LookupError as absent:
        return without(str(absent))
    if gpu is None:
        return without("There is no NVIDIA GPU here")
    print(f"{gpu.name}: every canary twice, then plain products\n")
    passes = asyncio.run(two_passes(gpu))
    date = datetime.now(UTC).date().isoformat()
    driver = {**nvml.driver(), "power_limit_watts": nvml.power_limit(gpu)}
    report = Report(gpu.name, gpu.uuid, date, passes, plain_products(gpu), driver)
    print("\n", *lines(report), sep="\n")
    if all(measured.run.outcome == "skipped" for both in passes for measured in both):
        print("\nEvery canary was skipped: nothing is written.")
        return NOTHING_MEASURED
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{gpu.name.replace(' ', '-')}.json"
    file.write_text(json.dumps(document(report), indent=1, ensure_ascii=False) + "\n", "utf-8")
    print(f"\nWritten to {file.relative_to(ROOT)}.")
    return int(any(check.passed is False for check in report.checks))


if __name__ == "__main__":
    sys.exit(main())
