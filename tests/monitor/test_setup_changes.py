"""A node of eight GPUs whose driver is upgraded, and one of them that is slower than the rest: what
is told of that, and what `trigger explain` shows."""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from judging import Bench
from rich.console import Console

from monitor import explain, trigger_tables
from monitor.baseline import made_of
from monitor.report import iso
from monitor.slack.message import render, render_plain
from monitor.slack.story import tell
from monitor.text import moment
from storage.types import Alert, Reading, Run, Signal

SPEED = Signal("gpu.training.tokens_per_second", "token/s", "higher", "How fast it trains")
NODE = tuple(f"GPU-{letter}" for letter in "abcdefgh")
OLD = json.dumps({"driver": "570.86.15", "kind": "gpu.training", "torch": "2.13.0"})
NEW = json.dumps({"driver": "580.01.02", "kind": "gpu.training", "torch": "2.13.0"})
SLOWER = """
[trigger.training-slower]
signal = "gpu.training.tokens_per_second"
when = "drops"
threshold = "10%"
baseline = "14d"
for = "2 readings"
"""
ODD_ONE = SLOWER.replace("training-slower", "odd-one-out").replace('"14d"', '"peers"')
SHIFTED = """
[trigger.shifted]
signal = "gpu.training.tokens_per_second"
when = "shifts"
side = "below"
"""


class Node(Bench):
    """The node, with a probe that trains on each of its GPUs in turn every 15 minutes."""

    def configure(self, tables: str) -> None:
        self.load('[probe.training]\nkind = "gpu.training"\nevery = "15m"\n' + tables)

    def train(self, speeds: Mapping[str, float], setup: str = OLD, times: int = 1) -> None:
        """So many rounds over these GPUs, a minute apart, each a run of its own."""
        for _ in range(times):
            begun = self.now
            for target, value in speeds.items():
                self.now += 60.0
                reading = Reading(SPEED.name, target, value, "measured", at=self.now, setup=setup)
                self.settle(replace(reading, family="NVIDIA H100 80GB HBM3"))
            self.now = begun + 900.0

    def settle(self, reading: Reading) -> None:
        run = Run("training", "gpu.training", "ok", "", self.now - 1.0, 1.0, host="node1")

        def settle() -> None:
            self.writer.store.record(run, [reading], [SPEED])
            self.judge.after_run(run, [reading], self.now)

        self.writer.once(settle)

    def due(self) -> list[float]:
        """How long after it was owed each message is sent."""
        rows = self.writer.store.connection.execute("SELECT due - created FROM alerts ORDER BY id")
        return [row[0] / 1000 for row in rows]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    made = Node(tmp_path)
    yield made
    made.writer.close()


def speeds(**odd: float) -> dict[str, float]:
    """51,000 token/s on each GPU, but for those named by their letter."""
    return {target: odd.get(target[-1], 51_000.0) for target in NODE}


def explained(node: Node, name: str, target: str) -> explain.Explanation:
    store, rule = node.writer.store, node.config.triggers[name]
    found = explain.standings(store, node.config, rule, node.now)
    [standing] = [one for one in found if one.target == target]
    return explain.explain(store, rule, standing, node.now)


def shown(explanation: explain.Explanation) -> str:
    console = Console(width=80, highlight=False)
    with console.capture() as capture:
        console.print(trigger_tables.explanation(explanation))
    return capture.get()


def plain(alert: Alert) -> str:
    text = render_plain(alert)
    assert max(map(len, text.splitlines())) <= 80
    return " ".join(text.split())


# --- a new driver ------------------------------------------------------------------------------


def test_a_driver_that_costs_three_gpus_speed_is_one_message(node: Node) -> None:
    node.configure(SLOWER)
    node.train(speeds(), times=10)
    node.train(speeds(b=45_000.0, d=44_000.0, h=43_000.0), NEW, times=7)
    [alert] = node.alerts()
    assert (alert.kind, alert.trigger, alert.target) == ("rebases", "training-slower", "*")
    assert set(alert.facts["rebased"]) == {"GPU-b", "GPU-d", "GPU-h"}
    assert node.due() == [900.0], "held back for a round over all GPUs"
    said = plain(alert)
    assert "training-slower: new baselines on 3 targets" in said
    assert "GPU-d: new baseline 44,000 token/s since driver 570.86.15 → 580.01.02" in said
    assert "13.7% below the old 51,000" in said
    assert "qrossover trigger explain training-slower" in said
    assert "new baselines on 3 targets" in render(alert).text
    assert set(node.states().values()) == {"inactive"}


def test_a_driver_that_costs_little_or_makes_faster_is_nobodys_business(node: Node) -> None:
    node.configure(SLOWER)
    node.train(speeds(), times=10)
    node.train(speeds(a=48_000.0, b=60_000.0), NEW, times=10)
    assert node.told() == []


def test_what_comes_after_the_message_was_tried_is_another_one(node: Node) -> None:
    node.configure(SLOWER)
    node.train(speeds(), times=10)
    node.train({"GPU-a": 40_000.0}, NEW, times=7)
    assert node.told() == [("rebases", "training-slower", "*")]
    node.writer.once(lambda: node.writer.outbox.begin(1))
    node.train({"GPU-b": 40_000.0}, NEW, times=7)
    assert [set(alert.facts["rebased"]) for alert in node.alerts()] == [{"GPU-a"}, {"GPU-b"}]
    assert node.alerts()[0].facts["title"].startswith("training-slower: new baseline, beyond")


def test_a_trigger_that_never_notifies_says_nothing_of_it(node: Node) -> None:
    node.configure(SLOWER + "notify = false\n")
    node.train(speeds(), times=10)
    node.train(speeds(b=40_000.0), NEW, times=7)
    assert node.told() == []


def test_a_restart_while_the_message_is_held_back_loses_and_repeats_nothing(node: Node) -> None:
    node.configure(SLOWER)
    node.train(speeds(), times=10)
    node.train({"GPU-a": 40_000.0}, NEW, times=7)
    node.restart()
    node.train({"GPU-b": 40_000.0, "GPU-a": 40_000.0}, NEW, times=7)
    assert node.told() == [("rebases", "training-slower", "*")]
    assert set(node.facts()[0]["rebased"]) == {"GPU-a", "GPU-b"}


def test_many_targets_are_counted_and_no_message_is_endless(node: Node) -> None:
    node.configure(SLOWER)
    crowd = {f"GPU-{number:03}": 50_000.0 for number in range(30)}
    node.train(crowd, times=8)
    node.train(dict.fromkeys(crowd, 40_000.0), NEW, times=7)
    [alert] = node.alerts()
    assert len(alert.facts["rebased"]) == 30
    assert alert.facts["body"].splitlines()[20:] == ["and 10 more"]


def test_explain_tells_what_changed_when_and_how_far_the_learning_is(node: Node) -> None:
    node.configure(SLOWER)
    node.train({"GPU-a": 51_000.0}, times=10)
    changed = node.now + 60.0
    node.train({"GPU-a": 51_000.0}, NEW, times=4)
    told = explained(node, "training-slower", "GPU-a")
    assert "setup changed at 2027-01-15 10:31 UTC: driver 570.86.15 → 580.01.02" in [
        step.text for step in told.steps
    ]
    text = " ".join(shown(told).split())
    assert "learning the baseline: 2 of 5 readings since driver 570.86.15 → 580.01.02" in text
    document = explain.as_json(told)
    assert document["setup_since"] == iso(changed)
    assert document["setup_change"] == "driver 570.86.15 → 580.01.02"
    node.train({"GPU-a": 51_000.0}, NEW, times=4)
    told = explained(node, "training-slower", "GPU-a")
    steps = [step.text for step in told.steps]
    assert "its setup: driver 580.01.02, kind gpu.training, torch 2.13.0" in steps
    assert explain.as_json(told)["baseline_setup"] == json.loads(NEW)
    assert all(len(line) <= 80 for line in shown(told).splitlines())


# --- a drop, a shift, and peers ------------------------------------------------------------------


def test_a_drop_tells_of_what_its_baseline_is_made(node: Node) -> None:
    node.configure(SLOWER)
    node.train({"GPU-a": 51_030.0}, times=12)
    node.train({"GPU-a": 44_000.0}, times=2)
    [alert] = node.alerts()
    rows = dict(tell(alert).rows)
    assert rows["Threshold"] == "45,927 token/s, 10% below the baseline of 51,030 token/s"
    assert rows["Baseline"] == (
        "51,030 token/s (now −13.8%, worse), median of 11 readings since 2027-01-15 08:01 UTC"
    )
    plain(alert)


def test_what_resolves_tells_the_threshold_that_it_has_passed(node: Node) -> None:
    node.configure(SLOWER.replace('"14d"', '"8 readings"'))
    node.train({"GPU-a": 51_030.0}, times=12)
    node.train({"GPU-a": 44_000.0}, times=20)  # by now the usual, had the trigger not kept its own
    node.train({"GPU-a": 51_000.0})
    fires, resolves = map(tell, node.alerts())
    assert resolves.prefix == "resolved: "
    for label in ("Threshold", "Baseline"):
        first, last = (dict(story.rows)[label] for story in (fires, resolves))
        assert last == first.replace("−13.8%, worse", "−0.0588%")


def test_of_a_rule_that_was_edited_no_year_is_searched_for_its_baseline(node: Node) -> None:
    node.configure(SLOWER.replace('"14d"', '"5000 readings"') + "notify = false\n")
    store = node.writer.store
    start = node.now
    past = [
        Reading(SPEED.name, "GPU-a", 51_000.0 + k % 7, "measured", at=start + 60.0 * k, setup=OLD)
        for k in range(10_000)
    ]
    run = Run("training", "gpu.training", "ok", "", start, 1.0)
    node.writer.once(lambda: store.record(run, past, [SPEED]))
    node.now = start + 600_000.0
    node.train({"GPU-a": 44_000.0}, times=2)
    [standing] = store.standings_of("training-slower")
    rule = node.config.triggers["training-slower"]
    asked: list[str] = []
    elsewhere = replace(standing, baseline=51_111.0)
    sys.setprofile(lambda frame, _, __: asked.append(frame.f_code.co_name))
    try:
        told = made_of(store, rule, elsewhere)
    finally:
        sys.setprofile(None)
    assert told == ""
    assert asked.count("baseline_readings") < 1_000
    assert made_of(store, rule, standing).startswith("median of 5000 readings since ")


def test_a_shift_tells_baseline_scatter_and_since_when(node: Node) -> None:
    node.configure(SHIFTED)
    for turn in range(80):
        node.train({"GPU-a": 51_000.0 + 20.0 * (turn * 7 % 11 - 5)})
    began = node.now + 60.0
    node.train({"GPU-a": 50_700.0}, times=6)
    [alert] = node.alerts()
    rows = dict(tell(alert).rows)
    assert " ± " in rows["Baseline"]
    assert rows["Threshold"].endswith("token/s, summed past 1 σ a reading")
    assert f"since {moment(began)}" in alert.facts["why"]
    plain(alert)


def test_one_that_is_slower_than_its_peers_is_told_with_them(node: Node) -> None:
    node.configure(ODD_ONE)
    node.train(speeds(c=44_000.0), times=3)
    [alert] = node.alerts()
    assert (alert.kind, alert.target) == ("fires", "GPU-c")
    rows = dict(tell(alert).rows)
    assert rows["Threshold"] == "45,900 token/s, 10% below its peers' median of 51,000 token/s"
    assert rows["Baseline"] == "51,000 token/s (now −13.7%, worse), median of 7 peers"
    told = explained(node, "odd-one-out", "GPU-c")
    [step] = [step.text for step in told.steps if step.text.startswith("peers:")]
    assert step.startswith("peers: GPU-a 51,000 token/s, GPU-b 51,000 token/s, GPU-d ")
    assert "baseline 51,000 token/s (their median)" in [step.text for step in told.steps]
    document = explain.as_json(told)
    assert [peer["target"] for peer in document["peers"]] == [t for t in NODE if t != "GPU-c"]
    assert document["baseline_readings"] == 7
    assert all(len(line) <= 80 for line in shown(told).splitlines())


def test_who_has_another_driver_is_no_peer(node: Node) -> None:
    node.configure(ODD_ONE)
    node.train(dict.fromkeys(NODE[:6], 60_000.0))
    node.train(dict.fromkeys(NODE[6:], 51_000.0), NEW, times=2)
    assert node.told() == []
    told = explained(node, "odd-one-out", "GPU-h")
    assert told.verdict.why == "no peers: 1 of 2"
    assert "peers: GPU-g 51,000 token/s" in [step.text for step in told.steps]
