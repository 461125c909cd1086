"""`qrossover scenario` through the real command line: on nothing, on a database, on a milestones
file of one's own and on a wrong one."""

import json
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from living import Living

from monitor.outlook.milestones import load
from monitor.problems import ConfigError
from triggers.milestone import last_day

ERRORS = """
import json
for target, value in (("kingston", 2e-3), ("boston", 8e-4)):
    reading = {"signal": "quantum.calibration.two_qubit_error", "target": target, "value": value}
    print(json.dumps(reading | {"note": "calibrated 2026-04-17"}))
"""
OWN = '[scenario]\nmilestones = "own.toml"\n'
TODAY = datetime.now(UTC).date()
MET = f"""\
[milestone.ibm-kookaburra]
status  = "met"
since   = "{TODAY}"
source  = "IBM's own word"
url     = "https://example.org/kookaburra"
checked = "{TODAY}"
"""


def own(**keys: str) -> str:
    """A milestone of one's own, for tomorrow, unless it says otherwise."""
    plain = {
        "who": "we", "what": "a pilot", "due": str(TODAY + timedelta(days=1)),
        "status": "announced", "since": str(TODAY), "source": "our plan",
        "url": "https://example.org/plan", "checked": str(TODAY),
    }  # fmt: skip
    lines = [f"{key} = {json.dumps(value)}" for key, value in (plain | keys).items()]
    return "\n".join(["[milestone.ours]", *lines, ""])


@pytest.fixture
def bench(tmp_path: Path) -> Living:
    """A folder with a config that names a milestones file, which is empty."""
    (tmp_path / "own.toml").write_text("")
    return Living(tmp_path, more=OWN)


def indicator(document: dict[str, Any], letter: str, name: str) -> dict[str, Any]:
    [scenario] = [each for each in document["scenarios"] if each["letter"] == letter]
    [found] = [each for each in scenario["indicators"] if each["id"] == name]
    return dict(found)


def test_before_anything_is_measured_the_milestones_speak(bench: Living) -> None:
    document = bench.json("scenario")
    assert not bench.database.exists()
    for scenario in document["scenarios"]:
        points = [row["points"] for row in scenario["indicators"]]
        for way in ("toward", "away", "unknown"):
            assert scenario[way] == points.count(way)
        for row in scenario["indicators"]:
            assert (row["signal"] is None) is (row["milestone"] is not None)
            assert row["signal"] is None or row["why"] == "not measured yet"
    days = [last_day(one["due"]) for one in document["milestones"]]
    assert days == sorted(days)
    assert days


def test_on_an_empty_database_nothing_is_measured_either(bench: Living) -> None:
    (bench.folder / "meter.py").write_text("")
    bench.command("once")
    assert bench.database.exists()
    told = indicator(bench.json("scenario"), "C", "errors-for-large-machines")
    assert (told["points"], told["why"], told["value"]) == ("unknown", "not measured yet", None)
    assert (told["threshold"], told["when"]) == (1e-4, "below")


def test_readings_point_with_their_evidence(bench: Living) -> None:
    text = bench.config.read_text()
    signals = '"test.meter" = "V", "quantum.calibration.two_qubit_error" = "1"'
    bench.config.write_text(text.replace('"test.meter" = "V"', signals))
    (bench.folder / "meter.py").write_text(ERRORS)
    assert bench.command("once").returncode == 0
    document = bench.json("scenario")
    low = indicator(document, "B", "errors-for-correction")
    assert (low["points"], low["value"], low["target"]) == ("toward", 8e-4, "boston")
    assert (low["origin"], low["unit"], low["threshold"]) == ("measured", "1", 1e-3)
    assert low["url"].startswith("https://arxiv.org/")
    assert indicator(document, "A", "physical-errors-too-high")["points"] == "away"
    assert indicator(document, "C", "errors-for-large-machines")["points"] == "away"
    shown = bench.command("scenario", "--all").stdout
    assert "two_qubit_error 8e-4 on boston (measured, 2026-04-17)" in " ".join(shown.split())


def test_every_indicator_is_shown_with_all(bench: Living) -> None:
    document, shown = bench.json("scenario"), bench.command("scenario", "--all").stdout
    lines = [line.rstrip() for line in shown.splitlines()]
    assert max(map(len, lines)) <= 80
    unfolded = " ".join(shown.split())
    assert unfolded.startswith(document["headline"])
    for scenario in document["scenarios"]:
        for row in scenario["indicators"]:
            arrow = {"toward": "→", "away": "←", "unknown": "?"}[row["points"]]
            assert f"{arrow} {row['says']}" in unfolded


def test_the_summary_fits_one_screen_and_says_what_the_document_says(bench: Living) -> None:
    document, shown = bench.json("scenario"), bench.command("scenario").stdout
    lines = [line.rstrip() for line in shown.splitlines()]
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 32
    unfolded = " ".join(shown.split())
    assert unfolded.startswith("Too little is known to name a scenario")
    assert unfolded.startswith(document["headline"])
    for scenario in document["scenarios"]:
        counts = ", ".join(f"{scenario[way]} {way}" for way in ("toward", "away", "unknown"))
        assert f"{scenario['letter']}. {scenario['title']} {counts}" in unfolded
        ways = {row["points"]: row for row in scenario["indicators"]}
        assert ("toward" in ways) == (scenario["toward"] > 0)
    a = unfolded.partition("A. Conservative")[2].partition("B. Hybrid")[0]
    assert (a.count("→"), a.count("←")) == (2, 1), "what speaks against it is shown too"
    for milestone in [one for one in document["milestones"] if not one["past_due"]][:3]:
        assert f"{milestone['due']} {milestone['who']}" in unfolded


def test_a_status_of_ones_own_turns_an_indicator(bench: Living) -> None:
    before = indicator(bench.json("scenario"), "A", "kookaburra-keeps-its-day")
    assert (before["points"], before["status"]) == ("unknown", "open")
    (bench.folder / "own.toml").write_text(MET)
    after = indicator(bench.json("scenario"), "A", "kookaburra-keeps-its-day")
    assert (after["points"], after["status"], after["since"]) == ("away", "met", str(TODAY))
    assert (after["source"], after["note"]) == ("IBM's own word", "")
    assert after["due"] == before["due"]  # what the file does not say stays


def test_a_milestone_of_ones_own_comes_and_falls_due(bench: Living) -> None:
    (bench.folder / "own.toml").write_text(own())
    ours = {"id": "ours", "past_due": False}.items()
    assert [one for one in bench.json("scenario")["milestones"] if ours <= one.items()]
    assert not any("ours" in line for line in bench.json("check")["warnings"])
    yesterday = str(TODAY - timedelta(days=1))
    (bench.folder / "own.toml").write_text(
        own(due=yesterday, since="2024", checked=str(TODAY - timedelta(days=2)))
    )
    [late] = [one for one in bench.json("scenario")["milestones"] if one["id"] == "ours"]
    assert (late["due"], late["past_due"], late["status"]) == (yesterday, True, "announced")
    assert "Past due: please confirm" in bench.command("scenario").stdout
    told = [line for line in bench.json("check")["warnings"] if "past due" in line]
    assert len(told) == 1
    assert f"ours ({yesterday})" in told[0]
    bench.command("once")
    assert bench.json("status")["milestones"] == told[0]
    assert f"ours ({yesterday})" in " ".join(bench.command("status").stdout.split())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (own(due="soon"), 'own.toml:4:7: milestone.ours.due: expected "2029", "2029-06" or'),
        (own(status="likely"), "own.toml:5:10: milestone.ours.status: expected 'announced'"),
        (own(url="the web"), "own.toml:8:7: milestone.ours.url: expected the http(s) address"),
        (own(chance="half"), "own.toml:10:1: milestone.ours.chance: unknown key"),
        (own().replace("who", "#"), "own.toml:1:2: milestone.ours.who: this key is missing"),
        (own(due="2020"), 'own.toml:5:10: milestone.ours.status: "announced", and was due 2020'),
        (own().replace('"we"', "7"), "own.toml:2:7: milestone.ours.who: expected a string"),
        ("[milestones.x]\n", 'own.toml:1:2: milestones: unknown key. Did you mean "milestone"?'),
        ("milestone = 3\n", "own.toml:1:13: milestone: expected tables, [milestone.NAME]"),
        ("[milestone]\nx = 3\n", "own.toml:2:5: milestone.x: expected a table"),
        ('[milestone."a b"]\n', 'own.toml:1:2: milestone."a b": a name is made of letters'),
        (own(id="x"), "own.toml:10:1: milestone.ours.id: unknown key"),
        ("[milestone.x\n", "own.toml:1:13: not valid TOML"),
        (
            '[milestone.ibm-starling]\nstatus = "met"\n',
            "own.toml:2:10: milestone.ibm-starling.status: another status needs its own evidence",
        ),
        (
            "[milestone.ibm-starling]\ndue = 2031-01-01\n",
            "own.toml:2:7: milestone.ibm-starling.due: no key takes a date",
        ),
    ],
)
def test_a_wrong_file_is_refused_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "own.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as error:
        load(file)
    assert error.value.lines[0].startswith(said)


def test_a_wrong_file_ends_the_commands_that_need_it(bench: Living) -> None:
    (bench.folder / "own.toml").write_text(own(due="soon", url="the web"))
    for command in ("scenario", "check"):
        done = bench.command(command)
        assert (done.returncode, done.stdout) == (78, "")
        assert [line[:13] for line in done.stderr.splitlines()] == [
            "own.toml:4:7:",
            "own.toml:8:7:",
        ]


def test_a_file_that_is_not_there_is_named(bench: Living) -> None:
    (bench.folder / "own.toml").unlink()
    done = bench.command("scenario")
    assert done.returncode == 78
    assert "own.toml: cannot be read" in done.stderr
    assert "[scenario] milestones" in done.stderr
    bench.command("once")
    status = bench.command("status")  # what runs is seen all the same
    assert status.returncode == 0
    assert "own.toml: cannot be read" in " ".join(status.stdout.split())


def test_what_a_file_says_does_nothing_on_the_terminal(bench: Living) -> None:
    (bench.folder / "own.toml").write_text(own(who="[/z] \x1b[2J".replace("\x1b", "\\u001b")))
    shown = bench.command("scenario")
    assert shown.returncode == 0
    assert all(sign == "\n" or sign.isprintable() for sign in shown.stdout)


def test_a_database_of_another_version_is_left_alone(bench: Living) -> None:
    bench.database.parent.mkdir()
    with sqlite3.connect(bench.database) as connection:
        connection.execute("PRAGMA user_version = 9999")
    connection.close()
    done = bench.command("scenario")
    assert (done.returncode, done.stdout) == (1, "")
