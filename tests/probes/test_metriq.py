"""Independent results: every form that metriq-data has, and all of its real files."""

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import real_data

from probes.metriq import Metriq
from probes.metriq_record import name_of, parse
from probes.metriq_results import SIGNALS, Unclear
from storage.types import Reading

GARNET = "arn:aws:braket:eu-north-1::device/qpu/iqm/Garnet"


def record(job: str = "WIT", results: Any = None, **other: Any) -> dict[str, Any]:
    """A record in metriq-gym's form of 2026."""
    platform = {
        "provider": "ibm",
        "device": "ibm_kingston",
        "device_metadata": {"simulator": False, "num_qubits": 156},
    }
    return {
        "app_version": "0.6.1",
        "timestamp": "2026-02-19T13:41:42.470983",
        "suite_id": None,
        "job_type": job,
        "results": {"expectation_value": 0.5} if results is None else results,
        "platform": platform,
        "params": {"benchmark_name": job, "num_qubits": 7, "shots": 8192},
    } | other


def told(*arguments: Any, **other: Any) -> dict[tuple[str, str], tuple[float, float | None]]:
    return {(r.signal, r.target): (r.value, r.sigma) for r in parse(record(*arguments, **other))}


@pytest.mark.parametrize(
    ("results", "sigma"),
    [
        ({"expectation_value": 0.5}, None),
        ({"expectation_value": {"value": 0.5, "uncertainty": 0.01}}, 0.01),
        ({"expectation_value": {"value": 0.5, "uncertainty": None}, "score": {"value": 9}}, None),
        (
            {
                "values": {"expectation_value": 0.5},
                "uncertainties": {"expectation_value": 0.01},
                "directions": {"expectation_value": "higher"},
            },
            0.01,
        ),
        (
            {"values": {"expectation_value": 0.5}, "uncertainties": {"expectation_value": None}},
            None,
        ),
        ({"expectation_value": {"value": 0.5, "uncertainty": 0.0}}, None),
    ],
)
def test_each_form_of_a_value(results: dict[str, Any], sigma: float | None) -> None:
    assert told("WIT", results) == {("metriq.wit", "ibm_kingston/n7"): (0.5, sigma)}


def test_a_time_without_a_zone_is_taken_as_utc_and_says_so() -> None:
    [naive] = parse(record())
    assert naive.at == datetime(2026, 2, 19, 13, 41, 42, 470983, UTC).timestamp()
    assert "no time zone given, taken as UTC" in naive.note
    [zoned] = parse(record(timestamp="2026-02-19T13:41:42+02:00"))
    assert zoned.at == datetime(2026, 2, 19, 11, 41, 42, tzinfo=UTC).timestamp()
    assert "zone" not in zoned.note


def test_it_is_nobody_elses_number() -> None:
    [reading] = parse(record())
    assert reading.origin == "confirmed"
    assert "published in metriq-data, metriq-gym 0.6.1, 8192 shots" in reading.note
    assert all(signal.name.startswith("metriq.") for signal in SIGNALS)


@pytest.mark.parametrize(
    ("provider", "device", "name"),
    [
        ("aws", "iqm_garnet", "iqm_garnet"),
        ("aws", GARNET, "iqm_garnet"),
        ("braket", GARNET, "iqm_garnet"),
        ("Braket", "iqm_garnet", "iqm_garnet"),
        ("origin", "72", "wukong_72"),
        ("origin", "WK_C102-2", "wukong_102"),
        ("quantinuum", "H2-2", "H2-2"),
    ],
)
def test_a_device_has_one_name(provider: str, device: str, name: str) -> None:
    platform = {"provider": provider, "device": device, "device_metadata": {"simulator": False}}
    [reading] = parse(record(platform=platform))
    assert reading.target == f"{name}/n7"


def test_an_early_record_names_its_device_at_the_top() -> None:
    early = record(provider="local", device="ibm_fez")
    del early["platform"]
    [reading] = parse(early)
    assert (reading.target, reading.origin) == ("local:ibm_fez/n7", "simulated")
    platform = {"provider": "ibm", "device": "sim", "device_metadata": {"simulator": True}}
    [reading] = parse(record(platform=platform))
    assert (reading.target, reading.origin) == ("sim/n7", "simulated")
    assert name_of("ibm", "72") == "72", "only Origin's 72 is wukong_72"


def test_a_chain_that_was_not_measured_has_no_error() -> None:
    """As published of an 18-qubit chain: eplg_20 to eplg_100 repeat its figure."""
    results = {
        "chain_lengths": [4, 10, 18],
        "chain_eplgs": [1e-7, 8.2e-3, 9.2e-3],
        "eplg_10": 8.2e-3,
        "eplg_20": 9.2e-3,
        "eplg_100": 9.2e-3,
    }
    assert told("EPLG", results) == {
        ("metriq.eplg", "ibm_kingston/n10"): (8.2e-3, None),
        ("metriq.eplg", "ibm_kingston/n18"): (9.2e-3, None),
    }


def test_layers_of_mirror_circuits_are_those_of_both_halves() -> None:
    results = {
        "success_probability": {"value": 0.4384, "uncertainty": 0.005},
        "polarization": {"value": 0.4362, "uncertainty": 0.005},
        "binary_success": True,
    }
    params = {"width": 8, "num_layers": 16, "shots": 1000}
    assert told("Mirror Circuits", results, params=params) == {
        ("metriq.mirror_polarization", "ibm_kingston/w8-d32"): (0.4362, 0.005),
        ("metriq.mirror_success", "ibm_kingston/w8-d32"): (0.4384, 0.005),
    }


def test_the_other_benchmarks() -> None:
    assert told("CLOPS", {"clops_score": 3e5, "steady_state_clops": None}) == {
        ("metriq.clops", "ibm_kingston"): (3e5, None)
    }
    assert told("BSEQ", {"values": {"largest_connected_size": 144}, "uncertainties": {}}) == {
        ("metriq.bseq_qubits", "ibm_kingston"): (144.0, None)
    }
    for params, where in (
        ({"min_qubits": 4, "max_qubits": 4}, "n4"),
        ({"min_qubits": 4, "max_qubits": 12}, "n4-12"),
        ({"num_qubits": 8}, "n8"),
    ):
        found = told("Quantum Fourier Transform", {"accuracy_score": 0.9}, params=params)
        assert found == {("metriq.fourier_transform", f"ibm_kingston/{where}"): (0.9, None)}
    results = {"approx_ratio": [0.8], "effective_approx_ratio": [0.6], "random_approx_ratio": 0.5}
    params = {"num_qubits": 50, "qaoa_layers": [10], "graph_type": "1D"}
    assert told("Linear Ramp QAOA", results, params=params) == {
        ("metriq.qaoa_ratio", "ibm_kingston/n50-p10-1d"): (0.8, None),
        ("metriq.qaoa_gain", "ibm_kingston/n50-p10-1d"): (0.6, None),
    }


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"job_type": "Teleportation"}, "benchmark 'Teleportation' is not known"),
        ({"timestamp": "yesterday"}, "timestamp is no date"),
        ({"timestamp": None}, "timestamp is no date"),
        ({"platform": {"provider": "ibm"}}, "does not say its provider and device"),
        ({"platform": {"provider": "ibm", "device": "x"}}, "whether its device is a simulator"),
        ({"outcome": "unsupported", "results": None}, "outcome is 'unsupported'"),
        ({"results": None}, "its results are no JSON object"),
        ({"results": {}}, "no figure of 'WIT'"),
        ({"results": {"expectation_value": "0.5"}}, "one of its figures is no number"),
        ({"results": {"expectation_value": True}}, "one of its figures is no number"),
        ({"results": {"expectation_value": float("nan")}}, "out of range"),
        ({"params": {}}, "no whole number 'num_qubits'"),
        ({"params": None}, "its params are no JSON object"),
    ],
)
def test_what_cannot_be_understood_says_why(change: dict[str, Any], why: str) -> None:
    with pytest.raises(Unclear, match=why):
        parse({**record(), **change})


# --- whole files -------------------------------------------------------------------------------


def brought(folder: Path) -> tuple[Metriq, list[Reading]]:
    source = Metriq(place=str(folder))
    return source, list(source.run())


def test_duplicates_are_stored_once_and_everything_left_out_is_told(tmp_path: Path) -> None:
    other = record(results={"expectation_value": 0.6})
    unknown = record("Teleportation")
    again = record() | {"suite_id": "another run of the exporter"}
    (tmp_path / "a.json").write_text(json.dumps([record(), record(), again, unknown]))
    (tmp_path / "b.json").write_text(json.dumps(unknown))
    (tmp_path / "c.json").write_text(json.dumps([other]))
    (tmp_path / "d.json").write_text('{"platforms": []}')
    (tmp_path / "e.json").write_text("<html>")
    source, readings = brought(tmp_path)
    assert [reading.value for reading in readings] == [0.5]
    assert source.payload["duplicates"] == 2
    left_out = {(row["reason"], row["count"], row["first"]) for row in source.payload["left_out"]}
    assert left_out == {
        ("the benchmark 'Teleportation' is not known here", 2, "a.json"),
        ("another record of the same moment says otherwise", 1, "c.json"),
        ("the file is no list of results", 1, "d.json"),
        ("the file is no JSON", 1, "e.json"),
    }
    [kept] = source.payload["records"]
    assert kept["settings"] == {"source": "metriq", "device": "ibm_kingston"}
    assert kept["payload"] == {"file": "a.json", "record": record()}


def test_every_real_record_is_read() -> None:
    folder = real_data.folder("metriq")
    raw = [one for file in sorted(folder.rglob("*.json")) for one in json.loads(file.read_text())]
    source, readings = brought(folder)
    assert source.payload["left_out"] == []
    assert len(source.payload["records"]) + source.payload["duplicates"] == len(raw) == 321
    assert {reading.signal for reading in readings} == {signal.name for signal in SIGNALS}
    # a second reading of the same files: every figure that stands somewhere in a record
    second = Counter(figure for one in raw for figure in _figures(one))
    assert {(r.signal, r.value, r.sigma) for r in readings} == set(second)
    assert {r.origin for r in readings if r.target.startswith("local:")} == {"simulated"}
    assert {r.origin for r in readings if not r.target.startswith("local:")} == {"confirmed"}
    devices = {reading.target.partition("/")[0] for reading in readings}
    assert {"72", "WK_C102-2"}.isdisjoint(devices)
    assert {"ibm_fez", "iqm_garnet", "wukong_72", "wukong_102", "H2-2"} <= devices


FIELDS = {
    "expectation_value": "wit",
    "accuracy_score": {"QML Kernel": "qml_kernel"},
    "polarization": "mirror_polarization",
    "success_probability": "mirror_success",
    "clops_score": "clops",
    "largest_connected_size": "bseq_qubits",
    "fraction_connected": "bseq_share",
}


def _figures(one: dict[str, Any]) -> set[tuple[str, float, float | None]]:
    results = one["results"]
    found = set()
    for field, name in FIELDS.items():
        end = name if isinstance(name, str) else name.get(one["job_type"], "fourier_transform")
        value = results.get(field, results.get("values", {}).get(field))
        sigma = results.get("uncertainties", {}).get(field)
        if isinstance(value, dict):
            value, sigma = value["value"], value["uncertainty"]
        if value is not None:
            found.add((f"metriq.{end}", value, sigma or None))
    chains = dict(
        zip(results.get("chain_lengths", ()), results.get("chain_eplgs", ()), strict=True)
    )
    wanted = {10, 20, 50, 100, max(chains, default=0)} & set(chains)
    found |= {("metriq.eplg", chains[length], None) for length in wanted}
    for field, name in (("approx_ratio", "ratio"), ("effective_approx_ratio", "gain")):
        found |= {(f"metriq.qaoa_{name}", value, None) for value in results.get(field, ())}
    return found
