"""`trigger set` and `config …` through the command line: shown, asked, written, told, undone."""

import io
import json
import os
import pty
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from living import Living, eventually
from slack_server import TOKEN, SlackServer

from monitor.cli import main

ASK = [sys.executable, "-m", "monitor.cli"]
WHO = r"ada@[\w.-]+"


@pytest.fixture
def quiet(tmp_path: Path) -> Living:
    """A config and no service."""
    return Living(tmp_path, every="1h")


@dataclass(frozen=True)
class Ended:
    """A command that has run in this process, by the console script's own entry."""

    returncode: int
    stdout: str
    stderr: str


class Shell:
    """Commands in a config's folder, as a person called ada: a process for each takes a second."""

    def __init__(
        self, living: Living, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]
    ) -> None:
        self.living = living
        self.config = living.config
        self._patch = patch
        self._capture = capture

    def command(self, *words: str) -> Ended:
        with self._patch.context() as patch:
            patch.chdir(self.living.folder)
            patch.setenv("SUDO_USER", "ada")
            patch.setenv("COLUMNS", "80")
            patch.setattr(sys, "argv", ["qrossover", *words])
            patch.setattr(sys, "stdin", io.StringIO())
            code = 0
            try:
                main()
            except SystemExit as ended:
                code = int(ended.code or 0)
        said = self._capture.readouterr()
        return Ended(code, said.out, said.err)

    def set(self, *words: str) -> Ended:
        return self.command("trigger", "set", "high", *words)

    def json(self, *words: str) -> Any:
        done = self.command(*words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def still(
    quiet: Living, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    """A config and no service."""
    return Shell(quiet, monkeypatch, capsys)


@pytest.fixture(scope="module")
def once_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database after one pass, made once."""
    living = Living(tmp_path_factory.mktemp("once"), every="1h")
    assert living.command("once").returncode == 0
    return living.database.parent


@pytest.fixture
def run_once(still: Shell, once_run: Path) -> Shell:
    """A config that has been in force, and no service any more."""
    shutil.copytree(once_run, still.living.database.parent)
    return still


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
    for word, code, now in (("n", 1, "10"), ("", 1, "10"), ("y", 0, "12")):
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


# --- no service: the command keeps the history -------------------------------------------------


def test_without_a_service_the_history_is_kept_all_the_same(run_once: Shell) -> None:
    first = run_once.config.read_text()
    # an edit by hand that no service has seen is kept too: it is what the next one is undone to
    by_hand = first.replace("threshold = 10", "threshold = 11")
    run_once.config.write_text(by_hand)
    done = run_once.set("threshold=12", "for=2 readings", "--yes")
    assert "No service runs: it is in force from the next start." in done.stdout
    newest, edited, started = run_once.json("config", "history")
    assert [newest["how"], edited["how"], started["how"]] == ["set", "edit", "start"]
    assert re.fullmatch(WHO, newest["by"])
    assert newest["changes"] == [
        {"key": "trigger.high.threshold", "old": 11, "new": 12},
        {"key": "trigger.high.for", "old": None, "new": "2 readings"},
    ]
    assert edited["changes"] == [{"key": "trigger.high.threshold", "old": 10, "new": 11}]
    assert [row["in_force"] for row in (newest, edited, started)] == [True, False, False]
    assert len(run_once.json("config", "history", "--most", "1")) == 1
    assert run_once.command("config", "show", str(edited["id"])).stdout == by_hand
    assert run_once.json("config", "show")["text"] == run_once.config.read_text()
    done = run_once.command("config", "revert", "--yes")
    assert done.returncode == 0, done.stderr
    assert run_once.config.read_text() == by_hand
    with run_once.living.running():  # a start with what the history has already is no new version
        eventually(lambda: run_once.living.runs() >= 2, "a run")
    assert [row["how"] for row in run_once.json("config", "history")][:2] == ["revert", "set"]


def test_where_there_is_no_database_there_is_no_history(still: Shell) -> None:
    for command in ("history", "show", "diff", "revert"):
        done = still.command("config", command)
        assert (done.returncode, done.stdout) == (1, "")
        assert "no database at" in done.stderr


def test_history_reads_in_80_columns(run_once: Shell) -> None:
    run_once.set("threshold=12", "advice=" + "Look at the meter. " * 20, "--yes")
    said = run_once.command("config", "history").stdout
    assert "trigger.high.threshold: 10 → 12" in said
    assert re.search(rf"set by {WHO}  in force", said)
    assert max(map(len, said.splitlines())) <= 80


def test_differences_are_lines(run_once: Shell) -> None:
    run_once.set("threshold=12", "--yes")
    lines = ["-            threshold = 10", "+            threshold = 12"]
    for words in (["1"], ["1", "2"]):
        said = run_once.command("config", "diff", *words).stdout.splitlines()
        assert [line for line in said if line[:1] in "+-"][2:] == lines
    assert "They say the same" in run_once.command("config", "diff").stdout
    document = run_once.json("config", "diff", "2", "1")
    assert document["changes"] == [{"key": "trigger.high.threshold", "old": 12, "new": 10}]
    run_once.config.write_text("not [ valid")  # what the file says is shown all the same
    assert "+not [ valid" in run_once.command("config", "diff").stdout


@pytest.mark.parametrize("command", ["show", "diff", "revert"])
def test_ids_that_are_none(run_once: Shell, command: str) -> None:
    done = run_once.command("config", command, "99")
    assert (done.returncode, done.stdout) == (1, "")
    assert "no config 99 in the history; the newest is 1" in done.stderr
    for wrong in ("x", "0", "-1"):
        assert run_once.command("config", command, "--", wrong).returncode == 2


def test_a_revert_of_what_no_longer_can_be_used(run_once: Shell) -> None:
    nothing = run_once.command("config", "revert", "--yes")
    assert "there is no config before this one" in nothing.stderr
    run_once.set("threshold=12", "--yes")
    before = run_once.config.read_text()
    (run_once.living.folder / "meter.py").unlink()
    (run_once.living.folder / "var" / "test.db").chmod(0o644)
    odd = before.replace("threshold = 12", "threshold = 1\n            colour = 2")
    _put(run_once.living, odd)
    done = run_once.command("config", "revert", "3", "--yes")
    assert done.returncode == 1
    assert "config 3 cannot be used as it was" in done.stderr
    assert re.search(r"config 3:\d+:\d+: trigger.high.colour: unknown key", done.stderr)
    assert run_once.config.read_text() == before


def _put(living: Living, text: str) -> None:
    """A config in the history that another version of the program could use."""
    import hashlib  # noqa: PLC0415
    import sqlite3  # noqa: PLC0415

    connection = sqlite3.connect(living.database)
    row = (1, hashlib.sha256(text.encode()).hexdigest(), "", "edit", "[]", text)
    with connection:
        connection.execute(
            'INSERT INTO configs (at, sha256, "by", how, changes, text) VALUES (?, ?, ?, ?, ?, ?)',
            row,
        )
    connection.close()


def test_a_broken_file_can_be_reverted(run_once: Shell) -> None:
    good = run_once.config.read_text()
    run_once.config.write_text(good.replace("threshold = 10", "threshold = nan"))
    done = run_once.command("config", "revert", "--yes")
    assert done.returncode == 0, done.stderr
    assert run_once.config.read_text() == good
    assert "nan" in (run_once.living.folder / "config.toml.bak").read_text()


# --- the whole way -----------------------------------------------------------------------------


def test_a_running_service_judges_by_what_was_set(living: Living, slack: SlackServer) -> None:
    living.measure(8.0)
    with living.running(TOKEN):
        living.another_run()
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
        assert "It fires on bench now: its standing and its alert stay" in done.stdout
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
