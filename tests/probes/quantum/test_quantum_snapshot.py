"""Finding and reading snapshots; settings that name what does not exist."""

import copy
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from pydantic import ValidationError
from qiskit_ibm_runtime.fake_provider import FakeProviderForBackendV2

from probes.quantum.calibration import DeviceCalibration
from probes.quantum.clouds.ibm_format import family, parse
from probes.quantum.mirror import MirrorCircuits
from probes.quantum.providers import known, load
from probes.quantum.providers.snapshot import Snapshot

ROOT = Path(__file__).parents[3]
HEAVY = ("numpy", "qiskit", "qiskit_aer", "qiskit_ibm_runtime", "scipy", "torch")


def test_names_are_those_of_the_package_itself():
    with pytest.warns(UserWarning, match="fake_nighthawk are not intended to represent"):
        theirs = {backend.name for backend in FakeProviderForBackendV2().backends()}
    assert set(Snapshot().names()) == theirs


@pytest.mark.parametrize("probe", [DeviceCalibration, MirrorCircuits])
def test_an_unknown_provider_is_refused_with_the_known_ones(probe):
    with pytest.raises(
        ValidationError, match=r"no quantum provider 'snapshots'; known are .*snapshot"
    ):
        probe(provider="snapshots", device="fake_kingston")


@pytest.mark.parametrize("probe", [DeviceCalibration, MirrorCircuits])
def test_an_unknown_device_is_refused_with_the_nearest(probe):
    with pytest.raises(ValidationError, match=r"'fake_kingstown'.*did you mean fake_kingston"):
        probe(device="fake_kingstown")


def test_a_device_is_no_path():
    with pytest.raises(ValueError, match="no snapshot of a device"):
        Snapshot().calibration("fake_../kingston")


def test_providers_are_found_by_their_path():
    assert "snapshot" in known()
    assert load("snapshot").calibration("fake_kingston").backend == "ibm_kingston"


def test_validating_settings_and_reading_a_calibration_loads_no_sdk():
    program = f"""
import json, sys
from probes.base import load
settings = {{"provider": "snapshot", "device": "fake_kingston"}}
load("quantum.mirror").model_validate(settings)
list(load("quantum.calibration").model_validate(settings).run())
print(json.dumps(sorted(set(sys.modules) & set({HEAVY!r}))))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=True
    )
    assert json.loads(done.stdout) == []


def test_a_local_date_becomes_utc(properties):
    raw = properties("fake_washington")
    assert raw["last_update_date"] == "2022-04-12T23:42:47+09:00"
    assert parse("fake_washington", raw).time == "2022-04-12T14:42:47+00:00"


def test_a_date_without_offset_is_refused(properties):
    raw = {**properties("fake_lima"), "last_update_date": "2021-03-15T00:36:03"}
    with pytest.raises(ValueError, match="does not say its offset from UTC"):
        parse("fake_lima", raw)


@pytest.mark.parametrize(
    ("unit", "factor"), [("us", 1e-6), ("µs", 1e-6), ("μs", 1e-6), ("ns", 1e-9), ("ms", 1e-3)]
)
def test_units_of_time(unit, factor, properties):
    raw = with_t1(properties("fake_lima"), 40.0, unit)
    assert parse("fake_lima", raw).qubits[0].t1 == pytest.approx(40 * factor, rel=1e-12)


def test_both_units_occur_in_the_real_files(properties):
    units = {
        entry["unit"]
        for device in ("fake_almaden", "fake_kingston")
        for qubit in properties(device)["qubits"]
        for entry in qubit
        if entry["name"] == "T1"
    }
    assert units == {"us", "µs"}


def test_an_unknown_unit_is_refused(properties):
    with pytest.raises(ValueError, match="T1 has the unit 'fortnight'; known are"):
        parse("fake_lima", with_t1(properties("fake_lima"), 1.0, "fortnight"))


def test_an_absent_parameter_is_none(properties):
    qubits = parse("fake_kingston", properties("fake_kingston")).qubits
    without = [index for index, qubit in enumerate(qubits) if qubit.t1 is None]
    assert len(without) == 1
    assert qubits[without[0]].readout_error is not None


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{}", "KeyError: 'backend_name'"),
        ('{"backend_name": ', "JSONDecodeError"),
        ("[]", "TypeError"),
    ],
)
def test_a_damaged_file_is_named_with_what_is_wrong_and_what_to_do(content, told, tmp_path):
    """A child that finds a package of that name, with one broken snapshot, before the real one."""
    package = tmp_path / "qiskit_ibm_runtime"
    file = package / "fake_provider" / "backends" / "broken" / "props_broken.json"
    file.parent.mkdir(parents=True)
    file.write_text(content)
    file.with_name("conf_broken.json").write_text("{}")
    (package / "__init__.py").touch()
    program = """
from probes.quantum.providers.snapshot import Snapshot
try:
    Snapshot().calibration("fake_broken")
except ValueError as error:
    print(error)
"""
    paths = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    done = subprocess.run(
        [sys.executable, "-c", program], env=paths, capture_output=True, check=True, text=True
    )
    assert done.stdout.startswith(f"{file} is no calibration in IBM's format ({told}")
    assert done.stdout.endswith("reinstall qiskit-ibm-runtime\n")


def with_t1(raw, value, unit):
    changed = copy.deepcopy(raw)
    (entry,) = [entry for entry in changed["qubits"][0] if entry["name"] == "T1"]
    entry.update(value=value, unit=unit)
    return changed


# --- families ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("device", "of_family"),
    [
        ("fake_boston", "Heron r3"),  # the revision is text
        ("fake_washington", "Eagle r1"),  # and a number
        ("fake_kolkata", "Falcon r5.11"),  # a number
        ("fake_oslo", "Falcon r5.11"),  # the same as text, with a segment
        ("fake_almaden", ""),  # of 2020, which say none
    ],
)
def test_a_device_has_the_family_of_its_processor(device, of_family):
    assert Snapshot().calibration(device).family == of_family
    readings = list(DeviceCalibration(device=device).run())
    assert {reading.family for reading in readings} == {of_family}


def test_the_families_are_those_of_the_package_itself():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # said of fake_nighthawk, once a process
        backends = FakeProviderForBackendV2().backends()
    for backend in backends:
        kind = backend.processor_type if hasattr(backend, "processor_type") else None
        if kind:
            expected = f"{kind['family']} r{kind['revision']}"
            assert Snapshot().calibration(backend.name).family == expected
    assert family({}) == family({"processor_type": None}) == ""
