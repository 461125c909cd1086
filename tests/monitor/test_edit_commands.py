"""`trigger set` through the command line: shown, asked, written, told to the service, undone."""

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest
from living import Living, eventually
from shell import WHO, Shell
from slack_server import TOKEN, SlackServer

ASK = [sys.executable, "-m", "monitor.cli"]


def at_a_terminal(living: Living, answer: str, *words: str) -> tuple[int, str]:
    """A command with a terminal before it, at which one answer is typed: exit code and output."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*ASK, *words], cwd=living.folder, stdin=theirs, stdout=subprocess.PIPE, text=True
    ) as process:
        os.write(ours, f"{answer}\n".encode())
        said, _ = process.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    return process.returncode, said


def threshold(living: Living) -> str:
    found = re.search(r"threshold = (\S+)", living.config.read_text())
    return found[1] if found else ""


# --- shown and asked ---------------------------------------------------------------------------


def test_it_is_shown_and_written_only_when_agreed(still: Shell) -> None:
    for word, code, now in (("n", 1, "10"), ("y", 0, "12")):
        ended, said = at_a_terminal(still.living, word, "trigger", "set", "high", "threshold=12")
        assert ended == code
        assert re.search(r"trigger.high.threshold +10 +→ +12", said)
        assert "There is no database yet" in said
        assert "Apply? [y/N]" in said
        assert threshold(still.living) == now
    assert "Written to config.toml; the text before is in config.toml.bak." in said
    assert "No service runs: it is in force from the first start." in said
    assert not still.living.database.exists()  # it is the service's to make


def test_without_a_terminal_it_wants_to_be_told(still: Shell) -> None:
    done = still.set("threshold=12")
    assert done.returncode == 2
    assert "--yes" in done.stderr
    assert "10" in done.stdout
    assert threshold(still.living) == "10"
    assert still.set("threshold=12", "--json").returncode == 2
    assert still.set("threshold=12", "--yes", "--dry-run").returncode == 2
    assert threshold(still.living) == "10"


@pytest.mark.parametrize("words", [("trigger", "set", "high", "for=2h"), ("config", "revert")])
def test_the_end_of_the_input_is_a_no(run_once: Shell, words: tuple[str, ...]) -> None:
    run_once.set("threshold=12", "--yes")
    before = run_once.config.read_text()
    ours, theirs = pty.openpty()
    command = [*ASK, *words]
    with subprocess.Popen(
        command, cwd=run_once.living.folder, stdin=theirs, stderr=subprocess.PIPE, text=True
    ) as process:
        os.write(ours, b"\x04")  # Ctrl-D
        _, said = process.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert (process.returncode, said) == (1, "nothing was written\n")
    assert run_once.config.read_text() == before


def test_a_trial_writes_nothing(still: Shell) -> None:
    done = still.set("threshold=12", "--dry-run")
    assert done.returncode == 0
    assert "Nothing is written" in done.stdout
    document = json.loads(still.set("threshold=12", "--dry-run", "--json").stdout)
    assert document["changes"] == [{"key": "trigger.high.threshold", "old": 10, "new": 12}]
    assert (document["applied"], document["backup"], document["service"]) == (False, None, None)
    assert threshold(still.living) == "10"
    assert {each.name for each in still.living.folder.iterdir()} == {
        "config.toml",
        "meter.py",
        "value",
    }


def test_what_stands_there_already_is_no_change(still: Shell) -> None:
    before = still.config.stat().st_mtime_ns
    done = still.set("threshold=10.0")
    assert (done.returncode, done.stdout) == (
        0,
        "config.toml says so already: nothing to change.\n",
    )
    assert still.config.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["high", "threshold=8%"], 2, "trigger.high.threshold: expected a number of V, got '8%'"),
        (["high", "treshold=8"], 2, 'unknown key. Did you mean "threshold"?'),
        (["high", "threshold"], 2, "expected KEY=VALUE"),
        (["high"], 2, "Missing argument"),
        (["hihg", "threshold=8"], 1, "no trigger 'hihg'. Did you mean \"high\"?"),
        (["high", "threshold=8", "--since", "3 parsecs"], 2, "expected a duration"),
    ],
)
def test_what_is_wrong_is_told_in_a_line(
    still: Shell, words: list[str], code: int, said: str
) -> None:
    before = still.config.read_bytes()
    done = still.command("trigger", "set", *words, "--yes")
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert still.config.read_bytes() == before


def test_a_config_that_is_wrong_already_has_its_own_exit_code(still: Shell) -> None:
    still.config.write_text("[trigger.high]\nwhen = 1\n")
    done = still.set("threshold=1", "--yes")
    assert done.returncode == 78
    assert "config.toml:2:8: trigger.high.when" in done.stderr


def test_of_two_who_are_asked_at_once_the_second_to_answer_is_told_of_the_first(
    run_once: Shell,
) -> None:
    living = run_once.living
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*ASK, "trigger", "set", "high", "threshold=12"],
        cwd=living.folder, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert any("12" in line for line in process.stdout)  # it has read the file, and asks
        assert run_once.set("severity=page", "--yes").returncode == 0
        os.write(ours, b"y\n")
        _, told = process.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert process.returncode == 1
    assert re.search(rf"was changed \d s ago.*\(it was {WHO}, by set\)", told)
    assert threshold(living) == "10"
    assert "page" in living.config.read_text()


# --- a trigger that fires ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("threshold=20", "now, at 12 V: standing and alert stay, and resolve once it is judged"),
        ("threshold=11", "now, at 12 V, and goes on firing: standing and alert stay"),
        ("notify=false", "with notify = false nothing more is sent for it"),
        ("when=below", "it will be about something else, which closes that alert"),
        ("target=x*", "that target is no longer covered, which closes the alert"),
    ],
)  # fmt: skip
def test_what_becomes_of_a_trigger_that_fires(still: Shell, word: str, said: str) -> None:
    still.living.measure(12.0)
    assert still.command("once").returncode == 0
    document = still.json("trigger", "set", "high", word, "--dry-run")
    assert any(line.startswith("it fires on bench now") for line in document["firing"])
    assert any(said in line for line in document["firing"])
    assert document["untried"] is None or word == "notify=false"


# --- the whole way -----------------------------------------------------------------------------


def test_a_running_service_judges_by_what_was_set(living: Living, slack: SlackServer) -> None:
    living.measure(8.0)
    with living.running(TOKEN):
        eventually(living.runs, "a run")
        done = by_ada(living, "threshold=5", "--yes", "--json")
        assert done.returncode == 0, done.stderr
        document = json.loads(done.stdout)
        assert (document["applied"], document["service"]) == (True, "took it")
        eventually(lambda: _said(slack, "high on bench"), "the alert at the new threshold")
        (notice,) = _said(slack, "Config changed")
        for word in ("trigger.high.threshold: 10 → 5", document["summary"]):
            assert word in notice
        assert re.search(f"By {WHO}", notice)
        done = by_ada(living, "threshold=6", "--yes")
        assert "It fires on bench now, at 8 V, and goes on firing" in done.stdout
        assert "The running service has it." in done.stdout
        done = by_ada(living, "--yes", of=("config", "revert", "1"))
        assert done.returncode == 0, done.stderr
        eventually(lambda: _said(slack, "esolved"), "the end of the alert")
        assert threshold(living) == "10"
        rows = living.json("config", "history")
        running = living.json("status")["config"]["sha256"]
    assert [row["how"] for row in rows] == ["revert", "set", "set", "start"]
    assert [_new(row) for row in rows] == [10, 6, 5, None]
    assert [row["in_force"] for row in rows] == [True, False, False, False]
    assert rows[0]["sha256"] == running
    assert living.rows("SELECT count(*) FROM alerts WHERE kind = 'fires'") == [(1,)]


def test_what_the_service_cannot_use_is_told_and_ends_with_1(
    living: Living, slack: SlackServer
) -> None:
    token = living.folder / "token"
    token.write_text(TOKEN)
    text = living.config.read_text()
    living.config.write_text(text.replace('token_env = "TEST_SLACK_TOKEN"', 'token_file = "token"'))
    with living.running():
        eventually(lambda: living.about().get("http"), "the service")
        before = living.json("status")["config"]["sha256"]
        token.unlink()
        done = by_ada(living, "threshold=5", "--yes", "--json")
        document = json.loads(done.stdout)
        assert (done.returncode, document["service"]) == (1, "refused it")
        assert "goes on as before" in document["said"]
        assert "slack.token_file: cannot be read" in document["said"]
        assert living.json("status")["config"]["sha256"] == before
    assert [row[0] for row in living.rows("SELECT how FROM configs")] == ["start"]


def test_a_service_with_another_file_is_not_told(living: Living) -> None:
    other = living.folder / "other.toml"
    other.write_text(living.config.read_text())
    with living.running():
        eventually(lambda: living.about().get("http"), "the service")
        done = living.command("--config", "other.toml", "trigger", "set", "high", "for=2h", "--yes")
        assert done.returncode == 0, done.stderr
        assert "The running service reads another file" in done.stdout
    assert [row[0] for row in living.rows("SELECT how FROM configs")] == ["start"]


def by_ada(
    living: Living, *words: str, of: Sequence[str] = ("trigger", "set", "high")
) -> subprocess.CompletedProcess[str]:
    return living.command(*of, *words, SUDO_USER="ada")


def _said(slack: SlackServer, word: str) -> list[str]:
    texts = [f"{message.text} {_texts(message.blocks)}" for message in slack.messages]
    return [text for text in texts if word in text]


def _texts(blocks: Any) -> str:
    return json.dumps(blocks, ensure_ascii=False)


def _new(row: dict[str, Any]) -> Any:
    return next((c["new"] for c in row["changes"] if c["key"] == "trigger.high.threshold"), None)
