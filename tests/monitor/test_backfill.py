"""`qrossover backfill snapshots`: once, by whoever has the database, and without false alarms."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from living import Living, alive, eventually

MORE = """
[probe.kingston]
kind = "quantum.calibration"
device = "fake_kingston"
every = "1h"
[trigger.low]
signal = "quantum.calibration.two_qubit_error"
when = "below"
threshold = 1.5e-3
no_data = "alert"
[trigger.many]
signal = "quantum.calibration.qubits"
when = "above"
threshold = 10
max_age = "100y"
[trigger.silent]
signal = "quantum.calibration.*"
when = "stale"
threshold = "3d"
[trigger.ahead]
signal = "quantum.calibration.two_qubit_error"
when = "crosses"
side = "below"
threshold = 1e-3
horizon = "{horizon}"
severity = "info"
[checklist.error]
question = "Is the error low enough?"
requires = ["low", "ahead"]
"""


def living(folder: Path, horizon: str = "80y") -> Living:
    more = MORE.replace("{horizon}", horizon).replace(
        "quantum.calibration.*", "quantum.calibration.t1"
    )
    return Living(folder, more=more, every="1h")


def told(service: Living) -> list[tuple[str, str, str]]:
    return service.rows('SELECT kind, "trigger", target FROM alerts ORDER BY id')


def standing(service: Living, trigger: str) -> list[dict[str, Any]]:
    return [row for row in service.json("trigger", "list") if row["name"] == trigger]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Living, dict[str, Any]]:
    """A folder in which no service runs, after one backfill, and what that said."""
    service = living(tmp_path_factory.mktemp("filled"))
    return service, service.json("backfill", "snapshots")


def test_once_and_only_once(filled: tuple[Living, dict[str, Any]]) -> None:
    service, first = filled
    assert (first["snapshots"], first["new"]) == (66, 66)
    assert first["left_out"] == ["fake_fractional", "fake_nighthawk"]
    [(readings,)] = service.rows("SELECT count(*) FROM samples")
    assert readings == first["readings"] > 500
    runs = service.rows("SELECT probe, kind, outcome, settings FROM runs")
    assert {run[:3] for run in runs} == {("backfill", "quantum.calibration", "ok")}
    assert len({json.loads(run[3])["device"] for run in runs}) == len(runs) == 66

    again = service.command("backfill", "snapshots")
    assert again.returncode == 0, again.stderr
    assert "66 calibrations, 0 of them new." in again.stdout
    assert service.rows("SELECT count(*) FROM samples") == [(readings,)]
    assert service.rows("SELECT count(*) FROM runs") == [(66,)]

    lines = again.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert any(line.split()[:2] == ["Heron", "r3"] and "1.27e-3" in line for line in lines)
    assert "fake_fractional, fake_nighthawk" in " ".join(again.stdout.split())


def test_the_readings_are_of_their_own_times_and_say_their_family(
    filled: tuple[Living, dict[str, Any]],
) -> None:
    service, _ = filled
    errors = service.json("signals", "quantum.calibration.two_qubit_error", "--since", "7y")
    assert len(errors) == 64
    assert {reading["at"][:4] for reading in errors} >= {"2020", "2021", "2024", "2026"}
    assert {reading["origin"] for reading in errors} == {"vendor"}
    families = dict(service.rows("SELECT target, family FROM families"))
    assert (families["fake_boston"], families["fake_prague"]) == ("Heron r3", "Egret r1")
    assert "fake_almaden" not in families
    query = "SELECT count(*) FROM readings WHERE signal = 'quantum.calibration.age'"
    assert service.rows(query) == [(0,)]


def test_six_years_are_a_line_a_family(filled: tuple[Living, dict[str, Any]]) -> None:
    service, _ = filled
    words = ("signals", "quantum.calibration.two_qubit_error", "--since", "7y", "--by", "family")
    rows = service.json(*words)
    eagle = [(r["year"], r["devices"]) for r in rows if r["family"] == "Eagle r3"]
    assert eagle == [(2024, 1), (2025, 6), (2026, 2)]
    assert sum(row["devices"] for row in rows) == 64
    assert (rows[0]["family"], rows[0]["year"], rows[-1]["lowest"]) == (
        "",
        2020,
        pytest.approx(1.2708e-3, rel=1e-3),
    )
    shown = service.command(*words).stdout.splitlines()
    assert max(map(len, shown)) <= 80
    assert any(line.startswith("Eagle r3") and "2024–2026" in line for line in shown)
    [falcon] = [line.split() for line in shown if line.startswith("Falcon r5.11")]
    assert falcon[2:4] == ["2021–2025", "11"], "every device of all its years"
    [eagle_line] = [line.split() for line in shown if line.startswith("Eagle r3")]
    assert float(eagle_line[4]) == pytest.approx(6.61e-3, rel=1e-3), "its best was that of 2024"
    assert shown[-1].startswith("Devices, lowest, median, highest: of all the years.")
    short = ("signals", "quantum.two_qubit_error", "--since", "7y", "--by", "family")
    assert service.json(*short) == rows, "the probe may be left out"
    assert service.command("signals", "quantum.no_such").returncode == 1
    qubits = ("signals", "quantum.calibration.qubits", "--since", "7y", "--by", "family")
    told = service.command(*qubits).stdout
    assert told.startswith("quantum.calibration.qubits (qubit)")
    assert told.count(" qubit") == 0, "the unit is said once"


def test_devices_of_the_past_alarm_nobody_and_answer_nothing(tmp_path: Path) -> None:
    service = living(tmp_path, horizon="1d")
    service.json("once", "kingston")
    before = told(service)
    assert ("fires", "many", "fake_kingston") in before
    service.json("backfill", "snapshots")
    service.json("once", "meter")  # with its turn of the slow clock
    assert told(service) == before
    targets = {row["target"] for row in service.json("trigger", "list") if row["name"] != "high"}
    assert targets == {"fake_kingston", "*"}
    [item] = service.json("checklist")["items"]
    low, ahead = item["criteria"]
    assert (low["target"], low["holds"]) == ("fake_kingston", False)
    assert (ahead["target"], ahead["holds"]) == ("*", False)


def test_the_trend_is_judged_at_once_and_told_once(tmp_path: Path) -> None:
    service = living(tmp_path)
    service.json("once", "kingston")
    [row] = standing(service, "ahead")
    assert row["state"] == "no-data"
    assert "no forecast: 1 of 6 points; `qrossover backfill snapshots`" in row["why"]
    trends = service.json("backfill", "snapshots")["trends"]
    assert [(t["name"], t["state"], t["origin"]) for t in trends] == [("ahead", "firing", "vendor")]
    assert trends[0]["why"].startswith("two qubit error 1.3e-3, needs 1e-3: 2028 (")
    service.json("once", "kingston")
    assert [t for t in told(service) if t[1] == "ahead"] == [("fires", "ahead", "*")]
    [(facts,)] = service.rows("SELECT facts FROM alerts WHERE \"trigger\" = 'ahead'")
    said = json.loads(facts)
    assert said["threshold_text"] == "below 1e-3 within 80 y"
    assert len(said["trend"]) == 14
    assert said["explain"] == "qrossover trigger explain ahead"


def test_a_running_service_does_it_itself(tmp_path: Path) -> None:
    service = living(tmp_path)
    with service.running():
        eventually(lambda: service.runs("kingston"), "the first run")
        found = service.json("backfill", "snapshots")
        assert found["new"] == 66
        assert found["trends"][0]["state"] == "firing"
        assert service.json("backfill", "snapshots")["new"] == 0
        eventually(lambda: "fires" in service.said() or "ahead" in service.said(), "the alert")
        status, metrics = service.http("/metrics")
    assert status == 200
    assert 'target="fake_kingston"' in metrics
    assert 'target="fake_almaden"' not in metrics


def test_explain_names_the_points_the_line_and_the_crossing(
    filled: tuple[Living, dict[str, Any]],
) -> None:
    service, _ = filled
    [told] = service.json("trigger", "explain", "ahead")
    steps = "\n".join(told["steps"])
    assert '"best": 14 points, the best of each device family; 13 devices' in steps
    assert "halves in 2 y" in steps
    assert "the interval is that of 2,000 resampled lines" in steps
    assert [point["name"] for point in told["forecast"]["points"]][-1] == "Heron r3"
    assert told["forecast"]["earliest"] < told["forecast"]["crosses"] < told["forecast"]["latest"]
    shown = service.command("trigger", "explain", "ahead").stdout
    assert "Egret r1" in shown
    # the best of a family is its owner's figure, and nothing that was worked out
    assert {reading["origin"] for reading in told["readings"]} == {"vendor"}


def test_devices_of_years_ago_are_no_devices_of_today(
    filled: tuple[Living, dict[str, Any]],
) -> None:
    service, _ = filled
    machines = {row["machine"] for row in service.json("crossover")}
    assert machines == {"paper/asic", "paper/gpu", "GPU", "device"}
    shown = service.command("crossover").stdout
    assert "no device's calibration has been read" in " ".join(shown.split())
    assert len(shown.splitlines()) <= 34


def test_a_backtest_plays_the_years(filled: tuple[Living, dict[str, Any]]) -> None:
    service, _ = filled
    words = ("trigger", "backtest", "ahead", "--since", "7y", "--set")
    found = service.json(*words, "horizon=1y")
    [row] = found["targets"]
    assert (row["target"], row["readings"], row["first"][:4]) == ("*", 64, "2020")
    assert found["total"]["present"]["alarms"] > found["total"]["changed"]["alarms"] == 0
    [episode] = [one["present"] for one in row["episodes"] if one["present"]][-1:]
    assert episode["origin"] == "vendor"
    assert "at the present pace" in episode["why"]
    # the devices of the past are none of today's
    assert "fake_" not in service.command("crossover").stdout


@pytest.mark.parametrize("damage", ["lock", "child"])
def test_what_cannot_be_done_is_said(tmp_path: Path, damage: str) -> None:
    service = Living(tmp_path)
    if damage == "lock":
        (tmp_path / "var").write_text("a file where the folder should be")
        done = service.command("backfill", "snapshots")
        assert "cannot be written" in done.stderr
    else:
        broken = tmp_path / "broken" / "qiskit_ibm_runtime"
        broken.mkdir(parents=True)
        (broken / "__init__.py").touch()
        (broken / "fake_provider/backends/x").mkdir(parents=True)
        for part in ("props", "conf"):
            (broken / f"fake_provider/backends/x/{part}_x.json").write_text("{}")
        paths = os.pathsep.join([str(broken.parent), os.environ.get("PYTHONPATH", "")])
        done = service.command("backfill", "snapshots", PYTHONPATH=paths)
        assert "the snapshots cannot be read" in done.stderr
        assert "no calibration in IBM's format" in done.stderr
    assert done.returncode == 1


def test_a_backfill_leaves_the_runs_under_way_alone(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(
        "import os, pathlib, time\n"
        "pathlib.Path('pid').write_text(str(os.getpid()))\n"
        "time.sleep(600)\n"
    )
    more = f"""
        [probe.slow]
        kind = "external.command"
        argv = ["{sys.executable}", "slow.py"]
        signals = {{ "test.never" = "1" }}
        every = "1h"
        timeout = "600s"
    """
    service = Living(tmp_path, more=more, every="1h")
    with service.running():
        pid = eventually(lambda: int((tmp_path / "pid").read_text()), "the slow probe")
        assert service.json("backfill", "snapshots")["new"] > 0
        assert alive(pid)
