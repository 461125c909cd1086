"""One quantum machine against one classical one: the four numbers of the crossover model, each
with its uncertainty, or with the reason why it is absent. Pure."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from triggers import crossover
from triggers.assumptions import Assumptions
from triggers.crossover import OPERATIONS, Machine

HOUR = 3600.0
JULIAN_YEAR = 31557600.0
"""A year of a duration such as "2y"."""
FARTHEST = 1000.0
"""Years past which a pace says nothing."""
PAST = "past the largest number, or too near to zero"


@dataclass(frozen=True, slots=True)
class Number:
    """A number with one standard uncertainty where that is known; without a value, why not."""

    value: float | None
    sigma: float | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The four numbers, named as the signals `crossover.NAME` are."""

    max_operations: Number
    break_even_seconds: Number
    cost_ratio: Number
    year: Number

    def named(self) -> dict[str, Number]:
        """The numbers by name."""
        return {name: getattr(self, name) for name in Comparison.__slots__}


@dataclass(frozen=True, slots=True)
class Rate:
    """Operations a second of a classical machine, with one standard uncertainty."""

    value: float
    sigma: float | None = None

    @property
    def share(self) -> float | None:
        """The uncertainty relative to the value."""
        return None if self.sigma is None else self.sigma / self.value


def absent(why: str) -> Comparison:
    """Nothing can be said, for one reason."""
    return Comparison(*(Number(None, why=why) for _ in Comparison.__slots__))


def compare(
    classical: Rate, machine: Machine, operation: str, k: int, *, given: Assumptions, moment: float
) -> Comparison:
    """Both sides on one kind of operation (a key of OPERATIONS) with speed-up N^k.

    `moment` is the day, in seconds since the epoch, on which both are taken to stand.
    """
    r_c, r_q = classical.value, machine.rate(OPERATIONS[operation])
    if r_q <= 0:
        return absent(f"not one {operation} unit fits on the quantum side")
    # both go with r_c to the power of ∓ 1 / (k - 1)
    share = None if classical.share is None else classical.share / (k - 1)
    most = _number(lambda: crossover.max_operations(r_c, r_q, k, given.budget), share)
    even = _number(lambda: crossover.break_even_seconds(r_c, r_q, k, given.operations), share)
    cost = _cost(classical, machine, operation, k, given)
    return Comparison(most, even, cost, _year(classical, most.value, k, given, moment))


def _number(make: Callable[[], float], share: float | None) -> Number:
    """A number with its uncertainty; absent where it is past what a float can hold."""
    try:
        value = make()
    except ArithmeticError:
        return Number(None, why=PAST)
    if not math.isfinite(value) or value <= 0:
        return Number(None, why=PAST)
    return Number(value, None if share is None else value * share)


def _cost(classical: Rate, machine: Machine, operation: str, k: int, given: Assumptions) -> Number:
    unset = [
        name
        for name in ("gpu_usd_per_hour", "quantum_usd_per_hour")
        if getattr(given, name) is None
    ]
    if given.gpu_usd_per_hour is None or given.quantum_usd_per_hour is None:
        return Number(None, why=f"[crossover] says no {' and no '.join(unset)}")
    made = calls_within(machine, operation, given)
    if made < 1:
        return Number(None, why="not a single call fits into the budget of time")
    usd, gpu_usd = given.quantum_usd_per_hour / HOUR, given.gpu_usd_per_hour / HOUR
    r_c, one = classical.value, OPERATIONS[operation]
    return _number(
        lambda: crossover.cost_ratio(
            machine, one, r_c, usd=usd, classical_usd=gpu_usd, made=made, k=k
        ),
        classical.share,
    )


def calls_within(machine: Machine, operation: str, given: Assumptions) -> float:
    """The quantum calls that fit into the budget of time: the largest problem, where a speed-up
    tells most."""
    return given.budget * machine.rate(OPERATIONS[operation]) / given.operations


def _year(classical: Rate, most: float | None, k: int, given: Assumptions, moment: float) -> Number:
    if most is None:
        return Number(None, why=PAST)
    if given.quantum_doubling is None:
        return Number(None, why="[crossover] says no quantum_doubling")
    doubling = given.quantum_doubling / JULIAN_YEAR
    years = crossover.years_to_crossover(given.operations, most, k, doubling)
    if years is None:
        slowest = k * crossover.CLASSICAL_DOUBLING
        why = (
            f"never: the quantum rate doubles every {doubling:.3g} years, and with k = {k} it "
            f"would have to double in less than {slowest:.3g}"
        )
        return Number(None, why=why)
    if years > FARTHEST:
        return Number(None, why=f"not within {FARTHEST:,.0f} years at this pace")
    if not years:
        return Number(crossover.year_of(moment))  # within reach already
    sigma = crossover.sigma_of_years(years, k, doubling, classical.share or 0.0)
    return Number(crossover.year_of(moment) + years, sigma)
