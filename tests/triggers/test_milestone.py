"""What a milestone may say, and when an answer is owed on it."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from triggers.milestone import Milestone, first_day, last_day, past_due, upcoming

DAYS = st.dates(date(1990, 1, 1), date(2100, 1, 1))


def milestone(**keys: Any) -> Milestone:
    """A promise for 2029, as its table says it."""
    plain = {
        "id": "starling",
        "who": "IBM",
        "what": "200 logical qubits",
        "due": "2029",
        "status": "announced",
        "since": "2025-06-10",
        "source": "a paper",
        "url": "https://example.org/paper",
        "checked": "2026-11-22",
    }
    said = {key: value for key, value in (plain | keys).items() if value is not None}
    return Milestone.model_validate(said)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2028", date(2028, 1, 1), date(2028, 12, 31)),
        ("2028-02", date(2028, 2, 1), date(2028, 2, 29)),
        ("2027-02", date(2027, 2, 1), date(2027, 2, 28)),
        ("2027-02-03", date(2027, 2, 3), date(2027, 2, 3)),
    ],
)
def test_a_day_may_be_a_month_or_a_year(text: str, first: date, last: date) -> None:
    assert (first_day(text), last_day(text)) == (first, last)


@pytest.mark.parametrize("text", ["", "29", "2029-13", "2027-02-29", "2029-00", "0000", "2029-6-1"])
def test_what_is_no_day_is_refused(text: str) -> None:
    for of in (first_day, last_day):
        with pytest.raises(ValueError, match=r"2029-06|no such day"):
            of(text)


@given(DAYS)
def test_a_full_date_is_one_day(day: date) -> None:
    assert first_day(day.isoformat()) == last_day(day.isoformat()) == day


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"due": "soon"}, "expected"),
        ({"since": "2027"}, "lies after `checked`"),
        ({"checked": "2026-11"}, "expected a day"),
        ({"url": "the web"}, "http"),
        ({"who": ""}, "at least 1"),
        ({"status": "likely"}, "announced"),
        ({"due": None}, "needs a `due`"),
        ({"due": "2025"}, "was due 2025: say"),
        ({"status": "missed"}, "and due only 2029"),
        ({"status": "slipped"}, "go together"),
        ({"moved_to": "2031"}, "go together"),
        ({"status": "slipped", "moved_to": "2029-06"}, "expected a day after 2029,"),
        ({"probability": 0.5}, "Extra inputs"),
    ],
)
def test_what_does_not_agree_is_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        milestone(**keys)


@pytest.mark.parametrize(
    "keys",
    [
        {"status": "met", "due": None},
        {"status": "met", "due": "2020"},  # late, but met
        {"status": "met"},
        {"status": "open", "due": "2025"},
        {"status": "missed", "due": "2025"},
        {"status": "slipped", "due": "2025", "moved_to": "2028"},
    ],
)
def test_every_status_can_be_said(keys: dict[str, Any]) -> None:
    assert milestone(**keys).status == keys["status"]


def test_an_answer_is_owed_from_the_day_after() -> None:
    waiting = [
        milestone(id="b", due="2026", status="open"),
        milestone(id="a", due="2026"),
        milestone(id="c", due="2027-06-01"),
        milestone(id="d", due="2025", moved_to="2026-12-31", status="slipped"),
        milestone(id="e", due="2026", status="met"),
        milestone(id="f", due="2025", status="missed"),
    ]
    the_day = date(2026, 12, 31)
    assert [one.id for one in upcoming(waiting, the_day)] == ["a", "b", "d", "c"]
    assert past_due(waiting, the_day) == []
    assert [one.id for one in past_due(waiting, date(2027, 1, 1))] == ["a", "b", "d"]
    assert [one.id for one in upcoming(waiting, date(2027, 1, 1))] == ["c"]


@given(st.lists(DAYS, max_size=8), DAYS)
def test_what_is_waited_for_is_either_to_come_or_past_due(dues: list[date], today: date) -> None:
    waiting = [
        milestone(id=f"m{n}", due=due.isoformat(), status="open") for n, due in enumerate(dues)
    ]
    late, soon = past_due(waiting, today), upcoming(waiting, today)
    assert sorted(one.id for one in late + soon) == sorted(one.id for one in waiting)
    assert [one.awaited for one in late + soon] == sorted(due.isoformat() for due in dues)
    assert upcoming(waiting, today + timedelta(days=1)) == [
        one for one in soon if one.awaited != today.isoformat()
    ]
