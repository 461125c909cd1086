"""`qrossover crossover`: the rows, the table, and the config that they rest on; the real thing."""

import json
import re
import sys
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from monitor import config as configs
from monitor.cli import cli
from monitor.problems import ConfigError
from probes.base import kinds
from storage.store import Store
from storage.types import Reading, Run, now
from triggers.crossover import EXPONENTS

ROOT = Path(__file__).parents[2]
GPU = "GPU-4f1c6d9e-1111-2222-3333-444455556666"
KEYS = [
    "machine",
    "operation",
    "k",
    "max_operations",
    "break_even_seconds",
    "cost_ratio",
    "year",
    "why",
    "inputs",
]
CONFIG = f"""
[monitor]
database = "q.db"
[probe.p]
kind = "external.command"
argv = ["{sys.executable}", "-c", "print(open('said').read())"]
signals = {{ "gpu.gemm.throughput" = "TFLOP/s" }}
every = "1h"
[probe.boston]
kind = "quantum.calibration"
device = "fake_boston"
every = "24h"
"""
STATED = """
[crossover]
gpu_usd_per_hour = 2.5
gpu_usd_source = "a price list"
quantum_usd_per_hour = 5760
quantum_usd_source = "an offer"
quantum_doubling = "3y"
operations = 1000
budget = "30d"
"""


def call(folder: Path, *words: str) -> str:
    done = CliRunner().invoke(cli, ["--config", str(folder / "config.toml"), *words])
    assert done.exit_code == 0, done.output
    return done.output


def after_a_pass(
    folder: Path, target: str, more: str = "", dtypes: tuple[str, ...] = ("bfloat16",)
) -> None:
    """A folder in which each probe has run once, and a processor did 700 TFLOP/s in each dtype."""
    line = {"signal": "gpu.gemm.throughput", "value": 700.0}
    lines = [json.dumps({**line, "target": f"{target}/{dtype}"}) for dtype in dtypes]
    (folder / "said").write_text("\n".join(lines))
    (folder / "config.toml").write_text(CONFIG + more)
    call(folder, "once", "--json")


def rows(folder: Path) -> dict[tuple[str, str, int], dict[str, Any]]:
    found = json.loads(call(folder, "crossover", "--json"))
    assert all(list(row) == KEYS for row in found)
    named = {(row["machine"], row["operation"], row["k"]): row for row in found}
    assert len(named) == len(found)
    return named


def test_the_paper_our_gpu_and_a_device_stand_side_by_side(tmp_path: Path) -> None:
    after_a_pass(tmp_path, GPU, STATED)
    found = rows(tmp_path)
    assert {machine for machine, _, _ in found} == {"paper/asic", "paper/gpu", GPU, "fake_boston"}
    assert {k for _, _, k in found} == set(EXPONENTS)
    ours = found[GPU, "bf16", 2]
    r_q = 21 / (98 * 1e-5)
    assert ours["inputs"]["classical_rate"] == 350e12
    assert ours["max_operations"] == pytest.approx(30 * 86400 * r_q**2 / 350e12)
    assert ours["break_even_seconds"] == pytest.approx(1000 * 350e12 / r_q**2)
    assert ours["cost_ratio"] > 0
    assert ours["year"] > 2026
    assert set(ours["why"].values()) == {None}
    assert ours["inputs"]["gpu_usd_source"] == "a price list"
    stored = json.loads(call(tmp_path, "signals", "crossover.*", "--json"))
    assert {(row["signal"], row["target"]): row["value"] for row in stored} == {
        (f"crossover.{name}", f"{GPU}/bf16/k{k}/future"): found[GPU, "bf16", k][name]
        for k in EXPONENTS
        for name in ("max_operations", "break_even_seconds", "cost_ratio", "year")
    }


def test_nothing_of_the_config_changes_the_papers_columns(tmp_path: Path) -> None:
    after_a_pass(tmp_path, GPU, STATED)
    paper = {key: row for key, row in rows(tmp_path).items() if key[0].startswith("paper/")}
    assert len(paper) == 18
    assert paper["paper/asic", "binary", 2]["max_operations"] == pytest.approx(68.3, abs=0.05)
    assert {row["inputs"]["budget_seconds"] for row in paper.values()} == {1e6}
    assert {row["why"]["cost_ratio"] for row in paper.values()} == {"the paper states no price"}


def test_a_device_of_today_has_no_number_and_says_how_far_it_is(tmp_path: Path) -> None:
    after_a_pass(tmp_path, GPU)
    for k in EXPONENTS:
        row = rows(tmp_path)["fake_boston", "bf16", k]
        assert [row[name] for name in KEYS[3:7]] == [None] * 4
        assert row["why"]["year"].startswith("not achievable: its worst error, 0.00513 (readout), ")
        assert row["why"]["year"].endswith("it has 156")


def test_a_cpu_is_shown_for_scale_and_never_recorded(tmp_path: Path) -> None:
    after_a_pass(tmp_path, "cpu:host", STATED, ("float32",))
    found = rows(tmp_path)
    row = found["cpu:host", "fp32", 2]
    assert row["max_operations"] is not None
    assert row["why"]["cost_ratio"] == "the price of an hour is a GPU's"
    assert "a CPU, shown for scale and never recorded" in row["inputs"]["classical"]
    assert found["GPU", "fp16", 2]["why"]["year"].startswith("no GPU has been measured")
    # the device has no GPU to be set against, and that it holds nothing is said first
    assert found["fake_boston", "fp16", 2]["why"]["year"].startswith("not achievable")
    assert json.loads(call(tmp_path, "signals", "crossover.*", "--json")) == []


def test_a_gpu_has_a_row_for_each_kind_of_operation_and_a_device_one(tmp_path: Path) -> None:
    after_a_pass(tmp_path, GPU, STATED, ("float8", "float16", "bfloat16", "float32", "tf32"))
    found = rows(tmp_path)
    assert {op for machine, op, _ in found if machine == GPU} == {"bf16", "fp16", "fp32"}
    assert {op for machine, op, _ in found if machine == "fake_boston"} == {"bf16"}


def test_a_rate_of_numbers_that_the_model_lacks_is_none_of_its_rows(tmp_path: Path) -> None:
    after_a_pass(tmp_path, GPU, dtypes=("tf32",))
    found = rows(tmp_path)
    assert {machine for machine, _, _ in found} == {"paper/asic", "paper/gpu", "GPU", "fake_boston"}
    why = found["GPU", "fp16", 2]["why"]["max_operations"]
    assert why.endswith("gpu.gemm has left no reading of one in bfloat16, float16 or float32")


@pytest.mark.parametrize("target", [GPU, "cpu:" + "a-very-long-name-of-a-host-" * 3])
@pytest.mark.parametrize("more", ["", STATED])
def test_the_table_fits_80_columns_and_says_it_in_words(
    tmp_path: Path, target: str, more: str
) -> None:
    after_a_pass(tmp_path, target, more, ("bfloat16", "float16", "float32"))
    text = call(tmp_path, "crossover")
    assert max(map(len, text.splitlines())) <= 80
    said = " ".join(text.split())
    assert (
        "In fp16, a quadratic speed-up on the paper's future machine pays only below 0.2 "
        "operations per call against its ASIC, 0.6 against its GPU: not for training." in said
    )
    assert "10 Tbit/s reach a GPU, 1 Gbit/s that machine" in said
    assert re.search(r"fake_boston \(20\d\d-\d\d-\d\d\): not achievable", said)
    assert ("cost ratio" in said) or not more
    assert ("shown for scale and never recorded" in said) == target.startswith("cpu:")


DECLARED = [signal for kind in kinds().values() for signal in kind.signals]


def look(folder: Path, device: str, qubits: float, error: float, probe: str = "boston") -> None:
    """A device as its owner describes it, read by a probe."""
    given = {"qubits": qubits, "two_qubit_error": error, "one_qubit_error": 1e-4}
    values = given | {"readout_error": error}
    readings = [
        Reading(f"quantum.calibration.{name}", device, value, "vendor", at=now())
        for name, value in values.items()
    ]
    run = Run(probe, "quantum.calibration", "ok", "", now(), 1.0, settings={"device": device})
    store = Store.writer(folder / "q.db")
    with store.transaction():
        store.record(run, readings, DECLARED)
    store.close()


def test_many_devices_share_a_line_and_the_conclusion_stands_first(tmp_path: Path) -> None:
    after_a_pass(tmp_path, GPU)
    for index in range(6):
        look(tmp_path, f"noisy-{index}", 100, 0.02 + index / 100)
    look(tmp_path, "quiet", 1000, 1e-3)
    look(tmp_path, "of-the-past", 1_000_000, 1e-3, probe="backfill")
    assert not any(machine == "of-the-past" for machine, _, _ in rows(tmp_path))
    text = call(tmp_path, "crossover")
    assert text.startswith("In fp16, a quadratic speed-up on the paper's future machine pays only")
    assert len(text.splitlines()) <= 42
    said = " ".join(text.split())
    assert (
        "8 devices: no logical unit fits on any of them. Nearest: quiet (needs 265 k physical "
        "qubits at d = 17, has 1,000); 6 above the surface code's threshold." in said
    )
    assert "noisy" not in said
    everyone = " ".join(call(tmp_path, "crossover", "--all").split())
    assert everyone.count("not achievable: its worst error") == 8
    inputs = rows(tmp_path)["quiet", "bf16", 2]["inputs"]
    assert (inputs["physical_qubits"], inputs["distance"]) == (1000, 17)
    assert inputs["physical_qubits_needed"] == 265302


def test_without_a_database_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(CONFIG)
    done = CliRunner().invoke(cli, ["--config", str(tmp_path / "config.toml"), "crossover"])
    assert done.exit_code == 1
    assert "no database" in done.output


def test_the_checklist_says_what_a_cost_ratio_waits_for(tmp_path: Path) -> None:
    asks = """
[trigger.cost]
signal = "crossover.cost_ratio"
target = "*/k2"
when = "below"
threshold = 1
[trigger.soon]
signal = "quantum.calibration.two_qubit_error"
when = "crosses"
side = "below"
threshold = 1e-4
horizon = "5y"
[checklist.affordable]
question = "Is it affordable?"
requires = ["cost"]
"""
    after_a_pass(tmp_path, GPU, asks)
    advice = "; no price is stated: state prices in [crossover]"

    def why() -> str:
        [item] = json.loads(call(tmp_path, "checklist", "--json"))["items"]
        return str(item["criteria"][0]["why"])

    assert why() == f"no reading yet{advice}"
    store = Store.writer(tmp_path / "q.db")
    with store.transaction():
        for standing in store.standings_of("cost"):
            store.drop(standing.trigger, standing.target)
    store.close()
    assert why() == f"nothing has been measured for it yet{advice}"
    shown = call(tmp_path, "checklist")
    assert "state prices in [crossover]" in " ".join(shown.split())
    quantum = "".join(line for line in STATED.splitlines(True) if not line.startswith("gpu_"))
    for name, is_lacking in (("cpu", True), ("NVIDIA H200", False)):
        price = 'usd_per_hour = 3.2\ndate = "2026-11-01"\nsource = "a contract"\n'
        stated = f'{quantum}[price."{name}"]\n{price}'
        (tmp_path / "config.toml").write_text(CONFIG + asks + stated)
        assert ("[crossover]" in why()) == is_lacking
    (tmp_path / "config.toml").write_text(CONFIG + asks + STATED)
    assert "[crossover]" not in why()


def test_trends_that_no_question_asks_for_have_a_heading(tmp_path: Path) -> None:
    rule = '[trigger.soon]\nsignal = "quantum.calibration.two_qubit_error"\nwhen = "crosses"\n'
    rule += 'side = "below"\nthreshold = 1e-4\nhorizon = "5y"\n'
    after_a_pass(tmp_path, GPU, rule)
    lines = [line.rstrip() for line in call(tmp_path, "checklist").splitlines()]
    place = lines.index("Ahead, at the present pace:")
    assert "soon: " in lines[place + 1]


# --- the config --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("gpu_usd_per_hour = 2.5", "gpu_usd_source: needs the source of gpu_usd_per_hour"),
        ('gpu_usd_per_hour = 2.5\ngpu_usd_source = " "', "needs the source of gpu_usd_per_hour"),
        ('quantum_usd_source = "x"', "does nothing without quantum_usd_per_hour"),
        ("gpu_usd_per_hour = 0", "gpu_usd_per_hour: expected"),
        ('gpu_usd_per_hour = "2.5"', "gpu_usd_per_hour: expected"),
        ("gpu_usd_per_hour = nan", "gpu_usd_per_hour: expected a finite number"),
        ("budget = 12", "budget: expected a duration"),
        ('budget = "0s"', 'budget: expected a duration of more than "0s"'),
        ('quantum_doubling = "0d"', "quantum_doubling: expected a duration of more than"),
        ("operations = 0.5", "operations: expected"),
        ("acceptance = 1.5", "acceptance: expected"),
        ("logical_error = 1", "logical_error: expected"),
        ("cycle = -1e-6", "cycle: expected"),
        ("gpu_usd_per_our = 1", 'gpu_usd_per_our: unknown key. Did you mean "gpu_usd_per_hour"?'),
    ],
)
def test_a_wrong_table_names_its_key(tmp_path: Path, table: str, said: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f"{CONFIG}\n[crossover]\n{table}\n")
    with pytest.raises(ConfigError) as error:
        configs.read(file)
    [line] = error.value.lines
    assert said in line
    assert ": crossover." in line


def test_a_program_may_not_print_what_is_worked_out(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(CONFIG.replace('"TFLOP/s"', '"TFLOP/s", "crossover.year" = "year"'))
    with pytest.raises(ConfigError, match="is worked out from other readings"):
        configs.read(file)


def test_a_trigger_may_be_about_a_derived_signal_and_warns_where_nothing_feeds_it(
    tmp_path: Path,
) -> None:
    file = tmp_path / "config.toml"
    rule = '[trigger.t]\nsignal = "crossover.cost_ratio"\nwhen = "below"\nthreshold = 1\n'
    file.write_text(CONFIG + rule)
    config = configs.read(file)
    assert not config.warnings
    assert config.triggers["t"].max_age == 3 * 86400  # of the slower of the two probes
    alone = "[probe.m]\nkind = 'gpu.training'\nevery = '1h'\n"
    file.write_text(alone + rule)
    [warning] = configs.read(file).warnings
    assert "no probe of this config writes 'crossover.cost_ratio'" in warning


def test_the_shipped_trigger_is_about_devices_of_today_alone() -> None:
    shipped = tomllib.loads((ROOT / "config.toml").read_text())
    trigger = shipped["trigger"]["cost-ratio-near-one"]
    # a device may have any name: IQM's begin with a G
    for device in ("ibm_kingston", "garnet", "Garnet", "aws/Garnet"):
        assert fnmatchcase(f"{device}/bf16/k2", trigger["target"])
    for other in (f"{GPU}/bf16/k2/future", "ibm_kingston/bf16/k3"):
        assert not fnmatchcase(other, trigger["target"])
    asked = shipped["checklist"]["logical-qubits-affordable"]["requires"]
    assert "cost-ratio-near-one" in asked
