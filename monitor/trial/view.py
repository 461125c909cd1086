"""What came out of tests of triggers, for eyes: 80 columns, one line for each test, and for one
that failed its series with the slots that are not as expected."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from monitor.problems import shown
from monitor.sparkline import sparkline
from monitor.tables import MARKS, STATES, cell
from monitor.text import number
from monitor.trial.files import TrialFile
from monitor.trial.report import Told, untested
from triggers.change import ChangeKind
from triggers.outcome import Result
from triggers.trial import Track

WIDTH = 56
"""Slots that a picture shows at most."""
LABEL = 16
BEFORE = 16
"""Slots that it shows before the first of interest."""
GAP = "·"
SIGNS: dict[ChangeKind, str] = {"fires": "▲", "resolves": "▼", "no-data": "?", "rebases": "~"}
ORDER: tuple[ChangeKind, ...] = ("rebases", "resolves", "no-data", "fires")
"""Of several changes in one slot the last is drawn."""


def report(files: Sequence[TrialFile], told: Sequence[Told]) -> RenderableType:
    """All tests, file by file, and the summary."""
    parts: list[RenderableType] = []
    for path, ran in groupby(told, key=lambda one: one.file.path):
        parts.append(cell(shown(path), "bold"))
        tests = list(ran)
        parts += [Padding(_test(one), (0, 0, 0, 2)) for one in tests]
        if not tests[-1].result.faults:  # what failed ends in an empty line
            parts.append(Text())
    failed = sum(bool(one.result.faults) for one in told)
    tally = f"{len(told) - failed} passed, {failed} failed."
    parts.append(Text(tally, style=f"bold {'red' if failed else 'green'}"))
    parts += _untested(files)
    return Group(*parts)


def _untested(files: Sequence[TrialFile]) -> Iterator[RenderableType]:
    for path, rows in groupby(untested(files), key=lambda row: row[0]):
        names = ", ".join(name for _, name in rows)
        yield cell(f"Without a test in these files, of {shown(path)}: {names}.", "yellow")


def _test(told: Told) -> RenderableType:
    result = told.result
    mark, style = MARKS[not result.faults]
    line = Table.grid(padding=(0, 1))
    line.add_row(Text(mark, style=style), cell(result.trial.name))
    if not result.faults:
        return line
    where = f"{shown(told.file.path)}:{told.line}, trigger {result.trial.rule.name}"
    parts: list[RenderableType] = [cell(where, "dim")]
    parts += [cell(fault.said, "red") for fault in result.faults]
    parts.append(_sights(result))
    parts += [cell(said, "yellow") for said in result.lost]
    parts.append(_picture(result))
    return Group(line, Padding(Group(*parts), (0, 0, 1, 2)))


def _sights(result: Result) -> RenderableType:
    table = Table.grid(padding=(0, 1))
    several = len({sight.standing.target for sight in result.sights}) > 1
    for sight in result.sights:
        standing = sight.standing
        value = "–" if standing.value is None else number(standing.value, standing.unit)
        on = f" on {standing.target}" if several else ""
        table.add_row(
            cell(f"slot {sight.slot}{on}"),
            cell(value),
            Text(standing.state, style=STATES[standing.state]),
            cell(standing.why),
        )
    return table


# --- the picture -------------------------------------------------------------------------------


def _picture(result: Result) -> RenderableType:
    """Every series with a bar a slot, and below them what was expected and what came."""
    slots = _window(result)
    happened = result.played.happenings
    table = Table.grid(padding=(0, 1))
    table.add_column(max_width=LABEL, no_wrap=True, overflow="ellipsis")
    for track in result.trial.tracks:
        table.add_row(cell(track.target), _bars(track, slots))
    expected = dict(result.trial.expected.events)
    got = {kind: frozenset(h.slot for h in happened if h.kind == kind) for kind in ORDER}
    table.add_row("expected", _marks(expected, slots))
    table.add_row("got", _marks(got, slots))
    head = f"slots {slots[0]} to {slots[-1]}; ▲ fires, ▼ resolves, ? readings are missing"
    return Group(Text(head, style="dim"), table)


def _window(result: Result) -> range:
    """The slots that are drawn: all, or those around the first that is not as expected."""
    length = result.trial.length
    first = min((slot for fault in result.faults for slot in fault.slots), default=1)
    start = max(1, min(first - BEFORE, length - WIDTH + 1))
    return range(start, min(length, start + WIDTH - 1) + 1)


def _bars(track: Track, slots: range) -> str:
    values = track.slots[slots.start - 1 : slots.stop - 1]
    bars = iter(sparkline([value for value in values if value is not None], WIDTH))
    return "".join(GAP if value is None else next(bars) for value in values)


def _marks(events: Mapping[ChangeKind, frozenset[int]], slots: range) -> Text:
    signs = dict.fromkeys(slots, " ")
    for kind in ORDER:
        signs |= {slot: SIGNS[kind] for slot in events.get(kind, ()) if slot in signs}
    return Text("".join(signs.values()))
