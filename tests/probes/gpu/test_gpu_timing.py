"""Statistics and the clock."""

import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from probes.gpu.timing import spread, time_each

seconds = st.floats(min_value=1e-6, max_value=1e3, allow_nan=False)


@given(st.lists(seconds, min_size=2, max_size=60))
def test_median_and_percentiles_are_those_of_numpy(values: list[float]) -> None:
    found = spread(values)
    expected = np.percentile(values, [50, 10, 90])
    assert [found.median, found.p10, found.p90] == pytest.approx(list(expected), rel=1e-9)


def test_sigma_is_how_far_medians_of_such_samples_scatter() -> None:
    rng = np.random.default_rng(7)
    samples = rng.normal(1.0, 0.1, (2000, 40))
    scatter = np.median(samples, axis=1).std()
    told = np.mean([spread(list(sample)).sigma for sample in samples])
    assert told == pytest.approx(scatter, rel=0.1)


def test_one_hiccup_moves_neither_median_nor_sigma_much() -> None:
    values = [1.0 + 0.001 * number for number in range(21)]
    calm, hiccup = spread(values), spread([*values[:-1], 100.0])
    assert hiccup.median == calm.median
    assert hiccup.sigma == pytest.approx(calm.sigma)


def test_equal_values_have_no_sigma() -> None:
    assert spread([2.0] * 5).sigma == 0


def test_each_repetition_is_prepared_then_timed_and_meanwhile_runs_once() -> None:
    seen: list[tuple[str, int]] = []
    times = time_each(
        lambda index: seen.append(("work", index)),
        3,
        torch.device("cpu"),
        prepare=lambda index: seen.append(("prepare", index)),
        meanwhile=lambda: seen.append(("meanwhile", 0)),
    )
    assert len(times) == 3
    assert min(times) >= 0
    order = [(word, index) for index in range(3) for word in ("prepare", "work")]
    assert seen == [*order, ("meanwhile", 0)]


def test_preparation_is_not_in_the_times() -> None:
    def prepare(_: int) -> None:
        torch.randn(400, 400) @ torch.randn(400, 400)

    rng = random.Random(1)
    quick = time_each(lambda _: rng.random(), 20, torch.device("cpu"), prepare=prepare)
    slow = time_each(prepare, 20, torch.device("cpu"))
    assert spread(quick).median < spread(slow).median
