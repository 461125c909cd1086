"""Why a trigger stands where it stands: baseline, readings, members, trend, and what decided."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from judging import METER, Bench
from rich.console import Console

from monitor import explain, trigger_tables
from monitor.report import iso
from monitor.steps import Step
from storage.types import Reading, Run
from triggers.quiet import acknowledge, snooze

YEAR = 31557600.0
LOWER = """
[trigger.lower]
signal = "test.meter"
when = "drops"
threshold = "10%"
clear = "5%"
baseline = "8 readings"
for = "2 readings"
keep_firing_for = "20m"
"""
HIGH = '[trigger.high]\nsignal = "test.meter"\nwhen = "above"\nthreshold = 10\n'
BROKEN = '[trigger.broken]\nprobe = "*"\nwhen = "fails"\nfor = "2 runs"\n'
SILENT = '[trigger.silent]\nsignal = "test.meter"\nwhen = "stale"\nthreshold = "1h"\n'


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.writer.close()


def told(bench: Bench, name: str) -> explain.Explanation:
    store, rule = bench.writer.store, bench.config.triggers[name]
    [standing] = explain.standings(store, bench.config, rule, bench.now)
    return explain.explain(store, rule, standing, bench.now)


def decided(bench: Bench, name: str) -> str:
    """The one step that decided."""
    [step] = [step for step in told(bench, name).steps if step.decided]
    return step.text


def shown(explanation: explain.Explanation) -> str:
    console = Console(width=80, highlight=False)
    with console.capture() as capture:
        console.print(trigger_tables.explanation(explanation))
    return capture.get()


def test_the_baseline_is_named_with_its_readings_before_and_while_it_is_kept(bench: Bench) -> None:
    bench.configure(LOWER)
    for value in range(100, 109):
        bench.read(float(value))
    begin, end = bench.now - 8 * 900.0, bench.now - 900.0
    [step] = [s.text for s in told(bench, "lower").steps if s.text.startswith("baseline")]
    # the last two are what `for` looks at
    assert step == (
        "baseline 103 V (median of 7 readings from 2027-01-15 08:15 UTC to 2027-01-15 09:45 UTC)"
    )
    bench.read(109.0)
    bench.read(50.0)
    fresh = told(bench, "lower").baseline
    for value in (51.0, 52.0, 53.0):
        bench.read(value)
        kept = told(bench, "lower")
        assert kept.standing.state == "firing"
        assert kept.baseline is not None
        assert (kept.baseline.level, kept.baseline.kept, kept.baseline.readings) == (104.5, True, 8)
        assert (kept.baseline.since, kept.baseline.until) == (begin + 900.0, end + 900.0)
    assert fresh is not None
    assert fresh.level == 104.5
    document = explain.as_json(kept)
    assert (document["baseline_from"], document["baseline_kept"]) == (iso(begin + 900.0), True)


def test_a_baseline_whose_readings_are_gone_says_so(bench: Bench) -> None:
    bench.configure(LOWER)
    for value in (100.0,) * 10 + (50.0, 50.0):
        bench.read(value)
    bench.writer.once(lambda: bench.writer.store.connection.execute("UPDATE samples SET value = 1"))
    [step] = [s.text for s in told(bench, "lower").steps if s.text.startswith("baseline")]
    assert step == (
        "baseline 100 V (median of readings that the history does not hold any more, "
        "kept from when the condition began)"
    )


def test_the_step_that_decided_is_marked(bench: Bench) -> None:
    bench.configure(LOWER)
    bench.read(100.0)
    assert decided(bench, "lower") == "nothing can be said: learning the baseline: 0 of 5 readings"
    for _ in range(9):
        bench.read(100.0)
    assert "100 is not below 90" in decided(bench, "lower")
    bench.read(80.0)
    assert decided(bench, "lower") == "for = 2 readings: not met yet"
    bench.read(80.0)
    assert "80 is below 90" in decided(bench, "lower")
    bench.read(92.0)
    assert decided(bench, "lower") == "clear = 5%: not back far or long enough: it keeps firing"
    bench.read(96.0)
    assert bench.states()["lower", "bench"] == "inactive"
    assert "▶ " in shown(told(bench, "lower"))


def test_what_is_kept_firing_says_for_how_long(bench: Bench) -> None:
    bench.configure(HIGH + 'keep_firing_for = "20m"')
    bench.read(11.0)
    assert "11 is above 10" in decided(bench, "high")
    bench.read(9.0)
    assert decided(bench, "high") == (
        "keep_firing_for = 20 min: 15 min since the last that held, it keeps firing"
    )


@pytest.mark.parametrize(
    ("table", "name", "text"),
    [
        (HIGH, "high", "condition (above 10 V): 11 is above 10"),
        (BROKEN, "broken", "for = 2 readings: not met yet"),
        (SILENT, "silent", "condition (no reading for 1 h): the last reading came 0 s ago"),
    ],
)
def test_every_kind_has_one_step_that_decided(
    bench: Bench, table: str, name: str, text: str
) -> None:
    bench.configure(table)
    bench.read(11.0)
    bench.end("failed", "because")
    assert decided(bench, name).startswith(text)


# --- composites and trends ---------------------------------------------------------------------


def test_a_composite_names_its_members_with_their_standings(bench: Bench) -> None:
    bench.configure(
        HIGH
        + LOWER
        + '[trigger.both]\nwhen = "all"\nof = ["high", "lower"]\n'
        + '[trigger.one]\nwhen = "any"\nof = ["high", "lower"]\n'
    )
    bench.read(11.0)
    both = told(bench, "both")
    assert [step.text for step in both.steps] == [
        "all of high, lower: asked on each target that all members stand on",
        "high on bench: firing since 2027-01-15 08:15 UTC: 11 is above 10",
        f"lower on bench: no-data since 2027-01-15 08:15 UTC: {both.members[1][0].why}",
        "1 of 2 fire, all must: cannot be told",
        "stands at no-data; waits for its members",
    ]
    assert both.steps[3].decided
    assert decided(bench, "one").startswith("high on bench: firing since")
    document: dict[str, Any] = explain.as_json(both)
    assert [(m["trigger"], m["state"], m["holds"]) for m in document["members"]] == [
        ("high", "firing", True),
        ("lower", "no-data", None),
    ]
    assert (document["decided_by"], document["readings"]) == (4, [])


def test_a_trend_names_its_points_its_line_and_its_date(bench: Bench) -> None:
    bench.configure(
        '[trigger.soon]\nsignal = "test.meter"\nwhen = "crosses"\nside = "below"\n'
        'threshold = 1\nhorizon = "3y"\nfit = "all"\n'
    )
    readings = [
        Reading("test.meter", f"d{n}", value, "measured", at=bench.now - (6 - n) * YEAR)
        for n, value in enumerate((64.0, 33.0, 16.0, 8.2, 4.0, 2.1))
    ]
    run = Run("meter", "external.command", "ok", "", bench.now - 1.0, 1.0)
    bench.writer.once(lambda: bench.writer.store.record(run, readings, (METER,)))
    bench.start()
    soon = told(bench, "soon")
    assert soon.standing.state == "firing"
    texts = [step.text for step in soon.steps]
    assert texts[0] == 'fit = "all": 6 points, every device'
    assert texts[2].startswith("the line is below 1 V from 2027 (90%: 2027–2027) on")
    assert texts[3] == "horizon = 3 y: it must cross before 2030-01-15"
    assert soon.steps[4].decided
    assert texts[4].startswith("meter 2.1 V, needs 1 V: 2027")
    forecast = explain.as_json(soon)["forecast"]
    assert (len(forecast["points"]), forecast["crosses"][:4]) == (6, "2027")
    assert "d5" in shown(soon)


# --- why nothing was said ----------------------------------------------------------------------


def test_why_nothing_was_said_is_the_last_that_is_said(bench: Bench) -> None:
    bench.configure(HIGH)
    bench.read(11.0)
    store = bench.writer.store
    [standing] = store.standings()
    rule = bench.config.triggers["high"]

    def last(explained: explain.Explanation) -> list[Step]:
        return list(explained.steps[-1:])

    known = acknowledge(standing, "ada", bench.now)
    store.put(known)
    assert last(told(bench, "high")) == [
        Step("not said again until it resolves: acknowledged by ada at 2027-01-15 08:15 UTC")
    ]
    store.put(snooze(standing, bench.now + 3600.0))
    assert last(told(bench, "high")) == [
        Step("nothing new is said of it before 2027-01-15 09:15 UTC: snoozed")
    ]
    quiet = rule.model_copy(update={"notify": False})
    assert last(explain.explain(store, quiet, standing, bench.now)) == [
        Step("nothing is said of it: notify = false")
    ]
