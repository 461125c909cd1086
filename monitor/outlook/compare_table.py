"""`qrossover compare` for eyes, in 80 columns. The document is made in compare.py."""

from collections.abc import Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from monitor.outlook.compare import SIDES
from monitor.tables import cell, grid
from monitor.text import figure, number

LEGEND = (
    "The last number of each side. i/v 1.3× is the independent result over the vendor's claim, o "
    "is ours; σ where both have an uncertainty. Devices are calibrated every day or so: numbers of "
    "different days may differ. What each means: docs/signals.md."
)
SNAPSHOT, SIMULATED = "*", "~"
MARKS = {SNAPSHOT: "* of a stored snapshot.", SIMULATED: "~ simulated on its noise model."}


def compare(document: dict[str, Any]) -> RenderableType:
    """A line a quantity: each side with its date, and how far they are apart."""
    table = grid("quantity", *(f">{side}" for side in SIDES), "apart")
    for row in document["rows"]:
        sides = {one["side"]: one for one in row["sides"]}
        table.add_row(
            Text("\n").join([cell(row["quantity"]), cell(row["size"], "dim")]),
            *(_side(sides[side], row["unit"]) if side in sides else Text("–") for side in SIDES),
            Text("\n").join(line for one in row["differences"] for line in _apart(one)),
        )
    head = f"{document['device']}: known here as {', '.join(document['names'])}"
    return Group(cell(head, "bold"), Text(), table, Text(), cell(_legend(document), "dim"))


def _side(one: dict[str, Any], unit: str) -> Text:
    """The number with its uncertainty, and below it of when."""
    text = number(one["value"], unit)
    text += f" ±{figure(one['sigma'], 2)}" if one["sigma"] else ""
    return Text("\n").join([cell(text), cell(f"{one['dated']}{_marks(one)}", "dim")])


def _marks(one: dict[str, Any]) -> str:
    simulated = SIMULATED if one["origin"] == "simulated" else ""
    return (SNAPSHOT if one["snapshot"] else "") + simulated


def _legend(document: dict[str, Any]) -> str:
    """How the table is read, with the marks that are in it."""
    met = "".join(_marks(side) for row in document["rows"] for side in row["sides"])
    return " ".join([*(said for mark, said in MARKS.items() if mark in met), LEGEND])


def _apart(difference: dict[str, Any]) -> Iterator[Text]:
    """A line for the ratio of two sides, and one for how many sigmas they are apart."""
    pair = f"{difference['of'][0]}/{difference['against'][0]}"
    ratio, sigmas = difference["ratio"], difference["sigmas"]
    if ratio is not None:
        yield cell(f"{pair} {figure(ratio, 2)}×")
    if sigmas is not None:
        yield cell(f"    {figure(sigmas, 2)} σ")
