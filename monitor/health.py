"""Whether the service makes progress: the scheduler, the writer and the sender each show it.

Silence is measured on the monotonic clock: a step of the wall clock is no progress and no silence.
"""

import time
from dataclasses import dataclass, field

from monitor.writer import Writer

SCHEDULER_SILENCE = 30.0
"""Seconds without a beat of the scheduler (it beats every 5 s) that mean it stands still."""
SENDER_SILENCE = 90.0
"""Seconds without a turn of the sender: several times the longest that one delivery may take."""


@dataclass(slots=True)
class Health:
    """Beats of the parts, on the monotonic clock, and what they say together."""

    writer: Writer
    scheduler_beat: float = field(default_factory=time.monotonic)
    sender_beat: float = field(default_factory=time.monotonic)

    def scheduler_beats(self) -> None:
        """The scheduler has run a job."""
        self.scheduler_beat = time.monotonic()

    def sender_beats(self) -> None:
        """The sender has looked at the outbox, or waits because the channel asked for it."""
        self.sender_beat = time.monotonic()

    def faults(self, moment: float | None = None) -> list[str]:
        """A sentence for each part that makes no progress at a moment of the monotonic clock
        (default: now); none when all is well."""
        moment = time.monotonic() if moment is None else moment
        found = []
        if moment - self.scheduler_beat > SCHEDULER_SILENCE:
            found.append(f"the scheduler made no progress for {moment - self.scheduler_beat:.0f} s")
        if self.writer.fault:
            found.append(self.writer.fault)
        if moment - self.sender_beat > SENDER_SILENCE:
            found.append(f"the sender made no progress for {moment - self.sender_beat:.0f} s")
        return found
