"""Alerts owed: in which order they may go, and what is remembered of every try."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from storage_examples import START, alert

from storage.outbox import Outbox
from storage.store import Store
from storage.types import Standing

NOW = START + 10
NEW = Standing("slow", "gpu0", "no-data", since=START, created=START)


@pytest.fixture
def outbox(store: Store) -> Outbox:
    return Outbox(store)


def upcoming(outbox: Outbox, now: float = NOW) -> int | None:
    found = outbox.next(now)
    return None if found is None else found.id


def settle(outbox: Outbox, number: int) -> None:
    outbox.begin(number)
    outbox.sent(number, "C1", f"{number}.0", NOW)


def test_an_alert_is_kept_whole(outbox: Outbox) -> None:
    first = outbox.owe(alert("a"))
    answer = alert("b", kind="resolves", parent=first, facts={"why": "back: µ", "trend": [1, 2.5]})
    second = outbox.owe(answer)
    found = outbox.get(second)
    assert (found.id, found.alert, found.attempts, found.trying) == (second, answer, 0, False)
    assert (found.channel, found.ts) == (None, None)


def test_an_unknown_alert(outbox: Outbox) -> None:
    with pytest.raises(LookupError, match="no alert 7 in "):
        outbox.get(7)


def test_a_key_names_one_alert_for_ever(outbox: Outbox) -> None:
    outbox.owe(alert("a"))
    with pytest.raises(sqlite3.IntegrityError, match=r"alerts\.key"):
        outbox.owe(alert("a"))


def test_the_oldest_goes_first(outbox: Outbox) -> None:
    numbers = [outbox.owe(alert(key)) for key in "abc"]
    seen = []
    while (number := upcoming(outbox)) is not None:
        seen.append(number)
        settle(outbox, number)
    assert seen == numbers


def test_nothing_goes_before_it_is_due(outbox: Outbox) -> None:
    assert (outbox.next(NOW), outbox.next_due()) == (None, None)
    number = outbox.owe(alert("a", created=NOW + 5))
    assert upcoming(outbox, NOW + 4.999) is None
    assert upcoming(outbox, NOW + 5) == number
    assert outbox.next_due() == NOW + 5


def test_one_that_waits_for_its_next_try_does_not_hold_up_the_others(outbox: Outbox) -> None:
    slow, other = outbox.owe(alert("a")), outbox.owe(alert("b"))
    outbox.begin(slow)
    outbox.retry(slow, NOW + 60, "ratelimited", ambiguous=False)
    assert upcoming(outbox) == other
    assert upcoming(outbox, NOW + 60) == slow


@pytest.mark.parametrize("is_sent", [True, False])
def test_an_answer_waits_until_what_it_answers_is_settled(outbox: Outbox, is_sent: bool) -> None:
    first = outbox.owe(alert("a"))
    answer = outbox.owe(alert("b", kind="resolves", parent=first))
    outbox.begin(first)
    outbox.retry(first, NOW + 60, "timeout", ambiguous=True)
    assert upcoming(outbox) is None
    # Somebody who waits for the next one must not be woken for one that cannot go.
    assert outbox.next_due() == NOW + 60
    if is_sent:
        outbox.sent(first, "C1", "1.0", NOW)
    else:
        outbox.dead(first, "channel_not_found")
    assert upcoming(outbox) == answer
    assert outbox.next_due() == START


def test_answers_come_in_the_order_in_which_they_were_owed(outbox: Outbox) -> None:
    first = outbox.owe(alert("a"))
    settle(outbox, first)
    reminder = outbox.owe(alert("b", kind="reminds", parent=first))
    resolve = outbox.owe(alert("c", kind="resolves", parent=first))
    other = outbox.owe(alert("d"))
    outbox.begin(reminder)
    outbox.retry(reminder, NOW + 60, "ratelimited", ambiguous=False)
    # "Still firing" below "resolved" would be read as a new alert.
    assert upcoming(outbox) == other
    settle(outbox, other)
    assert upcoming(outbox, NOW + 60) == reminder
    settle(outbox, reminder)
    assert upcoming(outbox) == resolve


def test_a_try_that_was_begun_is_known_after_a_crash(path: Path) -> None:
    with closing(Store.writer(path)) as store:
        number = Outbox(store).owe(alert("a"))
        Outbox(store).begin(number)
    with closing(Store.writer(path)) as store:
        found = Outbox(store).next(NOW)
        assert found is not None
        assert (found.id, found.trying, found.attempts) == (number, True, 1)


@pytest.mark.parametrize("is_ambiguous", [True, False])
def test_a_failed_try_says_whether_the_channel_may_have_it(
    outbox: Outbox, is_ambiguous: bool
) -> None:
    number = outbox.owe(alert("a"))
    for attempt in (1, 2):
        outbox.begin(number)
        outbox.retry(number, NOW, "an error", ambiguous=is_ambiguous)
        found = outbox.get(number)
        assert (found.trying, found.attempts) == (is_ambiguous, attempt)
    assert outbox.last_error() == "an error"


def test_once_sent_it_is_known_where(outbox: Outbox) -> None:
    number = outbox.owe(alert("a"))
    outbox.begin(number)
    outbox.retry(number, NOW, "an error", ambiguous=False)
    settle(outbox, number)
    found = outbox.get(number)
    assert (found.channel, found.ts, found.attempts) == ("C1", f"{number}.0", 2)
    assert upcoming(outbox, NOW + 1e6) is None
    assert (outbox.next_due(), outbox.last_error()) == (None, "")


def open_incident(store: Store, number: int) -> None:
    """A standing whose open alert this is."""
    store.put(replace(NEW, state="firing", told="fires", alert=number))


def test_what_is_dead_stays_dead_until_it_is_revived(store: Store, outbox: Outbox) -> None:
    dead, sent, owed = (outbox.owe(alert(key)) for key in "abc")
    open_incident(store, dead)
    outbox.begin(dead)
    outbox.dead(dead, "not_in_channel")
    settle(outbox, sent)
    assert upcoming(outbox, NOW + 1e6) == owed
    assert outbox.last_error() == "not_in_channel"
    assert outbox.revive(NOW + 60) == 1
    settle(outbox, owed)
    assert upcoming(outbox, NOW + 59) is None
    found = outbox.next(NOW + 60)
    assert found is not None
    assert (found.id, found.attempts, found.trying) == (dead, 0, False)
    assert outbox.revive(NOW) == 0


def test_an_incident_that_is_over_is_not_announced_again(store: Store, outbox: Outbox) -> None:
    fires = outbox.owe(alert("fires"))
    reminder = outbox.owe(alert("reminds", kind="reminds", parent=fires))
    over = outbox.owe(alert("over", kind="resolves", parent=fires))
    for number in (fires, reminder, over):
        outbox.begin(number)
        outbox.dead(number, "not_in_channel")
    assert outbox.revive(NOW) == 1
    assert upcoming(outbox) == over
    open_incident(store, fires)
    assert outbox.revive(NOW) == 2


def test_what_only_the_terminal_has_had_is_owed_to_the_next_channel(
    store: Store, outbox: Outbox
) -> None:
    over, still, elsewhere = (outbox.owe(alert(key)) for key in "abc")
    for number, channel in ((over, "terminal"), (still, "terminal"), (elsewhere, "C1")):
        outbox.begin(number)
        outbox.sent(number, channel, "1.0", NOW)
    open_incident(store, still)
    assert outbox.owe_elsewhere("terminal", NOW) == 1
    found = outbox.next(NOW)
    assert found is not None
    assert (found.id, found.trying, found.channel, found.ts) == (still, False, None, None)


def test_the_depth_counts_one_that_is_being_tried_as_owed(outbox: Outbox) -> None:
    assert outbox.depth() == {"owed": 0, "sent": 0, "dead": 0}
    numbers = [outbox.owe(alert(key)) for key in "abcde"]
    outbox.begin(numbers[0])
    settle(outbox, numbers[1])
    outbox.dead(numbers[2], "no")
    assert outbox.depth() == {"owed": 3, "sent": 1, "dead": 1}


def test_an_alert_is_owed_with_its_transaction_or_not_at_all(store: Store, outbox: Outbox) -> None:
    with pytest.raises(ZeroDivisionError), store.transaction():
        outbox.owe(alert(str(1 / 0)))
    with pytest.raises(sqlite3.IntegrityError), store.transaction():
        outbox.owe(alert("b", parent=outbox.owe(alert("a")) + 7))
    assert outbox.depth()["owed"] == 0


def test_open_alerts_move_to_another_channel(store: Store, outbox: Outbox) -> None:
    over, first = outbox.owe(alert("over")), outbox.owe(alert("open"))
    for number in (over, first):
        settle(outbox, number)
    store.put(replace(NEW, told="fires", alert=first))
    assert outbox.move("C1", NOW) == 0
    assert outbox.move("#other", NOW) == 1
    [moved] = store.standings()
    assert moved.alert is not None
    fresh, goes_on = outbox.get(moved.alert), outbox.get(moved.alert + 1)
    assert replace(fresh.alert, key="open") == outbox.get(first).alert
    assert (goes_on.alert.kind, goes_on.alert.parent) == ("notice", first)
    assert "#other" in goes_on.alert.facts["title"]
    assert (upcoming(outbox), outbox.get(first).ts) == (fresh.id, f"{first}.0")
    # a thread that cannot be reached any more is left alone
    outbox.dead(goes_on.id, "is_archived")
    assert outbox.revive(NOW) == 0
