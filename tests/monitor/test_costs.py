"""What training costs: by stated prices, by the market's, and not at all."""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from living import Living, eventually

from monitor import config as configs
from monitor.cli import cli
from monitor.derive import derive
from monitor.derived import declared
from monitor.prices import ON_THE_MARKET
from probes.market.catalog import known
from storage.store import Store
from storage.types import Reading, Run, now

GPU = "GPU-4f1c6d9e-1111-2222-3333-444455556666"
H100 = "NVIDIA H100 80GB HBM3"
SPEED, FLOPS, SECONDS = (
    "gpu.training.tokens_per_second",
    "gpu.training.flops",
    "gpu.quality.seconds",
)
UNITS = {SPEED: "token/s", FLOPS: "TFLOP/s", SECONDS: "s"}
DAY = 86400.0
STATED = f"""
[cost]
epoch_tokens = 1_000_000_000
[price."{H100}"]
usd_per_hour = 3.6
date = "2026-11-01"
source = "our contract"
[price.cpu]
usd_per_hour = 0.36
date = "2026-10-01"
source = "our power bill"
"""
SIGNALS = ", ".join(f'"{name}" = "{unit}"' for name, unit in UNITS.items())
PROGRAM = f"""
[probe.p]
kind = "external.command"
argv = ["{sys.executable}", "-c", "print(open('said').read())"]
signals = {{ {SIGNALS} }}
every = "1h"
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store.writer(tmp_path / "q.db")
    yield made
    made.close()


def costs(folder: Path, store: Store, *readings: Reading, more: str = STATED) -> list[Reading]:
    """What follows of the readings of one run."""
    file = folder / "config.toml"
    file.write_text(f'[monitor]\ndatabase = "q.db"\n{PROGRAM}{more}')
    return derive(configs.read(file), store, readings)


def speed(value: float = 50_000.0, **more: Any) -> Reading:
    usual: dict[str, Any] = {"origin": "measured", "sigma": value / 100, "family": H100}
    return Reading(SPEED, GPU, value, **(usual | more))


def asks(store: Store, value: float, at: float, target: str = "H100/on-demand") -> None:
    """The market's median, read at a moment."""
    reading = Reading("market.gpu_price.median", target, value, "vendor", at=at)
    run = Run("market", "market.gpu_price", "ok", "", at, 1.0)
    with store.transaction():
        store.record(run, [reading], [declared()["market.gpu_price.median"]])


# --- the arithmetic ----------------------------------------------------------------------------


def test_an_epoch_at_a_stated_price(tmp_path: Path, store: Store) -> None:
    setup = '{"dtype": "bfloat16", "kind": "gpu.training"}'
    measured = speed(setup=setup)
    [cost] = costs(tmp_path, store, measured)
    # 1e9 tokens at 50,000 a second take 20,000 s, at 3.6 USD an hour 0.001 USD each
    assert cost.value == pytest.approx(20.0)
    assert cost.sigma == pytest.approx(0.2)
    assert (cost.signal, cost.target, cost.origin) == ("gpu.cost.per_epoch", GPU, "derived")
    assert (cost.at, cost.family) == (measured.at, H100)
    assert cost.note == "1e9 tokens at $3.60/h (our contract, 2026-11-01)"
    assert json.loads(cost.setup) == {**json.loads(setup), "epoch_tokens": 10**9}


def test_useful_operations_and_the_way_to_a_target(tmp_path: Path, store: Store) -> None:
    found = costs(
        tmp_path,
        store,
        Reading(FLOPS, GPU, 400.0, "derived", 8.0, family=H100, setup="{}"),
        Reading(SECONDS, GPU, 1800.0, "measured", family=H100),
    )
    operations, target = found
    # 400 TFLOP/s do 10^18 operations in 2,500 s
    assert (operations.signal, operations.value) == ("gpu.cost.compute", pytest.approx(2.5))
    assert operations.sigma == pytest.approx(2.5 * 0.02)
    assert (target.signal, target.value) == ("gpu.cost.to_target", pytest.approx(1.8))
    assert target.sigma is None
    assert target.note == "at $3.60/h (our contract, 2026-11-01)"
    assert (operations.setup, target.setup) == ("{}", "")


def test_a_cpu_has_the_price_of_a_cpu_and_no_other(tmp_path: Path, store: Store) -> None:
    cpu = Reading(SPEED, "cpu:host", 1000.0, "measured")
    [cost] = costs(tmp_path, store, cpu)
    assert cost.value == pytest.approx(1e6 * 0.0001)
    assert "our power bill, 2026-10-01" in cost.note
    only_gpus = STATED.partition("[price.cpu]")[0]
    assert costs(tmp_path, store, cpu, more=only_gpus) == []


@pytest.mark.parametrize(
    ("reading", "more"),
    [
        (speed(), ""),
        (speed(), STATED.replace("epoch_tokens", "# epoch_tokens")),
        (speed(), STATED.replace(H100, "NVIDIA H100 PCIe")),
        (speed(family=""), STATED),
        (speed(0.0, sigma=None), STATED),
        (speed(-1.0, sigma=None), STATED),
        (speed(1e-300, sigma=None), STATED),
        (Reading(FLOPS, GPU, 1e-320, "derived", family=H100), STATED),
    ],
    ids=[
        "no price",
        "no tokens",
        "another device's price",
        "unknown device",
        "zero",
        "negative",
        "next to nothing",
        "even less",
    ],
)
def test_what_cannot_be_told_is_absent(
    tmp_path: Path, store: Store, reading: Reading, more: str
) -> None:
    assert costs(tmp_path, store, reading, more=more) == []


def test_a_device_is_known_from_its_earlier_readings(tmp_path: Path, store: Store) -> None:
    run = Run("training", "gpu.training", "ok", "", now(), 1.0)
    with store.transaction():
        store.record(run, [speed()], [declared()[SPEED]])
    assert len(costs(tmp_path, store, speed(family=""))) == 1


def test_what_follows_of_simulated_readings_is_simulated(tmp_path: Path, store: Store) -> None:
    [cost] = costs(tmp_path, store, speed(origin="simulated"))
    assert cost.origin == "simulated"


def test_inputs_are_read_in_the_units_that_they_are_declared_in() -> None:
    known_signals = declared()
    units = {name: known_signals[name].unit for name in UNITS if name in known_signals}
    assert SPEED in units
    assert units.items() <= UNITS.items()


# --- the market --------------------------------------------------------------------------------

TOKENS = "[cost]\nepoch_tokens = 1_000_000_000\n"


def test_the_markets_median_where_no_price_is_stated(tmp_path: Path, store: Store) -> None:
    at = now() - 5 * DAY
    asks(store, 1.8, at)
    asks(store, 0.9, now(), "H100/spot")
    [cost] = costs(tmp_path, store, speed(), more=TOKENS)
    assert cost.value == pytest.approx(10.0)
    day = datetime.fromtimestamp(at, UTC).date()
    assert cost.note == f"1e9 tokens at $1.80/h (the market's median of H100/on-demand, {day})"


def test_a_stated_price_goes_before_the_markets(tmp_path: Path, store: Store) -> None:
    asks(store, 1.8, now())
    [cost] = costs(tmp_path, store, speed())
    assert "our contract" in cost.note


def test_a_price_of_the_market_that_is_old_or_of_another_gpu_is_none(
    tmp_path: Path, store: Store
) -> None:
    asks(store, 1.8, now() - 31 * DAY)
    asks(store, 1.2, now(), "A100:80GB/on-demand")
    assert costs(tmp_path, store, speed(), more=TOKENS) == []
    assert costs(tmp_path, store, speed(family="NVIDIA H100"), more=TOKENS) == []
    asks(store, 1.8, now() - 29 * DAY)
    assert len(costs(tmp_path, store, speed(), more=TOKENS)) == 1


def test_drivers_names_are_gpuhunts_names() -> None:
    pytest.importorskip("gpuhunt", reason="its names are known with qrossover[market]")
    for driver, market in ON_THE_MARKET.items():
        assert known(market) == market
        words = driver.replace(" NVL", "NVL").replace("-", " ").split()
        assert [word for word in market.split(":") if word not in words] == []


# --- the whole way -----------------------------------------------------------------------------


def call(folder: Path, *words: str) -> Any:
    done = CliRunner().invoke(cli, ["--config", str(folder / "config.toml"), *words, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


def test_a_trigger_on_a_cost_fires_and_a_changed_price_counts_from_the_next_run(
    tmp_path: Path,
) -> None:
    rule = '[trigger.dear]\nsignal = "gpu.cost.per_epoch"\nwhen = "above"\nthreshold = 90\n'
    text = f'[monitor]\ndatabase = "q.db"\n{PROGRAM}{STATED}{rule}'
    (tmp_path / "config.toml").write_text(text)
    line = {"signal": SPEED, "target": "cpu:host", "value": 1000.0, "sigma": 10.0}
    (tmp_path / "said").write_text(json.dumps(line))
    call(tmp_path, "once")
    [row] = call(tmp_path, "signals", "gpu.cost.*")
    assert (row["signal"], row["value"], row["unit"]) == (
        "gpu.cost.per_epoch",
        pytest.approx(100.0),
        "USD",
    )
    [standing] = call(tmp_path, "trigger", "list")
    assert (standing["name"], standing["state"], standing["target"]) == (
        "dear",
        "firing",
        "cpu:host",
    )
    (tmp_path / "config.toml").write_text(text.replace("0.36", "0.18"))
    call(tmp_path, "once")
    rows = call(tmp_path, "signals", "gpu.cost.*", "--since", "1h")
    assert rows[-1]["value"] == pytest.approx(50.0)
    [standing] = call(tmp_path, "trigger", "list")
    assert standing["state"] == "inactive"


def test_a_running_service_takes_a_new_price_with_the_next_run(tmp_path: Path) -> None:
    speeds = (
        STATED.replace("1_000_000_000", "1000")
        + f"""
[probe.speed]
kind = "external.command"
argv = ["{sys.executable}", "-c", "print(open('said').read())"]
signals = {{ "{SPEED}" = "token/s" }}
every = "1s"
"""
    )
    (tmp_path / "said").write_text(json.dumps({"signal": SPEED, "target": "cpu:a", "value": 1.0}))
    living = Living(tmp_path, more=speeds, every="1h")

    def costs_of() -> set[float]:
        query = "SELECT value FROM readings WHERE signal = 'gpu.cost.per_epoch'"
        return {round(value, 9) for (value,) in living.rows(query)}

    with living.running() as service:
        eventually(lambda: costs_of() == {0.1}, "the first cost")
        living.config.write_text(living.config.read_text().replace("0.36", "0.72"))
        eventually(lambda: costs_of() == {0.1, 0.2}, "the cost at the new price")
        assert service.poll() is None
