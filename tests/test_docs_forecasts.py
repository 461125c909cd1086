"""docs/forecasts.md: every table worked out anew, and the sentences that rest on them."""

import runpy
from typing import Any

import pytest
from doc_pages import ROOT, Page, bare

from triggers.forecast import LEVEL, MIN_POINTS, RESAMPLES, SEED

PAGE = Page("docs/forecasts.md")
TRIALS, PART = 500, 100
COVERED = ("history", "errors", "coverage", "ends at never", "plain percentile")


@pytest.fixture(scope="module")
def bench() -> dict[str, Any]:
    """The script that prints the tables."""
    return runpy.run_path(str(ROOT / "benchmarks" / "forecasts.py"))


def rows(header: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The rows of the page's table with this header."""
    [table] = [table for table in PAGE.tables if table.header == header]
    return [tuple(map(bare, row)) for row in table.rows]


@pytest.mark.parametrize("name", ["families", "lines", "told_2026", "families_2026"])
def test_a_table_is_what_the_script_prints(bench: dict[str, Any], name: str) -> None:
    make, header = bench["TABLES"][name]
    assert rows(header) == list(make())


def test_the_coverage_is_what_a_part_of_the_script_measures(bench: dict[str, Any]) -> None:
    """The first row, in fewer histories: all of them take two minutes, and are the script's."""
    said = [
        (*row[:2], *(float(cell.rstrip("%")) / 100 for cell in row[2:])) for row in rows(COVERED)
    ]
    names = [(name, shape) for name in bench["DESIGNS"] for shape in bench["ERRORS"]]
    assert [row[:2] for row in said] == names
    assert bench["COVERED"] == COVERED
    for number, part in enumerate(bench["coverage"](*names[0], PART), start=2):
        assert part == pytest.approx(said[0][number], abs=3 * (0.25 * 0.75 / PART) ** 0.5)
    for _, _, coverage, _, plain in said:
        assert coverage >= 0.88
        assert plain < coverage


def test_the_constants_of_the_method_are_the_codes(bench: dict[str, Any]) -> None:
    text = " ".join(PAGE.path.read_text().split())
    for said in (
        f"{RESAMPLES:,} resamples with the fixed seed {SEED}",
        f"middle {LEVEL:.0%}".replace("%", " %"),
        f"fewer than {MIN_POINTS} points",
        f"falls by {-bench['DECLINE']} in its logarithm each year, scattered by {bench['SCATTER']}",
        f"{TRIALS} each",
    ):
        assert said in text, said


def test_what_is_said_of_the_lines_is_so(bench: dict[str, Any]) -> None:
    make, _ = bench["TABLES"]["lines"]
    by_fit = {(fit, int(before)): cells for fit, before, *cells in make()}
    assert by_fit["best", 2024][4].startswith("2025")
    assert int(by_fit["best", 2026][5][:4]) - int(by_fit["best", 2024][5][:4]) == 10
    assert by_fit["all", 2024][5].endswith("–2035)")
    assert "(2040–" in by_fit["all", 2025][5]
    for index in (4, 5):
        asked = [by_fit["best", year][index] for year in range(2023, 2028)]
        for place, earlier in enumerate(asked):
            first, last = earlier.partition("(")[2].rstrip(")").split("–")
            for later in asked[place:]:
                assert first <= later[:4] <= last.replace("never", "9999")
