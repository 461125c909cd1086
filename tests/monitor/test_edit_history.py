"""`qrossover config …` where no service runs: what was in force, what differs, and the way back."""

import hashlib
import re
import sqlite3

import pytest
from living import Living, eventually
from shell import WHO, Shell


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


def test_lines_of_a_difference_are_not_folded(run_once: Shell) -> None:
    advice = "Look at the meter. " * 10
    run_once.set(f"advice={advice}", "--yes")
    said = run_once.command("config", "diff", "1").stdout
    assert f'+            advice = "{advice.strip()}"' in said


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


def test_a_revert_without_a_terminal_wants_to_be_told(run_once: Shell) -> None:
    run_once.set("threshold=12", "--yes")
    done = run_once.command("config", "revert")
    assert (done.returncode, "Say --yes" in done.stderr) == (2, True)
    assert "threshold = 12" in run_once.config.read_text()


def test_an_edit_by_hand_is_named_so(run_once: Shell) -> None:
    text = run_once.config.read_text()
    run_once.config.write_text(text.replace("threshold = 10", "threshold = 11"))
    run_once.set("threshold=12", "--yes")
    told = run_once.command("config", "history").stdout
    assert " edit by hand" in told
    assert " start by" not in told


@pytest.mark.parametrize("command", ["show", "diff", "revert"])
def test_ids_that_are_none(run_once: Shell, command: str) -> None:
    done = run_once.command("config", command, "99")
    assert (done.returncode, done.stdout) == (1, "")
    assert "no config 99 in the history; the newest is 1" in done.stderr
    for wrong in ("x", "0", "-1"):
        done = run_once.command("config", command, "--", wrong)
        assert done.returncode == 2
        assert "expected the number of a config, see `qrossover config history`" in done.stderr


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


@pytest.mark.parametrize("broken", [b"\n# \xff\n", b"\n[trigger\n"])
def test_a_file_that_is_no_config_at_all_can_be_reverted(run_once: Shell, broken: bytes) -> None:
    good = run_once.config.read_text()
    run_once.config.write_bytes(good.encode() + broken)
    done = run_once.command("config", "revert", "--yes")
    assert done.returncode == 0, done.stderr
    assert run_once.config.read_text() == good
    assert [row["how"] for row in run_once.json("config", "history")] == ["revert", "start"]
