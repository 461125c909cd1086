"""Health: each part that makes no progress is named, and nothing else is."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.health import SCHEDULER_SILENCE, SENDER_SILENCE, Health
from monitor.writer import Writer


@pytest.fixture
def health(tmp_path: Path) -> Iterator[Health]:
    writer = Writer(tmp_path / "test.db")
    yield Health(writer, scheduler_beat=1000.0, sender_beat=1000.0)
    writer.close()


def test_all_is_well_while_everything_beats(health: Health) -> None:
    assert health.faults(1000.0 + min(SCHEDULER_SILENCE, SENDER_SILENCE)) == []


def test_a_scheduler_that_stands_still_is_named(health: Health) -> None:
    [fault] = health.faults(1001.0 + SCHEDULER_SILENCE)
    assert fault == f"the scheduler made no progress for {SCHEDULER_SILENCE + 1:.0f} s"


def test_a_sender_that_stands_still_is_named(health: Health) -> None:
    health.scheduler_beat = 1001.0 + SENDER_SILENCE
    [fault] = health.faults(1001.0 + SENDER_SILENCE)
    assert fault == f"the sender made no progress for {SENDER_SILENCE + 1:.0f} s"


def test_a_writer_that_cannot_write_is_named(health: Health) -> None:
    health.writer.fault = "test.db cannot be written: database or disk is full"
    assert health.faults(1000.0) == ["test.db cannot be written: database or disk is full"]
