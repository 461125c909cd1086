"""A test of triggers says what the service would: the same series, played and lived through."""

import random
from pathlib import Path

import pytest
from judging import Bench

from monitor.trial import files as trials
from storage.types import Reading
from triggers.trial import Trial, play

CONFIG = """
[trigger.high]
signal = "test.meter"
when = "above"
threshold = 10
for = "2 of 3"
clear = 9
[trigger.low]
signal = "test.meter"
when = "below"
threshold = 3
no_data = "alert"
[trigger.silent]
signal = "test.meter"
when = "stale"
threshold = "40m"
[trigger.never]
when = "all"
of = ["high", "low"]
[trigger.odd]
when = "any"
of = ["high", "low", "never"]
[trigger.quiet]
when = "all"
of = ["silent", "low"]
"""
NAMES = ("high", "low", "silent", "never", "odd", "quiet")
TARGETS = ("one", "two")
SLOTS = 25


def written(name: str, rows: dict[str, list[str]]) -> str:
    series = "".join(
        f'[[test.series]]\nsignal = "test.meter"\ntarget = "{target}"\n'
        f'readings = "{" ".join(row)}"\n'
        for target, row in rows.items()
    )
    return f'[[test]]\nname = "{name}"\ntrigger = "{name}"\nevery = "15m"\nfires = []\n{series}'


def played(trial: Trial) -> list[tuple[str, str, str]]:
    return [(h.kind, trial.rule.name, h.target) for h in play(trial).happenings]


@pytest.mark.parametrize("seed", range(4))
def test_a_trial_says_what_the_service_says(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    choices = ["_", "_", "1", "5", "9.5", "11", "12"]
    # in the first slot the service meets every target: a test knows them from its beginning
    # long enough a gap follows upon a reading that fires nothing
    rows = {
        target: ["5", *dice.choices(choices, k=9), *"5_____", *dice.choices(choices, k=9)]
        for target in TARGETS
    }
    bench = Bench(tmp_path)
    bench.configure(CONFIG)
    for slot in range(SLOTS):
        readings = [
            Reading("test.meter", target, float(rows[target][slot]), "measured", at=bench.now)
            for target in TARGETS
            if rows[target][slot] != "_"
        ]
        if readings:
            bench.end("ok", "", *readings)
        bench.wait(900 - 60)
        bench.now += 60.0
    told, states = bench.told(), bench.states()
    (tmp_path / "a.test.toml").write_text("".join(written(name, rows) for name in NAMES))
    (file,), _ = trials.read([tmp_path / "a.test.toml"], lambda: bench.config)
    bench.writer.close()
    assert {event[0] for event in told} == {"fires", "resolves", "no-data"}
    for _, trial in file.trials:
        name = trial.rule.name
        for target in TARGETS:
            mine = [event for event in played(trial) if event[2] == target]
            assert mine == [event for event in told if event[1:] == (name, target)], name
        for standing in play(trial).standings:
            assert standing.state == states[name, standing.target], (name, standing.target)
