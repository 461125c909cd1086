"""Readings that are worked out from a run's readings and from what is stored: what training costs,
and the crossover model on the GPUs that we measure and on the devices of today. Absent is what
cannot be told."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from monitor.costs import costs
from monitor.derived import INPUTS
from monitor.prices import with_price
from monitor.sections import Config
from monitor.sides import Device, Processor, Sides, fastest
from monitor.text import figure, number
from storage.store import Store
from storage.types import Origin, Reading
from triggers.assumptions import Assumptions
from triggers.comparison import JULIAN_YEAR, Comparison, compare
from triggers.crossover import CLASSICAL_DOUBLING, EXPONENTS, OPERATIONS, PAPER_MACHINE, Machine
from triggers.quantity import say_duration

OLDEST = 30 * 86400.0
"""A GPU that was last measured longer ago is no measured leg of a device's comparison."""


def derive(config: Config, store: Store, readings: Sequence[Reading]) -> list[Reading]:
    """What follows of a run's readings, to be stored with it."""
    return [*costs(config, store, readings), *_crossover(config, store, readings)]


def _crossover(config: Config, store: Store, readings: Sequence[Reading]) -> list[Reading]:
    changed = {reading.target for reading in readings if reading.signal in INPUTS}
    if not changed:
        return []
    sides = Sides(store, readings)
    gpus = [p for p in sides.processors() if p.is_gpu and p.rate is not None]
    found: list[Reading] = []
    for gpu in gpus:
        if gpu.reading.target in changed:
            found += _future(gpu, with_price(config.crossover, config.prices, gpu.family))
    for device in sides.devices():
        best = fastest(gpu for gpu in gpus if abs(gpu.reading.at - device.at) <= OLDEST)
        if best is not None and not changed.isdisjoint((device.target, best.reading.target)):
            given = with_price(config.crossover, config.prices, best.family)
            found += _today(device, best, given)
    return found


def _future(gpu: Processor, given: Assumptions) -> Iterator[Reading]:
    """The paper's machine against one of our GPUs. The acceptance rate is its own matter."""
    machine = Machine(PAPER_MACHINE.logical_qubits, PAPER_MACHINE.cycle, given.acceptance)
    yield from _readings(
        f"{gpu.target}/{{}}/future", "the paper's machine", machine, gpu, given, gpu.reading
    )


def _today(device: Device, gpu: Processor, given: Assumptions) -> Iterator[Reading]:
    machine = device.logical(gpu.operation, given).machine
    if machine is not None:
        inputs = (gpu.reading, *device.readings)
        yield from _readings(f"{device.target}/{{}}", device.target, machine, gpu, given, *inputs)


def _readings(
    where: str,
    name: str,
    machine: Machine,
    gpu: Processor,
    given: Assumptions,
    *inputs: Reading,
) -> Iterator[Reading]:
    """The numbers for each speed-up. `where` is the target, with `{}` for operation and speed-up.

    What ends in "/future" is about a machine that nobody has built, so that "*/k2" never is.
    """
    assert gpu.rate is not None
    at = max(reading.at for reading in inputs)
    simulated = any(reading.origin == "simulated" for reading in inputs)
    origin: Origin = "simulated" if simulated else "derived"
    said = _sides(name, machine, gpu)
    for k in EXPONENTS:
        found: Comparison = compare(gpu.rate, machine, gpu.operation, k, given=given, moment=at)
        for signal, told in found.named().items():
            if told.value is None:
                continue
            yield Reading(
                f"crossover.{signal}",
                where.format(f"{gpu.operation}/k{k}"),
                told.value,
                origin,
                told.sigma,
                at,
                f"{said}; {_assumed(signal, given)}",
            )


def _sides(name: str, machine: Machine, gpu: Processor) -> str:
    day = datetime.fromtimestamp(gpu.reading.at, UTC).date()
    rate = machine.rate(OPERATIONS[gpu.operation])
    assert gpu.rate is not None
    return (
        f"{name} ({figure(rate)} op/s) against {gpu.target} "
        f"({figure(gpu.rate.value)} op/s, {gpu.reading.origin} {day})"
    )


def _assumed(signal: str, given: Assumptions) -> str:
    """The assumptions that a number rests on; of a price its source."""
    budget, calls = f"within {say_duration(given.budget)}", f"{figure(given.operations)} op a call"
    if signal == "max_operations":
        return budget
    if signal == "break_even_seconds":
        return calls
    if signal == "year":
        pace = (given.quantum_doubling or 0.0) / JULIAN_YEAR
        return (
            f"{calls} {budget}; op/s double every {pace:.3g} years (assumed) against "
            f"{CLASSICAL_DOUBLING:g} on GPUs"
        )
    return (
        f"{calls} {budget}; GPU {_price(given.gpu_usd_per_hour, given.gpu_usd_source)}, "
        f"quantum {_price(given.quantum_usd_per_hour, given.quantum_usd_source)}"
    )


def _price(usd: float | None, source: str) -> str:
    return f"{number(usd or 0.0, 'USD/h')} ({source})"
