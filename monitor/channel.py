"""What a channel is to the sender, and how an attempt at one ends."""

from dataclasses import dataclass
from typing import Protocol

from storage.types import Alert


@dataclass(frozen=True, slots=True)
class Sent:
    """The channel has the message: its id and the message's time stamp there."""

    channel: str
    ts: str


@dataclass(frozen=True, slots=True)
class Retry:
    """The channel has not got it; try again, `after` so many seconds where it names a time."""

    after: float | None
    why: str


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """The channel may have it: look for the alert's key before it is sent again."""

    why: str


@dataclass(frozen=True, slots=True)
class Dead:
    """The channel has not got it, and will not take it until somebody changes something. `word`
    is its own for the reason."""

    why: str
    word: str = ""


@dataclass(frozen=True, slots=True)
class Unknown:
    """Whether the channel has it could not be found out.

    `lasting`: asking again gives no other answer until somebody changes something.
    """

    why: str
    lasting: bool = False


Failure = Retry | Ambiguous | Dead
Result = Sent | Failure


@dataclass(frozen=True, slots=True)
class ParentMessage:
    """The message that an alert answers: where the channel has it, and what it said."""

    channel: str
    ts: str
    alert: Alert


class Channel(Protocol):
    """Where alerts go. Both calls may block: they run in a thread of their own."""

    name: str
    pace: float
    """Seconds between messages."""

    def deliver(self, alert: Alert, parent: ParentMessage | None) -> Result:
        """One attempt, and how it ended."""

    def find(self, alert: Alert, parent: ParentMessage | None) -> Sent | Unknown | None:
        """Where the channel has this alert already; None where it has not."""
