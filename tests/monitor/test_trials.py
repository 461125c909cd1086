"""Files of trigger tests: what is wrong in them is told with its place, what is right is read."""

from collections.abc import Callable
from pathlib import Path

import pytest

from monitor import config
from monitor.config import Config
from monitor.problems import ConfigError
from monitor.trial import files as trials
from triggers.trial import Trial

CONFIG = """\
[probe.meter]
kind = "external.command"
argv = ["./meter"]
signals = { "test.meter" = "V", "test.other" = "A" }
every = "15m"
[trigger.high]
signal = "test.meter"
when = "above"
threshold = 10
[trigger.on-host]
signal = "test.other"
target = "host-[ab]"
when = "below"
threshold = 1
no_data = "alert"
[trigger.fails]
probe = "*"
when = "fails"
[trigger.both]
when = "all"
of = ["high", "on-host"]
[trigger.either]
when = "any"
of = ["both", "fails"]
"""
HEAD = 'config = "config.toml"\n[[test]]\nname = "n"\n'
HIGH = HEAD + 'trigger = "high"\nevery = "15m"\n'
GOOD = HIGH + 'readings = "9 11"\n'

Told = Callable[[str], list[str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.toml").write_text(CONFIG)
    return tmp_path


def read(folder: Path, text: str) -> list[Trial]:
    """The trials of one file beside the config."""
    file = folder / "a.test.toml"
    file.write_text(text)
    files, faults = trials.read([file], lambda: config.read(folder / "config.toml"))
    if faults is not None:
        raise faults
    (found,) = files
    return [trial for _, trial in found.trials]


@pytest.fixture
def told(folder: Path) -> Told:
    """The faults of a text, without the name of its file."""

    def tell(text: str) -> list[str]:
        with pytest.raises(ConfigError) as wrong:
            read(folder, text)
        return [line.removeprefix(f"{folder}/a.test.toml:") for line in wrong.value.lines]

    return tell


WRONG = [
    ("", "1:1: test: expected at least one [[test]]"),
    ("test = 5\n", "1:8: test: expected at least one [[test]]"),
    ("[test]\nname = 'a'\n", "1:2: test: expected at least one [[test]]"),
    ("tets = 5\n" + GOOD + "fires = []\n", '1:1: tets: unknown key. Did you mean "test"?'),
    (
        GOOD.replace("config.toml", "conf.toml") + "fires = []\n",
        "1:10: config: there is no file ",
    ),
    (
        GOOD.replace('"config.toml"', "5") + "fires = []\n",
        "1:10: config: expected the path of a config such as ",
    ),
    (GOOD.replace("trigger", "#") + "fires = []\n", "2:3: test.1.trigger: this key is missing"),
    (GOOD, "2:3: test.1: expects nothing: give at least one of `fires`, `resolves`, `no_data`, "),
    (GOOD + "fire = [1]\n", '7:1: test.1.fire: unknown key. Did you mean "fires"?'),
    (GOOD + "fires = [0]\n", "7:10: test.1.fires.1: expected greater than or equal to 1, got 0"),
    (GOOD + "fires = [1, 3]\n", "7:13: test.1.fires.2: expected slots 1 to 2, got 3"),
    (GOOD + "fires = 2\n", "7:9: test.1.fires: expected an array, got 2"),
    (GOOD + "fires = ['2']\n", "7:10: test.1.fires.1: expected a whole number, got '2'"),
    (
        GOOD + "state = 'fires'\n",
        "7:9: test.1.state: expected 'inactive', 'pending', 'firing' or 'no-data', got 'fires'",
    ),
    (GOOD + "states = { 3 = 'firing' }\n", "7:12: test.1.states.3: expected slots 1 to 2, got '3'"),
    (
        GOOD + "fires = []\nsetups = { 3 = 'new' }\n",
        "8:12: test.1.setups.3: expected slots 1 to 2, got '3'",
    ),
    (GOOD + "states = { x = 'firing' }\n", "7:12: test.1.states.x: expected slots 1 to 2, got 'x'"),
    (
        GOOD + "states = { 2 = 'firing' }\nstate = 'firing'\n",
        "7:12: test.1.states.2: is the last slot, which `state` is about: say it once",
    ),
    (
        GOOD + "no_data = [2]\n",
        '7:11: test.1.no_data: high says nothing of missing readings (no_data = "keep"); to ask',
    ),
    (
        GOOD.replace('"high"', '"hihg"') + "fires = []\n",
        "4:11: test.1.trigger: config.toml has no trigger 'hihg'. Did you mean \"high\"?",
    ),
    (
        GOOD.replace("15m", "15 minutes") + "fires = []\n",
        '5:9: test.1.every: expected a duration such as "90s", "15m", "6h" or "14d", got \'15 min',
    ),
    (GOOD.replace("15m", "0s") + "fires = []\n", '5:9: test.1.every: expected "1s" or more'),
    (
        GOOD.replace("15m", "100y").replace("9 11", "11x9") + "fires = []\n",
        "5:9: test.1.every: 11 slots take more than 1,000 years",
    ),
    (
        GOOD.replace("9 11", "9 1l") + "fires = []\n",
        '6:12: test.1.readings: expected a number, "_", "3x1000", "3x(1000 990)" or "1000..900/5"',
    ),
    (HIGH + "readings = [9, 11]\nfires = []\n", "6:12: test.1.readings: expected a string, got [9"),
    (
        GOOD + "origin = 'guessed'\nfires = []\n",
        "7:10: test.1.origin: expected 'measured', 'simulated', 'vendor', 'derived' or 'confirm",
    ),
    (
        GOOD + "signal = 'test.other'\nfires = []\n",
        "7:10: test.1.signal: high is about test.meter, not about 'test.other'",
    ),
    (
        GOOD + "probe = 'meter'\nfires = []\n",
        "7:9: test.1.probe: high is about test.meter, not about 'meter'",
    ),
    (HIGH + "fires = []\n", "2:3: test.1: give `readings`, or series as [[test.series]]"),
    (
        GOOD + "fires = []\n[[test.series]]\nreadings = '1'\n",
        "2:3: test.1: give `readings`, or series as [[test.series]], not both",
    ),
    (
        HIGH + "fires = []\norigin = 'vendor'\n[[test.series]]\nreadings = '1'\n",
        "7:1: test.1.origin: belongs into [[test.series]]",
    ),
    (
        HIGH + "fires = []\n[[test.series]]\nreadings = '1'\nreading = '1'\n",
        '9:1: test.1.series.1.reading: unknown key. Did you mean "readings"?',
    ),
    (
        HIGH + "fires = []\n[[test.series]]\nreadings = '1'\n[[test.series]]\nreadings = '2'\n",
        "9:3: test.1.series.2: a second series of test.meter on 'test': name another target",
    ),
    (
        HIGH + "fires = []\ntarget = 'y'\n[[test.series]]\nreadings = '1'\ntarget = 'x'\n",
        "7:10: test.1.target: no series of this test is on 'y'. Known here: x.",
    ),
    (
        GOOD.replace("high", "on-host") + "fires = []\n",
        "2:3: test.1: give a `target` that matches 'host-[ab]'",
    ),
    (
        GOOD.replace("high", "fails") + "fires = []\n",
        '6:12: test.1.readings: expected "ok", "failed" or "_", got \'9\'',
    ),
    (
        GOOD.replace("high", "fails").replace("9 11", "ok") + "probe = 'mter'\nfires = []\n",
        "7:9: test.1.probe: config.toml has no probe 'mter'. Did you mean \"meter\"?",
    ),
    (
        GOOD.replace("high", "fails").replace("9 11", "ok") + "target = 'meter'\nfires = []\n",
        "7:1: test.1.target: runs are of a probe: say `probe`",
    ),
    (
        GOOD.replace("high", "both") + "fires = []\n",
        "2:3: test.1: say `signal` or `probe`: both is about test.meter, test.other",
    ),
    (
        GOOD.replace("high", "either") + "fires = []\nsignal = 'test.metre'\n",
        "8:10: test.1.signal: either is about test.meter, test.other, runs of *, not about",
    ),
    (
        GOOD + "fires = []\n" + GOOD.partition("\n")[2] + "fires = []\n",
        "9:8: test.2.name: another test of this file is called 'n' too",
    ),
    ("config = 'config.toml'\nx", "2:1: not valid TOML: Expected '=' after a key"),
]


@pytest.mark.parametrize(("text", "line"), WRONG, ids=range(len(WRONG)))
def test_a_fault_is_told_once_with_its_place(told: Told, text: str, line: str) -> None:
    (said,) = told(text)
    assert said[: len(line)] == line


def test_all_faults_of_all_files_are_told(folder: Path) -> None:
    (folder / "b.toml").write_text("[moniter]\n")
    texts = {
        "a": GOOD + "fires = [7]\nresolves = [8]\n",
        "b": GOOD.replace("config.toml", "b.toml"),
        "c": "",
    }
    for name, text in texts.items():
        (folder / f"{name}.test.toml").write_text(text)

    def usual() -> Config:
        return config.read(folder / "config.toml")

    read, wrong = trials.read([*trials.find([folder]), folder / "d.test.toml"], usual)
    assert (read, wrong is None) == ([], False)
    lines = () if wrong is None else wrong.lines
    places = [line.removeprefix(f"{folder}/").split(": ")[0] for line in lines]
    assert places == [
        "a.test.toml:7:10",
        "a.test.toml:8:13",
        "b.toml:1:2",
        "c.test.toml:1:1",
        "d.test.toml",
    ]


def test_files_are_found_once_in_order(folder: Path) -> None:
    for name in ("b.test.toml", "a.test.toml", "test.toml"):
        (folder / name).write_text("")
    found = trials.find([folder / "test.toml", folder, folder / "a.test.toml"])
    assert [file.name for file in found] == ["test.toml", "a.test.toml", "b.test.toml"]


def test_a_file_that_names_no_config_is_about_the_usual_one(folder: Path) -> None:
    (trial,) = read(folder, GOOD.partition("\n")[2] + "fires = [2]\n")
    assert trial.rule.limit == 10
    assert trial.rule.max_age == 3 * 900


def test_series_have_the_targets_and_units_that_their_rules_have(folder: Path) -> None:
    text = HIGH.replace("high", "either") + "fires = []\n"
    text += '[[test.series]]\nsignal = "test.meter"\nreadings = "1"\n'
    text += '[[test.series]]\nsignal = "test.other"\ntarget = "host-a"\nreadings = "_ 2"\n'
    text += '[[test.series]]\nprobe = "meter"\nreadings = "ok failed"\n'
    (trial,) = read(folder, text)
    assert [(t.signal, t.target, t.unit, t.slots) for t in trial.tracks] == [
        ("test.meter", "test", "V", (1.0,)),
        ("test.other", "host-a", "A", (None, 2.0)),
        ("run", "meter", "1", (0.0, 1.0)),
    ]
    assert trial.length == 2
