"""A drop is looked at again at once: real services, real children, a meter that is made to change
between two runs."""

import json
import sys
import time
from pathlib import Path

import pytest
from living import Living, eventually
from slack_server import SlackServer

from probes.base import setup_text
from probes.external.command import Command
from probes.gpu.training import Training
from storage.store import Store
from storage.types import Reading, Run, Signal, now

METER = Signal("test.meter", "V", "neither", "what the meter says")
POPS = """\
import json, pathlib, sys
file = pathlib.Path("values")
first, *rest = file.read_text().split()
file.write_text(" ".join(rest or [first]))
if first == "broken":
    sys.exit("the meter is broken")
print(json.dumps({"signal": "test.meter", "target": "bench", "value": float(first)}))
"""
SLOWER = """
[trigger.slower]
signal = "test.meter"
when = "drops"
threshold = "10%"
baseline = "8 readings"
confirm = true
"""


def shows(living: Living, *values: object) -> None:
    """What the meter shows, run by run; the last for ever."""
    (living.folder / "values").write_text(" ".join(map(str, values)))


def watching(folder: Path, *values: object, slack: str = "", more: str = SLOWER) -> Living:
    """A service to be, with a past of ten readings of 100 V; it runs its probe each hour."""
    living = Living(folder, slack, more, every="1h")
    (folder / "meter.py").write_text(POPS)
    table = {"argv": [sys.executable, "meter.py"], "signals": {"test.meter": "V"}}
    setup = setup_text(Command.model_validate(table))
    store = Store.writer(living.database)
    past = [
        Reading("test.meter", "bench", 100.0, "measured", at=now() - 3600.0 * ago, setup=setup)
        for ago in range(1, 11)
    ]
    with store.transaction():
        store.record(Run("meter", "external.command", "ok", "", now(), 1.0), past, [METER])
    store.close()
    shows(living, *values)
    return living


def runs(living: Living) -> list[tuple[str, str]]:
    """Outcome and cause of every run but the one that brought the past."""
    rows = living.rows("SELECT outcome, cause FROM runs WHERE probe = 'meter' ORDER BY id")
    return [(str(outcome), str(cause)) for outcome, cause in rows[1:]]


def state(living: Living) -> str:
    [(found,)] = living.rows('SELECT state FROM standings WHERE "trigger" = ?', "slower")
    return str(found)


def alerts(living: Living) -> list[str]:
    rows = living.rows('SELECT kind FROM alerts WHERE "trigger" = ?', "slower")
    return [str(kind) for (kind,) in rows]


TWICE = [("ok", ""), ("ok", "to confirm slower")]


def test_a_drop_that_lasts_is_told_within_seconds_and_not_after_an_hour(
    tmp_path: Path, slack: SlackServer
) -> None:
    living = watching(tmp_path, 50, slack=slack.url)
    begun = time.monotonic()
    with living.running(slack.token):
        eventually(lambda: any("slower" in m.text for m in slack.messages), "the alert")
        assert time.monotonic() - begun < 30.0
        assert runs(living) == TWICE
        assert living.command("once").returncode == 0
        assert runs(living) == [*TWICE, ("ok", "")], "what fires is not confirmed again"
        table = living.command("runs").stdout
    assert "again, to confirm slower" in table
    assert max(map(len, table.splitlines())) <= 80
    assert '"again": "to confirm slower"' in living.said()
    assert alerts(living) == ["fires"]


def test_a_drop_that_is_gone_at_the_second_look_is_nobodys_business(tmp_path: Path) -> None:
    living = watching(tmp_path, 50, 100)
    with living.running():
        eventually(lambda: len(runs(living)) == 2, "the second look")
        eventually(lambda: state(living) == "inactive", "the end of it")
    assert runs(living) == TWICE
    assert alerts(living) == []


def test_a_second_look_that_fails_leaves_it_to_the_next_run_and_so_does_a_restart(
    tmp_path: Path,
) -> None:
    living = watching(tmp_path, 50, "broken", 50)
    with living.running():
        eventually(lambda: len(runs(living)) == 2, "the second look")
    looked = [("ok", ""), ("failed", "to confirm slower")]
    assert runs(living) == looked
    assert (state(living), alerts(living)) == ("pending", [])
    with living.running():  # every start runs everything once: nothing is owed besides
        eventually(lambda: alerts(living) == ["fires"], "the alert")
        living.command("once")
    assert runs(living) == [*looked, ("ok", ""), ("ok", "")]


@pytest.mark.parametrize("values", [(50, 50, 50), (50, 100, 50)])
def test_one_that_stays_pending_is_not_looked_at_for_ever(
    tmp_path: Path, values: tuple[int, ...]
) -> None:
    living = watching(tmp_path, *values, more=SLOWER + 'for = "3 of 4"')
    assert [run["cause"] for run in living.json("once")["runs"]] == ["", "to confirm slower"]
    again = living.json("once")["runs"]
    # from pending on there is nothing new; from inactive on it is another drop
    assert len(again) == (1 if values[1] == 50 else 2)


def test_one_pass_can_tell(tmp_path: Path) -> None:
    living = watching(tmp_path, 50)
    done = living.command("once")
    assert done.returncode == 0, done.stderr
    assert "slower on bench" in done.stderr
    assert runs(living) == TWICE


def test_what_is_paid_for_is_not_repeated(tmp_path: Path) -> None:
    paid = f"""
    [budget]
    usd_per_day = 1.0
    [probe.paid]
    kind = "external.command"
    argv = ["{sys.executable}", "meter.py"]
    signals = {{ "test.meter" = "V" }}
    every = "1h"
    usd = 0.01
    """
    living = watching(tmp_path, 50, more=SLOWER + paid)
    assert living.command("once", "paid").returncode == 0
    assert living.runs("paid") == 1
    assert (state(living), alerts(living)) == ("pending", [])


def test_one_that_only_paid_probes_feed_cannot_be_confirmed(tmp_path: Path) -> None:
    living = watching(tmp_path, 50)
    text = living.config.read_text()
    living.config.write_text(text.replace('every = "1h"', 'every = "1h"\nusd = 0.5'))
    done = living.command("check")
    assert done.returncode == 78
    assert "trigger.slower.confirm" in done.stderr
    assert "'test.meter' comes from meter alone, whose runs cost money" in done.stderr


GPU = "GPU-4f1c6d9e-1111-2222-3333-444455556666"


@pytest.mark.parametrize(
    ("setting", "read", "changes"),
    [
        ("auto", GPU, {"target": GPU}),
        ("auto", f"{GPU}/bfloat16", {"target": GPU}),
        ("auto", "cpu:node1/compiled", {"target": "cpu"}),
        ("auto", "ibm_kingston/fp16/k2", {}),  # worked out of a GPU's reading, and about no GPU
        ("cuda:1", GPU, {}),
    ],
)
def test_a_canary_is_aimed_at_what_it_has_read(
    setting: str, read: str, changes: dict[str, str]
) -> None:
    probe = Training(target=setting)
    assert probe.aimed(read) == changes
    assert Training.model_validate({"target": setting, **changes})
    assert Command(argv=["true"], signals={"a": "V"}).aimed(read) == {}


CANARY = """
[probe.canary]
kind = "gpu.training"
target = "auto"
every = "1h"
layers = 1
width = 8
heads = 1
sequence = 8
vocabulary = 8
steps = 5
warmup = 1
[trigger.fast]
signal = "gpu.training.tokens_per_second"
when = "above"
threshold = 0
confirm = true
"""


def test_the_second_look_is_at_the_very_device_and_not_at_the_next_free_one(tmp_path: Path) -> None:
    living = watching(tmp_path, 100, more=CANARY)
    done = living.command("once", "canary")
    assert done.returncode == 0, done.stderr
    rows = living.rows("SELECT cause, settings FROM runs WHERE probe = 'canary' ORDER BY id")
    targets = [(cause, json.loads(settings)["target"]) for cause, settings in rows]
    assert targets == [("", "auto"), ("to confirm fast", "cpu")]
    assert living.rows('SELECT kind FROM alerts WHERE "trigger" = ?', "fast") == [("fires",)]
