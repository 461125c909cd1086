"""From the outbox to the channel. Say that a try begins, try, then write down how it ended.

A crash in between leaves the alert `trying`: the channel may have it, so it is looked for by its
key before it is sent again. A message may come twice at worst; it is never lost.
"""

import asyncio
import contextlib
import time

import structlog

from monitor.channel import (
    Ambiguous,
    Channel,
    Dead,
    ParentMessage,
    Result,
    Retry,
    Sent,
    Unknown,
)
from monitor.health import Health
from monitor.terminal import TERMINAL
from monitor.threads import in_thread
from monitor.writer import Writer
from storage.outbox import Owed
from storage.types import now

_log = structlog.get_logger()

BACKOFF = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0)
IDLE_SECONDS = 5.0
LONGEST_WAIT = 3600.0
"""Seconds that a channel is left alone for at most, whatever it names."""


class Sender:
    """Delivers what is owed, one at a time, for as long as it is run."""

    def __init__(self, writer: Writer, channel: Channel, health: Health) -> None:
        self._writer = writer
        self._channel = channel
        self._health = health
        self._wake = asyncio.Event()
        self._free_at = 0.0

    @property
    def channel(self) -> Channel:
        """Where alerts go."""
        return self._channel

    def switch(self, channel: Channel) -> None:
        """Send by another channel from now on; what is being tried ends where it began."""
        if channel is not self._channel:
            self._channel = channel
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
        owed = await self._writer.insist(lambda: self._writer.outbox.next(now()))
        if owed is None:
            self._health.sender_beats()
            return False
        await self._pause()
        store = self._writer.store
        await self._writer.insist(lambda: self._writer.outbox.begin(owed.id))
        parent = await self._writer.insist(lambda: self._parent(owed))
        result = await self._attempt(owed, parent)

        def note() -> None:
            # a damaged file was replaced meanwhile: this number is another alert's there
            if self._writer.store is store:
                self._note(owed, result)

        await self._writer.insist(note)
        after = _named(result)
        self._free_at = time.monotonic() + (self._channel.pace if after is None else after)
        return True

    async def _pause(self) -> None:
        """Wait until the channel may be spoken to: what it says of one message is for all."""
        while True:
            self._health.sender_beats()
            left = self._free_at - time.monotonic()
            if left <= 0:
                return
            await asyncio.sleep(min(left, IDLE_SECONDS))

    async def _rest(self) -> None:
        due = await self._writer.insist(self._writer.outbox.next_due)
        seconds = IDLE_SECONDS if due is None else min(IDLE_SECONDS, max(0.05, due - now()))
        self._wake.clear()
        # not wait_for: before Python 3.12 it forgets a cancellation that comes along with the wake
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    async def _attempt(self, owed: Owed, parent: ParentMessage | None) -> Result:
        try:
            if owed.trying:
                found = await in_thread(lambda: self._channel.find(owed.alert, parent))
                if isinstance(found, Sent):
                    return found
                # where it can never be found out, a message twice is better than none
                if isinstance(found, Unknown) and not found.lasting:
                    return Ambiguous(f"whether the channel has it is not known: {found.why}")
            return await in_thread(lambda: self._channel.deliver(owed.alert, parent))
        # The edge to a foreign service: an answer that its client chokes on must not end the
        # delivery of everything else. It is told, and the alert is looked for and tried again.
        except Exception as error:  # noqa: BLE001
            _log.exception("the channel's answer cannot be understood", alert=owed.id)
            return Ambiguous(f"{type(error).__name__}: {error}")

    def _parent(self, owed: Owed) -> ParentMessage | None:
        """The message that this alert answers, where this channel has it."""
        if owed.alert.parent is None:
            return None
        first = self._writer.outbox.get(owed.alert.parent)
        if first.channel is None or first.ts is None or first.channel == TERMINAL:
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
                wait = _backoff(owed) if after is None else min(after, LONGEST_WAIT)
                outbox.retry(owed.id, now() + wait, why, ambiguous=False)
                _log.warning("alert not sent, trying again", why=why, seconds=wait, **about)
            case Ambiguous(why):
                wait = _backoff(owed)
                outbox.retry(owed.id, now() + wait, why, ambiguous=True)
                _log.warning("alert perhaps sent, looking again", why=why, seconds=wait, **about)
            case Dead(why, _):
                outbox.dead(owed.id, why)
                _log.error("alert refused; it is tried again each hour", why=why, **about)


def _named(result: Result) -> float | None:
    """Seconds that the channel asks to be left alone for."""
    if isinstance(result, Retry) and result.after is not None:
        return min(result.after, LONGEST_WAIT)
    return None


def _backoff(owed: Owed) -> float:
    return BACKOFF[min(owed.attempts, len(BACKOFF) - 1)]
