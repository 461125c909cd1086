"""What a number depends on beside its target: the same from run to run, and nothing more."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from probes.backfill import Snapshots
from probes.base import Probe, kinds, setup_text
from probes.external.command import Command
from probes.quantum.calibration import DeviceCalibration
from probes.quantum.mirror import MirrorCircuits

LINE = '{"signal": "test.meter", "value": 1, "target": "bench"}'
SMALLEST: dict[str, dict[str, Any]] = {
    "external.command": {"argv": ["echo", LINE], "signals": {"test.meter": "V"}},
    **{name: {"device": "fake_kingston"} for name in kinds() if name.startswith("quantum.")},
}
QUICK: dict[str, dict[str, Any]] = {
    "external.command": SMALLEST["external.command"],
    "gpu.collective": {
        "target": "cpu",
        "sizes": ["1MiB"],
        "iterations": 5,
        "steps": 5,
        "max_seconds": 120,
    },
    "gpu.training": {
        "target": "cpu",
        "layers": 1,
        "width": 16,
        "heads": 2,
        "sequence": 16,
        "batch": 2,
        "vocabulary": 32,
        "steps": 6,
        "warmup": 1,
    },
    "quantum.calibration": {"device": "fake_torino"},
}
NEVER = ("usd", "price", "max_", "timeout", "token_env", "token_file", "secret", "calibrat", "qpu_")
"""Parts of names of settings on which no number depends, or which are nobody's business."""

every_kind = pytest.mark.parametrize(("kind", "probe"), kinds().items(), ids=kinds())


def made(kind: str, probe: type[Probe], **more: Any) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(
        setup_text(probe.model_validate({**SMALLEST.get(kind, {}), **more}))
    )
    return told


def child(kind: str) -> list[dict[str, Any]]:
    """The readings of one run, in a process of its own."""
    reading, writing = os.pipe()
    with os.fdopen(reading) as result:
        done = subprocess.run(
            (
                *(sys.executable, "-P", "-m", "probes"),
                *("--result", str(writing), "--parent", str(os.getpid())),
            ),
            input=json.dumps({"kind": kind, "settings": QUICK[kind]}),
            text=True,
            pass_fds=(writing,),
            capture_output=True,
            timeout=120,
            check=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        os.close(writing)
        document = json.loads(result.read())
    assert document["outcome"] == "ok", done.stderr
    found: list[dict[str, Any]] = document["readings"]
    return found


@every_kind
def test_it_names_the_kind_and_its_revision(kind: str, probe: type[Probe]) -> None:
    told = made(kind, probe)
    assert (told["kind"], told["revision"]) == (kind, probe.revision)


@every_kind
def test_what_no_number_depends_on_is_not_in_it(kind: str, probe: type[Probe]) -> None:
    assert probe.indifferent <= set(probe.model_fields), "a misspelt name leaves nothing out"
    told = made(kind, probe)
    assert not [name for name in told if any(part in name for part in NEVER)]
    assert not probe.indifferent.intersection(told)


@pytest.mark.parametrize("kind", QUICK)
def test_two_runs_with_the_same_settings_have_the_same(kind: str) -> None:
    # else a baseline would never be learned
    first, second = child(kind), child(kind)
    assert first
    assert {one["setup"] for one in first} == {one["setup"] for one in second}
    assert len({one["setup"] for one in first}) == 1


def test_kinds_whose_setup_is_more_than_their_settings_are_run_for_real() -> None:
    bases = {probe.setup for probe in kinds().values()}
    tried = {kinds()[kind].setup for kind in QUICK}
    assert bases == tried


@pytest.mark.parametrize(
    ("probe", "base", "changed"),
    [
        (Command, SMALLEST["external.command"], {"argv": ["echo", "other"]}),
        (Command, SMALLEST["external.command"], {"origin": "simulated"}),
        (MirrorCircuits, SMALLEST["quantum.mirror"], {"shots": 50}),
        (MirrorCircuits, SMALLEST["quantum.mirror"], {"seed": 2}),
        (MirrorCircuits, SMALLEST["quantum.mirror"], {"widths": [2]}),
    ],
)
def test_a_setting_that_numbers_depend_on_is_in_it(
    probe: type[Probe], base: dict[str, Any], changed: dict[str, Any]
) -> None:
    before, after = (setup_text(probe.model_validate({**base, **more})) for more in ({}, changed))
    assert before != after


@pytest.mark.parametrize(
    ("probe", "base", "changed"),
    [
        (Command, SMALLEST["external.command"], {"usd": 1.0, "qpu_seconds": 2.0}),
        (Command, SMALLEST["external.command"], {"signals": {"test.meter": "V", "more": "1"}}),
        (MirrorCircuits, SMALLEST["quantum.mirror"], {"usd_per_shot": 0.1, "max_usd": 5.0}),
        (MirrorCircuits, SMALLEST["quantum.mirror"], {"max_days": 30.0}),
    ],
)
def test_a_price_or_a_limit_is_not(
    probe: type[Probe], base: dict[str, Any], changed: dict[str, Any]
) -> None:
    before, after = (setup_text(probe.model_validate({**base, **more})) for more in ({}, changed))
    assert before == after


def test_a_calibration_of_the_past_has_the_setup_of_todays_look() -> None:
    past = next(iter(Snapshots().records()))
    device = past.settings["device"]
    today = setup_text(DeviceCalibration(provider="snapshot", device=device))
    assert {one.setup for one in past.readings} == {today}
    assert setup_text(Snapshots()) == ""
