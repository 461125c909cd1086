"""Derived readings through the real tick: a child prints, the transaction derives, rules judge."""

import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from monitor.config import read
from monitor.judge import Judge
from monitor.runner import Runner
from monitor.settling import House
from monitor.tick import tick
from monitor.writer import Writer
from storage.types import Reading

GPU = "GPU-4f1c6d9e-1111-2222-3333-444455556666"
RATE, QUBITS = "gpu.gemm.throughput", "quantum.calibration.qubits"
ERROR = "quantum.calibration.{}_error"
SIGNALS = {
    RATE: "TFLOP/s",
    QUBITS: "qubit",
    **{ERROR.format(what): "1" for what in ("two_qubit", "one_qubit", "readout")},
}
PRINTER = "import pathlib, sys; print(pathlib.Path(sys.argv[1]).read_text())"
PRICES = """
[crossover]
gpu_usd_per_hour = 2.5
gpu_usd_source = "a price list of 2026-11-01"
quantum_usd_per_hour = 5760
quantum_usd_source = "an offer of 2026-11-02"
"""


class Bench:
    """A service's inside over a folder. `says` is what the next run's program prints."""

    def __init__(self, folder: Path, more: str = "", origin: str = "measured") -> None:
        signals = ", ".join(f'"{name}" = "{unit}"' for name, unit in SIGNALS.items())
        file = folder / "config.toml"
        file.write_text(
            f"""
            [monitor]
            database = "q.db"
            [probe.p]
            kind = "external.command"
            argv = ["{sys.executable}", "-c", "{PRINTER}", "said"]
            signals = {{ {signals} }}
            origin = "{origin}"
            every = "1h"
            {more}
            """
        )
        self.folder, self.config = folder, read(file)
        self.writer = Writer(folder / "q.db")
        self.runner = Runner(f"{folder}#", folder)
        self.house = House(self.config, self.writer, self.runner, Judge(self.config, self.writer))

    async def says(self, *lines: dict[str, Any]) -> list[Reading]:
        """One run that prints these lines; the readings that stand with it."""
        (self.folder / "said").write_text("\n".join(map(json.dumps, lines)))
        settled = await tick(self.house, self.config.probes["p"])
        assert settled.run.outcome == "ok", settled.run.reason
        return list(settled.readings)

    async def close(self) -> None:
        await self.runner.close()
        self.writer.close()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self.writer.store.connection.execute(query)]


@pytest_asyncio.fixture
async def benches(tmp_path: Path) -> AsyncIterator[Any]:
    made: list[Bench] = []

    def make(more: str = "", **options: Any) -> Bench:
        made.append(Bench(tmp_path, more, **options))
        return made[-1]

    yield make
    for bench in made:
        await bench.close()


def gemm(
    value: float = 700.0, target: str = GPU, dtype: str = "float16", **more: Any
) -> dict[str, Any]:
    return {"signal": RATE, "target": f"{target}/{dtype}", "value": value} | more


def device(name: str, qubits: int, error: float) -> list[dict[str, Any]]:
    errors = {ERROR.format(what): error for what in ("two_qubit", "one_qubit", "readout")}
    return [
        {"signal": signal, "target": name, "value": value}
        for signal, value in {QUBITS: qubits, **errors}.items()
    ]


def crossing(readings: list[Reading]) -> dict[tuple[str, str], Reading]:
    return {
        (r.signal.partition(".")[2], r.target): r
        for r in readings
        if r.signal.startswith("crossover.")
    }


async def test_a_gpu_is_set_against_the_papers_machine_with_the_same_run(benches: Any) -> None:
    bench = benches()
    found = crossing(await bench.says(gemm(1100.0, sigma=11.0)))
    assert set(found) == {
        (name, f"{GPU}/fp16/k{k}/future")
        for name in ("max_operations", "break_even_seconds")
        for k in (2, 3, 4)
    }
    most = found["max_operations", f"{GPU}/fp16/k2/future"]
    # 1100 TFLOP/s are 550e12 multiplications with their additions: T·r_q² / r_c
    assert most.value == pytest.approx(1e6 * 10_500**2 / 550e12)
    assert most.sigma == pytest.approx(most.value * 0.01)
    assert most.origin == "derived"
    assert most.note.startswith(f"the paper's machine (10,500 op/s) against {GPU} (5.5e14 op/s")
    stored = bench.rows(
        "SELECT signal, count(*), count(DISTINCT run), min(unit) FROM readings"
        " WHERE origin = 'derived' GROUP BY signal ORDER BY signal"
    )
    assert stored == [
        ("crossover.break_even_seconds", 3, 1, "s"),
        ("crossover.max_operations", 3, 1, "op"),
    ]
    assert len({most.at, *(r.at for r in found.values())}) == 1


async def test_prices_and_their_sources_stand_in_the_note(benches: Any) -> None:
    found = crossing(await benches(PRICES).says(gemm()))
    cost = found["cost_ratio", f"{GPU}/fp16/k2/future"]
    assert cost.note.endswith(
        "1 op a call within 11.6 d; GPU $2.50/h (a price list of 2026-11-01), "
        "quantum $5,760.00/h (an offer of 2026-11-02)"
    )


async def test_a_year_says_that_its_pace_is_assumed(benches: Any) -> None:
    more = '[crossover]\nquantum_doubling = "2y"\noperations = 100'
    found = crossing(await benches(more).says(gemm()))
    assert "op/s double every 2 years (assumed) against 2.46 on GPUs" in (
        found["year", f"{GPU}/fp16/k2/future"].note
    )


@pytest.mark.parametrize(
    "line",
    [
        gemm(target="cpu:host"),
        {"signal": RATE, "target": GPU, "value": 700.0, "note": "float16"},
        gemm(dtype="int8"),
        gemm(dtype="tf32"),
        gemm(dtype="float8"),
        gemm(0.0),
        gemm(-1.0),
    ],
    ids=["cpu", "no dtype", "other dtype", "tf32", "float8", "zero", "negative"],
)
async def test_what_is_no_rate_of_a_gpu_leaves_nothing(benches: Any, line: Any) -> None:
    assert crossing(await benches(PRICES).says(line)) == {}


@pytest.mark.parametrize(
    ("dtype", "operation"), [("float16", "fp16"), ("bfloat16", "bf16"), ("float32", "fp32")]
)
async def test_the_dtype_decides_what_one_operation_is(
    benches: Any, dtype: str, operation: str
) -> None:
    found = crossing(await benches().says(gemm(dtype=dtype, note="clocks held down: power brake")))
    assert {target for _, target in found} == {f"{GPU}/{operation}/k{k}/future" for k in (2, 3, 4)}


async def test_each_dtype_of_a_gpu_is_set_against_the_papers_machine_by_itself(
    benches: Any,
) -> None:
    bench = benches()
    await bench.says(gemm(400.0, dtype="bfloat16"))
    dtypes = ("bfloat16", "float16", "float32", "float8")
    found = crossing(await bench.says(*(gemm(600.0, dtype=dtype) for dtype in dtypes)))
    operations = {"bf16": 21 / (98 * 1e-5), "fp16": 21 / (200 * 1e-5), "fp32": 18 / (1058 * 1e-5)}
    assert {target for _, target in found} == {
        f"{GPU}/{operation}/k{k}/future" for operation in operations for k in (2, 3, 4)
    }
    for operation, r_q in operations.items():
        most = found["max_operations", f"{GPU}/{operation}/k2/future"]
        assert most.value == pytest.approx(1e6 * r_q**2 / 300e12)


async def test_a_device_of_today_is_set_against_the_fastest_gpu_in_the_numbers_of_training(
    benches: Any,
) -> None:
    bench = benches()
    other = GPU.replace("1111", "9999")
    await bench.says(gemm(900.0), gemm(800.0, dtype="bfloat16"), gemm(850.0, other, "bfloat16"))
    found = crossing(await bench.says(*device("large", 10_000 * 578, 1e-3)))
    assert {target for _, target in found} == {f"large/bf16/k{k}" for k in (2, 3, 4)}
    assert f"against {other} (4.25e14 op/s" in found["max_operations", "large/bf16/k2"].note


async def test_numbers_that_nobody_can_mean_stop_no_run(benches: Any) -> None:
    bench = benches(PRICES)
    for value in (1e-300, 1e300):
        await bench.says(gemm(value), *device("wide", 10**18, 1e-12))
    assert [row[0] for row in bench.rows("SELECT outcome FROM runs")] == ["ok", "ok"]


async def test_a_device_of_today_has_no_reading(benches: Any) -> None:
    found = crossing(await benches(PRICES).says(gemm(), *device("today", 156, 1e-3)))
    assert {target.partition("/")[0] for _, target in found} == {GPU}


async def test_a_device_that_holds_a_unit_is_set_against_the_fastest_gpu(benches: Any) -> None:
    """d = 17 at an error of 1e-3: 578 physical qubits a logical one, 17 cycles of 1.1 µs a step."""
    bench = benches(PRICES)
    other = GPU.replace("1111", "9999")
    await bench.says(gemm(700.0), gemm(900.0, target=other))
    found = crossing(await bench.says(*device("large", 10_000 * 578, 1e-3)))
    most = found["max_operations", "large/fp16/k2"]
    r_q = 21 / (200 * 17 * 1.1e-6)
    assert most.value == pytest.approx(1e6 * r_q**2 / 450e12)
    assert other in most.note
    assert {target.partition("/")[0] for _, target in found} == {"large"}
    # a GPU that is now the fastest changes what the device has to beat
    found = crossing(await bench.says(gemm(1100.0)))
    assert found["max_operations", "large/fp16/k2"].value == pytest.approx(1e6 * r_q**2 / 550e12)


async def test_a_device_of_which_too_little_is_known_has_no_reading(benches: Any) -> None:
    lines = device("large", 10_000 * 578, 1e-3)[:-1]
    found = crossing(await benches().says(gemm(), *lines))
    assert {target.partition("/")[0] for _, target in found} == {GPU}


async def test_what_follows_of_simulated_readings_is_simulated(benches: Any) -> None:
    found = crossing(await benches(origin="simulated").says(gemm()))
    assert {reading.origin for reading in found.values()} == {"simulated"}


async def test_a_trigger_on_a_derived_signal_fires_in_the_same_transaction(benches: Any) -> None:
    bench = benches(
        PRICES
        + """
        [trigger.cheap]
        signal = "crossover.cost_ratio"
        target = "*/k4/future"
        when = "below"
        threshold = 1
        """
    )
    await bench.says(gemm())
    [(state, target, origin, unit)] = bench.rows(
        "SELECT state, target, origin, unit FROM standings WHERE \"trigger\" = 'cheap'"
    )
    assert (state, target, origin, unit) == ("firing", f"{GPU}/fp16/k4/future", "derived", "1")
    assert bench.rows("SELECT kind FROM alerts") == [("fires",)]


async def test_a_run_without_inputs_derives_nothing(benches: Any) -> None:
    bench = benches(PRICES)
    await bench.says(gemm())
    again = await bench.says({"signal": QUBITS, "target": "unheard", "value": 5})
    assert crossing(again) == {}
