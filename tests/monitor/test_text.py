import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.sparkline import BARS, sparkline
from monitor.text import ago, amount, figure, lasted, moment, number, percent

# a busy machine is no failure
CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (51200.0, "token/s", "51,200 token/s"),
        (1234567.8, "token/s", "1,234,568 token/s"),
        (794.6512, "TFLOP/s", "794.7 TFLOP/s"),
        (999.96, "TFLOP/s", "1,000 TFLOP/s"),
        (0.0019, "1", "1.9e-3"),
        (7.94e-4, "1", "7.94e-4"),
        (0.0512345, "1", "0.05123"),
        (0.99, "1", "0.99"),
        (156.0, "1", "156"),
        (130980.0, "1", "130,980"),
        (0.0, "1", "0"),
        (-0.0, "1", "0"),
        (-0.5, "1", "-0.5"),
        (1.956e14, "FLOP/s", "1.956e14 FLOP/s"),
        (1e9, "FLOP/s", "1e9 FLOP/s"),
        (2.6e-4, "s", "260 µs"),
        (5.4e-8, "s", "54 ns"),
        (0.0123, "s", "12.3 ms"),
        (1.5, "s", "1.5 s"),
        (90.0, "s", "90 s"),
        (7800.0, "s", "2 h 10 min"),
        (-7800.0, "s", "-2 h 10 min"),
        (0.0, "s", "0 s"),
        (3.0e-12, "s", "3e-12 s"),
        (512.0, "B", "512 B"),
        (1.5 * 2**30, "B", "1.5 GiB"),
        (350.0 * 2**20, "B", "350 MiB"),
        (2.0**70, "B", "1,048,576 PiB"),
        (1234.5, "USD", "$1,234.50"),
        (0.3 + 1500 * 0.00145 - 4e-16, "USD", "$2.48"),  # 2.475 and the dust of floats
        (2.49, "USD/h", "$2.49/h"),
        (0.0, "USD", "$0.00"),
        (0.000425, "USD", "$0.000425"),
        (-3.5, "USD", "-$3.50"),
        (12.25, "%", "12.25%"),
        (3.35, "TB/s", "3.35 TB/s"),
    ],
)
def test_number(value: float, unit: str, text: str) -> None:
    assert number(value, unit) == text


def test_a_figure_that_is_not_finite_is_shown_as_it_is() -> None:
    assert figure(math.inf) == "inf"
    assert figure(math.nan) == "nan"


@CALM
@given(st.floats(min_value=1e-300, max_value=1e300))
def test_a_figure_keeps_four_digits(value: float) -> None:
    for signed in (value, -value):
        assert float(figure(signed).replace(",", "")) == pytest.approx(signed, rel=5.01e-4)


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.1, "10%"),
        (0.119140625, "11.9%"),
        (1.5, "150%"),
        (0.0, "0%"),
        (0.00012, "0.012%"),
        (1e-6, "1e-4%"),
        (123.0, "12,300%"),
    ],
)
def test_percent(share: float, text: str) -> None:
    assert percent(share) == text


@pytest.mark.parametrize(
    ("seconds", "one", "two"),
    [
        (-5.0, "0 s", "0 s"),
        (45.4, "45 s", "45 s"),
        (59.9, "59 s", "59 s"),
        (60.0, "1 min", "1 min"),
        (200.0, "3 min", "3 min"),
        (7200.0, "2 h", "2 h"),
        (7800.0, "2 h", "2 h 10 min"),
        (86400.0, "24 h", "1 d"),
        (90000.0, "25 h", "1 d 1 h"),
        (6.5 * 86400, "6 d", "6 d 12 h"),
        (400 * 86400.0, "400 d", "400 d"),
        (2.5 * 31557600, "2.5 y", "913 d 3 h"),
    ],
)
def test_spans(seconds: float, one: str, two: str) -> None:
    assert ago(seconds) == one
    assert lasted(seconds) == two


def test_moment() -> None:
    assert moment(1795373460) == "2026-11-22 18:51 UTC"


def test_sparkline() -> None:
    assert sparkline([1, 2, 3, 4, 5, 6, 7, 8]) == BARS
    assert sparkline([]) == ""
    assert sparkline([5.0, 5.0, 5.0]) == "▄▄▄"
    assert sparkline([0, 1, 0], width=1) == "▄"
    assert sparkline([0, 0, 10, 10], width=2) == "▁█"
    assert sparkline([-1e308, 1e308]) == "▁█"


@CALM
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False)), st.integers(1, 60))
def test_a_sparkline_has_a_bar_a_value_up_to_its_width(values: list[float], width: int) -> None:
    line = sparkline(values, width)
    assert len(line) == min(len(values), width)
    assert set(line) <= set(BARS)


@CALM
@given(st.lists(st.integers(-100, 100), min_size=2, max_size=24, unique=True))
def test_the_lowest_bar_is_the_lowest_value(values: list[int]) -> None:
    line = sparkline(values)
    assert line[values.index(min(values))] == BARS[0]
    assert line[values.index(max(values))] == BARS[-1]


@pytest.mark.parametrize(
    ("usd", "seconds", "said"),
    [
        (4.2, 12.0, "$4.20 and 12 QPU s"),
        (0.0, 12.5, "12.5 QPU s"),
        (0.00145, None, "$0.00145"),
        (None, 0.0, "nothing"),
    ],
)
def test_amount(usd: float | None, seconds: float | None, said: str) -> None:
    assert amount(usd, seconds) == said
