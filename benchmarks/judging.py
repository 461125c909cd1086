"""Measures one pass over 10,000 triggers on 10,000 series in a real database.

.venv/bin/python benchmarks/judging.py [--triggers 10000] [--readings 20]
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path
from types import MappingProxyType

from monitor.config import Budget, Config, Monitor
from monitor.judge import Judge
from monitor.writer import Writer
from storage.types import Reading, Run, Signal
from triggers.rule import Rule

SIGNAL = Signal("bench.rate", "1/s", "higher", "A made-up rate")
SETUP = '{"driver": "570.86.15", "kind": "bench.rate", "power_limit_watts": 700, "revision": 1}'
KINDS = (
    {"when": "above", "threshold": 150.0, "for": "2 of 3"},
    {"when": "below", "threshold": 50.0, "for": "30m"},
    {"when": "drops", "threshold": "10%", "baseline": "14d", "for": "2 readings"},
    {"when": "stale", "threshold": "2h"},
)


def main() -> None:
    """Fill a database, then judge everything three times and the slow clock once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--triggers", type=int, default=10_000)
    parser.add_argument("--readings", type=int, default=20)
    options = parser.parse_args()
    now = time.time()
    with tempfile.TemporaryDirectory() as folder:
        writer = Writer(Path(folder) / "bench.db")
        _fill(writer, options.triggers, options.readings, now)
        rules = {
            f"t{n}": Rule(name=f"t{n}", signal=SIGNAL.name, target=f"d{n}", **KINDS[n % len(KINDS)])
            for n in range(options.triggers)
        }
        judge = Judge(_config(Path(folder), rules), writer)
        print(f"{options.triggers} triggers on as many series of {options.readings} readings")
        for name, work in (
            ("first pass", judge.everything),
            ("second pass", judge.everything),
            ("slow clock", judge.slow),
        ):
            begun = time.perf_counter()
            writer.once(lambda work=work: work(now))
            print(f"{name:<12} {time.perf_counter() - begun:.2f} s")
        writer.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{'peak memory':<12} {peak:.0f} MiB")


def _fill(writer: Writer, series: int, readings: int, now: float) -> None:
    run = Run("bench", "external.command", "ok", "", now, 1.0)
    taken = [
        Reading(
            SIGNAL.name,
            f"d{n}",
            100.0 + (n * k) % 7,
            "measured",
            at=now - 900.0 * k,
            setup=SETUP,
        )
        for n in range(series)
        for k in range(readings)
    ]
    writer.once(lambda: writer.store.record(run, taken, (SIGNAL,)))


def _config(folder: Path, rules: dict[str, Rule]) -> Config:
    empty = MappingProxyType({})
    return Config(
        folder / "config.toml", "", Monitor(), None, Budget(), empty, MappingProxyType(rules), empty
    )


if __name__ == "__main__":
    main()
