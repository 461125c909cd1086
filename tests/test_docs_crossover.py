"""docs/crossover.md: every figure of it against the code that makes it."""

import re

import pytest
from doc_pages import Page, bare

from monitor.outlook.crossover_table import _rate, _time
from monitor.outlook.unfit import si
from monitor.text import figure, lasted
from triggers import crossover, surface_code
from triggers.assumptions import CODE_CYCLE, LOGICAL_ERROR
from triggers.crossover import EXPONENTS, OPERATIONS, PAPER_CLASSICAL, PAPER_MACHINE

PAGE = Page("docs/crossover.md")
TEXT = " ".join(PAGE.path.read_text().split())


def test_operations_have_the_sizes_that_are_shown() -> None:
    shown = PAGE.table("The model", first="operation").by_key()
    assert set(shown) == set(OPERATIONS)
    for name, row in shown.items():
        one = OPERATIONS[name]
        assert row["cycles"] == f"{one.cycles:,}"
        assert row["logical qubits"] == f"{one.qubits:g}"
        assert row["u"] == (f"{one.work:,.0f}" if one.work > 1000 else f"{one.work:g}")
        if row["bits N"] != "–":
            bits = int(row["bits N"])
            assert crossover.multiply(name, bits) == one


def test_the_table_of_the_papers_machine_is_what_the_model_gives() -> None:
    table = PAGE.table("The paper's machine", first="against")
    found = [[bare(cell) for cell in row] for row in table.rows]
    expected = []
    for chip, rates in PAPER_CLASSICAL.items():
        for name, r_c in rates.items():
            r_q = PAPER_MACHINE.rate(OPERATIONS[name])
            most = [si(crossover.max_operations(r_c, r_q, k)).strip() for k in EXPONENTS]
            even = _time(crossover.break_even_seconds(r_c, r_q, 2))
            expected.append([chip.upper(), name, _rate(r_c), _rate(r_q), *most, even])
    assert found == expected


def test_the_cells_of_table_2_are_quoted_as_the_test_has_them() -> None:
    quoted = "0.2, 45,800, 2,800,000 (`fp16`); 0.003, 1,630, 130,000 (`int32`); 68, 12,500,000, "
    assert f"{quoted}712,000,000 (`binary`)" in TEXT


def test_the_papers_disagreements_are_as_large_as_is_said() -> None:
    asic = PAPER_CLASSICAL["asic"]
    assert f"would be {crossover.max_operations(asic['binary'], 235e3, 2):.2f}." in TEXT
    assert f"would be {round(crossover.max_operations(550e12, 10.5e3, 3), -2):,.0f}." in TEXT
    days = crossover.break_even_seconds(asic["fp16"], 10.5e3, 2) / 86400
    assert f"{days:.0f} days for `fp16`" in TEXT
    r_q = PAPER_MACHINE.rate(OPERATIONS["int32"])
    years = crossover.break_even_seconds(asic["int32"], r_q, 2) / 31557600
    assert f"{years:.1f} years for `int32`" in TEXT


def test_inputs_and_assumptions_are_those_of_the_code() -> None:
    low, high = crossover.CLASSICAL_DOUBLING_95
    d_c = crossover.CLASSICAL_DOUBLING
    assert f"{d_c} years for FLOP/s per dollar, 95 % interval {low} to {high}" in TEXT
    assert f"only if D_q is less than {2 * d_c:g} years" in TEXT
    assert pytest.approx(1e-10) == LOGICAL_ERROR
    assert "`logical_error` is 10⁻¹⁰ by default" in TEXT
    assert f"`cycle` {CODE_CYCLE * 1e6:g} µs" in TEXT
    assert f"p_L = {surface_code.PREFACTOR} · (p / {surface_code.THRESHOLD})" in TEXT
    assert f"past d = {surface_code.MOST_DISTANCE} nothing is estimated" in TEXT
    loads = lasted(8e12 / crossover.QUANTUM_IO)
    assert f"Loading 1 TB takes it {loads} and a GPU {8e12 / crossover.CLASSICAL_IO:g} s" in TEXT
    assert f"a GPU {figure(crossover.CLASSICAL_IO / 1e12)} Tbit/s" in TEXT


def test_what_a_unit_takes_on_a_device_of_today() -> None:
    one = OPERATIONS["fp16"]
    for row in PAGE.table("Our inputs", first="worst median error").rows:
        p = float(row[0])
        found = surface_code.logical(
            156, {"readout": p}, one, target=LOGICAL_ERROR, code_cycle=CODE_CYCLE
        )
        assert found.machine is None
        said = re.match(r"\d+", row[1])
        assert found.distance == (int(said[0]) if said else None)
        if found.distance is None:
            assert row[2] == "–"
        else:
            assert f"takes {row[2]} physical" in found.why


def test_every_signal_is_named() -> None:
    assert {signal.name for signal in crossover.SIGNALS} <= set(PAGE.codes)
