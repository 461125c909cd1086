"""docs/interfaces.md against a living service: documents, database, HTTP, exit codes, the child."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from doc_pages import INTERFACES
from documented import assert_documented
from living import Living, eventually
from prometheus_client.parser import text_string_to_metric_families

from monitor.cli import CONFIG, TEMPFAIL, cli
from monitor.http.control import ask_reload
from probes.external import command
from storage.store import Store
from storage.types import Reading, Run, Signal, now

MORE = """
[probe.broken]
kind = "external.command"
argv = ["false"]
signals = { "test.meter" = "V" }
every = "1h"
[trigger.weak]
signal = "test.meter"
when = "drops"
threshold = "10%"
[trigger.fails]
probe = "*"
when = "fails"
[trigger.ahead]
signal = "test.meter"
when = "crosses"
side = "above"
threshold = 200
horizon = "5y"
[checklist.loud]
question = "Is it loud?"
requires = ["high", "weak"]
gaps = ["what the neighbours say"]
"""
REPORTS = {
    "qrossover signals --json": ["signals"],
    "qrossover signals --by family --json": ["signals", "--by", "family"],
    "qrossover runs --json": ["runs"],
    "qrossover check --json": ["check"],
    "qrossover once --dry-run --json": ["once", "--dry-run"],
    "qrossover status --json": ["status"],
    "qrossover checklist --json": ["checklist"],
    "qrossover crossover --json": ["crossover"],
    "qrossover scenario --json": ["scenario"],
    "qrossover trigger list --json": ["trigger", "list"],
    "qrossover trigger explain NAME --json": ["trigger", "explain", "high"],
    "qrossover trigger set NAME KEY=VALUE --json": [
        *("trigger", "set", "high", "severity=page", "--dry-run")
    ],
    "qrossover config history --json": ["config", "history"],
    "qrossover config show ID --json": ["config", "show"],
    "qrossover config diff ID ID --json": ["config", "diff", "1", "2"],
    "qrossover config revert ID --json": ["config", "revert", "1", "--dry-run"],
}


class Seen:
    """What a living service said once, and its folder, where it has stopped since."""

    def __init__(self, folder: Path) -> None:
        self.living = living = Living(folder, more=MORE, every="1h")
        living.measure(99.0)
        with living.running():
            eventually(lambda: living.runs() and living.runs("broken"), "the first runs")
            self.health = living.http("/healthz")
            self.metrics = living.http("/metrics")[1]
            self.status = self.report(["status"])
            self.second = living.command("run")
            self.set = living.command(
                *("trigger", "set", "high", "severity=info", "--yes", "--json")
            )
            self.once = living.command("once", "--json")
            text = living.config.read_text()
            living.config.write_text(text.replace("Turn it down.", "Turn it off."))
            self.reload = ask_reload(living.database)  # as the command says it

    def report(self, words: list[str]) -> Any:
        """A reporting command's document."""
        arguments = ["--config", str(self.living.config), *words, "--json"]
        done = CliRunner().invoke(cli, arguments, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return Seen(tmp_path_factory.mktemp("living"))


# --- documents ---------------------------------------------------------------------------------


@pytest.mark.parametrize("heading", REPORTS)
def test_a_report_has_the_keys_that_are_documented(seen: Seen, heading: str) -> None:
    assert_documented(heading, seen.report(REPORTS[heading]))


def test_status_of_a_running_service_has_the_same_keys(seen: Seen) -> None:
    assert_documented("qrossover status --json", seen.status)
    assert seen.status["pid"] is not None


def test_an_edit_has_the_keys_that_are_documented(seen: Seen) -> None:
    document = json.loads(seen.set.stdout)
    assert_documented("qrossover trigger set NAME KEY=VALUE --json", document)
    assert document["service"] == "took it"


def test_a_pass_has_the_keys_that_are_documented(seen: Seen) -> None:
    assert_documented("qrossover once --json", json.loads(seen.once.stdout))


def test_tests_of_triggers_have_the_keys_that_are_documented(seen: Seen) -> None:
    (seen.living.folder / "meter.test.toml").write_text(
        """
        [[test]]
        name = "it fires too late"
        trigger = "high"
        every = "1h"
        readings = "9 11"
        fires = [1]
        states = { 1 = "firing" }
        """
    )
    done = seen.living.command("trigger", "test", "--json")
    assert done.returncode == 1
    assert_documented("qrossover trigger test --json", json.loads(done.stdout))


def test_a_reload_has_the_keys_that_are_documented(seen: Seen) -> None:
    assert_documented("qrossover reload --json", seen.reload)


def test_every_command_with_json_is_documented() -> None:
    documented = " ".join(INTERFACES.headings)
    for name, outer in cli.commands.items():
        inner = getattr(outer, "commands", {})
        for path, one in {name: outer, **{f"{name} {n}": c for n, c in inner.items()}}.items():
            if any("--json" in option.opts for option in one.params):
                assert f"qrossover {path} " in documented, path


# --- the database ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["readings", "runs", "jobs", "families", "standings", "alerts"])
def test_columns_are_those_of_the_database(seen: Seen, name: str) -> None:
    kind = "View" if name == "readings" else "Table"
    columns = [row[1] for row in seen.living.rows(f"PRAGMA table_info({name})")]
    assert INTERFACES.table(f"{kind} {name}", first="column").column("column") == columns


def test_every_table_that_is_documented_is_tested() -> None:
    named = {h.split()[1] for h in INTERFACES.headings if h.startswith(("View ", "Table "))}
    assert named == {"readings", "runs", "jobs", "families", "standings", "alerts"}


def _sql() -> list[Any]:
    statements = [
        statement
        for fence in INTERFACES.fences
        if fence.info == "sql"
        for statement in fence.text.split(";")
        if statement.strip()
    ]
    return [pytest.param(each, id=each.split("FROM ")[1].split()[0]) for each in statements]


@pytest.mark.parametrize("statement", _sql())
def test_a_query_runs(seen: Seen, statement: str) -> None:
    rows = seen.living.rows(statement.replace("gpu.training.tokens_per_second", "test.meter"))
    assert rows


# --- HTTP --------------------------------------------------------------------------------------


def test_healthz_has_the_keys_that_are_documented(seen: Seen) -> None:
    code, body = seen.health
    assert code == 200
    assert_documented("/healthz", json.loads(body))


def test_metrics_are_those_that_are_documented(seen: Seen) -> None:
    produced = {
        sample.name: (family.type, set(sample.labels))
        for family in text_string_to_metric_families(seen.metrics)
        for sample in family.samples
    }
    documented = {
        name: (row["type"], set(row["labels"].replace("`", "").split(", ")) - {""})
        for name, row in INTERFACES.table("/metrics", first="metric").by_key().items()
    }
    assert documented == produced


# --- exit codes --------------------------------------------------------------------------------


def test_exit_codes_are_those_that_are_documented(seen: Seen, tmp_path: Path) -> None:
    living = seen.living
    (tmp_path / "config.toml").write_text("[nothing]")
    codes = {
        0: living.command("check"),
        1: seen.once,  # one of its probes fails
        2: living.command("runs", "--nothing"),
        3: living.command(
            "probe", "gpu.gemm", "--set", "target=auto", CUDA_VISIBLE_DEVICES="MIG-1"
        ),
        70: _faulty(),
        TEMPFAIL: seen.second,
        CONFIG: living.command("--config", str(tmp_path / "config.toml"), "check"),
        130: _ended(tmp_path, signal.SIGINT, "once"),
        143: _ended(tmp_path, signal.SIGTERM, "probe", *SLEEPS),
    }
    assert {code: done.returncode for code, done in codes.items()} == {code: code for code in codes}
    table = INTERFACES.table("Exit codes", first="code")
    assert table.column("code") == [str(code) for code in codes]
    assert living.command("signals", "no.such").returncode == 1


SLEEPS = ["external.command", "--set", 'argv=["sleep", "600"]', "--set", 'signals={"a.b" = "1"}']


def _faulty() -> subprocess.CompletedProcess[str]:
    """A command that raises what nobody foresaw. Code 1 would tell a job's prolog of a bad GPU."""
    program = """
import sys
from monitor import cli
cli.cli.command("faulty")(lambda: {}["missing"])
sys.argv = ["qrossover", "faulty"]
cli.main()
"""
    words = [sys.executable, "-c", program]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.stderr.endswith("KeyError: 'missing'\n")
    return done


def _ended(folder: Path, number: int, *words: str) -> subprocess.CompletedProcess[str]:
    """A command that a signal ends while its probe runs."""
    living = Living(folder)
    slow = f'argv = ["{sys.executable}", "-c", "import time; time.sleep(600)"]'
    text = living.config.read_text()
    living.config.write_text(text.replace(f'argv = ["{sys.executable}", "meter.py"]', slow))
    arguments = [sys.executable, "-m", "monitor.cli", *words]
    with subprocess.Popen(
        arguments,
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
        # a shell script's background job, and all that it starts, ignores SIGINT
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    ) as once:
        eventually(lambda: _children(once.pid), "the probe to run")
        once.send_signal(number)
        _, said = once.communicate(timeout=60)
    return subprocess.CompletedProcess(arguments, once.returncode, "", said)


def _children(pid: int) -> str:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().strip()


def test_a_backfill_and_a_forecast_have_the_keys_that_are_documented(tmp_path: Path) -> None:
    more = """
        [trigger.ahead]
        signal = "quantum.calibration.two_qubit_error"
        when = "crosses"
        side = "below"
        threshold = 1e-4
        horizon = "5y"
    """
    living = Living(tmp_path, more=more)
    assert_documented("qrossover backfill snapshots --json", living.json("backfill", "snapshots"))
    [told] = living.json("trigger", "explain", "ahead")
    assert_documented("The forecast of a trend", told["forecast"])
    record = {
        "timestamp": "2026-02-19T13:41:42.470983",
        "job_type": "CLOPS",
        "results": {"clops_score": 3.6e5},
        "platform": {
            "provider": "ibm",
            "device": "ibm_kingston",
            "device_metadata": {"simulator": False},
        },
        "params": {},
    }
    (tmp_path / "results.json").write_text(json.dumps([record, {}]))
    found = living.json("backfill", "metriq", "results.json")
    assert_documented("qrossover backfill metriq PATH --json", found)
    stated = Signal("quantum.calibration.clops_h", "layer/s", "higher", "As stated")
    run = Run("cloud", "quantum.calibration", "ok", "", now(), 1.0)
    store = Store.writer(living.database)
    with store.transaction():
        store.record(run, [Reading(stated.name, "ibm_kingston", 3.4e5, "vendor")], [stated])
    store.close()
    compared = living.json("compare", "kingston")
    assert_documented("qrossover compare DEVICE --json", compared)


# --- the child and a program of one's own ------------------------------------------------------


def run_child(order: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """The exit status and the document of one child."""
    reading, writing = os.pipe()
    with os.fdopen(reading) as result:
        child = subprocess.run(
            (
                *(sys.executable, "-P", "-m", "probes"),
                *("--result", str(writing), "--parent", str(os.getpid())),
            ),
            input=json.dumps(order),
            text=True,
            pass_fds=(writing,),
            capture_output=True,
            timeout=60,
            check=False,
        )
        os.close(writing)
        text = result.read()
    return child.returncode, json.loads(text) if text else {}


def test_the_child_reads_and_writes_what_is_documented() -> None:
    order, result, reading = (INTERFACES.table("Inside", number=n) for n in range(3))
    line = '{"signal": "test.meter", "value": 1}'
    settings = {"argv": ["echo", line], "signals": {"test.meter": "V"}}
    asked = {"kind": "external.command", "settings": settings}
    assert order.column("key") == [*asked, "task"]
    status, document = run_child(asked)
    assert status == 0
    assert document["outcome"] == "ok", document["reason"]
    assert sorted(result.column("key")) == sorted(document)
    assert sorted(reading.column("key")) == sorted(document["readings"][0])


def test_a_line_has_the_keys_that_are_documented() -> None:
    heading = "A program of your own: external.command"
    rows = INTERFACES.table(heading).by_key()
    fields = command._Line.model_fields
    assert list(rows) == list(fields)
    for key, row in rows.items():
        assert row["type"].endswith(", required") == fields[key].is_required(), key


def test_the_line_that_is_shown_is_a_reading() -> None:
    line = next(fence.text for fence in INTERFACES.fences if fence.info == "json")
    shown = json.loads(line)
    assert set(shown) == set(command._Line.model_fields)
    settings = {"argv": ["echo", line], "signals": {shown["signal"]: "job"}}
    _, document = run_child({"kind": "external.command", "settings": settings})
    assert document["readings"][0] | shown == document["readings"][0]
