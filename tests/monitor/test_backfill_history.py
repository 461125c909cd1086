"""`qrossover backfill ibm` and its kin: what a provider has kept, each at its own time."""

import copy
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from ibm_server import IbmServer, stored
from ionq_server import KEY, IonQServer
from living import Living

ERROR = "quantum.calibration.two_qubit_error"
DEVICE = "ibm_kingston"


@pytest.fixture(scope="module")
def ibm() -> Iterator[IbmServer]:
    """IBM on loopback, with calibrations of four days."""
    with IbmServer() as cloud:
        newest = stored(DEVICE, "props")
        moment = datetime.fromisoformat(newest["last_update_date"])
        for days in (1, 2, 40):
            older = copy.deepcopy(newest)
            older["last_update_date"] = (moment - timedelta(days=days)).isoformat()
            cloud.past.setdefault(DEVICE, []).append(older)
        yield cloud


def test_every_calibration_is_stored_once_at_its_own_time(tmp_path: Path, ibm: IbmServer) -> None:
    living, environment = Living(tmp_path), ibm.environment()
    words = ("backfill", "ibm", DEVICE, "--since", "3y")
    first = living.command(*words, **environment)
    assert first.returncode == 0, first.stderr
    assert "4 calibrations, 4 of them new" in first.stdout
    assert "Heron r2" in first.stdout
    again = living.command(*words, **environment)
    assert "4 calibrations, 0 of them new" in again.stdout
    readings = living.json("signals", ERROR, "--since", "100y")
    assert [reading["at"][:10] for reading in readings] == [
        "2026-03-06",
        "2026-04-13",
        "2026-04-14",
        "2026-04-15",
    ]
    assert {(r["origin"], r["target"]) for r in readings} == {("vendor", DEVICE)}
    assert {row[0] for row in living.rows("SELECT DISTINCT kind FROM runs")} == {
        "quantum.calibration"
    }
    shown = living.command("signals", ERROR, "--since", "7y", "--by", "family").stdout
    assert "Heron r2" in shown


def test_the_stretch_is_what_since_says(tmp_path: Path, ibm: IbmServer) -> None:
    living = Living(tmp_path)
    done = living.command("backfill", "ibm", DEVICE, "--since", "1d", **ibm.environment())
    assert done.returncode == 0, done.stderr
    assert "0 calibrations, 0 of them new." in done.stdout


def test_what_the_cloud_says_against_it_is_told(tmp_path: Path, ibm: IbmServer) -> None:
    living, environment = Living(tmp_path), ibm.environment()
    named = living.command("backfill", "ibm", "qpu.forte-1", **environment)
    assert named.returncode == 1
    assert "'qpu.forte-1' is no device of IBM Quantum" in named.stderr
    bare = living.command("backfill", "ibm", DEVICE, **environment | {"QISKIT_IBM_TOKEN": ""})
    assert bare.returncode == 1
    assert "QISKIT_IBM_TOKEN" in bare.stderr


def test_one_figure_for_a_whole_device_is_stored_as_such(tmp_path: Path) -> None:
    living = Living(tmp_path)
    with IonQServer() as cloud:
        environment = {"IONQ_API_URL": cloud.url, "IONQ_API_KEY": KEY}
        done = living.command("backfill", "ionq", "qpu.forte-1", "--since", "9y", **environment)
    assert done.returncode == 0, done.stderr
    [reading] = living.json("signals", ERROR, "--since", "100y")
    assert reading["value"] == pytest.approx(1 - 0.9928)
    assert "one figure for the whole device" in reading["note"]
    names = {row[0] for row in living.rows("SELECT DISTINCT signal FROM readings")}
    assert not any(name.endswith(("_best", "_worst", "usable_qubits")) for name in names)
