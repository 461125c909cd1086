"""`qrossover trigger backtest` and `suggest` as a person runs them, on a history in a file."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from doc_pages import INTERFACES
from living import Living, eventually

from monitor.cli import cli
from monitor.foresee.backtest import summary
from storage.store import Store
from storage.types import Origin, Reading, Run, Signal, now

SPEED = Signal("bench.speed", "token/s", "higher", "how fast it is")
TABLES = """
[monitor]
database = "q.db"
[probe.meter]
kind = "external.command"
argv = ["true"]
signals = { "bench.speed" = "token/s" }
every = "1h"
[trigger.slower]
signal = "bench.speed"
when = "drops"
threshold = "10%"
baseline = "5d"
[trigger.low]
signal = "bench.speed"
target = "gpu0"
when = "below"
threshold = 85
for = "2 readings"
[trigger.silent]
signal = "bench.speed"
when = "stale"
threshold = "3h"
[trigger.fails]
probe = "*"
when = "fails"
for = "2 runs"
[trigger.both]
when = "all"
of = ["slower", "low"]
[trigger.odd]
signal = "bench.speed"
when = "drops"
threshold = "5%"
baseline = "peers"
[trigger.either]
when = "any"
of = ["low", "odd"]
[trigger.shifted]
signal = "bench.speed"
when = "shifts"
baseline = "100 readings"
"""
HOURS = 40 * 24


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.toml").write_text(TABLES)
    Store.writer(tmp_path / "q.db").close()
    return tmp_path


def fill(folder: Path, *targets: str, origin: Origin = "measured") -> None:
    """Forty days, an hour apart: 100, a day at 80 and one at 93, each target a day later."""
    store, end = Store.writer(folder / "q.db"), now()
    with store.transaction():
        for hour in range(HOURS):
            at = round(end - 3600.0 * (HOURS - hour) + 1800, 3)
            readings = [
                Reading(SPEED.name, name, value(hour - 24 * late), origin, at=at)
                for late, name in enumerate(targets)
            ]
            outcome = "failed" if hour in (100, 101, 102) else "ok"
            run = Run("meter", "external.command", outcome, "out of memory", at - 1, 1.0)
            store.record(run, readings, [SPEED])
    store.close()


def value(hour: int) -> float:
    return 80.0 if 300 <= hour < 324 else 93.0 if 600 <= hour < 624 else 100.0 + hour % 3


def call(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, ["--config", str(folder / "config.toml"), "trigger", *words])


def document(folder: Path, *words: str) -> Any:
    done = call(folder, *words, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_a_backtest_counts_each_time_that_it_fires(folder: Path) -> None:
    fill(folder, "gpu0", "gpu1")
    found = document(folder, "backtest", "slower")
    assert found["total"]["targets"] == 2
    assert found["total"]["present"]["alarms"] == 2
    assert found["total"]["changed"] is None
    assert found["targets"][0]["readings"] == HOURS
    (episode,) = found["targets"][0]["episodes"]
    told = episode["present"]
    assert (told["value"], told["baseline"], told["threshold"]) == (80, 101, pytest.approx(90.9))
    assert told["seconds"] == pytest.approx(24 * 3600)
    assert told["origin"] == "measured"
    assert "80 is below 90.9" in told["why"]
    assert found["told"] == {"fires": 0, "since": None}


def test_a_changed_threshold_stands_beside_the_present_one(folder: Path) -> None:
    fill(folder, "gpu0")
    found = document(folder, "backtest", "slower", "--set", "threshold=5%")
    assert found["changes"] == [{"key": "threshold", "old": "10%", "new": "5%"}]
    total = found["total"]
    assert (total["present"]["alarms"], total["changed"]["alarms"]) == (1, 2)
    assert (total["both"], total["only_present"], total["only_changed"]) == (1, 0, 1)
    assert [one["in"] for one in found["targets"][0]["episodes"]] == ["both", "changed"]
    said = call(folder, "backtest", "slower", "--set", "threshold=5%").output
    assert said.startswith("In the last 39 d it would have fired twice instead of once.")
    assert "threshold: 10% → 5%" in said
    assert "only changed" in said
    assert max(map(len, said.splitlines())) <= 80


def test_a_stretch_counts_only_what_fires_in_it(folder: Path) -> None:
    fill(folder, "gpu0")
    assert document(folder, "backtest", "slower", "--since", "20d")["total"]["present"] == {
        "alarms": 0,
        "alarms_per_month": 0,
        "firing_seconds": 0,
        "firing_share": 0,
        "longest_seconds": 0,
        "no_data": 0,
    }
    inside = (HOURS - 310) * 3600
    found = document(folder, "backtest", "slower", "--since", f"{inside}s")["targets"][0]
    assert found["present"]["alarms"] == 0, "it fired before"
    assert found["episodes"][0]["began_before"]
    assert 0 < found["present"]["firing_seconds"] < 24 * 3600


def test_one_target_of_many(folder: Path) -> None:
    fill(folder, *(f"gpu{n}" for n in range(6)))
    found = document(folder, "backtest", "slower")
    assert [bool(row["trace"]) for row in found["targets"]].count(True) == 1
    one = document(folder, "backtest", "slower", "--target", "gpu3")
    assert [row["target"] for row in one["targets"]] == ["gpu3"]
    assert len(one["targets"][0]["trace"]) == 64
    some = document(folder, "backtest", "slower", "--target", "gpu[12]")
    assert [row["target"] for row in some["targets"]] == ["gpu1", "gpu2"]


def test_runs_that_fail_and_silences(folder: Path) -> None:
    fill(folder, "gpu0")
    assert document(folder, "backtest", "fails")["total"]["present"]["alarms"] == 1
    assert (
        document(folder, "backtest", "fails", "--set", "for=4 runs")["total"]["changed"]["alarms"]
        == 0
    )
    assert document(folder, "backtest", "silent")["total"]["present"]["alarms"] == 0
    many = document(folder, "backtest", "silent", "--set", "threshold=59m")["total"]["changed"]
    assert many["alarms"] == HOURS - 1
    said = call(folder, "backtest", "silent", "--set", "threshold=59m").output
    assert f"and {HOURS - 21:,} earlier ones, --json has all" in said


def test_a_composite_follows_from_its_members(folder: Path) -> None:
    fill(folder, "gpu0", "gpu1")
    found = document(folder, "backtest", "both")
    assert [(row["target"], row["present"]["alarms"]) for row in found["targets"]] == [("gpu0", 1)]
    [episode] = found["targets"][0]["episodes"]
    assert (episode["present"]["value"], episode["present"]["threshold"]) == (2, 2)
    assert episode["present"]["origin"] == "derived"
    assert "fires: slower on gpu0" in episode["present"]["why"]
    said = call(folder, "backtest", "both", "--set", "when=any").output
    assert said.startswith("In the last 39 d it would have fired twice instead of once.")
    assert "when: all → any" in said
    assert "qrossover trigger backtest low --set" in " ".join(said.split())
    assert max(map(len, said.splitlines())) <= 80
    said = call(folder, "set", "both", "when=any", "--dry-run").output
    assert "it would have fired twice instead of once" in said


@pytest.mark.parametrize(
    ("present", "changed", "said"),
    [
        (1, 2, "have fired twice instead of once."),
        (2, 3, "have fired 3 times instead of twice."),
        (0, 1, "have fired once instead of never."),
        (4, 0, "never have fired instead of 4 times."),
        (2, 2, "have fired twice, as it is and changed."),
    ],
)
def test_a_sentence_compares_how_often(present: int, changed: int, said: str) -> None:
    total = {
        "readings": 9,
        "seconds": 864000.0,
        "present": {"alarms": present},
        "changed": {"alarms": changed},
    }
    assert summary({"total": total, "seconds": 864000.0}) == f"In the last 10 d it would {said}"


def test_no_reading_is_said_and_is_no_failure(folder: Path) -> None:
    done = call(folder, "backtest", "slower")
    assert done.exit_code == 0
    assert done.output.startswith("No reading of bench.speed in the last 90 d")
    fill(folder, "gpu0", origin="simulated")
    done = call(folder, "backtest", "slower")
    assert done.exit_code == 0
    assert f"{HOURS:,} were not accepted" in done.output.replace("\n", " ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("backtest", "slowr"), "no trigger 'slowr' in"),
        (("suggest", "slowr", "--alarms-per-month", "1"), 'Did you mean "slower"?'),
        (("backtest", "slower", "--set", "threshold=x"), "trigger.slower.threshold"),
        (("backtest", "slower", "--set", "treshold=5%"), 'Did you mean "threshold"?'),
        (("backtest", "slower", "--set", "foo"), "'foo' is no change: expected KEY=VALUE"),
        (("suggest", "both", "--alarms-per-month", "1"), "about other triggers: ask for those"),
        (("suggest", "fails", "--alarms-per-month", "1"), 'for = "3 runs"'),
        (("suggest", "slower", "--alarms-per-month", "1"), "there is no reading of bench.speed"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(
    folder: Path, words: tuple[str, ...], said: str
) -> None:
    done = call(folder, *words)
    assert done.exit_code == (2 if "--set" in words else 1)
    assert said in done.output
    assert "Traceback" not in done.output


def test_a_threshold_is_suggested_with_the_command_that_sets_it(folder: Path) -> None:
    fill(folder, "gpu0", "gpu1")
    found = document(folder, "suggest", "slower", "--alarms-per-month", "1.6")
    assert found["allowed"] == pytest.approx(1.6 * 39.98 / 30.44, rel=0.01)
    assert (found["suggested"]["threshold"], found["suggested"]["alarms"]) == ("8%", 2)
    assert found["tighter"] == {
        "threshold": "7.9%",
        "alarms": 4,
        "alarms_per_month": pytest.approx(3.05, rel=0.01),
    }
    assert found["command"] == "qrossover trigger set slower threshold=8%"
    assert [row["suggested"] for row in found["targets"]] == [1, 1]
    said = call(folder, "suggest", "slower", "--alarms-per-month", "1.6").output
    assert said.startswith("With drops 8% it would have fired twice in 39 d")
    assert "qrossover trigger set slower threshold=8%" in said
    assert max(map(len, said.splitlines())) <= 80


def test_words_that_make_no_sense_are_told_before_anything_is_loaded(folder: Path) -> None:
    for words in (
        ["backtest", "slower", "--set", "foo"],
        ["backtest", "slower", "--set", "threshold=x"],
        ["backtest", "slowr"],
        ["suggest", "fails", "--alarms-per-month", "1"],
        ["set", "slower", "foo", "--yes"],
        ["set", "slower", "threshold=x", "--yes"],
        ["set", "slower", "threshold=5%", "--yes", "--dry-run"],
    ):
        called = ["--config", str(folder / "config.toml"), "trigger", *words]
        program = (
            "import sys\nfrom click.testing import CliRunner\nfrom monitor.cli import cli\n"
            f"done = CliRunner().invoke(cli, {called!r})\n"
            "print(done.exit_code, 'numpy' in sys.modules)"
        )
        ended = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        )
        misused = "--set" in words or words[0] == "set"
        assert ended.stdout.split() == ["2" if misused else "1", "False"], words


def test_little_history_is_said_to_be_little_above_what_rests_on_it(folder: Path) -> None:
    fill(folder, "gpu0")
    words = ("suggest", "low", "--alarms-per-month", "1", "--since", "12d")
    caveat = "Only 12 d of history: it needs at least 1 d, better 30 d, to say how often."
    assert document(folder, *words)["notes"][0] == caveat
    said = call(folder, *words).output
    assert said.startswith(caveat)
    assert said.count("better 30 d") == 1


def test_below_a_day_nothing_is_said_a_month(folder: Path) -> None:
    fill(folder, "gpu0")
    words = ("suggest", "low", "--alarms-per-month", "1", "--since", "3h")
    done = call(folder, *words)
    assert done.exit_code == 1
    assert done.output == (
        "low: no threshold is suggested yet. Only 3 h of history: it needs at least 1 d, better "
        "30 d, to say how often.\n"
    )
    found = document(folder, "backtest", "low", "--since", "3h", "--set", "threshold=200")
    assert found["total"]["changed"]["firing_share"] == 1
    assert found["total"]["changed"]["alarms_per_month"] is None
    assert found["targets"][0]["changed"]["alarms_per_month"] is None
    shown = call(folder, "backtest", "low", "--since", "3h", "--set", "threshold=200").output
    assert "Only 3 h of history" in shown
    assert ["a", "month", "–", "–"] in [line.split() for line in shown.splitlines()]


def test_delays_are_told_only_where_the_history_tells_them(folder: Path) -> None:
    fill(folder, "gpu0")
    found = document(folder, "suggest", "low", "--alarms-per-month", "1", "--since", "3d")
    assert found["delays"] == []
    assert "No delays are told: there are 3 d of history" in " ".join(found["notes"])
    # the tightest that makes sense is the median: every shift is seen with the next reading
    found = document(folder, "suggest", "low", "--alarms-per-month", "1000")
    assert found["delays"] == []
    assert "shifts of every size tried gave the same ones" in " ".join(found["notes"])


def test_numbers_are_spelled_as_a_config_has_them(folder: Path) -> None:
    fill(folder, "gpu0")
    words = [
        *("threshold=90", "for=30m", "max_age=2d", "keep_firing_for=90s", "clear=95.5"),
        "accept=measured",
    ]
    sets = [part for word in words for part in ("--set", word)]
    found = document(folder, "backtest", "low", *sets)["changes"]
    assert {one["key"]: (repr(one["old"]), repr(one["new"])) for one in found} == {
        "threshold": ("85", "90"),
        "clear": ("None", "95.5"),
        "for": ("'2 readings'", "'30m'"),
        "keep_firing_for": ("'0s'", "'90s'"),
        "max_age": ("'3h'", "'2d'"),
        "accept": ("'measured, vendor, derived, confirmed'", "'measured'"),
    }
    suggested = document(folder, "suggest", "low", "--alarms-per-month", "2")
    assert (
        suggested["command"]
        == f"qrossover trigger set low threshold={suggested['suggested']['threshold']}"
    )
    assert not suggested["command"].endswith(".0")
    said = " ".join(call(folder, "suggest", "low", "--alarms-per-month", "2").output.split())
    assert "fired never" not in said
    assert "1 times" not in said


def test_a_target_that_never_fires_is_drawn_only_where_it_is_asked_for(folder: Path) -> None:
    fill(folder, "gpu0", "gpu1")
    loose = ("backtest", "slower", "--set", "threshold=30%", "--since", "10d")
    assert [row["trace"] for row in document(folder, *loose)["targets"]] == [[], []]
    assert "█" not in call(folder, *loose).output
    asked = document(folder, *loose, "--target", "gpu1")
    assert len(asked["targets"][0]["trace"]) == 64


def assert_documented(heading: str, found: Any) -> None:
    """The keys of a document are those of the table under a heading."""
    rows = set(INTERFACES.table(heading).by_key())
    assert set(_leaves(found)) == rows


def _leaves(found: Any, path: str = "") -> Any:
    if isinstance(found, dict):
        for key, inner in found.items():
            yield from _leaves(inner, f"{path}.{key}" if path else key)
    elif isinstance(found, list) and any(isinstance(inner, dict) for inner in found):
        for inner in found:
            yield from _leaves(inner, f"{path}[]")
    else:
        yield path


def test_the_documents_have_the_keys_that_are_documented(folder: Path) -> None:
    fill(folder, "gpu0")
    found = document(folder, "backtest", "slower", "--set", "threshold=9%")
    assert_documented("qrossover trigger backtest NAME --json", found)
    found = document(folder, "suggest", "slower", "--alarms-per-month", "1")
    assert_documented("qrossover trigger suggest NAME --json", found)


def test_a_running_service_has_no_numpy_in_it(tmp_path: Path) -> None:
    living = Living(tmp_path)
    with living.running() as service:
        eventually(lambda: living.runs() >= 2, "two runs")
        living.http("/healthz")
        maps = Path(f"/proc/{service.pid}/maps").read_text()
    assert "sqlite" in maps
    assert "numpy" not in maps


@pytest.mark.parametrize(
    "words",
    [
        ("backtest", "odd"),
        ("backtest", "either"),
        ("backtest", "slower", "--set", "baseline=peers"),
        ("suggest", "odd", "--alarms-per-month", "1"),
    ],
)
def test_peers_of_the_past_are_not_known(folder: Path, words: tuple[str, ...]) -> None:
    fill(folder, "gpu0")
    done = call(folder, *words)
    assert done.exit_code == 1
    assert 'baseline = "peers" cannot be judged on the past' in done.output


def test_a_shift_is_played_and_has_no_threshold_to_suggest(folder: Path) -> None:
    fill(folder, "gpu0")
    done = call(folder, "suggest", "shifted", "--alarms-per-month", "1")
    assert done.exit_code == 1
    assert "docs/detectors.md" in done.output
    found = document(folder, "backtest", "shifted")
    assert found["total"]["readings"] == HOURS
    assert all(column["threshold"] is None for row in found["targets"] for column in row["trace"])


def test_a_change_of_setup_is_no_alarm_of_a_backtest(folder: Path) -> None:
    store, end = Store.writer(folder / "q.db"), now()
    with store.transaction():
        for hour in range(400):
            at = round(end - 3600.0 * (400 - hour), 3)
            level, setup = (
                (100.0, '{"driver": "570"}') if hour < 200 else (70.0, '{"driver": "580"}')
            )
            one = Reading(SPEED.name, "gpu0", level + hour % 3, "measured", at=at, setup=setup)
            store.record(Run("meter", "external.command", "ok", "", at - 1, 1.0), [one], [SPEED])
    store.close()
    (row,) = document(folder, "backtest", "slower", "--target", "gpu0")["targets"]
    assert row["present"]["alarms"] == 0
    thresholds = {column["threshold"] for column in row["trace"]} - {None}
    assert sorted(thresholds) == pytest.approx([0.9 * 71, 0.9 * 101])
