"""The child that reads a source of the past: what it brings, of when, and whom it leaves out."""

import json
import os
import subprocess
import sys
from collections import Counter

import pytest

from monitor.commands.backfill import OWNERS, backfill
from probes.backfill import OF_THE_LOOK, SOURCES, History
from probes.base import kinds
from probes.quantum.calibration import DeviceCalibration
from probes.quantum.providers import known, load
from probes.quantum.providers.snapshot import INVENTED, Snapshot


@pytest.fixture(scope="module")
def document():
    """What the child writes, as the service starts it."""
    reader, writer = os.pipe()
    command = [sys.executable, "-P", "-m", "probes.backfill"]
    child = subprocess.Popen(
        [*command, "--result", str(writer), "--parent", str(os.getpid())],
        stdin=subprocess.PIPE,
        pass_fds=[writer],
    )
    os.close(writer)
    with child.stdin as pipe:
        pipe.write(json.dumps({"kind": "snapshots", "settings": {}}).encode())
    with os.fdopen(reader, encoding="utf-8") as result:
        text = result.read()
    assert child.wait() == 0
    return json.loads(text)


def test_every_real_snapshot_is_read_at_its_own_time(document):
    assert document["outcome"] == "ok", document["reason"]
    provider = Snapshot()
    real = set(provider.names()) - INVENTED
    assert len(real) == 66
    assert {reading["target"] for reading in document["readings"]} == real
    times = {device: provider.calibration(device).at for device in real}
    for reading in document["readings"]:
        assert reading["origin"] == "vendor"
        assert reading["at"] == times[reading["target"]]
        assert reading["signal"] not in OF_THE_LOOK
    assert document["payload"]["left_out"] == ["fake_fractional", "fake_nighthawk"]


def test_the_figures_are_those_of_the_probe(document):
    probe = DeviceCalibration(device="fake_cairo")
    seen = [reading for reading in probe.run() if reading.signal not in OF_THE_LOOK]
    taken = {(r.signal, r.value, r.note, r.family) for r in seen}
    own = [reading for reading in document["readings"] if reading["target"] == "fake_cairo"]
    assert {(r["signal"], r["value"], r["note"], r["family"]) for r in own} == taken
    records = document["payload"]["records"]
    [kept] = [one for one in records if one["settings"]["device"] == "fake_cairo"]
    assert kept["settings"] == {"provider": "snapshot", "device": "fake_cairo"}
    assert kept["payload"] == probe.payload
    assert kept["readings"] == len(own)


def test_what_a_device_does_not_give_is_absent(document):
    counts = Counter(reading["signal"] for reading in document["readings"])
    assert counts["quantum.calibration.qubits"] == 66
    assert counts["quantum.calibration.two_qubit_error"] == 64  # neither armonk nor kyoto


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"provider": "snapshot"}, "snapshot has no calibrations of the past"),
        ({"provider": "nobody"}, "no quantum provider 'nobody'; known are"),
    ],
)
def test_a_provider_without_a_past_is_refused_before_it_is_asked(settings, why):
    with pytest.raises(ValueError, match=why):
        History(**settings, device="fake_cairo", since=0.0, until=1.0)


def test_every_provider_with_a_past_has_a_command():
    kept = {name for name in known() if "history" in load(name).supports}
    assert kept <= set(OWNERS)
    assert set(OWNERS) <= set(backfill.commands)


def test_it_is_no_kind_of_probe():
    assert not set(SOURCES.values()) & set(kinds().values())
    assert not any("backfill" in kind for kind in kinds())
