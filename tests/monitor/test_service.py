"""The service as its operators meet it: start, stop, kill -9, HTTP, a second instance."""

import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from living import PATIENCE, Living, alive, eventually
from prometheus_client.parser import text_string_to_metric_families
from slack_server import TOKEN, Fault, SlackServer

HANGS = """
import os, pathlib, subprocess, sys, time
inner = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"],
                         start_new_session=True)
pathlib.Path("pids").write_text(f"{os.getpid()} {inner.pid}")
time.sleep(600)
"""


def _hanging(folder: Path, timeout: str = "600s") -> str:
    (folder / "hangs.py").write_text(HANGS)
    return f"""
        [probe.hangs]
        kind = "external.command"
        argv = ["{sys.executable}", "hangs.py"]
        signals = {{ "test.never" = "1" }}
        every = "1h"
        timeout = "{timeout}"
        """


def _pids(folder: Path) -> list[int]:
    return eventually(
        lambda: [int(word) for word in (folder / "pids").read_text().split()], "the hanging probe"
    )


def test_the_first_runs_start_at_once_and_the_checklist_is_printed(tmp_path: Path) -> None:
    living = Living(
        tmp_path,
        more="""
        [checklist.louder]
        question = "Is it loud?"
        requires = ["high"]
        """,
        every="1h",
    )
    with living.running():
        eventually(lambda: "Is it loud?" in living.said(), "the checklist")
    assert "GPUs first, keep watching: 0 of 1 hold, 1 do not" in living.said()
    assert living.runs() == 1


def test_a_checklist_item_that_comes_to_hold_is_told(tmp_path: Path, slack: SlackServer) -> None:
    living = Living(
        tmp_path,
        slack.url,
        more="""
        [checklist.louder]
        question = "Is it loud?"
        requires = ["high"]
        """,
    )
    with living.running(TOKEN):
        living.another_run()
        living.measure(99.0)
        eventually(lambda: any("Is it loud?" in m.text for m in slack.messages), "the answer")
        living.measure(1.0)
        eventually(lambda: len(slack.messages) == 4, "both resolutions")
    document = living.json("checklist")
    assert document["items"][0]["holds"] is False


def test_sigterm_ends_it_with_its_children_and_loses_nothing(
    tmp_path: Path, slack: SlackServer
) -> None:
    living = Living(tmp_path, slack.url, more=_hanging(tmp_path))
    slack.fail_next(Fault(delay=6.0))
    living.measure(99.0)
    with living.running(TOKEN) as service:
        pids = _pids(tmp_path)
        eventually(lambda: slack.requests, "the request that hangs")
        service.send_signal(signal.SIGTERM)
        assert service.wait(PATIENCE) == 0
    eventually(lambda: not any(alive(pid) for pid in pids), "the children's end")
    assert living.rows("SELECT outcome, reason FROM runs WHERE probe = 'hangs'") == [
        ("skipped", "the service stopped while it ran")
    ]
    assert living.rows("SELECT state FROM alerts") == [("trying",)]
    with living.running(TOKEN):
        eventually(lambda: living.rows("SELECT 1 FROM alerts WHERE state = 'sent'"), "the alert")
    assert len(slack.messages) == 1


def test_sigterm_ends_a_start_that_waits_for_the_database(living: Living) -> None:
    with living.running():
        living.another_run()
    other = sqlite3.connect(living.database, isolation_level=None)
    other.execute("PRAGMA journal_mode = WAL")
    other.execute("BEGIN IMMEDIATE")
    try:
        with living.running() as service:
            eventually(lambda: living.http("/healthz")[0] == 503, "the fault to be told")
            service.send_signal(signal.SIGTERM)
            assert service.wait(PATIENCE) == 0
    finally:
        other.execute("ROLLBACK")
        other.close()


def test_a_probe_that_hangs_is_killed_whole_and_the_others_go_on(tmp_path: Path) -> None:
    living = Living(tmp_path, more=_hanging(tmp_path, "3s"))
    with living.running():
        pids = _pids(tmp_path)
        eventually(lambda: living.runs("hangs"), "the end of the hanging probe")
        living.another_run()
        eventually(lambda: not any(alive(pid) for pid in pids), "the children's end")
    assert living.rows("SELECT outcome, reason FROM runs WHERE probe = 'hangs'") == [
        ("timeout", "killed after 3 s, its timeout")
    ]


def test_a_run_that_cannot_begin_is_stored_as_skipped(tmp_path: Path) -> None:
    hanging = _hanging(tmp_path).replace('"1h"', '"1s"')
    living = Living(tmp_path, more=hanging)
    with living.running():
        _pids(tmp_path)
        eventually(lambda: living.runs("hangs"), "the skipped run")
        [kept] = living.rows("SELECT DISTINCT outcome, reason FROM runs WHERE probe = 'hangs'")
    assert kept == ("skipped", "the run before it has not ended")


def test_after_kill_9_the_next_start_ends_what_the_last_one_left(tmp_path: Path) -> None:
    living = Living(tmp_path, more=_hanging(tmp_path))
    with living.running() as service:
        pids = _pids(tmp_path)
        service.kill()
        service.wait()
    with living.running():
        living.another_run()
        eventually(lambda: not any(alive(pid) for pid in pids), "the orphans' end")


def test_kill_9_at_any_point_loses_no_alert_and_repeats_none(
    living: Living, slack: SlackServer
) -> None:
    chance = random.Random(20261122)
    for life in range(8):
        living.measure(99.0 if life % 2 else 1.0)
        with living.running(TOKEN) as service:
            eventually(lambda: living.about().get("pid") == service.pid, "the service")
            time.sleep(chance.uniform(0.0, 2.0))
            service.kill()
            service.wait()
    living.measure(99.0)
    with living.running(TOKEN):
        living.another_run()
        eventually(
            lambda: not living.rows("SELECT 1 FROM alerts WHERE state <> 'sent'"), "what is owed"
        )
    told = living.rows("SELECT key, kind FROM alerts ORDER BY id")
    keys = [message.key for message in slack.messages]
    assert sorted(keys) == sorted(key for key, _ in told)
    assert len(set(keys)) == len(keys)
    kinds = [kind for _, kind in told]
    assert kinds == ["fires", "resolves"] * (len(kinds) // 2) + ["fires"] * (len(kinds) % 2)
    assert kinds[-1] == "fires"


def test_a_second_instance_is_refused_and_once_asks_the_first(living: Living) -> None:
    with living.running() as service:
        living.another_run()
        second = living.command("run")
        assert (second.returncode, str(service.pid) in second.stderr) == (75, True)
        living.measure(3.25)
        document = living.json("once", "meter")
        assert [row["value"] for row in document["readings"]] == [3.25]
        assert service.poll() is None


def test_healthz_tells_why_and_recovers(living: Living) -> None:
    with living.running():
        assert living.http("/healthz")[0] == 200
        other = sqlite3.connect(living.database, isolation_level=None, timeout=10)
        try:
            other.execute("BEGIN EXCLUSIVE")
            eventually(lambda: living.http("/healthz")[0] == 503, "the fault to be told")
            assert "cannot be written" in living.http("/healthz")[1]
            living.measure(42.0)
            other.execute("ROLLBACK")
        finally:
            other.close()
        eventually(lambda: living.http("/healthz")[0] == 200, "the recovery")
        eventually(lambda: "Turn it down." in living.said(), "the alert of meanwhile")
    assert living.rows("SELECT count(*) FROM runs WHERE outcome <> 'ok'") == [(0,)]


def test_metrics_say_what_is_stored(living: Living) -> None:
    living.measure(99.0)
    with living.running(TOKEN):
        living.another_run()
        status, text = living.http("/metrics")
    assert status == 200
    families = {f.name: f.samples for f in text_string_to_metric_families(text)}
    reading = families["qrossover_reading"][0]
    assert (reading.labels["signal"], reading.labels["unit"], reading.value) == (
        "test.meter",
        "V",
        99.0,
    )
    assert families["qrossover_standing"][0].labels == {
        "trigger": "high",
        "target": "bench",
        "state": "firing",
    }
    assert families["qrossover_runs"][0].value >= 2
    _promtool(text)


def _promtool(text: str) -> None:
    """Prometheus' own checker, where this machine has it."""
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not installed (Debian: apt-get install prometheus)")
    done = subprocess.run(
        [program, "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_a_damaged_database_is_replaced_and_told(living: Living, slack: SlackServer) -> None:
    with living.running(TOKEN):
        living.another_run()
    living.database.write_bytes(bytes(range(256)) * 100)
    with living.running(TOKEN):
        eventually(lambda: slack.messages, "the notice")
        living.another_run()
    assert "damaged" in slack.messages[0].text
    assert len(list(living.database.parent.glob("test.db.broken-*"))) >= 1


def test_another_programs_database_is_left_alone(living: Living) -> None:
    living.database.parent.mkdir()
    other = sqlite3.connect(living.database)
    other.execute("CREATE TABLE theirs (a)")
    other.close()
    before = living.database.read_bytes()
    done = living.command("run")
    assert (done.returncode, "another program's" in done.stderr) == (1, True)
    assert living.database.read_bytes() == before


def test_probes_do_not_see_the_token(living: Living) -> None:
    (living.folder / "meter.py").write_text(
        "import json, os\n"
        'value = float("TEST_SLACK_TOKEN" in os.environ)\n'
        'print(json.dumps({"signal": "test.meter", "value": value}))\n'
    )
    with living.running(TOKEN):
        living.another_run()
    assert living.rows("SELECT DISTINCT value FROM readings") == [(0.0,)]


@pytest.mark.parametrize("damage", ["", "[probe.meter]\nkind = 1", "[slack]\nchanel = '#x'"])
def test_a_wrong_config_is_exit_78(living: Living, damage: str) -> None:
    living.config.write_text(damage or "[probe")
    done = living.command("run")
    assert done.returncode == 78
    assert "config.toml:" in done.stderr
    assert "Traceback" not in done.stderr
