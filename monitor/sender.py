"""From the outbox to the channel. Say that a try begins, try, then write down how it ended.

A crash in between leaves the alert `trying`: the channel may have it, so it is looked for by its
key before it is sent again. A message may come twice at worst; it is never lost.
"""

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable
from typing import Protocol, TypeVar

import structlog

from monitor.health import Health
from monitor.slack.client import ParentMessage
from monitor.slack.outcome import Ambiguous, Dead, Result, Retry, Sent, Unknown
from monitor.writer import Writer
from storage.outbox import Owed
from storage.types import Alert, now

_Answer = TypeVar("_Answer")
_log = structlog.get_logger()

BACKOFF = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0)
IDLE_SECONDS = 5.0
PACE_SECONDS = 1.0
"""Slack takes about one message a second on a channel."""


class Channel(Protocol):
    """Where alerts go. Both calls may block: they run in a thread of their own."""

    pace: float

    def deliver(self, alert: Alert, parent: ParentMessage | None) -> Result:
        """One attempt, and how it ended."""

    def find(self, alert: Alert, parent: ParentMessage | None) -> Sent | Unknown | None:
        """Where the channel has this alert already; None where it has not."""


class Sender:
    """Delivers what is owed, one at a time, for as long as it is run."""

    def __init__(self, writer: Writer, channel: Channel, health: Health) -> None:
        self._writer = writer
        self._channel = channel
        self._health = health
        self._wake = asyncio.Event()
        self._free_at = 0.0

    def wake(self) -> None:
        """Something may be owed."""
        self._wake.set()

    async def run(self) -> None:
        """Deliver for ever."""
        while True:
            if not await self.step():
                await self._rest()

    async def drain(self, seconds: float) -> None:
        """Deliver what is due now, for at most `seconds`: what is left stays owed."""
        try:
            async with asyncio.timeout(seconds):
                while await self.step():
                    pass
        except TimeoutError:
            return

    async def step(self) -> bool:
        """One try of the alert that is next; whether there was one."""
        self._health.sender_beat = now()
        owed = self._writer.outbox.next(now())
        if owed is None:
            return False
        await asyncio.sleep(max(0.0, self._free_at - now()))
        await self._writer.insist(lambda: self._writer.outbox.begin(owed.id))
        result = await self._attempt(owed)
        await self._writer.insist(lambda: self._note(owed, result))
        if isinstance(result, Sent):
            self._free_at = now() + self._channel.pace
        return True

    async def _rest(self) -> None:
        due = self._writer.outbox.next_due()
        seconds = IDLE_SECONDS if due is None else min(IDLE_SECONDS, max(0.05, due - now()))
        self._wake.clear()
        try:
            await asyncio.wait_for(self._wake.wait(), seconds)
        except TimeoutError:
            return

    async def _attempt(self, owed: Owed) -> Result:
        parent = self._parent(owed)
        if owed.trying:
            found = await in_thread(lambda: self._channel.find(owed.alert, parent))
            if isinstance(found, Sent):
                return found
            # where it can never be found out, a message twice is better than none
            if isinstance(found, Unknown) and not found.lasting:
                return Ambiguous(f"whether the channel has it is not known: {found.why}")
        return await in_thread(lambda: self._channel.deliver(owed.alert, parent))

    def _parent(self, owed: Owed) -> ParentMessage | None:
        if owed.alert.parent is None:
            return None
        first = self._writer.outbox.get(owed.alert.parent)
        if first.channel is None or first.ts is None:
            return None
        return ParentMessage(first.channel, first.ts, first.alert)

    def _note(self, owed: Owed, result: Result) -> None:
        outbox = self._writer.outbox
        about = {"alert": owed.id, "kind": owed.alert.kind, "trigger": owed.alert.trigger}
        match result:
            case Sent(channel, ts):
                outbox.sent(owed.id, channel, ts, now())
                _log.info("alert sent", **about)
            case Retry(after, why):
                wait = after if after is not None else _backoff(owed)
                outbox.retry(owed.id, now() + wait, why, ambiguous=False)
                _log.warning("alert not sent, trying again", why=why, seconds=wait, **about)
            case Ambiguous(why):
                wait = _backoff(owed)
                outbox.retry(owed.id, now() + wait, why, ambiguous=True)
                _log.warning("alert perhaps sent, looking again", why=why, seconds=wait, **about)
            case Dead(why, _):
                outbox.dead(owed.id, why)
                _log.error(
                    "alert refused for good; it is tried again at the next start", why=why, **about
                )


def _backoff(owed: Owed) -> float:
    return BACKOFF[min(owed.attempts, len(BACKOFF) - 1)]


async def in_thread(call: Callable[[], _Answer]) -> _Answer:
    """A blocking call in a daemon thread, which a stop of the service does not wait for."""
    answer: concurrent.futures.Future[_Answer] = concurrent.futures.Future()

    def work() -> None:
        try:
            answer.set_result(call())
        # the edge of a thread: whatever the call raises belongs to the one who awaits it
        except BaseException as error:  # noqa: BLE001
            answer.set_exception(error)

    threading.Thread(target=work, name="channel", daemon=True).start()
    return await asyncio.wrap_future(answer)
