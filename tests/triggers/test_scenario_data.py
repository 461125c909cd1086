"""The milestones and scenarios that ship: their form, their sources, and what they refer to."""

import re
import tomllib
from datetime import UTC, date, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from doc_pages import ROOT, Page

from monitor.outlook import milestones
from monitor.outlook.scenario import shipped
from probes.base import kinds
from triggers.milestone import STATUSES, Milestone, first_day, last_day
from triggers.scenario import Indicator, MilestoneIndicator, Scenario, SignalIndicator

DERIVED = {
    "crossover.break_even_seconds": "s",
    "crossover.cost_ratio": "1",
    "crossover.max_operations": "op",
}
"""Signals that no probe writes: they are worked out from those that probes write."""
WRITTEN_DOWN = re.compile(r"https://(?:doi\.org/10\.\d{4,9}/\S+|arxiv\.org/abs/\d{4}\.\d{4,5}|\S+)")
KNOWN = milestones.load()
SCENARIOS = shipped()
INDICATORS = [(each, one) for each in SCENARIOS for one in each.indicator]
SIGNALS = [(each, one) for each, one in INDICATORS if isinstance(one, SignalIndicator)]
PROMISES = [(each, one) for each, one in INDICATORS if isinstance(one, MilestoneIndicator)]
PAGE = Page("docs/scenarios.md")


def name(value: Any) -> str:
    return value.id if isinstance(value, SignalIndicator | MilestoneIndicator) else value.name


def units() -> dict[str, str]:
    return DERIVED | {s.name: s.unit for kind in kinds().values() for s in kind.signals}


# --- milestones --------------------------------------------------------------------------------


def test_both_files_are_in_the_package() -> None:
    for file in ("milestones.toml", "scenarios.toml"):
        assert files("triggers").joinpath(file).is_file()
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    assert "triggers" in packages["targets"]["wheel"]["packages"]
    assert (
        "*.toml" not in (ROOT / ".gitignore").read_text().split()
    )  # hatch leaves out what git does


def test_milestones_stand_in_the_order_of_their_days() -> None:
    order = [(last_day(one.due or one.since), one.id) for one in KNOWN.values()]
    assert order == sorted(order)
    assert len(order) >= 20
    assert {one.status for one in KNOWN.values()} <= set(STATUSES)


@pytest.mark.parametrize("milestone", KNOWN.values(), ids=lambda one: one.id)
def test_a_milestone_says_nothing_of_the_future(milestone: Milestone) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", milestone.id)
    assert last_day(milestone.checked) <= datetime.now(UTC).date()
    assert WRITTEN_DOWN.fullmatch(milestone.url)
    if milestone.status == "met":
        assert first_day(milestone.since) <= last_day(milestone.checked)
    if milestone.status == "open":
        assert milestone.note, "says why it is not known"
    for text in (milestone.who, milestone.what, milestone.source, milestone.note):
        assert text == text.strip()


def test_what_came_after_the_sources_is_not_claimed() -> None:
    """The sources reach until about July 2026, as the file's head says."""
    text = files("triggers").joinpath("milestones.toml").read_text(encoding="utf-8")
    assert "July 2026" in text.partition("[milestone.")[0]
    assert all(first_day(one.since) <= date(2026, 7, 31) for one in KNOWN.values())


# --- scenarios ---------------------------------------------------------------------------------


def test_there_are_three_scenarios_with_indicators_of_both_kinds() -> None:
    assert [(one.letter, one.name) for one in SCENARIOS] == [
        ("A", "conservative"),
        ("B", "hybrid"),
        ("C", "transformative"),
    ]
    for one in SCENARIOS:
        assert {type(indicator) for indicator in one.indicator} == {
            SignalIndicator,
            MilestoneIndicator,
        }


@pytest.mark.parametrize("scenario", SCENARIOS, ids=name)
def test_an_indicator_is_named_once(scenario: Scenario) -> None:
    ids = [one.id for one in scenario.indicator]
    assert len(ids) == len(set(ids))
    subjects = [str(one.model_dump(exclude={"id", "says"})) for one in scenario.indicator]
    assert len(subjects) == len(set(subjects)), "evidence counts once"


@pytest.mark.parametrize(("scenario", "indicator"), SIGNALS, ids=name)
def test_a_signal_is_written_by_something(scenario: Scenario, indicator: SignalIndicator) -> None:
    assert indicator.signal in units()
    assert indicator.rule.signal == indicator.signal  # and the rule is valid
    assert indicator.source
    assert WRITTEN_DOWN.fullmatch(indicator.url)


@pytest.mark.parametrize(("scenario", "indicator"), PROMISES, ids=name)
def test_a_milestone_is_known(scenario: Scenario, indicator: MilestoneIndicator) -> None:
    assert indicator.milestone in KNOWN
    assert indicator.met != "unknown"
    assert indicator.missed != indicator.met
    if KNOWN[indicator.milestone].due is None:  # what is published cannot be missed any more
        assert KNOWN[indicator.milestone].status == "met"


def test_opposite_levels_of_one_signal_do_not_both_point_toward() -> None:
    """A machine that is good news for C is none for A."""
    levels = {
        (each.letter, one.signal, one.when, float(one.threshold))
        for each, one in SIGNALS
        if not isinstance(one.threshold, str) and one.when in ("above", "below")
    }
    for letter, signal, when, level in levels:
        other = "above" if when == "below" else "below"
        assert (letter, signal, other, level) not in levels


# --- docs/scenarios.md -------------------------------------------------------------------------


def test_the_page_names_every_indicator_with_its_source() -> None:
    for each in SCENARIOS:
        table = PAGE.table(f"{each.letter}: {each.title.lower()}", first="indicator").by_key()
        assert list(table) == [one.id for one in each.indicator]
        for one in each.indicator:
            assert said(one) == table[one.id]["reads"], one.id
            assert url(one) in table[one.id]["source"], one.id


def said(indicator: Indicator) -> str:
    """What the page says that an indicator reads."""
    if isinstance(indicator, MilestoneIndicator):
        return f"`{indicator.milestone}`: {indicator.met} once met, {indicator.missed} once missed"
    share = isinstance(indicator.threshold, str)
    level = indicator.threshold if share else f"{indicator.threshold:g}"
    rule = f"`{indicator.signal}` {indicator.when} {level}"
    where = f"on {indicator.over} of `{indicator.target}`"
    if indicator.when == "crosses":
        where = f"to {indicator.side} within {indicator.horizon}"
    return f"{rule} {where}: {indicator.holds}, else {indicator.otherwise}"


def url(indicator: Indicator) -> str:
    if isinstance(indicator, SignalIndicator):
        return indicator.url
    return KNOWN[indicator.milestone].url


def test_the_milestones_that_the_page_shows_are_read(tmp_path: Path) -> None:
    [block] = [fence.text for fence in PAGE.fences if fence.info == "toml milestones"]
    (tmp_path / "own.toml").write_text(block)
    found = milestones.load(tmp_path / "own.toml")
    assert found["ibm-kookaburra"].status == "missed"
    assert found["our-pilot"].awaited == "2028-06"


def test_the_page_names_every_key_and_status_of_a_milestone() -> None:
    keys = PAGE.table("A milestone", first="key").column("key")
    assert keys == [key for key in Milestone.model_fields if key != "id"]
    assert PAGE.table("A milestone", first="status").column("status") == list(STATUSES)
