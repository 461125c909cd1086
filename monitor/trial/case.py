"""One `[[test]]` table and the config that it is about, made into a trial that can be played."""

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from monitor.config import Config
from monitor.crosscheck import signals_of
from monitor.problems import Key, Problem, hint
from storage.types import Origin, State
from triggers.change import ChangeKind
from triggers.notation import RUN_WORDS, parse
from triggers.quantity import Duration
from triggers.rule import COMPOSITE, Rule
from triggers.trial import RUNS, Expected, Track, Trial

EVENTS: Mapping[str, ChangeKind] = {
    "fires": "fires",
    "resolves": "resolves",
    "no_data": "no-data",
    "rebases": "rebases",
}
"""The keys that list slots, and what happens in them."""
LONGEST_TRIAL = 1000 * 31557600.0
_OF_SERIES = ("signal", "probe", "origin", "family", "readings", "setups")
_Slots = tuple[Annotated[int, Field(ge=1)], ...] | None


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SeriesTable(_Table):
    """`[[test.series]]`: one of several series."""

    readings: str
    signal: str | None = None
    probe: str | None = None
    target: str | None = None
    origin: Origin = "measured"
    family: str = ""
    setups: dict[str, str] = Field(default_factory=dict)


class TrialTable(_Table):
    """`[[test]]`. What is expected and not written is not asked."""

    name: str = Field(min_length=1)
    trigger: str
    every: Duration
    readings: str | None = None
    target: str | None = None
    signal: str | None = None
    probe: str | None = None
    origin: Origin = "measured"
    family: str = ""
    setups: dict[str, str] = Field(default_factory=dict)
    series: tuple[SeriesTable, ...] = ()
    fires: _Slots = None
    resolves: _Slots = None
    no_data: _Slots = None
    rebases: _Slots = None
    state: State | None = None
    states: dict[str, State] = Field(default_factory=dict)

    @field_validator("every")
    @classmethod
    def _long_enough(cls, value: float) -> float:
        if value < 1:
            raise ValueError('expected "1s" or more')
        return value


class Case:
    """One table on its way to a trial; `problems` tells why it is none."""

    def __init__(self, table: TrialTable, key: Key, config: Config) -> None:
        self.problems: list[Problem] = []
        self._table = table
        self._key = key
        self._config = config

    def trial(self) -> Trial | None:
        """The trial, or None where the table is wrong."""
        rule = self._config.triggers.get(self._table.trigger)
        if rule is None:
            near = hint(self._table.trigger, self._config.triggers)
            name = self._config.path.name
            self._wrong(f"{name} has no trigger {self._table.trigger!r}.{near}", "trigger")
            return None
        tracks = self._tracks(rule)
        if self.problems:
            return None
        length = max(len(track.slots) for track in tracks)
        if length * self._table.every > LONGEST_TRIAL:
            self._wrong(f"{length} slots take more than 1,000 years", "every")
        trial = Trial(
            name=self._table.name,
            rule=rule,
            rules=self._config.triggers,
            every=self._table.every,
            tracks=tracks,
            expected=self._expected(rule, length),
            on=self._on(tracks),
        )
        return None if self.problems else trial

    def _wrong(self, message: str, *key: str | int, in_value: bool = True) -> None:
        self.problems.append(Problem((*self._key, *key), message, in_value))

    # --- what is read --------------------------------------------------------------------------

    def _tracks(self, rule: Rule) -> tuple[Track, ...]:
        table, single = self._table, self._table.readings is not None
        if single == bool(table.series):
            what = "not both" if single else "not neither"
            self._wrong(f"give `readings`, or series as [[test.series]], {what}", in_value=False)
            return ()
        rows: list[tuple[SeriesTable | TrialTable, tuple[str | int, ...]]] = [(table, ())]
        if not single:
            for name in sorted(table.model_fields_set & set(_OF_SERIES)):
                self._wrong("belongs into [[test.series]]", name, in_value=False)
            rows = [(one, ("series", index)) for index, one in enumerate(table.series)]
        tracks: list[Track] = []
        for row, key in rows:
            track = self._track(rule, row, key)
            if track is None:
                continue
            if any((t.signal, t.target) == (track.signal, track.target) for t in tracks):
                what = "runs" if track.signal == RUNS else track.signal
                message = f"a second series of {what} on {track.target!r}: name another target"
                self._wrong(message, *key, in_value=False)
            tracks.append(track)
        return tuple(tracks)

    def _track(
        self, rule: Rule, row: SeriesTable | TrialTable, key: tuple[str | int, ...]
    ) -> Track | None:
        read = [reader for reader in _readers(rule, self._config) if _fits(reader, row)]
        if not read:
            given = "probe" if row.probe is not None else "signal"
            about = f"{rule.name} is about {_subjects(rule, self._config)}"
            self._wrong(f"{about}, not about {getattr(row, given)!r}", *key, given)
            return None
        if len({reader.signal for reader in read}) > 1:
            about = f"{rule.name} is about {_subjects(rule, self._config)}"
            self._wrong(f"say `signal` or `probe`: {about}", *key, in_value=False)
            return None
        is_runs = read[0].when == "fails"
        try:
            slots = parse(row.readings or "", RUN_WORDS if is_runs else None)
        except ValueError as error:
            self._wrong(str(error), *key, "readings")
            return None
        target = self._probe(read[0], row, key) if is_runs else self._target(read[0], row, key)
        if target is None:
            return None
        signal = RUNS if is_runs else read[0].signal or ""
        setups = self._setups(row, len(slots), key)
        return Track(signal, self._unit(signal), target, slots, row.origin, row.family, setups)

    def _setups(
        self, row: SeriesTable | TrialTable, length: int, key: tuple[str | int, ...]
    ) -> dict[int, str]:
        """What the readings are made with, by the slot from which on."""
        found: dict[int, str] = {}
        for text, setup in row.setups.items():
            if slot := _slot(text, length):
                found[slot] = setup
            else:
                said = f"expected slots 1 to {length}, got {text!r}"
                self._wrong(said, *key, "setups", text, in_value=False)
        return found

    def _unit(self, signal: str) -> str:
        known = signals_of({n: entry.probe for n, entry in self._config.probes.items()})
        return known[signal].unit if signal in known else "1"

    def _target(
        self, rule: Rule, row: SeriesTable | TrialTable, key: tuple[str | int, ...]
    ) -> str | None:
        """The target that is written, else one that the rule judges."""
        if row.target is not None:
            return row.target
        plain = "test" if rule.target == "*" else re.sub(r"[*?]", "1", rule.target)
        if not fnmatchcase(plain, rule.target):
            self._wrong(f"give a `target` that matches {rule.target!r}", *key, in_value=False)
            return None
        return plain

    def _probe(
        self, rule: Rule, row: SeriesTable | TrialTable, key: tuple[str | int, ...]
    ) -> str | None:
        """The probe whose runs are told, else the first that the rule judges."""
        probes = self._config.probes
        if row.target is not None:
            self._wrong("runs are of a probe: say `probe`", *key, "target", in_value=False)
        elif row.probe is None:
            return next(name for name in probes if fnmatchcase(name, rule.probe or ""))
        elif row.probe not in probes:
            near = hint(row.probe, probes)
            name = self._config.path.name
            self._wrong(f"{name} has no probe {row.probe!r}.{near}", *key, "probe")
        else:
            return row.probe
        return None

    # --- what is expected ----------------------------------------------------------------------

    def _expected(self, rule: Rule, length: int) -> Expected:
        table = self._table
        asked = {key: getattr(table, key) for key in EVENTS if getattr(table, key) is not None}
        states: dict[int, State] = {}
        for text, state in table.states.items():
            if slot := _slot(text, length):
                states[slot] = state
            else:
                said = f"expected slots 1 to {length}, got {text!r}"
                self._wrong(said, "states", text, in_value=False)
        if table.state is not None:
            if length in states:
                said = "is the last slot, which `state` is about: say it once"
                self._wrong(said, "states", str(length), in_value=False)
            states[length] = table.state
        if not asked and table.state is None and not table.states:
            keys = ", ".join(f"`{key}`" for key in (*EVENTS, "state", "states"))
            self._wrong(f"expects nothing: give at least one of {keys}", in_value=False)
        for key, slots in asked.items():
            for index, slot in enumerate(slots):
                if slot > length:
                    self._wrong(f"expected slots 1 to {length}, got {slot}", key, index)
        if asked.get("no_data") and rule.no_data == "keep":
            message = (
                f'{rule.name} says nothing of missing readings (no_data = "keep"); to ask where it '
                'stands: states = { 3 = "no-data" }'
            )
            self._wrong(message, "no_data")
        return Expected({EVENTS[key]: frozenset(slots) for key, slots in asked.items()}, states)

    def _on(self, tracks: tuple[Track, ...]) -> str | None:
        on = self._table.target
        if on is not None and self._table.series and on not in (*(t.target for t in tracks), "*"):
            near = hint(on, [track.target for track in tracks])
            self._wrong(f"no series of this test is on {on!r}.{near}", "target")
        return on


def _slot(text: str, length: int) -> int | None:
    """A slot as the key of a table; None where there is no such slot."""
    is_one = re.fullmatch(r"[1-9][0-9]{0,6}", text) and int(text) <= length
    return int(text) if is_one else None


def _readers(rule: Rule, config: Config) -> Iterator[Rule]:
    """The rules that read series: the rule itself, or all that a composite is made of."""
    if rule.when not in COMPOSITE:
        yield rule
        return
    for name in rule.of:
        yield from _readers(config.triggers[name], config)


def _fits(reader: Rule, row: SeriesTable | TrialTable) -> bool:
    """Whether a rule reads what a series says that it is of."""
    if row.probe is not None:
        return reader.when == "fails" and row.signal is None
    return row.signal is None or row.signal == reader.signal


def _subjects(rule: Rule, config: Config) -> str:
    read = _readers(rule, config)
    return ", ".join(dict.fromkeys(r.signal or f"runs of {r.probe}" for r in read))
