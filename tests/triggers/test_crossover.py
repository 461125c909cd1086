"""The crossover model against the paper's tables, an independent calculation, and its own laws."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triggers import crossover
from triggers.crossover import (
    BUDGET,
    EXPONENTS,
    OPERATIONS,
    PAPER_CLASSICAL,
    PAPER_MACHINE,
    SIGNALS,
    Machine,
    break_even_seconds,
    calls,
    cost_ratio,
    max_operations,
    pace,
    year_of,
    years_to_crossover,
)

TABLE_1 = {
    # operation: GPU and ASIC in 10^12 op/s, the future machine in 10^3 op/s, as printed
    "fp16": (195, 550, 10.5),
    "int32": (9.75, 215, 0.83),
    "binary": (4992, 77_000, 235),
}
TABLE_2 = {
    # (operation, k): as printed, and half a unit of the last digit that is
    ("fp16", 2): (0.2, 0.05),
    ("fp16", 3): (45_800, 50),
    ("fp16", 4): (2_800_000, 50_000),
    ("int32", 2): (0.003, 0.0005),
    ("int32", 3): (1_630, 5),
    ("int32", 4): (130_000, 500),
    ("binary", 2): (68, 0.5),
    ("binary", 3): (12_500_000, 50_000),
    ("binary", 4): (712_000_000, 500_000),
}


def most(operation: str, k: int, chip: str = "asic") -> float:
    """M_max of the paper's machine against one of its chips."""
    r_q = PAPER_MACHINE.rate(OPERATIONS[operation])
    return max_operations(PAPER_CLASSICAL[chip][operation], r_q, k)


# --- the paper ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("operation", "k"), TABLE_2)
def test_every_cell_of_table_2_comes_out_as_it_is_printed(operation: str, k: int) -> None:
    printed, half = TABLE_2[operation, k]
    assert abs(most(operation, k) - printed) <= half


@pytest.mark.parametrize("operation", TABLE_1)
def test_table_1_comes_out_of_the_construction(operation: str) -> None:
    gpu, asic, quantum = TABLE_1[operation]
    assert PAPER_CLASSICAL["gpu"][operation] == pytest.approx(gpu * 1e12)
    assert PAPER_CLASSICAL["asic"][operation] == pytest.approx(asic * 1e12, rel=6e-3)
    r_q = PAPER_MACHINE.rate(OPERATIONS[operation])
    if operation == "binary":  # where the paper disagrees with itself: see below
        assert r_q == pytest.approx(2.3e6)
    else:
        assert r_q == pytest.approx(quantum * 1e3, rel=2e-3)


@pytest.mark.parametrize("k", EXPONENTS)
def test_only_the_construction_and_not_table_1_gives_the_binary_row_of_table_2(k: int) -> None:
    printed, half = TABLE_2["binary", k]
    by_table_1 = max_operations(PAPER_CLASSICAL["asic"]["binary"], 235e3, k)
    assert abs(by_table_1 - printed) > 10 * half


def test_a_rounded_rate_of_table_1_misses_a_cell_of_table_2() -> None:
    printed, half = TABLE_2["fp16", 3]
    assert abs(max_operations(550e12, 10.5e3, 3) - printed) > half


def test_one_operation_breaks_even_after_months_only_in_fp16() -> None:
    """The paper says months of "even a single floating point or integer operation"."""
    days = {
        name: break_even_seconds(
            PAPER_CLASSICAL["asic"][name], PAPER_MACHINE.rate(OPERATIONS[name]), 2
        )
        / 86400
        for name in ("fp16", "int32")
    }
    assert days["fp16"] == pytest.approx(58, abs=0.5)
    assert days["int32"] / 365.25 == pytest.approx(9.9, abs=0.05)


def test_what_one_operation_takes_is_the_bridge_to_rqops() -> None:
    work = {name: operation.work for name, operation in OPERATIONS.items()}
    assert work["fp16"] == 94_700
    assert work["int32"] == pytest.approx(1.195e6, rel=1e-4)
    assert work["binary"] == 426.5
    assert PAPER_MACHINE.rqops == pytest.approx(1e9)


def test_units_that_do_not_fit_whole_do_not_count() -> None:
    one = OPERATIONS["fp16"]
    assert Machine(473, 10e-6).rate(one) == 0
    assert Machine(474, 10e-6).rate(one) == pytest.approx(500)
    assert Machine(947, 10e-6).rate(one) == pytest.approx(1000)
    assert Machine(947, 10e-6, acceptance=0.25).rate(one) == pytest.approx(250)


# --- an independent calculation ----------------------------------------------------------------


def by_bisection(r_c: float, r_q: float, k: int, budget: float) -> float:
    """M_max by search: the largest M whose crossover, found on the clock, is within the budget.

    Written from the paper's words alone: both sides' run times, no closed form.
    """

    def crossing(operations: float) -> float:
        low, high = 0.0, 400.0  # log2 of the number of calls
        for _ in range(200):
            middle = (low + high) / 2
            quantum = math.log2(operations / r_q) + middle
            classical = math.log2(operations / r_c) + k * middle
            low, high = (low, middle) if classical > quantum else (middle, high)
        return math.log2(operations / r_q) + low

    low, high = -100.0, 100.0
    for _ in range(200):
        middle = (low + high) / 2
        late = crossing(2**middle) > math.log2(budget)
        low, high = (low, middle) if late else (middle, high)
    return float(2**low)


@pytest.mark.parametrize("k", EXPONENTS)
@pytest.mark.parametrize("operation", TABLE_1)
@pytest.mark.parametrize("chip", PAPER_CLASSICAL)
def test_the_closed_form_is_what_a_search_on_the_clock_finds(
    chip: str, operation: str, k: int
) -> None:
    bits = {"fp16": 10, "int32": 32}.get(operation)
    if bits:
        each, cycles = Fraction(5 * bits) + Fraction("5.5") * 77, 2 * bits * bits
    else:
        each, cycles = 3 + Fraction("5.5") * 77, 1
    r_q = float((10_000 // each) / (cycles * Fraction(1, 100_000)))
    found = by_bisection(PAPER_CLASSICAL[chip][operation], r_q, k, 1e6)
    assert most(operation, k, chip) == pytest.approx(found, rel=1e-9)


# --- laws --------------------------------------------------------------------------------------

RATES = st.floats(1e9, 1e18)
SLOW = st.floats(1e-2, 1e8)
SPEEDUPS = st.sampled_from(EXPONENTS)


@given(r_c=RATES, r_q=SLOW, k=SPEEDUPS, operations=st.floats(1, 1e12))
def test_at_the_crossover_both_sides_need_equally_long(
    r_c: float, r_q: float, k: int, operations: float
) -> None:
    made = calls(r_c, r_q, k)
    classical = made**k * operations / r_c
    assert made * operations / r_q == pytest.approx(classical)
    assert break_even_seconds(r_c, r_q, k, operations) == pytest.approx(classical)


@given(r_c=RATES, r_q=SLOW, k=SPEEDUPS, budget=st.floats(1, 1e9))
def test_with_the_most_operations_the_crossover_takes_the_whole_budget(
    r_c: float, r_q: float, k: int, budget: float
) -> None:
    operations = max_operations(r_c, r_q, k, budget)
    assert operations * calls(r_c, r_q, k) / r_q == pytest.approx(budget)
    assert break_even_seconds(r_c, r_q, k, operations) == pytest.approx(budget)


@given(r_c=RATES, r_q=SLOW, k=SPEEDUPS, more=st.floats(1.01, 100))
def test_a_faster_gpu_leaves_less_and_a_faster_quantum_computer_more(
    r_c: float, r_q: float, k: int, more: float
) -> None:
    now = max_operations(r_c, r_q, k)
    assert max_operations(r_c * more, r_q, k) < now < max_operations(r_c, r_q * more, k)
    assert max_operations(r_c, r_q, k, BUDGET * more) > now


@given(k=SPEEDUPS, r_c=RATES, usd=st.floats(1e-3, 1e3), made=st.floats(1, 1e6))
def test_the_cost_ratio_is_the_cost_of_one_problem_over_that_of_the_other(
    k: int, r_c: float, usd: float, made: float
) -> None:
    """Written out for a problem of N calls of one operation: seconds times price on either side."""
    one = OPERATIONS["binary"]
    machine = Machine(three_units(one.qubits), 1e-6)
    quantum = made * one.work / machine.rqops * usd
    classical = made**k / r_c * 2.0
    found = cost_ratio(machine, one, r_c, usd=usd, classical_usd=2.0, made=made, k=k)
    assert found == pytest.approx(quantum / classical)
    kept = Machine(machine.logical_qubits, machine.cycle, acceptance=0.1)
    dearer = cost_ratio(kept, one, r_c, usd=usd, classical_usd=2.0, made=made, k=k)
    assert dearer == pytest.approx(10 * found)


def three_units(qubits: float) -> int:
    """Logical qubits of three units."""
    return math.ceil(3 * qubits)


# --- the year ----------------------------------------------------------------------------------


@given(
    k=SPEEDUPS,
    r_c=RATES,
    r_q=SLOW,
    doubling=st.floats(0.3, 4.5),
    times=st.floats(1.001, 1e6),
)
def test_after_those_years_just_so_many_operations_are_within_reach(
    k: int, r_c: float, r_q: float, doubling: float, times: float
) -> None:
    wanted = times * max_operations(r_c, r_q, k)
    years = years_to_crossover(wanted, max_operations(r_c, r_q, k), k, doubling)
    assert years is not None
    later = max_operations(r_c * 2 ** (years / 2.46), r_q * 2 ** (years / doubling), k)
    assert later == pytest.approx(wanted, rel=1e-6)


def test_a_quadratic_speed_up_needs_a_doubling_faster_than_twice_that_of_gpus() -> None:
    assert pace(2, 4.92) == pytest.approx(0, abs=1e-12)
    assert years_to_crossover(10, 1, 2, 4.93) is None
    assert years_to_crossover(10, 1, 2, 4.91) is not None
    assert years_to_crossover(10, 1, 3, 4.93) is not None  # 7.38 years would do


def test_what_is_within_reach_is_so_today_at_any_pace() -> None:
    assert years_to_crossover(10, 10, 2, 100.0) == 0


def test_a_year_is_one_of_the_calendar() -> None:
    assert year_of(0) == 1970
    assert year_of(1_735_689_600) == pytest.approx(2025, abs=2e-3)  # 2025-01-01


def test_signals_are_the_numbers_of_a_comparison() -> None:
    from triggers.comparison import Comparison  # noqa: PLC0415 beside what it is held against

    assert tuple(f"crossover.{name}" for name in Comparison.__slots__) == tuple(
        signal.name for signal in SIGNALS
    )
    assert pytest.approx(0.1224, abs=1e-4) == crossover.CLASSICAL_DOUBLING_SIGMA
