"""`qrossover crossover` for eyes, in 80 columns. The rows are made in crossover.py."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from monitor.outlook.crossover import FOR_SCALE
from monitor.outlook.unfit import Row, sentence, si
from monitor.tables import cell, grid
from monitor.text import figure, lasted, number
from triggers.crossover import CLASSICAL_IO, EXPONENTS, QUANTUM_IO
from triggers.quantity import say_duration

TERABYTE = 8e12
"""In bits."""
NAMED = 3
"""So many devices that hold nothing have a line each; more of them share one."""
WIDEST = 20
"""What 80 columns leave for a name."""
SAID = {
    "max_operations": "operations a call",
    "break_even_seconds": "break-even",
    "cost_ratio": "cost ratio",
    "year": "year",
}
OURS = "As measured: that machine against our GPUs, and devices as they were read"
LEGEND = (
    "A call is one use of the function that the speed-up is about, an operation a multiplication "
    "with its addition. k = 2: quantum makes N calls where a GPU makes N². op/s is the rate of the "
    "chip, quantum that of the quantum machine. d is the surface code's distance: a logical qubit "
    "takes 2d² physical ones. More: docs/crossover.md."
)


def crossover(rows: Sequence[Row], *, each: bool = False) -> RenderableType:
    """What it means, who wins from where, and what is absent and why. `each`: a line for each
    device, however many."""
    paper = [row for row in rows if row["machine"].startswith("paper/")]
    ours = [row for row in rows if row not in paper]
    told = {row["machine"] for row in ours if any(row[name] is not None for name in SAID)}
    numbers = [row for row in ours if row["machine"] in told]
    idle = [row for row in ours if _is_device(row) and row["machine"] not in told]
    together = [] if each or len(_machines(idle)) <= NAMED else _machines(idle)
    reasons = [
        *_for_scale(numbers),
        *_reasons([row for row in ours if not together or row not in idle]),
    ]
    parts: list[RenderableType] = [*map(cell, words(rows)), Text()]
    legends = _legend(paper), _legend(ours)
    parts += [_head("The paper's machine: 10,000 logical qubits, 10 µs a cycle", legends[0])]
    parts += [Padding(_numbers(paper), (0, 0, 1, 2))]
    is_new = numbers and legends[0] != legends[1]
    parts += [_head(OURS, legends[1]) if is_new else Text(OURS, "bold")]
    parts += [Padding(_numbers(numbers), (0, 0, 1, 2))] if numbers else []
    if any(row["cost_ratio"] is not None or row["year"] is not None for row in numbers):
        parts.append(Padding(_prices(numbers), (0, 0, 1, 2)))
    parts += [Padding(_listed(reasons), (0, 0, 0, 2))] if reasons else []
    if together:
        parts.append(Padding(cell(f"{sentence(together)} --all has a line each."), (0, 0, 0, 2)))
    return Group(*parts, Text(), cell(LEGEND, "dim"))


def _machines(rows: Iterable[Row]) -> list[Row]:
    """The first row of each machine."""
    return list({row["machine"]: row for row in reversed(list(rows))}.values())


def _is_device(row: Row) -> bool:
    return row["inputs"]["physical_qubits"] is not None


def words(rows: Sequence[Row]) -> list[str]:
    """What the numbers mean, in plain words."""
    asic, gpu = (
        row["max_operations"]
        for row in rows
        if row["machine"].startswith("paper/")
        and (row["operation"], row["k"]) == ("fp16", EXPONENTS[0])
    )
    loads = lasted(TERABYTE / QUANTUM_IO)
    calls = (
        f"In fp16, a quadratic speed-up on the paper's future machine pays only below {asic:.1g} "
        f"operations per call against its ASIC, {gpu:.1g} against its GPU: not for training."
    )
    data = (
        f"Data is slower still: {si(CLASSICAL_IO)}bit/s reach a GPU, {si(QUANTUM_IO)}bit/s that "
        f"machine. Loading 1 TB takes it {loads}, a GPU {TERABYTE / CLASSICAL_IO:.1g} s."
    )
    return [calls, data]


def _head(title: str, legend: str) -> RenderableType:
    return Group(Text(title, style="bold"), Padding(cell(legend, "dim"), (0, 0, 0, 2)))


def _legend(rows: Sequence[Row]) -> str:
    """How the two lines of a cell are read."""
    inputs = rows[0]["inputs"]
    budget, calls = say_duration(inputs["budget_seconds"]), figure(inputs["operations_a_call"])
    plural = "" if inputs["operations_a_call"] == 1 else "s"
    return (
        f"First line: with at most so many operations a call quantum wins within {budget}. "
        f"Below: with {calls} operation{plural} a call it wins if the whole takes longer than this."
    )


def _numbers(rows: Iterable[Row]) -> Table:
    table = grid("against", "numbers", ">op/s", ">quantum", *(f">k = {k}" for k in EXPONENTS))
    for _, group in groupby(rows, key=lambda row: (row["machine"], row["operation"])):
        found = list(group)
        first = found[0]
        inputs = first["inputs"]
        table.add_row(
            cell(_name(first)),
            first["operation"],
            _rate(inputs["classical_rate"]),
            _rate(inputs["quantum_rate"]),
            *(_both(row) for row in found),
        )
    return table


def _name(row: Row) -> str:
    """Who the row is about, short: of a GPU's UUID its first part."""
    machine = str(row["machine"])
    name = {"paper/asic": "ASIC", "paper/gpu": "GPU (A100)"}.get(machine, machine)
    if name.startswith("GPU-"):
        return f"{name[:12]}…"
    return name if len(name) <= WIDEST else f"{name[: WIDEST - 1]}…"


def _both(row: Row) -> Text:
    most, even = row["max_operations"], row["break_even_seconds"]
    if most is None or even is None:
        return Text("–", justify="right")
    return Text.assemble(si(most).strip(), "\n", (_time(even), "dim"), justify="right")


def _time(seconds: float) -> str:
    """A span; of one past ten years the years alone."""
    years = seconds / 31557600
    return f"{figure(years, 2)} y" if years >= 2 else number(seconds, "s")  # noqa: PLR2004


def _rate(value: float | None) -> str:
    return "–" if value is None else si(value).strip()


def _prices(rows: Iterable[Row]) -> Table:
    """Cost ratios and years, where there are any."""
    table = grid("against", "numbers", "", *(f">k = {k}" for k in EXPONENTS))
    for _, group in groupby(rows, key=lambda row: (row["machine"], row["operation"])):
        found = list(group)
        for name in ("cost_ratio", "year"):
            values = [row[name] for row in found]
            if any(value is not None for value in values):
                unit = "year" if name == "year" else "1"
                shown = ("–" if value is None else number(value, unit) for value in values)
                table.add_row(cell(_name(found[0])), found[0]["operation"], SAID[name], *shown)
    return table


def _for_scale(rows: Iterable[Row]) -> Iterable[tuple[str, str]]:
    """The CPUs among the rows, once each."""
    cpus = {_name(row): None for row in rows if row["inputs"]["classical"].endswith(FOR_SCALE)}
    return [(name, FOR_SCALE.strip(" ()")) for name in cpus]


def _reasons(rows: Iterable[Row]) -> Iterable[tuple[str, str]]:
    """Each absent number with its reason, once for all that share it."""
    whole = {row["machine"]: set(row["why"].values()) for row in rows}
    told: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        for name, why in row["why"].items():
            if why:
                who = _dated(row) if len(whole[row["machine"]]) == 1 else f"no {SAID[name]}"
                told.setdefault((who, why), []).append(f"k = {row['k']}")
    return told


def _dated(row: Row) -> str:
    """The name; of a device with the day on which its owner described it."""
    read_at = row["inputs"]["read_at"]
    return f"{_name(row)} ({read_at[:10]})" if read_at and _is_device(row) else _name(row)


def _listed(reasons: Iterable[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 1))
    for who, why in reasons:
        table.add_row(Text("–", style="yellow"), cell(f"{who}: {why}"))
    return table
