"""benchmarks/detectors.py against what is known of its detectors, and the service's code against
both. The chain is that of D. Brook and D. A. Evans, Biometrika 59, 539 (1972)."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "benchmarks"))
import detectors  # type: ignore[import-not-found]  # noqa: E402 it lies among the benchmarks

CHART = (1.0, 3.0)
PAPER = {0.0: 2049.0, 2.0: 3.6, 3.0: 2.2}
"""Readings to an alarm of the one-sided CUSUM with k = 1 and h = 3."""


def chain(shift: float, allowance: float, threshold: float, states: int = 400) -> float:
    """Mean readings to an alarm: the sum cut into so many states, and their equations solved."""
    width = 2 * threshold / (2 * states - 1)
    middle = width * np.arange(states)
    upper = middle[None, :] + width / 2 - middle[:, None] + allowance - shift
    moves = norm.cdf(upper) - norm.cdf(upper - width)
    moves[:, 0] = norm.cdf(upper[:, 0])
    lengths = np.linalg.solve(np.eye(states) - moves, np.ones(states))
    return float(lengths[0])


@pytest.fixture(scope="module")
def random() -> np.random.Generator:
    return np.random.default_rng(detectors.SEED)


@pytest.mark.parametrize("shift", PAPER)
def test_the_known_lengths(random: np.random.Generator, shift: float) -> None:
    exact = chain(shift, *CHART)
    assert exact == pytest.approx(PAPER[shift], rel=0.1)
    assert detectors.cusum_length(random, shift, CHART, 2000) == pytest.approx(exact, rel=0.1)
    assert detectors.shipped_length(random, shift, CHART, 500) == pytest.approx(exact, rel=0.1)
    assert detectors.siegmund(shift, *CHART) == pytest.approx(exact, rel=0.1)


@pytest.mark.parametrize("chart", detectors.CHARTS)
@pytest.mark.parametrize("shift", [0.0, 0.5, 1.0, 2.0])
def test_siegmund_is_near_the_chain(chart: tuple[float, float], shift: float) -> None:
    assert detectors.siegmund(shift, *chart) == pytest.approx(chain(shift, *chart), rel=0.06)


@pytest.mark.parametrize(
    ("shift", "row", "length"), [(0.0, 1, 741), (2.0, 1, 6.3), (2.0, 2, 46), (3.0, 2, 6)]
)
def test_single_readings(
    random: np.random.Generator, shift: float, row: int, length: float
) -> None:
    assert detectors.point_length(shift, 3.0, row) == pytest.approx(length, rel=0.01)
    beyond = random.normal(shift, 1, (4000, 400)) > 3
    if row == 2:
        beyond = beyond[:, 1:] & beyond[:, :-1]
    seen = beyond.any(axis=1)
    first = np.where(seen, beyond.argmax(axis=1) + row, 400)
    assert first.sum() / seen.sum() == pytest.approx(length, rel=0.1)


@pytest.mark.parametrize(
    ("when", "more"),
    [
        ("shifts", {}),
        ("shifts", {"threshold": 5, "allowance": 0.5}),
        ("drops", {"threshold": "2%"}),
    ],
)
def test_the_service_fires_where_the_simulation_does(
    random: np.random.Generator, when: str, more: dict[str, Any]
) -> None:
    chart = detectors.Chart(detectors.rule(when, 20, **more), 20)
    for by in (0.0, 1.5):
        pairs = both(chart, detectors.series(random, chart, (12, 40), by))
        assert len(pairs) >= 9
        assert all(shipped == numpy for shipped, numpy in pairs)
    assert any(shipped is not None for shipped, _ in pairs)


@pytest.mark.parametrize("when", ["shifts", "drops"])
def test_a_second_look_costs_what_the_simulation_says(
    random: np.random.Generator, when: str
) -> None:
    """The service keeps the level of the first look, and numpy takes it anew: hardly another."""
    threshold = {"threshold": "1%"} if when == "drops" else {}
    chart = detectors.Chart(detectors.rule(when, 50, confirm=True, **threshold), 50)
    pairs = both(chart, detectors.series(random, chart, (40, 30), 2.0))
    assert sum(a == b for a, b in pairs) >= 0.85 * len(pairs)
    shipped, numpy = (detectors.delay(list(firsts))[0] for firsts in zip(*pairs, strict=True))
    assert shipped == pytest.approx(numpy, rel=0.1)


def both(chart: Any, values: Any) -> list[tuple[int | None, int | None]]:
    """When the service and numpy fire on each series, but for those that fire before."""
    found = zip(
        detectors.shipped_alarms(chart, values), detectors.first_alarms(chart, values), strict=True
    )
    return [pair for pair in found if pair[0] != 0]


def test_a_longer_baseline_gives_fewer_false_alarms(random: np.random.Generator) -> None:
    lengths = [
        detectors.estimated_length(
            random, detectors.Chart(detectors.rule("shifts", window), window), 60, 1000
        )
        for window in (20, 100)
    ]
    assert lengths[1] > 3 * lengths[0]


def test_the_script_prints_its_tables() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "detectors.py"), "--quick"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n| --- |") == 3
    assert "| CUSUM, k = 1, h = 3 | as shipped |" in done.stdout
    page = (ROOT / "docs" / "detectors.md").read_text()
    lines = done.stdout.splitlines()
    worked_out = [line for line in lines if "| Siegmund |" in line or "| exact |" in line]
    drops = lines[lines.index(next(line for line in lines if "`drops` 5%" in line)) :]
    assert [line for line in (*worked_out, *drops) if line not in page] == []


def test_the_page_has_the_exact_lengths() -> None:
    page = (ROOT / "docs" / "detectors.md").read_text()
    for allowance, threshold in detectors.CHARTS:
        lengths = [chain(shift, allowance, threshold) for shift in detectors.SHIFTS]
        figures = " | ".join(f"{n:,.0f}" if n >= 100 else f"{n:.1f}" for n in lengths)
        assert f"| CUSUM, k = {allowance:g}, h = {threshold:g} | exact | {figures} |" in page


def test_the_page_says_what_was_simulated(random: np.random.Generator) -> None:
    """Its figures for estimated baselines, with fewer runs: within what those can tell."""
    page = (ROOT / "docs" / "detectors.md").read_text()
    rows = [line.strip("|").split("|") for line in page.splitlines() if " readings | " in line]
    said = {
        (w.split()[0], s.strip(), c.strip()): float(f.replace(",", "")) for w, s, c, f, *_ in rows
    }
    for window in (20, 50):
        chart = detectors.Chart(detectors.rule("shifts", window), window)
        found = detectors.estimated_length(random, chart, 150, 1000)
        assert found == pytest.approx(said[str(window), "both", "no"], rel=0.35)
