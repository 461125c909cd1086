"""How much a history can say: what is too short for a rate is no ground for a threshold."""

from monitor.text import ago
from triggers.episodes import MONTH

LEAST = 86400.0
"""Seconds. Of less nothing is said a month: an hour's alarm would be 730 of them."""
BETTER = 30 * 86400.0
"""From here on a history speaks for itself."""


def a_month(count: int, span: float) -> float | None:
    """So many in `span` seconds as a rate for each 30.44 days; None below a day."""
    return count / span * MONTH if span >= LEAST else None


def caveat(span: float) -> str:
    """What to say of a short history, "" of one that is long enough."""
    if span >= BETTER:
        return ""
    return f"Only {ago(span)} of history: it needs at least 1 d, better 30 d, to say how often."
