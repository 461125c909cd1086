"""Whether the service makes progress: the scheduler, the writer and the sender each show it."""

from dataclasses import dataclass, field

from monitor.writer import Writer
from storage.types import now

SCHEDULER_SILENCE = 30.0
"""Seconds without a beat of the scheduler (it beats every 5 s) that mean it stands still."""
SENDER_SILENCE = 90.0
"""Seconds without a turn of the sender: several times the longest that one delivery may take."""


@dataclass(slots=True)
class Health:
    """Beats of the parts, and what they say together."""

    writer: Writer
    scheduler_beat: float = field(default_factory=now)
    sender_beat: float = field(default_factory=now)

    def faults(self, moment: float) -> list[str]:
        """A sentence for each part that makes no progress; none when all is well."""
        found = []
        if moment - self.scheduler_beat > SCHEDULER_SILENCE:
            found.append(f"the scheduler made no progress for {moment - self.scheduler_beat:.0f} s")
        if self.writer.fault:
            found.append(self.writer.fault)
        if moment - self.sender_beat > SENDER_SILENCE:
            found.append(f"the sender made no progress for {moment - self.sender_beat:.0f} s")
        return found
