"""What `qrossover crossover` says: the paper's machine and today's readings, as JSON-ready rows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from monitor.config import Config
from monitor.derive import OLDEST
from monitor.prices import with_price
from monitor.report import iso
from monitor.sides import Device, Processor, Sides, fastest
from storage.store import Store
from storage.types import now
from triggers.assumptions import NOTHING_GIVEN, Assumptions
from triggers.comparison import JULIAN_YEAR, Comparison, Number, Rate, absent, compare
from triggers.crossover import (
    EXPONENTS,
    OPERATIONS,
    PAPER_CLASSICAL,
    PAPER_MACHINE,
    PAPER_OPERATIONS,
    Machine,
)
from triggers.surface_code import Logical

FUTURE = "the paper's machine: 10,000 logical qubits, 10 µs a cycle"
NO_GPU = (
    "no GPU has been measured: gpu.gemm has left no reading of one in bfloat16, float16 or float32"
)
NO_DEVICE = (
    "no device's calibration has been read: no probe of the kind quantum.calibration has run"
)
FOR_SCALE = " (a CPU, shown for scale and never recorded)"
NO_PRICE = Number(None, why="the paper states no price")
NO_DATE = Number(None, why="the paper states no pace")
ON_CPU = Number(None, why="the price of an hour is a GPU's")


@dataclass(frozen=True, slots=True)
class Match:
    """Who is set against whom: `machine` is the name of the row."""

    machine: str
    operation: str
    quantum: str
    classical: str
    given: Assumptions
    rate: Rate | None = None
    side: Machine | None = None
    why: str = ""
    at: float | None = None
    replaced: Mapping[str, Number] = field(default_factory=dict)
    """Numbers that this match cannot have, with why."""
    held: Logical | None = None
    qubits: int | None = None
    """Of a device: what it holds, and its physical qubits."""


def rows(config: Config, store: Store) -> list[dict[str, Any]]:
    """A row for each machine, kind of operation and speed-up."""
    moment = now()
    sides = Sides(store)
    processors = sides.processors()
    matches = [
        *_paper(),
        *_processors(processors, config),
        *_devices(sides.devices(), processors, config),
    ]
    return [_row(match, k, moment) for match in matches for k in EXPONENTS]


def _paper() -> Iterator[Match]:
    """The paper's own columns; nothing of the config changes them."""
    names = {"asic": "the paper's ASIC", "gpu": "the paper's GPU (A100)"}
    for chip, rates in PAPER_CLASSICAL.items():
        for operation in PAPER_OPERATIONS:
            yield Match(
                f"paper/{chip}",
                operation,
                FUTURE,
                names[chip],
                NOTHING_GIVEN,
                Rate(rates[operation]),
                PAPER_MACHINE,
                replaced={"cost_ratio": NO_PRICE, "year": NO_DATE},
            )


def _processors(processors: list[Processor], config: Config) -> Iterator[Match]:
    given = config.crossover
    if not any(processor.is_gpu for processor in processors):
        yield Match("GPU", "fp16", FUTURE, "a GPU of ours", given, why=NO_GPU)
    machine = Machine(PAPER_MACHINE.logical_qubits, PAPER_MACHINE.cycle, given.acceptance)
    for processor in processors:
        scale = "" if processor.is_gpu else FOR_SCALE
        yield Match(
            processor.target,
            processor.operation,
            FUTURE,
            f"{processor.target}{scale}",
            with_price(given, config.prices, processor.family),
            processor.rate,
            machine,
            processor.why,
            processor.reading.at,
            {} if processor.is_gpu else {"cost_ratio": ON_CPU},
        )


def _devices(devices: list[Device], processors: list[Processor], config: Config) -> Iterator[Match]:
    given = config.crossover
    if not devices:
        yield Match("device", "fp16", "a device of today", "a GPU of ours", given, why=NO_DEVICE)
    for device in devices:
        recent = [p for p in processors if abs(p.reading.at - device.at) <= OLDEST]
        best = fastest(recent)
        operation = "fp16" if best is None else best.operation
        held = device.logical(operation, given)
        yield Match(
            device.target,
            operation,
            f"{device.target}: {device.qubits:,} physical qubits",
            "a GPU of ours" if best is None else best.target,
            given if best is None else with_price(given, config.prices, best.family),
            None if best is None else best.rate,
            held.machine,
            held.why or ("" if best else NO_GPU),
            device.at,
            held=held,
            qubits=device.qubits,
        )


def _row(match: Match, k: int, moment: float) -> dict[str, Any]:
    numbers = _compared(match, k, moment).named()
    return {
        "machine": match.machine,
        "operation": match.operation,
        "k": k,
        **{name: number.value for name, number in numbers.items()},
        "why": {name: number.why or None for name, number in numbers.items()},
        "inputs": _inputs(match),
    }


def _compared(match: Match, k: int, moment: float) -> Comparison:
    if match.why or match.rate is None or match.side is None:
        return absent(match.why)
    found = compare(
        match.rate, match.side, match.operation, k, given=match.given, moment=match.at or moment
    )
    return replace(found, **match.replaced)


def _inputs(match: Match) -> dict[str, Any]:
    """All that a row's numbers were worked out from."""
    given, doubling = match.given, match.given.quantum_doubling
    return {
        "quantum": match.quantum,
        "quantum_rate": match.side and match.side.rate(OPERATIONS[match.operation]),
        "quantum_rqops": match.side and match.side.rqops,
        "classical": match.classical,
        "classical_rate": match.rate and match.rate.value,
        "classical_rate_sigma": match.rate and match.rate.sigma,
        "read_at": iso(match.at),
        "budget_seconds": given.budget,
        "operations_a_call": given.operations,
        "gpu_usd_per_hour": given.gpu_usd_per_hour,
        "gpu_usd_source": given.gpu_usd_source or None,
        "quantum_usd_per_hour": given.quantum_usd_per_hour,
        "quantum_usd_source": given.quantum_usd_source or None,
        "quantum_doubling_years": doubling and doubling / JULIAN_YEAR,
        "acceptance": given.acceptance,
        "physical_qubits": match.qubits,
        "physical_qubits_needed": match.held and match.held.needed,
        "distance": match.held and match.held.distance,
    }
