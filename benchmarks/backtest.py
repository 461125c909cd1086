"""Measures backtests over 10 million readings: reading from SQLite and judging, apart.

.venv/bin/python benchmarks/backtest.py [--series 285] [--readings 35000]
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from monitor.foresee.covering import loader, one_row
from storage.store import Store
from triggers.rule import Rule

KINDS = (
    {"when": "above", "threshold": 1100.0},
    {"when": "drops", "threshold": "10%", "baseline": "14d"},
    {"when": "drops", "threshold": "10%", "baseline": "14d", "for": "2 of 3"},
    {"when": "above", "threshold": 1075.0, "for": "2 of 3"},
)
BEGIN, STEP = 1_700_000_000_000, 900_000
DIP = 40


def main() -> None:
    """Fill a database, then judge each rule on every series of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=285)
    parser.add_argument("--readings", type=int, default=35_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.db"
        _fill(path, options.series, options.readings)
        store = Store.reader(path)
        count = options.series * options.readings
        print(f"{count:,} readings in {options.series} series, {path.stat().st_size / 1e6:,.0f} MB")
        for table in KINDS:
            _measure(store, Rule(name="bench", signal="bench.rate", **table), options.series)
        store.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory {peak:.0f} MiB")


def _measure(store: Store, rule: Rule, series: int) -> None:
    reading = judging = 0.0
    alarms = 0
    until = time.time()
    for number in range(series):
        begun = time.process_time()
        covered = loader(store, 0.0, until, rule)(rule, f"d{number}")
        assert covered is not None
        read = time.process_time()
        row = one_row(rule, covered, float(covered.past.at[-1]))
        alarms += row.tally.alarms if row.tally else 0
        reading += read - begun
        judging += time.process_time() - read
    said = f"{rule.when} {rule.threshold}, for {rule.hold}"
    print(f"{said:<32} read {reading:.1f} s, judged {judging:.1f} s, {alarms:,} alarms")


def _fill(path: Path, series: int, readings: int) -> None:
    writer = Store.writer(path)
    base = writer.connection
    base.execute("PRAGMA synchronous = OFF")
    base.execute("BEGIN")
    base.execute("INSERT INTO signals VALUES (1, 'bench.rate', '1/s', 'higher', '')")
    base.executemany(
        "INSERT INTO runs (id, probe, kind, outcome, reason, started, seconds, usd, qpu_seconds,"
        " settings, versions, payload, stderr)"
        " VALUES (?, 'p', 'k', 'ok', '', ?, 1, 0, 0, '{}', '{}', '{}', '')",
        ((k + 1, BEGIN + k * STEP) for k in range(readings)),
    )
    base.executemany(
        "INSERT INTO series VALUES (?, 1, ?)", ((n + 1, f"d{n}") for n in range(series))
    )
    for number in range(series):
        base.executemany(
            "INSERT INTO samples (series, at, value, origin, run, note)"
            " VALUES (?, ?, ?, 'measured', ?, '')",
            _rows(number, readings),
        )
    base.execute("COMMIT")
    writer.close()


def _rows(number: int, readings: int) -> Iterator[tuple[int, int, float, int]]:
    """Noise of 2 % about a level that drifts, and four dips of ten hours in a year."""
    random = np.random.default_rng(number)
    values = 1000 + random.normal(0, 20, readings) + 30 * np.sin(np.arange(readings) / 3000)
    for start in random.integers(0, max(1, readings - DIP), 4):
        values[start : start + DIP] *= 0.85
    late = random.integers(0, 2000, readings)
    for k, (value, delay) in enumerate(zip(values.tolist(), late.tolist(), strict=True)):
        yield number + 1, BEGIN + k * STEP + delay, value, k + 1


if __name__ == "__main__":
    main()
