"""What training costs: the time of a run's measurements times the price of its device. Absent is
what has no price."""

import json
import math
from collections.abc import Iterator, Sequence

from monitor.derived import COSTS, PER_EPOCH, TO_TARGET
from monitor.prices import Hourly, Prices
from monitor.sections import Config
from monitor.text import figure
from storage.store import Store
from storage.types import Reading

HOUR = 3600.0
EXA, TERA = 1e18, 1e12


def costs(config: Config, store: Store, readings: Sequence[Reading]) -> Iterator[Reading]:
    """What a run's readings amount to in USD, each on the target and at the moment of its input."""
    inputs = [reading for reading in readings if reading.signal in COSTS and reading.value > 0]
    if not inputs:
        return
    prices, tokens = Prices(config, store), config.cost.epoch_tokens
    for reading in inputs:
        hours, price = _hours(reading, tokens), prices.of(reading)
        if hours is not None and price is not None and math.isfinite(hours * price.usd):
            yield _cost(reading, hours, price, tokens)


def _hours(reading: Reading, tokens: int | None) -> float | None:
    """How long the device is paid for; None where nobody has said what for."""
    name = COSTS[reading.signal].name
    if name == TO_TARGET:
        return reading.value / HOUR
    if name == PER_EPOCH:
        return None if tokens is None else tokens / reading.value / HOUR
    return EXA / (reading.value * TERA) / HOUR


def _cost(reading: Reading, hours: float, price: Hourly, tokens: int | None) -> Reading:
    signal, usd = COSTS[reading.signal], hours * price.usd
    # time and speed alike: the share of a quotient's uncertainty is that of what is divided by
    sigma = None if reading.sigma is None else usd * (reading.sigma / reading.value)
    note, setup = f"at {price.said}", reading.setup
    if signal.name == PER_EPOCH:
        note = f"{figure(tokens or 0)} tokens {note}"
        setup = json.dumps({**json.loads(setup or "{}"), "epoch_tokens": tokens}, sort_keys=True)
    return Reading(
        signal.name,
        reading.target,
        usd,
        "simulated" if reading.origin == "simulated" else "derived",
        sigma if sigma is None or math.isfinite(sigma) else None,
        reading.at,
        note,
        reading.family,
        setup,
    )
