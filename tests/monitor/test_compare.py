"""`qrossover compare`: three sides of a device under all of its names, and how far apart."""

import json
from pathlib import Path
from typing import Any

import pytest
import real_data
from living import Living

from monitor.outlook.compare import QUANTITIES, document, key, words
from probes.base import kinds
from probes.metriq_results import SIGNALS as METRIQ
from storage.store import Store
from storage.types import Reading, Run, Signal

DAY = 86400.0
EPLG = "quantum.calibration.eplg_100"
OURS = "quantum.layer_fidelity.error_per_gate"
PUBLISHED = "metriq.eplg"


class Database:
    """A database with the readings that a test writes."""

    def __init__(self, path: Path) -> None:
        self.store = Store.writer(path)

    def add(self, signal: str, target: str, value: float, **other: Any) -> None:
        declared = Signal(signal, other.pop("unit", "1"), "lower", "A figure")
        reading = Reading(signal, target, value, **{"origin": "measured", "at": DAY} | other)
        run = Run(other.get("probe", "p"), "k", "ok", "", DAY, 1.0)
        with self.store.transaction():
            self.store.record(run, [reading], [declared])

    def rows(self, device: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = document(self.store, device)["rows"]
        return found


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "var" / "test.db")


@pytest.mark.parametrize(
    ("names", "one"),
    [
        (["ibm_kingston", "fake_kingston", "Kingston"], "kingston"),
        (
            ["iqm/garnet", "iqm_garnet", "arn:aws:braket:eu-north-1::device/qpu/iqm/Garnet"],
            "garnet",
        ),
        (["qpu.forte-1", "ionq.qpu.forte-1", "ionq_forte-1", "ionq/forte-1"], "forte-1"),
        (["Cepheus-1-108Q", "rigetti_cepheus-1-108q"], "cepheus-1-108q"),
        (["quantinuum.qpu.h2-2", "H2-2"], "h2-2"),
        (["local:ibm_fez"], "local:ibm_fez"),
    ],
)
def test_all_names_of_a_device_are_one(names: list[str], one: str) -> None:
    assert {key(name) for name in names} == {one}


def test_every_signal_that_is_compared_is_declared() -> None:
    declared = {signal.name for kind in kinds().values() for signal in kind.signals}
    declared |= {signal.name for signal in METRIQ}
    used = {signal for quantity in QUANTITIES for _, signal in quantity.signals()}
    assert used <= declared


@pytest.mark.parametrize(
    ("size", "said"),
    [
        ("n100", "100 qubits"),
        ("w8-d32", "8 qubits, depth 32"),
        ("best-w6", "6 qubits, best chain"),
        ("", ""),
        ("odd", "odd"),
    ],
)
def test_sizes_are_told_in_words(size: str, said: str) -> None:
    assert words(size) == said


def test_the_three_sides_are_in_one_row_where_they_mean_the_same(database: Database) -> None:
    database.add(EPLG, "ibm_kingston", 4.3e-3, origin="vendor")
    database.add(PUBLISHED, "ibm_kingston/n100", 5.5e-3, origin="confirmed", at=3 * DAY)
    database.add(PUBLISHED, "ibm_kingston/n50", 4.6e-3, origin="confirmed")
    database.add(PUBLISHED, "ibm_boston/n100", 9e-3, origin="confirmed")
    database.add(OURS, "ibm_kingston/best-w6", 3.7e-3, sigma=3e-4)
    rows = {row["size"]: row for row in database.rows("ibm_kingston")}
    assert set(rows) == {"100 qubits", "50 qubits", "6 qubits, best chain"}
    whole = rows["100 qubits"]
    assert [(s["side"], s["value"]) for s in whole["sides"]] == [
        ("vendor", 4.3e-3),
        ("independent", 5.5e-3),
    ]
    [apart] = whole["differences"]
    assert (apart["of"], apart["against"]) == ("independent", "vendor")
    assert apart["ratio"] == pytest.approx(5.5 / 4.3)
    assert apart["sigmas"] is None, "neither has an uncertainty"
    assert whole["sides"][1]["dated"] == "1970-01-04"


@pytest.mark.parametrize(
    ("sigmas", "apart"),
    [((3.0, 4.0), 2.0), ((3.0, None), None), ((None, None), None), ((0.0, 4.0), None)],
)
def test_sigmas_are_told_where_both_have_one(
    database: Database, sigmas: tuple[float | None, float | None], apart: float | None
) -> None:
    database.add("quantum.calibration.quantum_volume", "x", 30.0, origin="vendor", sigma=sigmas[0])
    database.add("quantum.volume.volume", "x", 40.0, sigma=sigmas[1])
    [row] = database.rows("x")
    assert [one["sigmas"] for one in row["differences"]] == [apart]


def test_nothing_is_divided_by_zero(database: Database) -> None:
    database.add("quantum.calibration.quantum_volume", "x", 0.0, origin="vendor")
    database.add("quantum.volume.volume", "x", 40.0)
    [row] = database.rows("x")
    assert [one["ratio"] for one in row["differences"]] == [None]


def test_hardware_counts_before_a_simulation_and_the_device_before_its_snapshot(
    database: Database,
) -> None:
    t1 = {"signal": "quantum.calibration.t1", "unit": "s"}
    database.add(**t1, target="fake_kingston", value=1.0, origin="vendor", at=9 * DAY)
    [row] = database.rows("ibm_kingston")
    assert (row["sides"][0]["target"], row["sides"][0]["snapshot"]) == ("fake_kingston", True)
    note = "calibrated 2026-04-15; median of 2 of 2 qubits"
    database.add(**t1, target="ibm_kingston", value=2.0, origin="vendor", note=note)
    [row] = database.rows("fake_kingston")
    assert (row["sides"][0]["value"], row["sides"][0]["snapshot"]) == (2.0, False)
    assert row["sides"][0]["dated"] == "2026-04-15", "of the calibration, however late it was read"
    mirror = "quantum.mirror.polarization"
    database.add(mirror, "ibm_kingston/w8-d32", 0.5)
    database.add(mirror, "fake_kingston/w8-d32", 0.6, origin="simulated", at=9 * DAY)
    [side] = database.rows("kingston")[1]["sides"]
    assert (side["value"], side["origin"]) == (0.5, "measured")


def test_what_is_made_up_is_no_claim_of_an_owner(database: Database) -> None:
    database.add("quantum.calibration.t1", "fake_nighthawk", 1.0, origin="simulated", unit="s")
    assert database.rows("fake_nighthawk") == []


def test_a_simulation_on_somebodys_machine_is_no_result_of_the_device(database: Database) -> None:
    database.add(PUBLISHED, "local:ibm_fez/n100", 1e-3, origin="simulated")
    assert database.rows("ibm_fez") == []


# --- the command -------------------------------------------------------------------------------


def test_it_is_a_table_of_80_columns(tmp_path: Path) -> None:
    living = Living(tmp_path)
    database = Database(living.database)
    database.add(EPLG, "fake_kingston", 4.319e-3, origin="vendor")
    database.add(OURS, "ibm_kingston/fixed-w100", 5.1e-3, sigma=1.2e-3)
    database.add(PUBLISHED, "ibm_kingston/n100", 5.493e-3, origin="confirmed", sigma=1e-4)
    database.add(
        "quantum.calibration.clops_h", "fake_kingston", 3.4e5, unit="layer/s", origin="vendor"
    )
    database.add("metriq.clops", "ibm_kingston", 362372.0, unit="layer/s", origin="confirmed")
    mirror = "quantum.mirror.polarization"
    database.add(mirror, "fake_kingston/w16-d128", 0.12345, sigma=0.0123, origin="simulated")
    database.store.close()
    shown = living.command("compare", "ibm_kingston")
    assert shown.returncode == 0, shown.stderr
    lines = shown.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0] == "ibm_kingston: known here as fake_kingston, ibm_kingston"
    [eplg] = [line.split() for line in lines if line.startswith("EPLG") and "i/v" in line]
    assert eplg == ["EPLG", "4.319e-3", "–", "5.493e-3", "±1e-4", "i/v", "1.3×"]
    assert "1970-01-02*~" in shown.stdout
    assert "* of a stored snapshot. ~ simulated on its noise model." in shown.stdout
    told = living.json("compare", "fake_kingston")
    assert told["names"] == ["fake_kingston", "ibm_kingston"]


def test_an_unknown_device_is_told_with_the_nearest(tmp_path: Path) -> None:
    living = Living(tmp_path)
    database = Database(living.database)
    database.add(PUBLISHED, "ibm_kingston/n100", 5.5e-3, origin="confirmed")
    database.store.close()
    done = living.command("compare", "kingsten")
    assert done.returncode == 1
    assert "nothing that could be compared is known of a device 'kingsten'." in done.stderr
    assert 'Did you mean "ibm_kingston"?' in done.stderr
    other = living.command("compare", "zzz")
    assert "`qrossover backfill metriq`" in " ".join(other.stderr.split())


def test_real_claims_beside_real_results(tmp_path: Path) -> None:
    living = Living(tmp_path)
    living.json("backfill", "snapshots")
    living.json("backfill", "metriq", str(real_data.folder("metriq")))
    shown = living.command("compare", "ibm_boston").stdout
    assert max(map(len, shown.splitlines())) <= 80
    found = living.json("compare", "ibm_boston")
    sides = {(r["quantity"], r["size"], s["side"]) for r in found["rows"] for s in r["sides"]}
    assert ("two-qubit error", "", "vendor") in sides
    assert ("EPLG", "100 qubits", "independent") in sides
    assert json.dumps(found).count('"snapshot": true') >= 5
