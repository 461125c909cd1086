"""`qrossover backfill metriq`: independent results, once, and beside what is measured."""

import json
from pathlib import Path
from typing import Any

import pytest
from living import Living, eventually

MORE = """
[probe.kingston]
kind = "quantum.calibration"
device = "fake_kingston"
every = "1h"
[trigger.any]
signal = "quantum.calibration.qubits"
when = "above"
threshold = 1e-9
max_age = "100y"
"""


def record(device: str = "ibm_kingston", value: float = 5.5e-3) -> dict[str, Any]:
    return {
        "app_version": "0.7.2",
        "timestamp": "2026-08-20T19:09:51.502860",
        "job_type": "EPLG",
        "results": {"chain_lengths": [10, 100], "chain_eplgs": [2.9e-3, value]},
        "platform": {
            "provider": "ibm",
            "device": device,
            "device_metadata": {"simulator": False},
        },
        "params": {"shots": 1000},
    }


@pytest.fixture
def service(tmp_path: Path) -> Living:
    service = Living(tmp_path, more=MORE, every="1h")
    published = tmp_path / "published"
    published.mkdir()
    records = [record(), record(), record("ibm_miami", 0.041), {"job_type": "Riddle"}]
    (published / "a.json").write_text(json.dumps(records))
    return service


def test_once_and_only_once(service: Living) -> None:
    first = service.json("backfill", "metriq", "published")
    assert (first["results"], first["new"], first["readings"]) == (2, 2, 4)
    assert first["duplicates"] == 1
    [left] = first["left_out"]
    assert left == {
        "reason": "the benchmark 'Riddle' is not known here",
        "count": 1,
        "first": "a.json",
    }
    again = service.command("backfill", "metriq", "published")
    assert again.returncode == 0, again.stderr
    said = " ".join(again.stdout.split())
    assert "2 results, 0 of them new. 1 more is a duplicate." in said
    assert "Left out 1: the benchmark 'Riddle' is not known here (first in a.json)." in said
    assert max(map(len, again.stdout.splitlines())) <= 80
    assert service.rows("SELECT count(*) FROM samples") == [(4,)]
    runs = service.rows("SELECT probe, kind, outcome, settings, payload FROM runs")
    assert {run[:3] for run in runs} == {("backfill", "metriq", "ok")}
    devices = [json.loads(run[3])["device"] for run in runs]
    assert devices == ["ibm_kingston", "ibm_miami"]
    kept = json.loads(runs[0][4])
    assert kept == {"file": "a.json", "record": record()}


def test_its_readings_say_whose_they_are(service: Living) -> None:
    service.json("backfill", "metriq", "published")
    readings = service.json("signals", "metriq.eplg", "--since", "100y")
    found = {reading["target"]: reading for reading in readings}
    assert set(found) == {f"{d}/n{n}" for d in ("ibm_kingston", "ibm_miami") for n in (10, 100)}
    reading = found["ibm_miami/n100"]
    assert (reading["value"], reading["origin"], reading["unit"]) == (0.041, "confirmed", "1")
    assert reading["at"] == "2026-08-20T19:09:51.503Z"
    assert "metriq-data" in reading["note"]
    assert "taken as UTC" in reading["note"]


def test_a_running_service_stores_it_and_no_trigger_of_ours_sees_it(service: Living) -> None:
    with service.running():
        eventually(lambda: service.runs("kingston"), "the first run")
        found = service.json("backfill", "metriq", "published")
        assert found["new"] == 2
        _, metrics = service.http("/metrics")
        fired = [row for row in service.json("trigger", "list") if row["state"] == "firing"]
    assert "metriq" not in metrics, "what nobody watches is no present value"
    assert not any("miami" in row["target"] or "/n" in row["target"] for row in fired)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["metriq", "nowhere"], "the results cannot be read"),
        (["metriq", "config.toml"], "no list of results|is no JSON"),
        (["ionq", "qpu.forte-1", "--since", "soon"], "soon"),
    ],
)
def test_what_cannot_be_done_is_said(service: Living, words: list[str], why: str) -> None:
    done = service.command("backfill", *words)
    said = done.stderr + done.stdout
    assert any(one in said for one in why.split("|")), said
    assert "Traceback" not in said
