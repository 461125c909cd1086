"""The config file is edited while the service runs: what changes, what is told, what stays."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from living import PATIENCE, Living, eventually
from prometheus_client.parser import text_string_to_metric_families
from slack_server import TOKEN, SlackServer

from monitor.http.control import NotListening, ask_reload
from monitor.problems import ConfigError

SLOW = f"""
[probe.slow]
kind = "external.command"
argv = ["{sys.executable}", "slow.py"]
signals = {{ "test.slow" = "V" }}
every = "6h"
"""
SAYS_TWO = 'print(\'{"signal": "test.slow", "target": "bench", "value": 2}\')\n'


def edit(living: Living, old: str, new: str) -> None:
    """One edit, written as most editors do: beside the file, then in its place."""
    text = living.config.read_text()
    assert old in text
    replace(living, text.replace(old, new))


def replace(living: Living, text: str) -> None:
    fresh = living.folder / "config.toml.new"
    fresh.write_text(text)
    fresh.replace(living.config)


def load(living: Living, **said: Any) -> dict[str, Any]:
    return ask_reload(living.database, **said)


@contextlib.contextmanager
def started(living: Living, token: str = "", **environment: str) -> Iterator[Any]:
    """The service, once all its probes have run and it has said so."""
    with living.running(token, **environment) as service:
        eventually(lambda: "all probes have run once" in living.said(), "the first runs")
        yield service


def metric(living: Living, name: str) -> float:
    families = text_string_to_metric_families(living.http("/metrics")[1])
    return next(family.samples[0].value for family in families if family.name == name)


def titles(slack: SlackServer) -> list[str]:
    return [message.text.splitlines()[0] for message in slack.messages]


def said(message: Any) -> str:
    return json.dumps(message.blocks, ensure_ascii=False)


def test_an_edit_reaches_the_service_by_itself_and_disturbs_nothing(
    living: Living, slack: SlackServer
) -> None:
    (living.folder / "slow.py").write_text(SAYS_TWO)
    replace(living, living.config.read_text() + SLOW)
    with started(living, TOKEN):
        eventually(lambda: "slow" in living.about().get("next_at", {}), "the schedule")
        before = living.about()
        living.measure(5.0)
        edit(living, "threshold = 10", "threshold = 4")
        eventually(lambda: len(slack.messages) == 2, "the notice and the alert")
        after = living.about()
        status = living.json("status")["config"]
        loaded_at = metric(living, "qrossover_config_loaded_timestamp_seconds")
        text = living.config.read_text()
        living.config.unlink()
        eventually(lambda: len(slack.messages) == 3, "the notice that it is gone")
        living.config.write_text(text.replace("threshold = 4", "threshold = 3"))
        eventually(lambda: len(slack.messages) == 4, "what came in its place")
    notice, alert, gone, back = slack.messages
    assert "config.toml is not there any more" in gone.text
    assert "trigger.high.threshold: 4 → 3" in said(back)
    assert "can be used again" in said(back)
    assert "Config changed: trigger.high" in notice.text
    assert "trigger.high.threshold: 10 → 4" in said(notice)
    assert "high on bench" in alert.text
    assert after["next_at"]["slow"] == before["next_at"]["slow"]
    assert after["loaded_at"] > before["loaded_at"]
    assert living.runs("slow") == 1
    assert (status["loaded"], status["error"], status["sha256"]) == (True, None, after["sha256"])
    assert loaded_at == after["loaded_at"]
    rows = living.rows("SELECT how, sha256, changes FROM configs ORDER BY id")
    assert [row[0] for row in rows] == ["start", "edit", "edit"]
    assert rows[1][1] == after["sha256"]
    assert json.loads(rows[1][2]) == [{"key": "trigger.high.threshold", "old": 10, "new": 4}]


def test_a_bad_edit_changes_nothing_and_is_told_once(living: Living, slack: SlackServer) -> None:
    good = living.config.read_text()
    bad = good.replace("threshold = 10", 'threshold = "ten"')
    line = 1 + bad[: bad.index('"ten"')].count("\n")
    with started(living, TOKEN):
        for text, expected in (
            ("", "config.toml is empty"),
            (bad, f"config.toml:{line}:"),
            (f"{good}[probe", "not valid TOML"),
            (bad, f"config.toml:{line}:"),
        ):
            replace(living, text)
            with pytest.raises(ConfigError) as refused:
                load(living)
            assert expected in str(refused.value)
        assert metric(living, "qrossover_config_error") == 1
        command = living.command("reload")
        shown = living.command("status").stdout
        replace(living, f"{good}[probe")
        status = living.json("status")
        living.measure(99.0)
        eventually(lambda: len(slack.messages) == 4, "three notices, and the alert of before")
        replace(living, good)
        eventually(lambda: len(slack.messages) == 5, "that it can be used again")
        assert metric(living, "qrossover_config_error") == 0
        assert living.json("status")["config"]["error"] is None
        nothing = living.command("reload")
    told = titles(slack)
    assert sum("config.toml was edited and cannot be used" in title for title in told) == 2
    assert "config.toml is empty" in told[0]
    assert said(slack.messages[0]).count("config.toml is empty") == 1
    assert "A restart would fail." in said(slack.messages[0])
    assert f"config.toml:{line}:" in said(slack.messages[1])
    assert "The running config stays in force" in said(slack.messages[1])
    assert "high on bench" in told[3]
    assert "config.toml can be used again" in told[4]
    assert "not valid TOML" in status["config"]["error"]
    assert (status["config"]["loaded"], status["pid"] is None) == (False, False)
    assert [probe["name"] for probe in status["probes"]] == ["meter"]
    assert f"config.toml:{line}:" in shown
    assert (command.returncode, f"config.toml:{line}:" in command.stderr) == (78, True)
    assert (nothing.returncode, "Nothing to load" in nothing.stdout) == (0, True)
    assert living.rows("SELECT count(*) FROM configs") == [(1,)]


def test_standings_and_alerts_survive_the_edit_of_a_threshold(
    living: Living, slack: SlackServer
) -> None:
    living.measure(50.0)
    with started(living, TOKEN):
        eventually(lambda: slack.messages, "the alert")
        firing = living.rows("SELECT alert, since, told FROM standings")
        edit(living, "threshold = 10", "threshold = 20")
        answer = load(living, by="ann", how="set", note="It would have fired twice.")
        assert answer["changes"] == [{"key": "trigger.high.threshold", "old": 10, "new": 20}]
        assert living.rows("SELECT alert, since, told FROM standings") == firing
        edit(living, "threshold = 20", "threshold = 60")
        load(living)
        eventually(lambda: len(slack.messages) == 4, "both notices and the resolution")
        edit(living, "[trigger.high]", "[trigger.louder]")
        edit(living, "threshold = 60", "threshold = 30")
        load(living)
        eventually(lambda: len(slack.messages) == 6, "the new trigger's alert")
        edit(living, "[trigger.louder]", "[trigger.other]")
        load(living)
        eventually(lambda: len(slack.messages) == 9, "its end, since it is gone")
    first, notice, *_ = slack.messages
    assert "Config changed: trigger.high" in notice.text
    assert "By ann" in said(notice)
    assert "It would have fired twice." in said(notice)
    [resolved] = [m for m in slack.messages if m.thread_ts == first.ts]
    assert "resolved" in resolved.text
    added = slack.messages[4]
    assert "trigger.high: removed" in said(added)
    assert "trigger.louder: added" in said(added)
    louder = next(m for m in slack.messages if "louder on bench" in m.text)
    [gone] = [m for m in slack.messages if m.thread_ts == louder.ts]
    assert "no longer in the config" in said(gone)
    rows = living.rows('SELECT how, "by" FROM configs ORDER BY id')
    assert rows == [("start", ""), ("set", "ann"), ("edit", ""), ("edit", ""), ("edit", "")]


def test_probes_are_added_changed_and_removed_alone(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text("import time; time.sleep(2)\n" + SAYS_TWO)
    (tmp_path / "also.py").write_text(SAYS_TWO.replace("test.slow", "test.also"))
    living = Living(tmp_path, more=SLOW, every="1h")
    also = SLOW.replace("slow", "also").replace("6h", "1h")

    def clock() -> dict[str, float]:
        eventually(lambda: living.about()["sha256"] == loaded["sha256"], "the lock's word")
        found: dict[str, float] = living.about()["next_at"]
        return found

    with started(living):
        eventually(lambda: living.runs("slow") == 1, "the slow probe's end")
        loaded = {"sha256": living.about()["sha256"]}
        first = clock()
        edit(living, 'every = "6h"', 'every = "6h"\ntimeout = "1m"')
        loaded = load(living)
        assert clock() == first
        edit(living, 'every = "6h"', 'every = "8h"')
        loaded = load(living)
        assert clock() == first | {"slow": pytest.approx(first["slow"] + 7200, abs=1e-3)}
        # changed while it runs: this run ends, and the next comes right after it
        edit(living, '"slow.py"', '"slow.py", "1"')
        load(living)
        eventually(lambda: "slow" in running(living), "the run of the changed probe")
        edit(living, '"slow.py", "1"', '"slow.py", "2"')
        replace(living, living.config.read_text() + also)
        loaded = load(living)
        assert loaded["changes"][0]["key"] == "probe.slow.argv"
        eventually(lambda: living.runs("slow") == 3, "the run after it")
        eventually(lambda: living.runs("also") == 1, "the new probe's run")
        edit(living, also, "")
        loaded = load(living)
        assert set(clock()) == {"meter", "slow"}
        assert clock()["meter"] == first["meter"]
    outcomes = living.rows("SELECT probe, outcome, settings FROM runs ORDER BY id")
    assert {outcome for _, outcome, _ in outcomes} == {"ok"}
    slow = [json.loads(settings)["argv"][2:] for probe, _, settings in outcomes if probe == "slow"]
    assert slow == [[], ["1"], ["2"]]


def running(living: Living) -> str:
    """The log since the last run that ended."""
    return living.said().rpartition("run ok")[2]


def test_a_sighup_loads_and_a_key_that_needs_a_restart_is_told(
    living: Living, slack: SlackServer
) -> None:
    with started(living, TOKEN) as service:
        edit(living, '"var/test.db"', '"var/other.db"')
        edit(living, "threshold = 10", "threshold = 11")
        service.send_signal(signal.SIGHUP)
        eventually(lambda: slack.messages, "the notice")
        about = living.about()
        service.send_signal(signal.SIGHUP)
        eventually(lambda: "nothing to load" in living.said(), "the second answer")
        assert service.poll() is None
    assert "trigger.high.threshold: 10 → 11" in said(slack.messages[0])
    assert "By hand, in the file." in said(slack.messages[0])
    assert "restart the service" in said(slack.messages[0])
    assert "monitor.database" in about["warnings"][0]
    assert not (living.folder / "var" / "other.db").exists()
    assert living.rows("SELECT count(*) FROM configs") == [(2,)]


def test_a_token_that_is_not_set_is_the_status_s_to_say(living: Living) -> None:
    unset = "TEST_SLACK_TOKEN is not set"
    with started(living):
        assert unset in living.json("status")["config"]["warnings"][0]
        edit(living, "threshold = 10", "threshold = 11")
        assert load(living)["warnings"] == []
        assert load(living)["warnings"] == []
        assert unset in living.json("status")["config"]["warnings"][0]
        edit(living, "#compute-strategy", "#elsewhere")
        assert unset in load(living)["warnings"][0]
        assert len(living.json("status")["config"]["warnings"]) == 1


def test_a_run_under_way_is_told(living: Living) -> None:
    (living.folder / "slow.py").write_text("import time; time.sleep(60)\n")
    edit(living, "[trigger.high]", f"{SLOW}[trigger.high]")
    with living.running():
        eventually(
            lambda: any(
                probe["name"] == "slow" and probe["running_since"]
                for probe in living.json("status")["probes"]
            ),
            "the run to be under way",
        )
        shown = living.command("status").stdout
    assert re.search(r"slow +external.command +never +– +running for \d+ s", shown)


def test_another_channel_gets_the_open_alerts_and_the_old_one_is_told(
    living: Living, slack: SlackServer
) -> None:
    living.measure(50.0)
    with started(living, TOKEN, OTHER_TOKEN=TOKEN):
        eventually(lambda: slack.messages, "the alert")
        edit(living, '"#compute-strategy"', '"#random"\n            remind_every = "2d"')
        edit(living, "TEST_SLACK_TOKEN", "OTHER_TOKEN")
        load(living)
        eventually(lambda: len(slack.messages) == 4, "the alert in the other channel")
        living.measure(1.0)
        eventually(lambda: len(slack.messages) == 5, "the resolution")
        edit(living, "OTHER_TOKEN", "UNSET_TOKEN")
        answer = load(living)
        eventually(lambda: len(slack.messages) == 6, "the notice by the token of before")
    where = {m.ts: m.channel for m in slack.messages}
    first, notice, fresh, goes_on, end, _ = slack.messages
    if fresh.thread_ts:
        fresh, goes_on = goes_on, fresh
    assert [where[m.ts] for m in (first, goes_on)] == ["C0000003"] * 2
    assert [where[m.ts] for m in (notice, fresh, end)] == ["C0000002"] * 3
    assert (goes_on.thread_ts, end.thread_ts) == (first.ts, fresh.ts)
    assert "Goes on in #random" in goes_on.text
    assert "UNSET_TOKEN is not set" in answer["warnings"][0]


def test_a_token_that_is_renewed_sends_what_was_refused(living: Living, slack: SlackServer) -> None:
    token = living.folder / "token"
    token.write_text("xoxb-old")
    edit(living, 'token_env = "TEST_SLACK_TOKEN"', 'token_file = "token"')
    living.measure(50.0)
    with started(living):
        eventually(lambda: living.rows("SELECT 1 FROM alerts WHERE state = 'dead'"), "the refusal")
        token.write_text(TOKEN)
        assert load(living)["changes"] == []
        eventually(lambda: slack.messages, "the alert")
    assert "high on bench" in slack.messages[0].text


def test_reload_says_when_no_service_runs(living: Living) -> None:
    done = living.command("reload")
    assert (done.returncode, "no service runs" in done.stderr) == (1, True)
    with pytest.raises(NotListening):
        load(living)


# --- the terminal --------------------------------------------------------------------------------

IN_A_TERMINAL = """
import fcntl, os, signal, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGHUP, signal.SIG_IGN if sys.argv[1] == "nohup" else signal.SIG_DFL)
os.execv(sys.executable, [sys.executable, "-m", "monitor.cli", "run"])
"""


@contextlib.contextmanager
def in_a_terminal(living: Living, how: str) -> Iterator[tuple[Any, int]]:
    """The service in the foreground of a terminal, and the terminal's other end."""
    ours, theirs = os.openpty()
    with living.log.open("ab") as log:
        service = subprocess.Popen(
            [sys.executable, "-c", IN_A_TERMINAL, how],
            cwd=living.folder,
            stdin=theirs,
            stdout=log,
            stderr=log,
        )
    os.close(theirs)
    try:
        eventually(lambda: "watching" in living.said(), "the service")
        yield service, ours
    finally:
        with contextlib.suppress(OSError):
            os.close(ours)
        service.terminate()
        service.wait(PATIENCE)


@pytest.mark.parametrize("how", ["foreground", "nohup"])
def test_the_end_of_the_terminal_is_no_reload(tmp_path: Path, how: str) -> None:
    living = Living(tmp_path)
    with in_a_terminal(living, how) as (service, terminal):
        service.send_signal(signal.SIGHUP)
        eventually(lambda: "nothing to load" in living.said(), "a reload in a terminal")
        os.close(terminal)
        if how == "foreground":
            assert service.wait(PATIENCE) == 0
            assert "stopping" in living.said()
        else:
            eventually(lambda: living.said().count("nothing to load") == 2, "a reload without one")
            assert service.poll() is None
