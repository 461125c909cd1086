"""Rules judged on a real database: which rules on which targets, what is owed, what is closed."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from judging import Bench

from monitor import report
from monitor.facts import TREND_POINTS
from monitor.judge import judgements
from monitor.slack.story import tell
from storage.types import Alert, Reading, Run, Signal


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


@pytest.mark.parametrize("pattern", ["board", "c*"])
def test_a_target_that_the_trigger_no_longer_covers_is_closed(bench: Bench, pattern: str) -> None:
    bench.configure(HIGH)
    bench.read(11.0)
    bench.read(9.0, pattern.replace("*", "1"))
    bench.configure(HIGH + f'target = "{pattern}"')
    bench.start()
    assert bench.states() == {("high", pattern.replace("*", "1")): "inactive"}
    assert bench.told() == [("fires", "high", "bench"), ("resolves", "high", "bench")]
    assert bench.facts()[1]["why"] == "the trigger no longer covers this target"


def test_a_standing_that_waited_under_a_narrower_pattern_is_no_target(bench: Bench) -> None:
    silent = '[trigger.silent]\nsignal = "test.meter"\nwhen = "stale"\nthreshold = "1h"\n'
    bench.configure(silent + 'target = "b*"')
    bench.start()
    bench.wait(3720)
    assert bench.told() == [("fires", "silent", "b*")]
    bench.configure(silent)
    bench.start()
    assert bench.told()[1:] == [("resolves", "silent", "b*")]
    assert bench.states() == {}


def test_a_probe_that_is_gone_no_longer_fails(bench: Bench) -> None:
    bench.configure('[trigger.broken]\nprobe = "*"\nwhen = "fails"')
    bench.end("failed", "because")
    text = (bench.folder / "config.toml").read_text().replace("probe.meter", "probe.gauge")
    bench.load(text)
    bench.start()
    assert bench.told() == [("fires", "broken", "meter"), ("resolves", "broken", "meter")]
    assert ("broken", "meter") not in bench.states()


def test_what_is_covered_is_left_alone_at_a_start(bench: Bench) -> None:
    question = '[checklist.q]\nquestion = "Loud?"\nrequires = ["high"]\n'
    more = 'target = "b*"\n[trigger.broken]\nprobe = "m*"\nwhen = "fails"\n' + question
    bench.configure(HIGH + more)
    bench.read(11.0)
    bench.end("failed", "because")
    before = bench.states(), bench.told()
    bench.start()
    assert (bench.states(), bench.told()) == before
    assert before[0]["broken", "meter"] == before[0]["high", "bench"] == "firing"


@pytest.mark.parametrize(
    "rule",
    [
        'signal = "test.meter"\nwhen = "stale"\nthreshold = "1h"',
        'signal = "test.meter"\nwhen = "above"\nthreshold = 9\nno_data = "alert"',
        'probe = "meter"\nwhen = "fails"\nno_data = "alert"',
    ],
)
def test_the_outage_of_the_service_is_no_silence_of_a_probe(bench: Bench, rule: str) -> None:
    bench.configure(f"[trigger.silent]\n{rule}")
    bench.read(1.0)
    bench.now += 86400.0  # the service was down, and the first run takes ten minutes
    bench.start()
    bench.wait(600, unheard=("meter",))
    assert bench.told() == []
    bench.wait(60, unheard=("another",))
    assert [target for _, _, target in bench.told()] == [bench.states().popitem()[0][1]]


def test_the_trend_is_over_the_baseline_and_stays_small(bench: Bench) -> None:
    bench.configure(
        """
        [trigger.lower]
        signal = "test.meter"
        when = "drops"
        threshold = "10%"
        baseline = "2d"
        """
    )
    for _ in range(96):
        bench.read(50.0)
    for _ in range(192):
        bench.read(100.0)
    bench.read(60.0)
    [facts] = bench.facts()
    assert facts["trend"] == [100.0] * (TREND_POINTS - 1) + [60.0]
    assert facts["trend_window"] == "2 d"


def test_a_baseline_of_readings_is_a_trend_of_as_many(bench: Bench) -> None:
    table = '[trigger.lower]\nsignal = "test.meter"\nwhen = "drops"\nthreshold = "10%"\n'
    bench.configure(table + 'baseline = "6 readings"')
    for value in (50.0, 100.0, 100.0, 100.0, 100.0, 100.0, 60.0):
        bench.read(value)
    assert bench.facts()[-1]["trend"] == [100.0] * 5 + [60.0]


def test_a_trigger_without_baseline_shows_two_weeks(bench: Bench) -> None:
    bench.configure(HIGH)
    for _ in range(15 * 96):
        bench.read(9.0)
    bench.read(11.0)
    [facts] = bench.facts()
    assert (len(facts["trend"]), facts["trend_window"]) == (TREND_POINTS, "14 d")
    assert facts["trend"][-2:] == [9.0, 11.0]


def test_a_trend_of_runs_counts_runs(bench: Bench) -> None:
    bench.configure('[trigger.broken]\nprobe = "meter"\nwhen = "fails"')
    for outcome in ["ok"] * 60 + ["failed"]:
        bench.now += 900.0
        bench.end(outcome, "")
    assert bench.facts()[0]["trend"] == [0.0] * (TREND_POINTS - 1) + [1.0]


def test_a_stale_trigger_has_no_trend_in_its_own_unit(bench: Bench) -> None:
    bench.configure('[trigger.silent]\nsignal = "test.meter"\nwhen = "stale"\nthreshold = "1h"')
    bench.read(1.0)
    bench.read(2.0)
    bench.wait(3720)
    assert {"trend", "trend_window", "sigma"}.isdisjoint(bench.facts()[0])


def test_the_message_says_that_a_drop_of_throughput_is_worse(bench: Bench) -> None:
    throughput = Signal("gpu.gemm.throughput", "TFLOP/s", "higher", "how fast it multiplies")
    bench.configure(
        """
        [probe.gemm]
        kind = "gpu.gemm"
        every = "15m"

        [trigger.slower]
        signal = "gpu.gemm.throughput"
        when = "drops"
        threshold = "10%"
        """
    )
    for value in (700.0, 700.0, 700.0, 700.0, 700.0, 600.0):
        bench.now += 900.0
        run = Run("gemm", "gpu.gemm", "ok", "", bench.now - 1.0, 1.0)
        reading = Reading(throughput.name, "GPU-1", value, "measured", at=bench.now)
        bench.writer.store.record(run, [reading], [throughput])
        bench.writer.once(lambda r=run, of=reading: bench.judge.after_run(r, [of], bench.now))
    [facts] = bench.facts()
    assert facts["better"] == "higher"
    story = tell(Alert("k", "fires", "slower", "GPU-1", "warning", bench.now, facts))
    made_of = "median of 5 readings since 2027-01-15 08:15 UTC"
    assert ("Baseline", f"700 TFLOP/s (now −14.3%, worse), {made_of}") in story.rows


def test_a_criterion_carries_the_note_of_the_reading_that_it_shows(bench: Bench) -> None:
    question = '[checklist.q]\nquestion = "Loud?"\nrequires = ["high"]\ngaps = ["a gap"]\n'
    bench.configure(HIGH + question)
    bench.now += 900.0
    dated = Reading("test.meter", "bench", 11.0, "vendor", at=bench.now, note="calibrated in May")
    bench.end("ok", "", dated)
    [item] = report.checklist(bench.config, bench.writer.store)["items"]
    assert [criterion["note"] for criterion in item["criteria"]] == ["calibrated in May", ""]


def test_a_run_of_a_probe_that_is_gone_leaves_no_standing_behind(bench: Bench) -> None:
    """A reload took the probe while it ran: nothing would ever resolve what its end fired."""
    broken = '[trigger.broken]\nprobe = "*"\nwhen = "fails"\n'
    bench.configure(broken)
    text = (bench.folder / "config.toml").read_text()
    bench.load(text.replace("[probe.meter]", "[probe.other]"))
    bench.end("failed", "because")
    assert ("broken", "meter") not in bench.states()
    assert bench.told() == []
