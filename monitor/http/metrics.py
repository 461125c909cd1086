"""What `/metrics` says: read from the database at each scrape, so that it is never behind."""

import importlib.metadata
from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from monitor.budget import DAY
from storage import reports
from storage.types import now

if TYPE_CHECKING:
    from monitor.health import Health
    from monitor.reload.loaded import State


class Readout(Collector):
    """The metrics of one service."""

    def __init__(self, health: "Health", loaded: "State") -> None:
        self._health = health
        self._loaded = loaded

    def collect(self) -> Iterator[Metric]:
        """Every family, anew."""
        yield self._build()
        yield self._faults()
        yield from self._config()
        yield from self._readings()
        yield self._standings()
        yield self._runs()
        yield self._alerts()
        yield from self._jobs()

    def _build(self) -> Metric:
        family = GaugeMetricFamily("qrossover_info", "Version of the service.", labels=["version"])
        family.add_metric([importlib.metadata.version("qrossover")], 1)
        return family

    def _faults(self) -> Metric:
        faults = len(self._health.faults())
        return GaugeMetricFamily("qrossover_faults", "Parts that make no progress.", faults)

    def _config(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "qrossover_config_loaded_timestamp_seconds",
            "When the config in force was loaded, in seconds since the epoch.",
            self._loaded.loaded_at,
        )
        yield GaugeMetricFamily(
            "qrossover_config_error",
            "1 while the config file cannot be used and an earlier one is in force.",
            float(bool(self._loaded.faults)),
        )

    def _readings(self) -> Iterator[Metric]:
        value = GaugeMetricFamily(
            "qrossover_reading",
            "Latest value of a signal, in the unit of its label.",
            labels=["signal", "target", "unit", "origin"],
        )
        taken = GaugeMetricFamily(
            "qrossover_reading_timestamp_seconds",
            "When the latest value was taken, in seconds since the epoch.",
            labels=["signal", "target"],
        )
        for row in reports.latest(self._health.writer.store):
            labels = [row["signal"], row["target"], row["unit"], row["origin"]]
            value.add_metric(labels, row["value"])
            taken.add_metric(labels[:2], row["at_ms"] / 1000)
        yield value
        yield taken

    def _standings(self) -> Metric:
        family = GaugeMetricFamily(
            "qrossover_standing",
            "Where a trigger stands on a target: 1 for the state of the label.",
            labels=["trigger", "target", "state"],
        )
        for standing in self._health.writer.store.standings():
            family.add_metric([standing.trigger, standing.target, standing.state], 1)
        return family

    def _runs(self) -> Metric:
        family = CounterMetricFamily(
            "qrossover_runs", "Runs of probes by outcome.", labels=["probe", "outcome"]
        )
        for probe, outcome, count in reports.outcomes(self._health.writer.store):
            family.add_metric([probe, outcome], count)
        return family

    def _alerts(self) -> Metric:
        family = GaugeMetricFamily(
            "qrossover_alerts", "Alerts in the outbox by state.", labels=["state"]
        )
        for state, count in self._health.writer.outbox.depth().items():
            family.add_metric([state], count)
        return family

    def _jobs(self) -> Iterator[Metric]:
        ledger = self._health.writer.ledger
        states = GaugeMetricFamily(
            "qrossover_jobs", "Jobs at quantum clouds by state.", labels=["state"]
        )
        for state, count in ledger.counts().items():
            states.add_metric([state], count)
        yield states
        reserved = ledger.reserved()
        yield GaugeMetricFamily(
            "qrossover_reserved_usd", "The most that open jobs may cost.", reserved.usd
        )
        yield GaugeMetricFamily(
            "qrossover_reserved_qpu_seconds",
            "The most QPU seconds that open jobs may take.",
            reserved.qpu_seconds,
        )
        yield from self._spent()

    def _spent(self) -> Iterator[Metric]:
        usd = GaugeMetricFamily(
            "qrossover_spent_usd", "What was spent in the last days.", labels=["days"]
        )
        seconds = GaugeMetricFamily(
            "qrossover_spent_qpu_seconds", "QPU seconds of the last days.", labels=["days"]
        )
        moment = now()
        for days in (1, 28):
            spent = self._health.writer.ledger.spent(moment - days * DAY)
            usd.add_metric([str(days)], sum(one.usd for one in spent))
            seconds.add_metric([str(days)], sum(one.qpu_seconds for one in spent))
        yield usd
        yield seconds
