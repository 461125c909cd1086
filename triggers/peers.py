"""The devices beside one: what they read at the same time, where that compares. Pure."""

from collections.abc import Iterable, Sequence
from statistics import median

from storage.types import Reading
from triggers.baseline import is_alike
from triggers.rule import Rule

LEAST = 2
"""Peers without which it is not known which of two devices is the odd one."""


def values(rule: Rule, peers: Iterable[Reading], mine: Reading, now: float) -> list[float]:
    """The latest values of the peers that compare with mine: of an origin that the rule accepts,
    not too old, and of the same setup but for the power that a device may draw."""
    return [
        reading.value
        for reading in peers
        if reading.origin in rule.accept
        and (rule.max_age is None or now - reading.at <= rule.max_age)
        and is_alike(reading.setup, mine.setup)
    ]


def level(found: Sequence[float]) -> float:
    """What the peers say is usual."""
    return median(found)


def sentence(mine: float, usual: float, count: int) -> str:
    """Where one stands among its peers: "5.2% below the median of 7 peers, 51,030"."""
    side = "below" if mine < usual else "above"
    share = 100 * abs((mine - usual) / usual)
    return f"{share:.3g}% {side} the median of {count} peers, {usual:,.8g}"
