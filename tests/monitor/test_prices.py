"""[price] and [cost]: what they may say, what is said of odd ones, and who else goes by them."""

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from monitor import config as configs
from monitor.cli import cli
from monitor.config import Config
from monitor.problems import ConfigError
from monitor.runner import Finished
from monitor.settling import record
from storage.store import Store
from storage.types import Reading, Run, now

GPU = "GPU-4f1c6d9e-1111-2222-3333-444455556666"
H200 = "NVIDIA H200"
PROBE = f"""
[probe.p]
kind = "external.command"
argv = ["{sys.executable}", "-c", "print(open('said').read())"]
signals = {{ "gpu.gemm.throughput" = "TFLOP/s", "gpu.training.tokens_per_second" = "token/s" }}
every = "1h"
"""
TOKENS = "[cost]\nepoch_tokens = 1000\n"
RULE = '[trigger.dear]\nsignal = "gpu.cost.per_epoch"\nwhen = "above"\nthreshold = 9\n'


def day(days_ago: int) -> str:
    return f"{datetime.now(UTC) - timedelta(days=days_ago):%Y-%m-%d}"


RECENT = day(30)


def price(date: str | None = RECENT, name: str = H200, **more: Any) -> str:
    table = {"usd_per_hour": 3.2, "date": date, "source": "our contract"} | more
    lines = [f"{key} = {json.dumps(value)}" for key, value in table.items() if value is not None]
    return "\n".join([f'[price."{name}"]', *lines, ""])


def read(folder: Path, text: str) -> Config:
    file = folder / "config.toml"
    file.write_text(PROBE + text)
    return configs.read(file)


def test_prices_stand_under_the_names_that_drivers_print(tmp_path: Path) -> None:
    found = read(tmp_path, price() + price(name="cpu", usd_per_hour=1) + TOKENS)
    assert set(found.prices) == {H200, "cpu"}
    assert found.prices[H200].usd_per_hour == 3.2
    assert str(found.prices[H200].date) == RECENT
    assert found.cost.epoch_tokens == 1000
    assert not found.warnings


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (price(source=None), 'price."NVIDIA H200".source: this key is missing'),
        (price(date=None), 'price."NVIDIA H200".date: this key is missing'),
        (price(usd_per_hour=None), "usd_per_hour: this key is missing"),
        (price(source=" "), "source: expected where the price is from"),
        (price(usd_per_hour=0), "usd_per_hour: expected"),
        (price(usd_per_hour="3.2"), "usd_per_hour: expected a number"),
        (price(day(-3)), "date: expected the day on which the price was seen, "),
        (price("1.11.2026"), "date: expected a date"),
        (price().replace(f'"{RECENT}"', RECENT), "put it in quotes"),
        (price(sauce="x"), 'sauce: unknown key. Did you mean "source"?'),
        ("[price]\nusd_per_hour = 3\n", "price.usd_per_hour: expected a table, "),
        ("price = 3.2\n", "price: expected a table, [price], got 3.2"),
        ("[prices]\n", 'prices: unknown key. Did you mean "price"?'),
        ("[cost]\nepoch_tokens = 0\n", "cost.epoch_tokens: expected"),
        ("[cost]\nepoch_token = 5\n", 'epoch_token: unknown key. Did you mean "epoch_tokens"?'),
    ],
)
def test_a_wrong_price_names_its_key(tmp_path: Path, table: str, said: str) -> None:
    (tmp_path / "config.toml").write_text(table + PROBE)
    with pytest.raises(ConfigError) as error:
        configs.read(tmp_path / "config.toml")
    [line] = error.value.lines
    assert said in line


def test_a_price_of_today_is_none_of_the_future(tmp_path: Path) -> None:
    east = datetime.now(UTC) + timedelta(hours=14)
    assert read(tmp_path, price(f"{east:%Y-%m-%d}")).prices


def test_an_old_price_is_warned_of(tmp_path: Path) -> None:
    assert not read(tmp_path, price(day(364))).warnings
    old = day(367)
    [warning] = read(tmp_path, price(old)).warnings
    assert warning == (
        f'price."NVIDIA H200" is of {old}, more than a year ago: see whether $3.20/h still holds, '
        "and renew its date"
    )
    done = CliRunner().invoke(cli, ["--config", str(tmp_path / "config.toml"), "check"])
    assert done.exit_code == 0
    assert "more than a year ago" in done.output


def test_a_trigger_on_a_cost_that_cannot_be_told_is_warned_of(tmp_path: Path) -> None:
    market = '[probe.m]\nkind = "market.gpu_price"\nevery = "24h"\n'
    [warning] = read(tmp_path, RULE + TOKENS).warnings
    assert warning == (
        "trigger.dear: without a [price] table or a probe of the kind market.gpu_price there is no "
        "gpu.cost.per_epoch"
    )
    [warning] = read(tmp_path, RULE + price()).warnings
    assert warning == "trigger.dear: without epoch_tokens in [cost] there is no gpu.cost.per_epoch"
    assert not read(tmp_path, RULE + price() + TOKENS).warnings
    assert not read(tmp_path, RULE + market + TOKENS).warnings


def test_a_program_may_not_print_a_cost(tmp_path: Path) -> None:
    text = PROBE.replace('"TFLOP/s"', '"TFLOP/s", "gpu.cost.to_target" = "USD"')
    (tmp_path / "config.toml").write_text(text)
    with pytest.raises(ConfigError, match="is worked out from other readings"):
        configs.read(tmp_path / "config.toml")


# --- the crossover model -----------------------------------------------------------------------

QUANTUM = '[crossover]\nquantum_usd_per_hour = 5760\nquantum_usd_source = "an offer"\n'
OWN = QUANTUM + 'gpu_usd_per_hour = 2.5\ngpu_usd_source = "a price list"\n'


def ratios(folder: Path, text: str) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """A run that measured an H200: the stored cost ratios, and the rows of the command."""
    config = read(folder, f'{text}[monitor]\ndatabase = "q.db"\n')
    rate = Reading("gpu.gemm.throughput", f"{GPU}/bfloat16", 700.0, "measured", family=H200)
    run = Run("p", "external.command", "ok", "", now(), 1.0)
    store = Store.writer(folder / "q.db")
    with store.transaction():
        done = record(store, config.probes["p"], Finished(run, (rate,), now()), None, config)
    store.close()
    file = str(folder / "config.toml")
    said = CliRunner().invoke(cli, ["--config", file, "crossover", "--json"])
    rows = [row for row in json.loads(said.output) if row["machine"] == GPU]
    costs = (r for r in done.readings if r.signal == "crossover.cost_ratio")
    return {reading.target: reading.value for reading in costs}, rows


def test_the_crossover_model_takes_the_price_of_the_gpu_compared(tmp_path: Path) -> None:
    stored, rows = ratios(tmp_path, QUANTUM + price())
    assert {row["inputs"]["gpu_usd_per_hour"] for row in rows} == {3.2}
    assert {row["inputs"]["gpu_usd_source"] for row in rows} == {f"our contract, {RECENT}"}
    assert {f"{GPU}/bf16/k{row['k']}/future": row["cost_ratio"] for row in rows} == stored
    assert len(stored) == 3


def test_the_crossover_models_own_price_goes_before(tmp_path: Path) -> None:
    own, rows = ratios(tmp_path, OWN + price())
    assert {row["inputs"]["gpu_usd_source"] for row in rows} == {"a price list"}
    (tmp_path / "q.db").unlink()
    by_price, _ = ratios(tmp_path, QUANTUM + price())
    assert {target: value * 2.5 / 3.2 for target, value in own.items()} == pytest.approx(by_price)


def test_the_price_of_another_gpu_is_none(tmp_path: Path) -> None:
    stored, rows = ratios(tmp_path, QUANTUM + price(name="NVIDIA B200"))
    assert stored == {}
    assert {row["why"]["cost_ratio"] for row in rows} == {"[crossover] says no gpu_usd_per_hour"}
