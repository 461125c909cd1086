"""What came out of tests of triggers, as one document."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from monitor.problems import shown
from monitor.trial.case import EVENTS
from monitor.trial.files import TrialFile
from triggers.outcome import Result, run


@dataclass(frozen=True, slots=True)
class Told:
    """One test that was run, and where it stands."""

    file: TrialFile
    line: int
    result: Result


def play(files: Sequence[TrialFile]) -> list[Told]:
    """Run all tests, in the order of the files."""
    return [Told(file, line, run(trial)) for file in files for line, trial in file.trials]


def document(files: Sequence[TrialFile], told: Sequence[Told]) -> dict[str, Any]:
    """The report of a run of tests."""
    failed = sum(bool(one.result.faults) for one in told)
    return {
        "passed": len(told) - failed,
        "failed": failed,
        "tests": [_test(one) for one in told],
        "untested": [
            {"config": shown(config), "trigger": name} for config, name in untested(files)
        ],
    }


def untested(files: Sequence[TrialFile]) -> list[tuple[Any, str]]:
    """The triggers of the configs that no test is about, by the path of their config."""
    tested = {(f.config.path, trial.rule.name) for f in files for _, trial in f.trials}
    known = {(f.config.path, name): None for f in files for name in f.config.triggers}
    return [each for each in known if each not in tested]


def _test(told: Told) -> dict[str, Any]:
    trial, result = told.result.trial, told.result
    asked = trial.expected
    return {
        "file": shown(told.file.path),
        "line": told.line,
        "config": shown(told.file.config.path),
        "name": trial.name,
        "trigger": trial.rule.name,
        "passed": not result.faults,
        "slots": trial.length,
        "expected": {
            **{
                key: sorted(asked.events[kind]) if kind in asked.events else None
                for key, kind in EVENTS.items()
            },
            "states": [
                {"slot": slot, "state": state} for slot, state in sorted(asked.states.items())
            ],
        },
        "events": [
            {"slot": h.slot, "kind": h.kind, "target": h.target, "why": h.why}
            for h in result.played.happenings
        ],
        "standings": [
            {"target": s.target, "state": s.state, "why": s.why} for s in result.played.standings
        ],
        "faults": [fault.said for fault in result.faults],
        "sights": [
            {
                "slot": sight.slot,
                "target": sight.standing.target,
                "state": sight.standing.state,
                "value": sight.standing.value,
                "unit": sight.standing.unit,
                "why": sight.standing.why,
            }
            for sight in result.sights
        ],
        "lost": list(result.lost),
    }
