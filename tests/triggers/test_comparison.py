"""Two sides compared: what is there, what is absent and why, and how uncertainty goes through."""

import math
import random
from statistics import stdev
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triggers import crossover
from triggers.assumptions import NOTHING_GIVEN, Assumptions
from triggers.comparison import Comparison, Rate, compare
from triggers.crossover import EXPONENTS, OPERATIONS, PAPER_MACHINE, Machine, year_of

MOMENT = 1_795_000_000.0
PRICED = Assumptions(
    gpu_usd_per_hour=2.5,
    gpu_usd_source="a list",
    quantum_usd_per_hour=5000,
    quantum_usd_source="another",
    quantum_doubling="1y",
    operations=1000.0,
)


def compared(
    rate: Rate = Rate(350e12, 3.5e12),  # noqa: B008 frozen
    k: int = 2,
    given: Assumptions = PRICED,
    machine: Machine = PAPER_MACHINE,
) -> Comparison:
    return compare(rate, machine, "fp16", k, given=given, moment=MOMENT)


def test_what_nobody_has_stated_is_absent_and_says_which_key_it_needs() -> None:
    found = compared(given=NOTHING_GIVEN)
    assert found.max_operations.value is not None
    assert found.break_even_seconds.value is not None
    assert found.cost_ratio.value is None
    assert found.cost_ratio.why == (
        "[crossover] says no gpu_usd_per_hour and no quantum_usd_per_hour"
    )
    assert found.year.value is None
    assert found.year.why == "[crossover] says no quantum_doubling"


def test_one_price_alone_makes_no_ratio() -> None:
    half = Assumptions(gpu_usd_per_hour=2.5, gpu_usd_source="a list")
    assert compared(given=half).cost_ratio.why == "[crossover] says no quantum_usd_per_hour"


def test_the_cost_ratio_is_that_of_the_largest_problem_within_the_budget() -> None:
    """Both machines' bills for N = T·r_q/M calls, from seconds and prices alone."""
    found = compared(k=2).cost_ratio.value
    made = 1e6 * 10_500 / 1000
    quantum = made * 1000 * 94_700 / 1e9 * 5000 / 3600
    classical = made**2 * 1000 / 350e12 * 2.5 / 3600
    assert found == pytest.approx(quantum / classical)


def test_a_budget_without_room_for_one_call_has_no_ratio() -> None:
    large = PRICED.model_copy(update={"operations": 1e12})
    assert compared(given=large).cost_ratio.why == (
        "not a single call fits into the budget of time"
    )


def test_never_says_how_fast_the_quantum_side_would_have_to_be() -> None:
    slow = PRICED.model_copy(update={"quantum_doubling": 5 * 31557600.0})
    assert compared(given=slow).year.why == (
        "never: the quantum rate doubles every 5 years, and with k = 2 it would have to double "
        "in less than 4.92"
    )


def test_a_pace_that_takes_a_thousand_years_tells_no_year() -> None:
    slow = PRICED.model_copy(update={"quantum_doubling": 4.9199 * 31557600.0})
    assert compared(given=slow).year.why == "not within 1,000 years at this pace"


def test_what_is_within_reach_has_the_year_of_the_reading() -> None:
    found = compared(k=4).year
    assert found.value == pytest.approx(year_of(MOMENT))
    assert found.sigma is None


def test_a_machine_without_a_unit_compares_with_nothing() -> None:
    found = compared(machine=Machine(473, 1e-5))
    whys = {number.why for number in found.named().values()}
    assert whys == {"not one fp16 unit fits on the quantum side"}


@pytest.mark.parametrize("rate", [1e-300, 1e300])
def test_numbers_past_all_numbers_are_absent(rate: float) -> None:
    for k in EXPONENTS:
        for number in compared(Rate(rate, rate), k).named().values():
            assert number.value is None or math.isfinite(number.value)
            assert (number.value is None) == bool(number.why)


def test_without_an_uncertainty_of_the_rate_there_is_none_but_that_of_the_pace() -> None:
    found = compared(Rate(350e12))
    assert found.max_operations.sigma is found.cost_ratio.sigma is None
    assert found.year.sigma


@pytest.mark.parametrize("k", EXPONENTS)
def test_uncertainties_are_those_of_a_simulation(k: int) -> None:
    """20,000 draws of the rate and of the classical doubling time through the formulas."""
    draw = random.Random(k)
    rate, sigma = 350e12, 7e12
    r_q = PAPER_MACHINE.rate(OPERATIONS["fp16"])
    wanted = 1e9  # operations that are out of reach for every k
    seen: dict[str, list[float]] = {"most": [], "even": [], "year": [], "cost": []}
    for _ in range(20_000):
        r_c = draw.gauss(rate, sigma)
        doubling = draw.gauss(crossover.CLASSICAL_DOUBLING, crossover.CLASSICAL_DOUBLING_SIGMA)
        most = crossover.max_operations(r_c, r_q, k)
        years = crossover.years_to_crossover(wanted, most, k, 1.0, doubling)
        assert years is not None
        seen["most"].append(most)
        seen["even"].append(crossover.break_even_seconds(r_c, r_q, k, wanted))
        seen["year"].append(years)
        seen["cost"].append(r_c)
    given = PRICED.model_copy(update={"operations": wanted})
    found = compared(Rate(rate, sigma), k, given)
    assert found.max_operations.sigma == pytest.approx(stdev(seen["most"]), rel=0.03)
    assert found.break_even_seconds.sigma == pytest.approx(stdev(seen["even"]), rel=0.03)
    assert found.year.sigma == pytest.approx(stdev(seen["year"]), rel=0.03)
    cost = found.cost_ratio
    assert cost.value is not None
    assert cost.sigma == pytest.approx(cost.value * stdev(seen["cost"]) / rate, rel=0.03)


PRICES = st.floats(1e-3, 1e6)


@given(gpu=PRICES, quantum=PRICES, times=st.floats(1.01, 1e3), k=st.sampled_from(EXPONENTS))
def test_a_dearer_side_loses(gpu: float, quantum: float, times: float, k: int) -> None:
    def ratio(**more: Any) -> float:
        prices = {"gpu_usd_per_hour": gpu, "quantum_usd_per_hour": quantum, **more}
        value = compared(k=k, given=PRICED.model_copy(update=prices)).cost_ratio.value
        assert value is not None
        return value

    assert (
        ratio(gpu_usd_per_hour=gpu * times) < ratio() < ratio(quantum_usd_per_hour=quantum * times)
    )
