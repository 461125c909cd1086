"""`qrossover trigger test`: what it says, in tables and in JSON, and how it ends."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from living import Living

from monitor.cli import cli
from monitor.problems import ConfigError

CONFIG = """\
[probe.meter]
kind = "external.command"
argv = ["./meter"]
signals = { "test.meter" = "V" }
every = "15m"
[trigger.high]
signal = "test.meter"
when = "above"
threshold = 10
for = "2 readings"
[trigger.low]
signal = "test.meter"
when = "below"
threshold = 1
[trigger.fails]
probe = "*"
when = "fails"
"""
PASSES = """\
[[test]]
name = "two readings above 10 V fire"
trigger = "high"
every = "15m"
readings = "3x9 2x11"
fires = [5]
"""
FAILS = """\

[[test]]
name = "one is enough [red]:bomb:"
trigger = "high"
every = "15m"
readings = "100x9 11 4x_ 11 11 9"
fires = [101]
resolves = []
state = "firing"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.toml").write_text(CONFIG)
    (tmp_path / "a.test.toml").write_text(PASSES)
    return tmp_path


def said(folder: Path, *words: str) -> Result:
    arguments = ["--config", str(folder / "config.toml"), "trigger", "test", *words]
    return CliRunner().invoke(cli, arguments, catch_exceptions=False)


def lines(done: Result) -> list[str]:
    found = done.stdout.splitlines()
    assert max(map(len, found)) <= 80
    return [line.rstrip() for line in found]


def test_a_test_that_passes_is_one_line(folder: Path) -> None:
    done = said(folder)
    assert done.exit_code == 0
    assert lines(done) == [
        "a.test.toml",
        "  ✔ two readings above 10 V fire",
        "",
        "1 passed, 0 failed.",
        "Without a test in these files, of config.toml: low, fails.",
    ]


def test_a_test_that_fails_shows_why(folder: Path) -> None:
    (folder / "b.test.toml").write_text(FAILS)
    done = said(folder, "b.test.toml", "a.test.toml")
    assert done.exit_code == 1
    assert lines(done)[:16] == [
        "b.test.toml",
        "  ✘ one is enough [red]:bomb:",
        "    b.test.toml:2, trigger high",
        "    expected to fire in slot 101; it fires in slot 106",
        "    expected to resolve in no slot; it resolves in slot 108",
        "    expected firing at the end of slot 108, stands at inactive",
        "    slot 101 11 V pending  11 is above 10; 1 of the last 2, needs 2 readings",
        "    slot 106 11 V firing   11 is above 10; 2 of the last 2, needs 2 readings",
        "    slot 108 9 V  inactive 9 is not above 10; 1 of the last 2, needs 2 readings",
        "    readings of high on test count as missing in slot 104: none for more than 45",
        "    min (max_age)",
        "    slots 53 to 108; ▲ fires, ▼ resolves, ? readings are missing",
        f"    test     {'▁' * 48}█····██▁",
        f"    expected {' ' * 48}▲",
        f"    got      {' ' * 53}▲ ▼",
        "",
    ]


def test_series_on_several_targets_are_drawn_below_each_other(folder: Path) -> None:
    (folder / "a.test.toml").write_text(
        """
        [[test]]
        name = "both"
        trigger = "low"
        every = "15m"
        fires = [1]
        [[test.series]]
        target = "one"
        readings = "7..1/7 0"
        [[test.series]]
        target = "a-very-long-name-of-a-target"
        readings = "3x0.5"
        """
    )
    done = said(folder)
    shown = lines(done)
    assert "    slot 8 on one" in " ".join(shown)
    assert shown[-8:-3] == [
        "    slots 1 to 8; ▲ fires, ▼ resolves, ? readings are missing",
        "    one              █▇▆▅▄▃▂▁",
        "    a-very-long-nam… ▄▄▄",
        "    expected         ▲",
        "    got              ▲      ▲",
    ]


def test_the_document_has_what_the_table_shows(folder: Path) -> None:
    (folder / "b.test.toml").write_text(FAILS)
    done = said(folder, "--json")
    assert done.exit_code == 1
    document = json.loads(done.stdout)
    assert (document["passed"], document["failed"]) == (1, 1)
    assert document["untested"] == [
        {"config": "config.toml", "trigger": "low"},
        {"config": "config.toml", "trigger": "fails"},
    ]
    passed, failed = document["tests"]
    assert (passed["file"], passed["line"], passed["passed"]) == ("a.test.toml", 1, True)
    assert [(event["slot"], event["kind"]) for event in failed["events"]] == [
        (106, "fires"),
        (108, "resolves"),
    ]
    assert len(failed["faults"]) == 3
    assert [sight["slot"] for sight in failed["sights"]] == [101, 106, 108]


def test_exit_codes_of_the_real_command(living: Living) -> None:
    tests = living.folder / "meter.test.toml"
    assert living.command("trigger", "test").returncode == 1  # there is no test
    tests.write_text(PASSES.replace("2x11", "11").replace("[5]", "[4]"))
    assert living.command("trigger", "test").returncode == 0
    tests.write_text(PASSES.replace("2x11", "11"))
    wrong = living.command("trigger", "test")
    assert wrong.returncode == 78
    assert wrong.stderr.startswith("meter.test.toml:6:10: test.1.fires.1: expected slots 1 to 4")
    missing = living.command("trigger", "test", "no.test.toml")
    assert missing.returncode == 78
    assert missing.stderr.startswith("no.test.toml: there is no such file\n")


def test_a_config_that_is_wrong_is_told_by_its_own_name(folder: Path) -> None:
    (folder / "config.toml").write_text("[nothing]\n")
    with pytest.raises(ConfigError, match=r"^config.toml:1:2: nothing: unknown key"):
        said(folder)


def test_a_file_that_is_wrong_hides_no_other(folder: Path) -> None:
    (folder / "b.test.toml").write_text(PASSES.replace("high", "hihg"))
    command = [sys.executable, "-m", "monitor.cli", "trigger", "test"]
    for more in ([], ["--json"]):
        done = subprocess.run(
            [*command, *more], capture_output=True, text=True, cwd=folder, check=False
        )
        assert done.returncode == 78
        assert done.stderr.startswith(
            "b.test.toml:3:11: test.1.trigger: config.toml has no trigger"
        )
        assert "two readings above 10 V fire" in done.stdout


def test_paths_are_said_without_detours(folder: Path) -> None:
    (folder / "tt").mkdir()
    (folder / "tt" / "a.test.toml").write_text('config = "../config.toml"\n' + PASSES)
    shown = lines(said(folder, "tt/../tt"))
    assert shown[0] == "tt/a.test.toml"
    assert shown[-1] == "Without a test in these files, of config.toml: low, fails."
    document = json.loads(said(folder, "tt", "--json").stdout)
    assert document["tests"][0]["config"] == "config.toml"
