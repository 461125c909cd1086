"""Whether a run may be paid for: its quote against what is reserved and what was spent."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from monitor.sections import Budget
from monitor.text import number
from probes.base import Probe
from probes.queued import QueuedProbe
from storage.ledger import Ledger, Spent
from storage.types import Quote

DAY = 86400.0
FREE = Quote()
SLACK = 1e-9
"""Sums of cents are not exact in binary."""


def is_free(probe: Probe) -> bool:
    """Whether a run costs nothing and waits in nobody's queue, so that one more may be had."""
    waits = isinstance(probe, QueuedProbe) and probe.queued()
    return not waits and probe.quote() == FREE


@dataclass(frozen=True, slots=True)
class Limit:
    """One key of `[budget]`, over `days` and in `unit`: what is reserved and spent of it (moments
    and amounts, oldest first), and what a run would add."""

    key: str
    most: float
    days: int
    unit: str
    wanted: float
    reserved: float
    spent: Sequence[tuple[float, float]]

    @property
    def taken(self) -> float:
        """What was spent within the window."""
        return sum(amount for _, amount in self.spent)

    @property
    def left(self) -> float:
        """What may still be spent now."""
        return max(0.0, self.most - self.taken - self.reserved)

    def refuses(self) -> bool:
        """Whether the run does not fit. What costs nothing always fits."""
        taken = self.reserved + self.taken
        return self.wanted > 0 and taken + self.wanted > self.most + SLACK

    def why(self) -> str:
        """In words, with the moment from which on it fits."""
        return (
            f"budget: up to {self._say(self.wanted)} a run, {self._say(self.taken)} spent and "
            f"{self._say(self.reserved)} reserved of {self.key} = {self.most:g}; {self._fits()}"
        )

    def _say(self, amount: float) -> str:
        return number(amount, self.unit)

    def _fits(self) -> str:
        if self.wanted > self.most + SLACK:
            return "a single run costs more than that"
        left = self.reserved + self.wanted + self.taken
        for at, amount in self.spent:
            left -= amount
            if left <= self.most + SLACK:
                fits = datetime.fromtimestamp(at + self.days * DAY, UTC)
                return f"it fits from {fits:%F %R} UTC on"
        return "it fits once a job that is under way has ended for less"


def refusal(budget: Budget, quote: Quote, ledger: Ledger | None, now: float) -> str:
    """Why a run would cost too much, or nothing. Free runs are never refused."""
    if quote == FREE:
        return ""
    found = limits(budget, ledger, now, quote)
    return next((limit.why() for limit in found if limit.refuses()), "")


def limits(
    budget: Budget, ledger: Ledger | None, now: float, wanted: Quote = FREE
) -> Iterator[Limit]:
    """Every limit that the budget sets, and how a run of this quote would stand to it."""
    reserved = ledger.reserved() if ledger else FREE
    spent: Sequence[Spent] = ledger.spent(now - 28 * DAY) if ledger else ()
    usd = [(one.at, one.usd) for one in spent if one.usd]
    today = [(at, amount) for at, amount in usd if at > now - DAY]
    seconds = [(one.at, one.qpu_seconds) for one in spent if one.qpu_seconds]

    def in_usd(key: str, most: float, days: int, found: Sequence[tuple[float, float]]) -> Limit:
        return Limit(key, most, days, "USD", wanted.usd, reserved.usd, found)

    yield in_usd("usd_per_day", budget.usd_per_day, 1, today)
    if budget.usd_per_28_days is not None:
        yield in_usd("usd_per_28_days", budget.usd_per_28_days, 28, usd)
    yield Limit(
        "qpu_seconds_per_28_days",
        budget.qpu_seconds_per_28_days,
        28,
        "QPU s",
        wanted.qpu_seconds,
        reserved.qpu_seconds,
        seconds,
    )
