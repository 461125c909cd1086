"""The child that reads every snapshot: what it brings, of when, and whom it leaves out."""

import json
import os
import subprocess
import sys
from collections import Counter

import pytest

from probes.backfill import AGE, Snapshots
from probes.base import kinds
from probes.quantum.calibration import DeviceCalibration
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
        pipe.write(json.dumps({"kind": "quantum.calibration", "settings": {}}).encode())
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
        assert reading["signal"] != AGE
    assert document["payload"]["left_out"] == ["fake_fractional", "fake_nighthawk"]


def test_the_figures_are_those_of_the_probe(document):
    probe = DeviceCalibration(device="fake_cairo")
    taken = {(r.signal, r.value, r.note, r.family) for r in probe.run() if r.signal != AGE}
    own = [reading for reading in document["readings"] if reading["target"] == "fake_cairo"]
    assert {(r["signal"], r["value"], r["note"], r["family"]) for r in own} == taken
    assert document["payload"]["devices"]["fake_cairo"] == probe.payload


def test_what_a_device_does_not_give_is_absent(document):
    counts = Counter(reading["signal"] for reading in document["readings"])
    assert counts["quantum.calibration.qubits"] == 66
    assert counts["quantum.calibration.two_qubit_error"] == 64  # neither armonk nor kyoto


def test_it_is_no_kind_of_probe():
    assert Snapshots not in kinds().values()
    assert not any("backfill" in kind for kind in kinds())
