"""The sender over a real outbox, with channels that say what a test needs."""

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from storage_examples import START, alert

from monitor.channel import Ambiguous, Dead, ParentMessage, Result, Retry, Sent, Unknown
from monitor.health import Health
from monitor.sender import Sender
from monitor.writer import Writer
from storage.outbox import Outbox
from storage.store import Store
from storage.types import Alert


class Scripted:
    """A channel that answers from a list; after its end it takes everything."""

    name = "scripted"
    pace = 0.0

    def __init__(self, *answers: Result | Exception) -> None:
        self.answers = list(answers)
        self.taken: list[str] = []
        self.asked: list[str] = []

    def deliver(self, alert: Alert, parent: ParentMessage | None) -> Result:
        self.taken.append(alert.key)
        answer = self.answers.pop(0) if self.answers else Sent("C1", f"{len(self.taken)}.0")
        if isinstance(answer, Exception):
            raise answer
        return answer

    def find(self, alert: Alert, parent: ParentMessage | None) -> Sent | Unknown | None:
        self.asked.append(alert.key)
        return None


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    made = Writer(tmp_path / "test.db")
    yield made
    made.close()


def owe(writer: Writer, *keys: str) -> None:
    for key in keys:
        writer.once(lambda key=key: writer.outbox.owe(alert(key)))


def states(writer: Writer) -> list[tuple[str, str]]:
    rows = writer.store.connection.execute("SELECT key, state FROM alerts ORDER BY id")
    return [tuple(row) for row in rows]


def sender(writer: Writer, channel: Scripted) -> Sender:
    return Sender(writer, channel, Health(writer))


async def test_what_slack_says_of_one_message_holds_for_all(writer: Writer) -> None:
    owe(writer, "a", "b", "c")
    channel = Scripted(Retry(30.0, "429"))
    await sender(writer, channel).drain(0.5)
    assert channel.taken == ["a"]
    assert {state for _, state in states(writer)} == {"owed"}


async def test_an_absurd_wait_is_cut(writer: Writer) -> None:
    owe(writer, "a")
    await sender(writer, Scripted(Retry(1e20, "429"))).drain(0.5)
    [due] = writer.store.connection.execute("SELECT due FROM alerts").fetchone()
    assert due / 1000 - time.time() <= 3600


async def test_an_answer_that_its_client_chokes_on_does_not_end_the_delivery(
    writer: Writer,
) -> None:
    owe(writer, "a", "b")
    channel = Scripted(RecursionError("too deep"))
    await sender(writer, channel).drain(20.0)  # it ends when nothing is due
    assert states(writer) == [("a", "trying"), ("b", "sent")]
    [error] = writer.store.connection.execute("SELECT error FROM alerts WHERE id = 1").fetchone()
    assert "too deep" in error


async def test_ambiguous_is_looked_for_before_it_is_sent_again(writer: Writer) -> None:
    owe(writer, "a")
    channel = Scripted(Ambiguous("timeout"))
    working = sender(writer, channel)
    await working.drain(0.2)
    writer.once(lambda: writer.store.connection.execute("UPDATE alerts SET due = 0"))
    await working.drain(0.5)
    assert (channel.taken, channel.asked) == (["a", "a"], ["a"])
    assert states(writer) == [("a", "sent")]


async def test_refused_is_dead(writer: Writer) -> None:
    owe(writer, "a")
    await sender(writer, Scripted(Dead("not_in_channel"))).drain(0.5)
    assert states(writer) == [("a", "dead")]


class Rescued(Scripted):
    """While it delivers, the database is replaced by one in which the number is another's."""

    def __init__(self, writer: Writer, other: Store) -> None:
        super().__init__()
        self._writer, self._other = writer, other

    def deliver(self, alert: Alert, parent: ParentMessage | None) -> Result:
        self._writer.store = self._other
        return super().deliver(alert, parent)


async def test_a_delivery_over_a_rescue_marks_no_other_alert(
    writer: Writer, tmp_path: Path
) -> None:
    owe(writer, "told")
    with closing(writer.store), closing(Writer(tmp_path / "other.db").store) as other:
        with other.transaction():
            Outbox(other).owe(alert("new", created=START + 1e9))
        await sender(writer, Rescued(writer, other)).drain(0.5)
        assert states(writer) == [("new", "owed")]
