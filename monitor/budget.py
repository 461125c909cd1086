"""Whether a run may be paid for: its quote against what is reserved and what was spent."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from monitor.sections import Budget
from storage.ledger import Ledger, Spent
from storage.types import Quote

DAY = 86400.0
FREE = Quote()
SLACK = 1e-9
"""Sums of cents are not exact in binary."""


@dataclass(frozen=True, slots=True)
class _Limit:
    """One key of `[budget]` and what a run would add to it; `spent` is oldest first."""

    key: str
    most: float
    window: float
    sign: str
    unit: str
    wanted: float
    reserved: float
    spent: Sequence[tuple[float, float]]

    def refuses(self) -> bool:
        """Whether the run does not fit. What costs nothing always fits."""
        taken = self.reserved + sum(amount for _, amount in self.spent)
        return self.wanted > 0 and taken + self.wanted > self.most + SLACK

    def why(self) -> str:
        """In words, with the moment from which on it fits."""
        taken = sum(amount for _, amount in self.spent)
        return (
            f"budget: up to {self._say(self.wanted)} a run, {self._say(taken)} spent and "
            f"{self._say(self.reserved)} reserved of {self.key} = {self.most:g}; {self._fits()}"
        )

    def _say(self, amount: float) -> str:
        return f"${amount:.2f}" if self.sign else f"{amount:g}{self.unit}"

    def _fits(self) -> str:
        if self.wanted > self.most + SLACK:
            return "a single run costs more than that"
        left = self.reserved + self.wanted + sum(amount for _, amount in self.spent)
        for at, amount in self.spent:
            left -= amount
            if left <= self.most + SLACK:
                return f"it fits from {datetime.fromtimestamp(at + self.window, UTC):%F %R} UTC on"
        return "it fits once a job that is under way has ended for less"


def refusal(budget: Budget, quote: Quote, ledger: Ledger | None, now: float) -> str:
    """Why a run would cost too much, or nothing. Free runs are never refused."""
    if quote == FREE:
        return ""
    return next(
        (limit.why() for limit in _limits(budget, quote, ledger, now) if limit.refuses()), ""
    )


def _limits(budget: Budget, quote: Quote, ledger: Ledger | None, now: float) -> Iterator[_Limit]:
    reserved = ledger.reserved() if ledger else FREE
    spent: Sequence[Spent] = ledger.spent(now - 28 * DAY) if ledger else ()
    usd = [(one.at, one.usd) for one in spent if one.usd]
    today = [(at, amount) for at, amount in usd if at > now - DAY]
    yield _Limit("usd_per_day", budget.usd_per_day, DAY, "$", "", quote.usd, reserved.usd, today)
    if budget.usd_per_28_days is not None:
        yield _Limit(
            "usd_per_28_days",
            budget.usd_per_28_days,
            28 * DAY,
            "$",
            "",
            quote.usd,
            reserved.usd,
            usd,
        )
    yield _Limit(
        "qpu_seconds_per_28_days",
        budget.qpu_seconds_per_28_days,
        28 * DAY,
        "",
        " QPU s",
        quote.qpu_seconds,
        reserved.qpu_seconds,
        [(one.at, one.qpu_seconds) for one in spent if one.qpu_seconds],
    )
