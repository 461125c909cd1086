"""The channel of those who have no Slack token: the same outbox, delivered to the terminal."""

from rich.console import Console

from monitor.slack.client import ParentMessage
from monitor.slack.message import render_plain
from monitor.slack.outcome import Result, Sent, Unknown
from storage.types import Alert, now


class Terminal:
    """Prints alerts. A message that was perhaps printed is printed again."""

    pace = 0.0

    def __init__(self, console: Console) -> None:
        self._console = console

    def deliver(self, alert: Alert, parent: ParentMessage | None) -> Result:  # noqa: ARG002
        """Print one alert."""
        self._console.print(render_plain(alert), markup=False, highlight=False, soft_wrap=True)
        self._console.print()
        return Sent("terminal", f"{now():.3f}")

    def find(self, alert: Alert, parent: ParentMessage | None) -> Sent | Unknown | None:  # noqa: ARG002
        """A terminal cannot be asked what it showed."""
        return None
