"""The channel of those who have no Slack token: the same outbox, delivered to the terminal."""

from rich.console import Console

from monitor.channel import ParentMessage, Result, Sent, Unknown
from monitor.slack.message import render_plain
from storage.types import Alert, now

TERMINAL = "terminal"


class Terminal:
    """Prints alerts. A message that was perhaps printed is printed again."""

    name = TERMINAL
    pace = 0.0

    def __init__(self, console: Console) -> None:
        self._console = console

    def deliver(self, alert: Alert, parent: ParentMessage | None) -> Result:  # noqa: ARG002
        """Print one alert."""
        self._console.print(render_plain(alert), markup=False, highlight=False, soft_wrap=True)
        self._console.print()
        return Sent(TERMINAL, f"{now():.3f}")

    def find(self, alert: Alert, parent: ParentMessage | None) -> Sent | Unknown | None:  # noqa: ARG002
        """A terminal cannot be asked what it showed."""
        return None
