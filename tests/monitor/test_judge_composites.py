"""Triggers about triggers on a real database: when they are judged, where they stand, what they
say."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from judging import METER, Bench

from monitor.judge import judgements
from monitor.slack.message import render, render_plain
from storage.types import Alert, Reading, Run

HIGH = '[trigger.high]\nsignal = "test.meter"\nwhen = "above"\nthreshold = 10\n'
LOW = '[trigger.low]\nsignal = "test.meter"\nwhen = "below"\nthreshold = 20\n'
BROKEN = '[trigger.broken]\nprobe = "*"\nwhen = "fails"\n'
SILENT = '[trigger.silent]\nsignal = "test.meter"\nwhen = "stale"\nthreshold = "1h"\n'


def of(when: str, *members: str, name: str = "both", more: str = "") -> str:
    return f'[trigger.{name}]\nwhen = "{when}"\nof = {list(members)}\n{more}\n'.replace("'", '"')


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.writer.close()


def of_composites(bench: Bench) -> list[tuple[str, str, str]]:
    return [told for told in bench.told() if told[1] not in ("high", "low", "broken", "silent")]


def test_all_is_judged_on_each_target_that_its_members_share(bench: Bench) -> None:
    bench.configure(HIGH + LOW + of("all", "high", "low"))
    bench.read(15.0, "bench")
    bench.read(25.0, "other")
    bench.read(5.0, "third")
    assert {t: s for (name, t), s in bench.states().items() if name == "both"} == {
        "bench": "firing",
        "other": "inactive",
        "third": "inactive",
    }
    assert of_composites(bench) == [("fires", "both", "bench")]
    bench.read(25.0, "bench")
    assert of_composites(bench)[1:] == [("resolves", "both", "bench")]


def test_any_is_told_once_for_each_target(bench: Bench) -> None:
    bench.configure(HIGH + LOW + of("any", "high", "low"))
    bench.read(15.0)
    bench.read(25.0)
    bench.read(5.0)
    assert of_composites(bench) == [("fires", "both", "bench")]


def test_members_are_judged_before_what_they_are_of_whatever_their_order(bench: Bench) -> None:
    outer = of("any", "both", "broken", name="outer")
    bench.configure(outer + of("all", "high", "low") + HIGH + LOW + BROKEN)
    bench.read(15.0)
    assert bench.told()[-2:] == [("fires", "both", "bench"), ("fires", "outer", "bench")]
    bench.end("failed", "because")
    assert bench.told()[-2:] == [("fires", "broken", "meter"), ("fires", "outer", "meter")]
    bench.read(25.0)
    assert ("resolves", "outer", "bench") in bench.told()


def test_members_without_a_common_target_are_taken_together(bench: Bench) -> None:
    bench.configure(HIGH + BROKEN + of("all", "high", "broken"))
    bench.read(11.0)
    assert bench.states()["both", "*"] == "inactive"
    bench.end("failed", "because")
    assert of_composites(bench) == [("fires", "both", "*")]
    [why] = [facts["why"] for facts in bench.facts() if "members" in facts]
    assert "high on bench (11 is above 10)" in why
    assert "broken on meter (the last run failed (because))" in why


def test_no_data_of_a_member_neither_fires_nor_clears(bench: Bench) -> None:
    old = 'max_age = "1h"\n'
    bench.configure(HIGH + old + LOW + old + of("all", "high", "low"))
    bench.read(15.0)
    bench.read(25.0, "other")
    bench.wait(2 * 3600)
    # high keeps firing, low too: what fired is not cleared by silence
    assert bench.states()["both", "bench"] == "firing"
    # of the other, low did not hold and has no data now: no answer there
    assert bench.states()["low", "other"] == "no-data"
    assert bench.states()["both", "other"] == "no-data"
    assert of_composites(bench) == [("fires", "both", "bench")]


def test_a_composite_waits_until_its_members_have_targets(bench: Bench) -> None:
    bench.configure(HIGH + LOW + of("all", "high", "low"))
    bench.start()
    assert bench.states()["both", "*"] == "no-data"
    bench.read(5.0)
    assert bench.states()["both", "bench"] == "inactive"
    assert ("both", "*") not in bench.states()


def test_an_open_alert_goes_along_to_the_target_that_comes_to_exist(bench: Bench) -> None:
    # both wait for "b*" and "*": no common target, each is silent on its own
    other = SILENT.replace("trigger.silent", "trigger.quiet")
    narrow = SILENT + 'target = "b*"\n'
    bench.configure(narrow + other + of("all", "silent", "quiet"))
    bench.start()
    bench.wait(3720)
    assert ("fires", "both", "*") in bench.told()
    number = [told[1] for told in bench.told()].index("both") + 1
    bench.read(1.0)
    assert {t: s for (name, t), s in bench.states().items() if name == "both"} == {
        "bench": "inactive"
    }
    assert bench.told().count(("resolves", "both", "bench")) == 1
    [closing] = [a for a in bench.alerts() if (a.trigger, a.kind) == ("both", "resolves")]
    assert closing.parent == number


def test_an_alert_on_a_target_that_is_no_longer_asked_about_is_closed(bench: Bench) -> None:
    bench.configure(HIGH + LOW + of("all", "high", "low"))
    bench.read(15.0)
    bench.configure(HIGH + LOW + 'target = "c*"\n' + of("all", "high", "low"))
    bench.start()
    assert ("resolves", "both", "bench") in bench.told()
    assert ("both", "bench") not in bench.states()
    assert bench.states()["both", "*"] == "no-data"
    assert "no longer judged on this target" in bench.facts()[-1]["why"]


def test_a_composite_of_other_members_starts_anew(bench: Bench) -> None:
    bench.configure(HIGH + LOW + of("any", "high"))
    bench.read(15.0)
    bench.configure(HIGH + LOW + of("any", "high", "low"))
    bench.start()
    assert [kind for kind, *_ in of_composites(bench)] == ["fires", "resolves", "fires"]


def test_a_member_whose_threshold_is_edited_moves_the_composite(bench: Bench) -> None:
    bench.configure(HIGH + LOW + of("all", "high", "low"))
    bench.read(15.0)
    bench.configure(HIGH.replace("10", "16") + LOW + of("all", "high", "low"))
    bench.start()
    assert of_composites(bench) == [("fires", "both", "bench"), ("resolves", "both", "bench")]


def test_a_reload_judges_the_composites_of_what_has_changed(bench: Bench) -> None:
    outer = of("any", "both", name="outer")
    bench.configure(HIGH + LOW + of("all", "high", "low") + outer)
    bench.read(15.0)
    bench.configure(HIGH.replace("10", "16") + LOW + of("all", "high", "low") + outer)
    bench.writer.once(lambda: bench.judge.reloaded(bench.now, {"high"}))
    assert bench.told()[-2:] == [("resolves", "both", "bench"), ("resolves", "outer", "bench")]


def test_the_slow_clock_moves_a_composite_too(bench: Bench) -> None:
    bench.configure(HIGH + SILENT + of("all", "high", "silent"))
    bench.read(11.0)
    bench.wait(3720)
    assert of_composites(bench) == [("fires", "both", "bench")]


def test_a_composite_answers_a_question(bench: Bench) -> None:
    question = '[checklist.q]\nquestion = "Both?"\nrequires = ["both"]\n'
    bench.configure(HIGH + LOW + of("all", "high", "low") + question)
    bench.read(15.0)
    [item] = judgements(bench.config, bench.writer.store)
    assert item.holds is True
    [criterion] = item.criteria
    assert (criterion.value, criterion.threshold, criterion.ratio) == (2, 2, 1)
    assert criterion.signal == "all of high, low"


def test_keep_firing_for_holds_a_composite(bench: Bench) -> None:
    bench.configure(HIGH + of("any", "high", more='keep_firing_for = "20m"'))
    bench.read(11.0)
    bench.read(9.0)
    assert bench.states()["both", "bench"] == "firing"
    bench.read(9.0)
    assert bench.states()["both", "bench"] == "inactive"


def test_a_composite_is_reminded_with_its_members_as_they_stand(bench: Bench) -> None:
    slack = '[slack]\nchannel = "#x"\nremind_every = "2h"\n'
    bench.configure(HIGH + 'max_age = "1d"\n' + of("any", "high") + slack)
    bench.read(11.0)
    bench.read(12.0)
    bench.wait(2 * 3600)
    [reminder] = [a for a in bench.alerts() if (a.trigger, a.kind) == ("both", "reminds")]
    assert reminder.facts["members"] == [
        {"name": "high on bench", "value_text": "12 is above 10", "holds": True}
    ]


# --- what is read ------------------------------------------------------------------------------


def message_of(bench: Bench) -> Alert:
    bench.configure(
        HIGH
        + LOW
        + BROKEN
        + of("all", "high", "low", more='advice = "Look at the meter."\nseverity = "page"')
    )
    bench.read(15.0, "GPU-1")
    [alert] = [alert for alert in bench.alerts() if alert.trigger == "both"]
    return alert


def test_the_message_says_which_members_fire_where_and_why(bench: Bench) -> None:
    alert = message_of(bench)
    assert (
        alert.facts["why"] == "fires: high on GPU-1 (15 is above 10); low on GPU-1 (15 is below 20)"
    )
    assert render_plain(alert).splitlines() == [
        "🔴 page: both on GPU-1: 2 of 2 triggers fire",
        "  Needs:      all of high, low",
        "  Target:     GPU-1",
        "  Since:      2027-01-15 08:15 UTC",
        "  What to do: Look at the meter.",
        "  🔴 high on GPU-1: 15 is above 10",
        "  🔴 low on GPU-1: 15 is below 20",
        "  $ qrossover trigger explain both --target GPU-1",
    ]
    blocks = str(render(alert).blocks)
    for said in ("2 of 2 triggers fire", "🔴 high on GPU-1: 15 is above 10", "Look at the meter."):
        assert said in blocks
    assert "*Why*" not in blocks


def test_the_resolution_says_who_does_not_fire_any_more(bench: Bench) -> None:
    message_of(bench)
    bench.read(25.0, "GPU-1")
    [alert] = [a for a in bench.alerts() if (a.trigger, a.kind) == ("both", "resolves")]
    text = render_plain(alert)
    assert "✅ resolved: both on GPU-1: 1 of 2 triggers fire; after 15 min" in text
    assert "⚪ low on GPU-1: 25 is not below 20" in text


# --- trends ------------------------------------------------------------------------------------

TREND = """
[trigger.soon]
signal = "test.meter"
when = "crosses"
side = "below"
threshold = 1
horizon = "3y"
fit = "all"
"""
YEAR = 31557600.0


def fill(bench: Bench, values: tuple[float, ...]) -> None:
    """One device a year, each as good as its value."""
    begin = bench.now - len(values) * YEAR
    readings = [
        Reading("test.meter", f"d{n}", value, "measured", at=begin + n * YEAR)
        for n, value in enumerate(values)
    ]
    run = Run("meter", "external.command", "ok", "", bench.now - 1.0, 1.0)
    bench.writer.once(lambda: bench.writer.store.record(run, readings, (METER,)))


def test_a_trend_is_judged_on_its_pattern_when_any_of_its_targets_speaks(bench: Bench) -> None:
    bench.configure(TREND)
    fill(bench, (64.0, 33.0, 16.0, 8.2, 4.0, 2.1))
    bench.read(2.0, "d6")
    assert bench.states() == {("soon", "*"): "firing"}
    [facts] = bench.facts()
    assert facts["threshold_text"] == "below 1 V within 3 y"
    assert len(facts["trend"]) == 7
    assert "at the present pace" in facts["why"]


def test_a_date_comes_nearer_without_a_reading(bench: Bench) -> None:
    bench.configure(TREND)
    fill(bench, (640.0, 330.0, 160.0, 82.0, 40.0, 21.0))
    bench.start()
    assert bench.states() == {("soon", "*"): "inactive"}
    bench.now += 2 * YEAR
    bench.writer.once(lambda: bench.judge.slow(bench.now))
    assert bench.told() == [("fires", "soon", "*")]


def test_a_trend_is_a_member_like_any_other(bench: Bench) -> None:
    bench.configure(TREND + HIGH + of("all", "soon", "high"))
    fill(bench, (64.0, 33.0, 16.0, 8.2, 4.0, 2.1))
    bench.read(2.0, "d6")
    assert bench.states()["both", "*"] == "inactive"
    bench.read(11.0, "d7")
    assert ("fires", "both", "*") in bench.told()


def test_a_target_that_a_composite_leaves_is_judged_anew_by_those_above_it(bench: Bench) -> None:
    above = of("any", "high", name="inner") + of("any", "inner", "low", name="outer")
    bench.configure(HIGH + LOW + above)
    bench.read(30.0)
    assert bench.states()["outer", "bench"] == "firing"
    bench.configure(HIGH + 'target = "other"\n' + LOW + above)
    bench.writer.once(lambda: bench.judge.reloaded(bench.now, {"high"}))
    assert ("inner", "bench") not in bench.states()
    assert bench.states()["outer", "bench"] == "inactive"
    assert bench.told()[-1] == ("resolves", "outer", "bench")
