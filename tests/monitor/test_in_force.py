"""What people look at while a service runs is the config in force there, whatever became of the
file; without a service the file alone counts."""

import contextlib
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from living import Living, eventually
from shell import Shell
from slack_server import TOKEN, SlackServer

MORE = """
[trigger.weak]
signal = "test.meter"
when = "below"
threshold = 0
[trigger.never]
signal = "test.meter"
target = "nobody"
when = "above"
threshold = 0
"""
READERS = (
    ("status",),
    ("checklist",),
    ("signals",),
    ("runs",),
    ("crossover",),
    ("scenario",),
    ("trigger", "list"),
    ("trigger", "explain", "high"),
    ("trigger", "backtest", "high", "--set", "threshold=50"),
    ("trigger", "snooze", "weak", "2h"),
    ("trigger", "unsnooze", "weak"),
    ("trigger", "ack", "high"),
    ("trigger", "unack", "high"),
)


@pytest.fixture
def watched(
    tmp_path: Path,
    slack: SlackServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Shell]:
    """A service whose trigger fires, which has been told."""
    living = Living(tmp_path, slack.url, more=MORE, every="1h")
    living.measure(99.0)
    with living.running(TOKEN):
        eventually(lambda: slack.messages, "the alert")
        yield Shell(living, monkeypatch, capsys)


def parsed(shell: Shell, *words: str) -> Any:
    return json.loads(shell.command(*words, "--json").stdout)


@contextlib.contextmanager
def file_is(shell: Shell, text: str | None) -> Iterator[None]:
    good = shell.config.read_text()
    try:
        shell.config.unlink() if text is None else shell.config.write_text(text)
        yield
    finally:
        shell.config.write_text(good)


@pytest.mark.parametrize(
    ("text", "why"),
    [("", "is empty"), (None, "is missing"), ("[probe", "cannot be used")],
)
def test_readers_go_by_the_config_in_force(watched: Shell, text: str | None, why: str) -> None:
    with file_is(watched, text):
        for words in READERS:
            done = watched.command(*words)
            assert done.returncode == 0, (words, done.stderr)
            [warning] = done.stderr.splitlines()
            assert warning.startswith(f"warning: config.toml {why}: "), words
            assert len(warning) <= 80
        listed = parsed(watched, "trigger", "list")
        status = parsed(watched, "status")
        named = watched.command("--config", str(watched.config), "trigger", "list")
        check = watched.command("check")
    assert [row["name"] for row in listed if row["state"] == "firing"] == ["high"]
    assert named.stdout.startswith("1 firing, 0 pending, ")
    assert status["triggers"]["firing"] == 1
    assert status["health"] == ["config.toml cannot be used: a restart would fail"]
    assert (status["config"]["loaded"], status["config"]["error"] is None) == (False, False)
    assert (check.returncode, check.stdout) == (78, "")


def test_a_config_that_is_gone_comes_back_by_a_revert(watched: Shell) -> None:
    good = watched.config.read_text()
    watched.config.unlink()
    for words in (("config", "history"), ("config", "show")):
        assert watched.command(*words).returncode == 0, words
    done = watched.command("config", "revert", "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    assert watched.config.read_text() == good
    assert "the text before" not in done.stdout
    assert "The running service has it." in done.stdout


def test_without_a_service_the_file_alone_counts(still: Shell) -> None:
    still.config.write_text("\n")
    for words in (("status",), ("trigger", "list"), ("check",), ("run",)):
        done = still.command(*words)
        assert (done.returncode, done.stdout, done.stderr) == (78, "", "config.toml is empty\n")


def test_a_config_that_watches_nothing_is_warned_of(still: Shell) -> None:
    still.config.write_text("[monitor]\n")
    done = still.command("check")
    assert done.returncode == 0
    assert "warning: config.toml has no [probe.NAME] table" in done.stdout


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_without_a_service_a_lost_config_comes_back_from_the_usual_place(
    run_once: Shell, mask: int
) -> None:
    living = run_once.living
    good = run_once.config.read_text()
    for file in living.database.parent.glob("test.db*"):
        file.rename(file.with_name(file.name.replace("test.db", "qrossover.db")))
    run_once.config.unlink()
    assert run_once.command("config", "show").stdout == good
    before = os.umask(mask)
    try:
        done = run_once.command("config", "revert", "--yes")
    finally:
        os.umask(before)
    assert done.returncode == 0, done.stderr
    assert run_once.config.read_text() == good
    assert stat.S_IMODE(run_once.config.stat().st_mode) == 0o644 & ~mask


def test_what_fires_is_listed_first_and_what_was_never_judged_last(watched: Shell) -> None:
    listed = watched.command("trigger", "list").stdout.splitlines()
    assert listed[0] == "1 firing, 0 pending, 0 without data, 1 inactive, 1 not judged yet"
    named = [line.split()[0] for line in listed[1:] if line[:1].isalpha()]
    assert named == ["high", "weak", "never:"]
    assert listed[-1] == "never: not judged yet"
    firing = watched.command("trigger", "list", "--firing").stdout
    assert ("high" in firing, "weak" in firing, "never" in firing) == (True, False, False)
    assert [row["name"] for row in watched.json("trigger", "list", "--firing")] == ["high"]
