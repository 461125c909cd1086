"""Alarms counted between two moments, and two rules' alarms side by side."""

from hypothesis import given
from hypothesis import strategies as st
from trigger_examples import START

from storage.types import Standing
from triggers.episodes import Episode, matched, tally
from triggers.replay import Event

STANDING = Standing("t", "x", "firing", START, START, value=3.0)


def event(kind: str, at: float) -> Event:
    return Event(kind, START + at, "because", STANDING)  # type: ignore[arg-type]


def episode(begin: float, end: float | None) -> Episode:
    return Episode(begin, end, "because", None, None, None, None)


def test_alarms_are_those_that_begin_in_the_time_and_firing_is_what_lies_in_it() -> None:
    events = [
        event("fires", 0),
        event("resolves", 10),
        event("fires", 20),
        event("resolves", 40),
        event("no-data", 45),
        event("resolves", 46),
        event("fires", 50),
    ]
    found = tally(events, START + 30, START + 60)
    assert [e.fired_at - START for e in found.episodes] == [20, 50]
    assert (found.alarms, found.firing_seconds, found.longest_seconds) == (1, 20, 10)
    assert found.no_data == 1
    assert found.episodes[1].resolved_at is None
    assert tally(events, START, START + 60).alarms == 3


def test_episodes_that_overlap_stand_side_by_side() -> None:
    one, two, late = episode(0, 10), episode(20, 30), episode(90, None)
    long, apart = episode(5, 25), episode(50, 60)
    assert matched([one, two, late], [long, apart]) == [
        ("both", one, long),
        ("both", two, None),
        ("changed", None, apart),
        ("present", late, None),
    ]


TIMES = st.lists(st.integers(0, 40), unique=True, max_size=14).map(sorted)


@given(TIMES, TIMES)
def test_each_episode_is_there_once_and_says_whether_the_other_fires_too(
    left: list[int], right: list[int]
) -> None:
    def episodes(times: list[int]) -> list[Episode]:
        ends = [*times[1::2], *([None] if len(times) % 2 else [])]
        return [episode(a, b) for a, b in zip(times[::2], ends, strict=True)]

    present, changed = episodes(left), episodes(right)
    pairs = matched(present, changed)
    assert [p for _, p, _ in pairs if p is not None] == present
    assert [c for _, _, c in pairs if c is not None] == changed
    for which, one, other in pairs:
        own, others = (one, changed) if one is not None else (other, present)
        assert own is not None
        overlaps = any(
            (o.resolved_at is None or own.fired_at <= o.resolved_at)
            and (own.resolved_at is None or o.fired_at <= own.resolved_at)
            for o in others
        )
        assert (which == "both") == overlaps
        assert which == "both" or (one is None) == (which == "changed")
