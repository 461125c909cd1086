"""What `gpu_check.py` says of a GPU: figures of two runs beside the data sheet, and what holds.

Pure functions of what the runs brought, for eyes (80 columns) and as the JSON of docs/gpu-results/.
"""

import platform
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from monitor.text import figure, percent
from probes.base import kinds
from probes.gpu.devices import UUID
from probes.gpu.peaks import memory_peak, peak
from storage.types import Reading, Run

WIDTH = 80
BEST_SHARE = 0.97
"""Of the best plain product, what the canary's burst in bfloat16 must reach."""
COPY_SHARE = 0.9
"""Of the data sheet's bandwidth, what a copy must reach."""
REPEATS_WITHIN = 0.02
MOST_SECONDS = 30.0
"""Of a run as a whole, start-up included."""
MOST_MEASURING = 5.0
"""Of its measurement, for which the GPU is held."""
RATES = ("TFLOP/s", "GB/s", "token/s")
"""Units of what must come out the same twice."""
MARKS = {True: "✔", False: "✘", None: "?"}


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of a canary with its readings."""

    run: Run
    readings: Sequence[Reading]


@dataclass(frozen=True, slots=True)
class Figure:
    """One signal on one part of the GPU ("bfloat16", "" for the whole) in two runs, None where a
    run lacks it; `peak` is the data sheet's, in the same unit."""

    kind: str
    signal: str
    on: str
    unit: str
    value: float | None
    second: float | None
    peak: float | None = None

    @property
    def difference(self) -> float | None:
        """Of the second run from the first, as a share of that."""
        if not self.value or self.second is None:
            return None
        return self.second / self.value - 1

    @property
    def share(self) -> float | None:
        """Of the peak."""
        return self.value / self.peak if self.peak and self.value is not None else None


@dataclass(frozen=True, slots=True)
class Check:
    """What had to hold; `passed` is None where that cannot be told."""

    name: str
    passed: bool | None
    said: str


@dataclass(frozen=True, slots=True)
class Report:
    """All of one check of one GPU. `plain` is the rate of plain torch in bfloat16, in TFLOP/s, by
    shape; `driver` what NVML says of itself and of the GPU's power limit, whatever the runs say."""

    gpu: str
    uuid: str
    date: str
    passes: tuple[Sequence[Measured], Sequence[Measured]]
    plain: Mapping[str, float] = field(default_factory=dict)
    driver: Mapping[str, Any] = field(default_factory=dict)

    @property
    def figures(self) -> list[Figure]:
        """Every signal that either pass has, as the kinds declare them."""
        first, second = (self._values(measured) for measured in self.passes)
        units = {signal.name: signal.unit for kind in kinds().values() for signal in kind.signals}
        found = []
        for signal, on in dict.fromkeys([*first, *second]):
            kind = ".".join(signal.split(".")[:2])
            values = first.get((signal, on)), second.get((signal, on))
            limit = peak_of(self.gpu, signal, on)
            found.append(Figure(kind, signal, on, units[signal], *values, limit))
        return found

    def _values(self, measured: Sequence[Measured]) -> dict[tuple[str, str], float]:
        return {
            (reading.signal, self._part(reading.target)): reading.value
            for one in measured
            for reading in one.readings
        }

    def _part(self, target: str) -> str:
        """What of a target is neither this GPU nor this host."""
        return target.removeprefix(self.uuid).removeprefix(platform.node()).lstrip("/")

    @property
    def checks(self) -> list[Check]:
        """What had to hold."""
        figures = {(one.signal, one.on): one for one in self.figures}
        runs = [one.run for measured in self.passes for one in measured]
        return [
            all_ran(runs),
            as_fast_as_plain(figures.get(("gpu.gemm.throughput", "bfloat16")), self.plain),
            copies_well(figures.get(("gpu.memory.copy_bandwidth", ""))),
            repeats(self.figures),
            is_brief(runs),
            is_gentle(runs),
        ]


def peak_of(gpu: str, signal: str, on: str) -> float | None:
    """The data sheet's figure for a signal, in its unit; None where there is none."""
    if signal in ("gpu.gemm.throughput", "gpu.gemm.sustained_throughput"):
        found = peak(gpu, on)
        return None if found is None else found.tflops
    if signal == "gpu.memory.copy_bandwidth":
        terabytes = memory_peak(gpu)
        return None if terabytes is None else terabytes * 1000
    return None


def all_ran(runs: Sequence[Run]) -> Check:
    """A run that failed is a fault; one that was skipped leaves something untold."""
    bad = [run for run in runs if run.outcome in ("failed", "timeout")]
    idle = [run for run in runs if run.outcome == "skipped"]
    each = [f"{run.kind} {run.outcome}: {anonymous(run.reason)}" for run in [*bad, *idle]]
    said = "; ".join(dict.fromkeys(each))
    passed = False if bad else None if idle or not runs else True
    return Check("every canary runs", passed, said or f"{len(runs)} runs")


def as_fast_as_plain(burst: Figure | None, plain: Mapping[str, float]) -> Check:
    """The canary's own product against the best that plain torch has here."""
    name = f"bfloat16 product at least {percent(BEST_SHARE)} of the best plain one"
    if burst is None or burst.value is None or not plain:
        return Check(name, None, "not measured")
    shape, best = max(plain.items(), key=lambda item: item[1])
    share = burst.value / best
    said = f"{figure(burst.value)} of {figure(best)} TFLOP/s ({shape}): {percent(share)}"
    return Check(name, share >= BEST_SHARE, said)


def copies_well(copy: Figure | None) -> Check:
    """The copy's bandwidth against the data sheet."""
    name = f"copy bandwidth at least {percent(COPY_SHARE)} of the peak"
    if copy is None or copy.value is None:
        return Check(name, None, "not measured")
    if copy.share is None:
        return Check(name, None, f"{figure(copy.value)} GB/s; peaks.toml has no peak of this GPU")
    said = f"{figure(copy.value)} of {figure(copy.peak or 0.0)} GB/s: {percent(copy.share)}"
    return Check(name, copy.share >= COPY_SHARE, said)


def repeats(figures: Sequence[Figure]) -> Check:
    """The rates of the two passes against one another; not a collective's, which depend on every
    GPU and process of the node, and are some µs where messages are small."""
    name = f"two runs within {percent(REPEATS_WITHIN)}"
    apart = [
        (abs(one.difference), one)
        for one in figures
        if one.unit in RATES
        and one.kind != "gpu.collective"
        and not one.signal.endswith(("_p10", "_p90"))
        and one.difference is not None
    ]
    if not apart:
        return Check(name, None, "no rate was measured twice")
    most, worst = max(apart, key=lambda pair: pair[0])
    where = f"{worst.signal} {worst.on}".rstrip()
    beyond = sum(apart_by > REPEATS_WITHIN for apart_by, _ in apart)
    said = f"{percent(most)} at most: {where}; {beyond} of {len(apart)} are further apart"
    return Check(name, most <= REPEATS_WITHIN, said)


def is_brief(runs: Sequence[Run]) -> Check:
    """The time of whole runs, start-up included."""
    return _slowest(
        f"a run takes at most {MOST_SECONDS:g} s",
        [(run.seconds, run.kind) for run in runs if run.outcome == "ok"],
        MOST_SECONDS,
    )


def is_gentle(runs: Sequence[Run]) -> Check:
    """The time of measuring, in which the GPU is held: start-up is before that, but what the first
    use of a library takes is in it, and what the host works out meanwhile."""
    return _slowest(
        f"of that at most {MOST_MEASURING:g} s on the GPU, beyond start-up",
        [
            (run.payload["measuring_seconds"], run.kind)
            for run in runs
            if "measuring_seconds" in run.payload
        ],
        MOST_MEASURING,
    )


def _slowest(name: str, seconds: Sequence[tuple[float, str]], most: float) -> Check:
    if not seconds:
        return Check(name, None, "not measured")
    longest, kind = max(seconds)
    others = sorted({other for taken, other in seconds if taken > most} - {kind})
    also = f"; more than {most:g} s too: {', '.join(others)}" if others else ""
    return Check(name, longest <= most, f"{longest:.1f} s at most: {kind}{also}")


def anonymous(reason: str) -> str:
    """A run's reason without the names of the machine and its GPUs."""
    host = re.escape(platform.node() or "localhost")
    return re.sub(rf"\b{host}\b", "the host", UUID.sub("GPU-…", reason))


def document(report: Report) -> dict[str, Any]:
    """The report as JSON. Neither the GPU's UUID nor the host's name is in it."""
    runs = [one.run for measured in report.passes for one in measured]
    devices = [run.payload["device"] for run in runs if "device" in run.payload]
    known = ("cuda", "cudnn", "torch")
    return {
        "gpu": report.gpu,
        "date": report.date,
        **report.driver,
        **{name: devices[0].get(name) for name in known if devices},
        "versions": {name: version for run in runs for name, version in run.versions.items()},
        "runs": [
            {
                "kind": run.kind,
                "outcome": run.outcome,
                "reason": anonymous(run.reason),
                "seconds": run.seconds,
                "measuring_seconds": run.payload.get("measuring_seconds"),
                "health": run.payload.get("device", {}).get("health"),
            }
            for run in runs
        ],
        "figures": [
            {**asdict(one), "difference": one.difference, "share": one.share}
            for one in report.figures
        ],
        "plain_bfloat16_tflops": dict(report.plain),
        "checks": [asdict(check) for check in report.checks],
    }


def lines(report: Report) -> Iterator[str]:
    """The report for eyes, in 80 columns; deciles and shares of their own are left to the JSON."""
    yield f"{report.gpu}, {report.date}"
    kind = ""
    for one in report.figures:
        if one.signal.endswith(("_p10", "_p90", "share_of_peak")):
            continue
        if one.kind != kind:
            kind = one.kind
            yield ""
            yield _row(kind, "on", "first", "", "second", "differ", "peak", "of it")
        yield _row(
            one.signal.removeprefix(f"{kind}."),
            one.on.rpartition("/")[2],  # of a collective the size of its message
            *(_number(one.value), one.unit, _number(one.second)),
            "–" if one.difference is None else f"{one.difference:+.1%}",
            _number(one.peak),
            "–" if one.share is None else f"{one.share:.0%}",
        )
    yield ""
    for check in report.checks:
        mark = f"{MARKS[check.passed]} "
        said = f"{check.name}: {check.said}"
        yield from textwrap.wrap(said, WIDTH, initial_indent=mark, subsequent_indent="  ")


def _number(value: float | None) -> str:
    return "–" if value is None else figure(value)


def _row(*cells: str) -> str:
    name, on, value, unit, second, difference, limit, share = cells
    return (
        f"{name:<24.24} {on:<8.8} {value:>9.9} {unit:<7.7} {second:>9.9} {difference:>6.6} "
        f"{limit:>5.5} {share:>5.5}"
    ).rstrip()
