"""Rules judged on a real database: which rules on which targets, what is owed, what is closed."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor import config as configs
from monitor.judge import Judge, judgements
from monitor.writer import Writer
from storage.types import Reading, Run, Signal

METER = Signal("test.meter", "V", "lower", "what the meter says")
START = 1_800_000_000.0


class Bench:
    """A database and a config, with time in the test's hand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.writer = Writer(folder / "test.db")
        self.now = START
        self.judge: Judge

    def configure(self, tables: str) -> None:
        path = self.folder / "config.toml"
        path.write_text(
            """
            [probe.meter]
            kind = "external.command"
            argv = ["true"]
            signals = { "test.meter" = "V" }
            every = "15m"
            """
            + tables
        )
        self.config = configs.read(path)
        self.judge = Judge(self.config, self.writer)

    def start(self) -> None:
        self.writer.once(lambda: self.judge.everything(self.now))

    def read(self, value: float, target: str = "bench", origin: str = "measured") -> None:
        """Fifteen minutes later a run ends with one reading."""
        self.now += 900.0
        reading = Reading("test.meter", target, value, origin, at=self.now)
        self.end("ok", "", reading)

    def end(self, outcome: str, reason: str, *readings: Reading) -> None:
        run = Run("meter", "external.command", outcome, reason, self.now - 1.0, 1.0)

        def settle() -> None:
            self.writer.store.record(run, readings, (METER,))
            self.judge.after_run(run, readings, self.now)

        self.writer.once(settle)

    def wait(self, seconds: float) -> None:
        """Time passes, minute by minute on the slow clock."""
        for _ in range(int(seconds // 60)):
            self.now += 60.0
            self.writer.once(lambda: self.judge.slow(self.now))

    def told(self) -> list[tuple[str, str, str]]:
        rows = self.writer.store.connection.execute(
            'SELECT kind, "trigger", target FROM alerts ORDER BY id'
        )
        return [tuple(row) for row in rows]

    def states(self) -> dict[tuple[str, str], str]:
        return {(s.trigger, s.target): s.state for s in self.writer.store.standings()}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.writer.close()


HIGH = """
    [trigger.high]
    signal = "test.meter"
    when = "above"
    threshold = 10
    """


def test_each_target_stands_for_itself(bench: Bench) -> None:
    bench.configure(HIGH + 'target = "b*"')
    bench.read(11.0, "bench")
    bench.read(11.0, "other")
    bench.read(9.0, "board")
    assert bench.states() == {("high", "bench"): "firing", ("high", "board"): "inactive"}
    assert bench.told() == [("fires", "high", "bench")]


def test_a_trigger_without_readings_stands_on_its_pattern_until_a_target_comes(
    bench: Bench,
) -> None:
    bench.configure(HIGH + 'no_data = "alert"\nmax_age = "1h"')
    bench.start()
    bench.wait(120)
    assert bench.states() == {("high", "*"): "no-data"}
    bench.wait(3600)
    assert bench.told() == [("no-data", "high", "*")]
    bench.read(9.0)
    assert bench.states() == {("high", "bench"): "inactive"}
    assert bench.told()[1:] == [("resolves", "high", "bench")]


def test_missing_readings_neither_resolve_nor_fire(bench: Bench) -> None:
    bench.configure(HIGH)
    bench.read(11.0)
    bench.wait(86400 * 0.5)
    assert bench.states() == {("high", "bench"): "firing"}
    bench.read(9.0)
    assert bench.told() == [("fires", "high", "bench"), ("resolves", "high", "bench")]


def test_a_stale_signal_is_told_and_its_return_too(bench: Bench) -> None:
    bench.configure(
        """
        [trigger.silent]
        signal = "test.meter"
        when = "stale"
        threshold = "1h"
        """
    )
    bench.read(1.0)
    bench.wait(3500)
    assert bench.told() == []
    bench.wait(200)
    assert bench.told() == [("fires", "silent", "bench")]
    bench.read(1.0)
    assert bench.told()[1:] == [("resolves", "silent", "bench")]


def test_what_is_late_at_a_start_is_left_to_the_slow_clock(bench: Bench) -> None:
    bench.configure(
        """
        [trigger.silent]
        signal = "test.meter"
        when = "stale"
        threshold = "1h"
        """
    )
    bench.read(1.0)
    bench.now += 86400.0  # the service was down
    bench.start()
    assert bench.told() == []
    bench.read(1.0)
    bench.wait(60)
    assert bench.told() == []


def test_reminders_come_as_often_as_asked_and_no_oftener(bench: Bench) -> None:
    bench.configure(HIGH + '[slack]\nchannel = "#x"\nremind_every = "2h"')
    bench.read(11.0)
    bench.wait(4 * 3600 + 120)
    assert [kind for kind, *_ in bench.told()] == ["fires", "reminds", "reminds"]
    parents = bench.writer.store.connection.execute("SELECT parent FROM alerts").fetchall()
    assert [row[0] for row in parents] == [None, 1, 1]


def test_removing_a_trigger_closes_its_alert(bench: Bench) -> None:
    bench.configure(HIGH)
    bench.read(11.0)
    bench.configure(HIGH.replace("trigger.high", "trigger.higher"))
    bench.start()
    assert bench.states() == {("higher", "bench"): "firing"}
    assert bench.told() == [
        ("fires", "high", "bench"),
        ("resolves", "high", "bench"),
        ("fires", "higher", "bench"),
    ]


def test_a_trigger_that_is_about_something_else_starts_anew(bench: Bench) -> None:
    bench.configure(HIGH)
    bench.read(11.0)
    bench.configure(HIGH.replace("above", "below").replace("10", "12"))
    bench.start()
    assert [kind for kind, *_ in bench.told()] == ["fires", "resolves", "fires"]
    row = bench.writer.store.connection.execute("SELECT facts FROM alerts WHERE id = 2").fetchone()
    assert "about something else now" in row[0]


def test_the_alert_says_since_when_the_condition_holds(bench: Bench) -> None:
    bench.configure(HIGH + 'for = "3 readings"')
    bench.read(9.0)
    bench.read(11.0)
    began = bench.now
    bench.read(12.0)
    bench.read(13.0)
    [row] = bench.writer.store.connection.execute("SELECT facts FROM alerts").fetchall()
    facts = json.loads(row[0])
    assert (facts["since"], facts["value"], facts["trend"]) == (began, 13.0, [9, 11, 12, 13])


def test_an_item_that_holds_is_reminded(bench: Bench) -> None:
    question = '[checklist.q]\nquestion = "Loud?"\nrequires = ["high"]\n'
    bench.configure(HIGH + question + '[slack]\nchannel = "#x"\nremind_every = "2h"')
    bench.read(11.0)
    bench.wait(2 * 3600 + 60)
    assert bench.told()[2:] == [("reminds", "checklist.q", "*"), ("reminds", "high", "bench")]


def test_an_edited_threshold_keeps_the_alert_and_its_thread(bench: Bench) -> None:
    bench.configure(HIGH)
    bench.read(11.0)
    bench.configure(HIGH.replace("10", "10.5"))
    bench.start()
    assert bench.told() == [("fires", "high", "bench")]
    bench.configure(HIGH.replace("10", "12"))
    bench.start()
    assert bench.told()[1:] == [("resolves", "high", "bench")]
    row = bench.writer.store.connection.execute("SELECT max(parent) FROM alerts").fetchone()
    assert row[0] == 1


def test_a_checklist_item_needs_all_of_its_triggers_and_no_gap(bench: Bench) -> None:
    question = '[checklist.q]\nquestion = "Loud?"\nrequires = ["high"]\n'
    bench.configure(HIGH + question)
    bench.read(11.0)
    assert ("fires", "checklist.q", "*") in bench.told()
    assert [item.holds for item in judgements(bench.config, bench.writer.store)] == [True]
    bench.configure(HIGH + question + 'gaps = ["what nobody measures"]')
    bench.read(11.0)
    [item] = judgements(bench.config, bench.writer.store)
    assert item.holds is None
    # not known is not no: what was told stays told
    assert bench.states()["checklist.q", "*"] == "firing"
    bench.read(9.0)
    assert ("resolves", "checklist.q", "*") in bench.told()


def test_simulated_readings_never_answer_a_question_by_themselves(bench: Bench) -> None:
    bench.configure(HIGH + '[checklist.q]\nquestion = "Loud?"\nrequires = ["high"]\n')
    bench.read(99.0, origin="simulated")
    [item] = judgements(bench.config, bench.writer.store)
    assert (item.holds, "simulated" in item.criteria[0].why) == (None, True)
    assert (item.criteria[0].value, item.criteria[0].origin) == (99.0, "simulated")
    assert bench.told() == []
    bench.configure(HIGH + 'accept = ["simulated"]')
    bench.read(99.0, origin="simulated")
    assert bench.told() == [("fires", "high", "bench")]


def test_a_skipped_run_says_nothing_about_its_probe(bench: Bench) -> None:
    bench.configure('[trigger.broken]\nprobe = "meter"\nwhen = "fails"\nfor = "2 runs"')
    for outcome in ("failed", "skipped", "timeout", "skipped"):
        bench.now += 900.0
        bench.end(outcome, "because")
    assert bench.told() == [("fires", "broken", "meter")]
    bench.now += 900.0
    bench.end("ok", "")
    assert bench.told()[1:] == [("resolves", "broken", "meter")]
