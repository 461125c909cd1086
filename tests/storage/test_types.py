import math
import time
from dataclasses import FrozenInstanceError
from typing import Any

import pytest
from storage_examples import reading

from storage.types import ORIGINS, Quote, now


@pytest.mark.parametrize("value", [0, -0.0, -1.5, 1e308, 5e-324, 10**300])
def test_any_finite_number_is_a_value(value: float) -> None:
    assert reading(value).value == value


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 10**400])
def test_what_is_not_finite_is_no_value(value: float) -> None:
    with pytest.raises(ValueError, match=r"gpu.speed on gpu0 is .*not a finite number"):
        reading(value)


@pytest.mark.parametrize("sigma", [math.nan, math.inf, -0.1, 10**400])
def test_an_uncertainty_is_finite_and_not_negative(sigma: float) -> None:
    with pytest.raises(ValueError, match=r"sigma of gpu\.speed on gpu0 is"):
        reading(sigma=sigma)
    assert reading(sigma=0.0).sigma == 0


@pytest.mark.parametrize("at", [math.nan, math.inf, -math.inf, -0.001, 253402300800.0, 1e300])
def test_a_moment_lies_in_four_digit_years_since_1970(at: float) -> None:
    with pytest.raises(ValueError, match="was read at"):
        reading(at=at)
    assert reading(at=0.0).at == 0  # some devices do say 1970


@pytest.mark.parametrize("origin", ["", "guessed", "Measured", None])
def test_an_origin_is_one_of_five(origin: Any) -> None:
    with pytest.raises(ValueError, match="is none of measured, simulated, vendor"):
        reading(origin=origin)
    assert [reading(origin=known).origin for known in ORIGINS] == list(ORIGINS)


def test_a_reading_is_taken_now_and_does_not_change() -> None:
    before = time.time()
    taken = reading(at=now())
    assert before - 0.001 <= taken.at <= time.time() + 0.001
    assert taken.at == round(taken.at, 3)
    with pytest.raises(FrozenInstanceError):
        taken.value = 2.0


@pytest.mark.parametrize("most", [math.nan, math.inf, -0.01, 10**400])
def test_no_budget_is_held_against_what_is_no_quote(most: Any) -> None:
    for name in ("usd", "qpu_seconds"):
        with pytest.raises(ValueError, match="are no quote"):
            Quote(**{name: most})
