"""What an hour of a device costs: what the config states, else what sellers ask on the market."""

import datetime
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from monitor.derived import COSTS, PER_EPOCH
from monitor.sections import Config, Cost, Price, ProbeEntry
from monitor.text import number
from storage import progress, reports
from storage.store import Store
from storage.types import Reading
from triggers.assumptions import Assumptions
from triggers.rule import Rule

MARKET = "market.gpu_price"
"""The kind of probe that reads what sellers ask."""
MEDIAN = f"{MARKET}.median"
"""Of the market's prices the one that counts. The lowest is one seller's, who may have nothing
left: it would make every GPU look cheap."""
OLDEST = 30 * 86400.0
"""A price of the market that was asked longer ago says nothing of today."""
OLD = datetime.timedelta(days=365)
"""A stated price older than that is worth a look."""
CPU = "cpu"
ON_THE_MARKET = {
    "NVIDIA A100-PCIE-40GB": "A100:40GB",
    "NVIDIA A100-SXM4-40GB": "A100:40GB",
    "NVIDIA A100 80GB PCIe": "A100:80GB",
    "NVIDIA A100-SXM4-80GB": "A100:80GB",
    "NVIDIA H100 80GB HBM3": "H100",
    "NVIDIA H100 PCIe": "H100",
    "NVIDIA H100 NVL": "H100NVL",
    "NVIDIA H200": "H200",
    "NVIDIA H200 NVL": "H200NVL",
    "NVIDIA GH200 480GB": "GH200",
    "NVIDIA B200": "B200",
    "NVIDIA B300 SXM6 AC": "B300",
    "NVIDIA GB200": "GB200",
    "NVIDIA L4": "L4",
    "NVIDIA L40S": "L40S",
}
"""What sellers call a GPU, by the exact name that its driver prints. One that is not here has no
market price: a name that only looks alike may be another GPU."""


@dataclass(frozen=True, slots=True)
class Hourly:
    """USD for an hour of one device, and what a note says of where that is from."""

    usd: float
    said: str


class Prices:
    """What devices cost, by the config's prices and the market's last ones."""

    def __init__(self, config: Config, store: Store) -> None:
        self._stated = config.prices
        self._families = progress.families(store)
        self._asked = {reading.target: reading for reading in reports.latest_of(store, MEDIAN)}

    def of(self, reading: Reading) -> Hourly | None:
        """The price of the device that a reading is about, at its moment; None: not known."""
        device = self._device(reading)
        if price := self._stated.get(device):
            return Hourly(price.usd_per_hour, f"{_per_hour(price.usd_per_hour)} ({source(price)})")
        asked = self._asked.get(f"{ON_THE_MARKET.get(device)}/on-demand")
        if asked is None or reading.at - asked.at > OLDEST:
            return None
        day = datetime.datetime.fromtimestamp(asked.at, datetime.UTC).date()
        said = f"{_per_hour(asked.value)} (the market's median of {asked.target}, {day})"
        return Hourly(asked.value, said)

    def _device(self, reading: Reading) -> str:
        if reading.target.startswith(f"{CPU}:"):
            return CPU
        return reading.family or self._families.get(reading.target, "")


def _per_hour(usd: float) -> str:
    return number(usd, "USD/h")


def source(price: Price) -> str:
    """Where a stated price is from, and of when."""
    return f"{price.source}, {price.date}"


def with_price(given: Assumptions, prices: Mapping[str, Price], device: str) -> Assumptions:
    """The assumptions, with the stated price of the GPU compared where they name none."""
    price = prices.get(device)
    if price is None or given.gpu_usd_per_hour is not None:
        return given
    stated = {"gpu_usd_per_hour": price.usd_per_hour, "gpu_usd_source": source(price)}
    return given.model_copy(update=stated)


def remarks(
    prices: Mapping[str, Price],
    cost: Cost,
    probes: Collection[ProbeEntry],
    rules: Collection[Rule],
) -> Iterator[str]:
    """What is odd about a config's prices, and stops no start."""
    today = datetime.datetime.now(datetime.UTC).date()
    for name, price in prices.items():
        if today - price.date > OLD:
            yield (
                f'price."{name}" is of {price.date}, more than a year ago: see whether '
                f"{_per_hour(price.usd_per_hour)} still holds, and renew its date"
            )
    costs = {signal.name for signal in COSTS.values()}
    priced = bool(prices) or any(entry.kind == MARKET for entry in probes)
    for rule in rules:
        if rule.signal in costs and not priced:
            yield (
                f"trigger.{rule.name}: without a [price] table or a probe of the kind {MARKET} "
                f"there is no {rule.signal}"
            )
        elif rule.signal == PER_EPOCH and cost.epoch_tokens is None:
            yield f"trigger.{rule.name}: without epoch_tokens in [cost] there is no {rule.signal}"
