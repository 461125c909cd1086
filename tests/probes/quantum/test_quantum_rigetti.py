"""Rigetti: calibrations from QCS against its own library's reading, jobs through Braket."""

import json

import numpy as np
import pytest
from braket_data import CEPHEUS, capabilities, device
from braket_jobs import QUOTE, batch, flips, tag
from braket_server import fault
from qcs_account import account

from probes.quantum.clouds import braket_capabilities, qcs_format
from probes.quantum.clouds.account import NoAccount
from probes.quantum.clouds.rest import Refused
from probes.quantum.device import ENTANGLING_GATES
from probes.quantum.figures import figures
from probes.quantum.provider import Price
from probes.quantum.providers import load
from probes.queued import Rejected, TryLater

qcs = pytest.importorskip("qcs_sdk.qpu.isa", reason="Rigetti's library needs qrossover[rigetti]")

NAME = "cepheus-1-108q"


def isa():
    """QCS's answer is part of Cepheus' capabilities on Braket."""
    return capabilities("rigetti-cepheus")["provider"]["specs"]


@pytest.fixture
def rigetti(braket_server, tmp_path, monkeypatch):
    braket_server.devices[CEPHEUS] = device(CEPHEUS, capabilities("rigetti-cepheus"))
    braket_server.processors["Cepheus-1-108Q"] = isa()
    for name, file in account(tmp_path, braket_server.url).items():
        monkeypatch.setenv(name, file)
    return load("rigetti")


def characteristics(name, figure):
    """Values and errors of a figure, by Rigetti's own reading."""
    read = qcs.InstructionSetArchitecture.from_raw(json.dumps(isa()))
    return [
        (given.value, given.error)
        for operation in (*read.instructions, *read.benchmarks)
        if operation.name == name
        for site in operation.sites
        for given in site.characteristics
        if given.name == figure
    ]


def median(name, figure):
    sure = [value for value, error in characteristics(name, figure) if error is None or error < 1]
    return len(sure), np.median(sure)


def test_the_medians_are_those_of_rigettis_own_reading(rigetti):
    found = {one.name: one for one in figures(rigetti.calibration(NAME))}
    for figure, name, word in (
        ("t1", "FreeInversionRecovery", "T1"),
        ("t2", "FreeInductionDecay", "T2"),
        ("one_qubit_error", "randomized_benchmark_simultaneous_1q", "fRB"),
        ("two_qubit_error", "CZ", "fCZ"),
        ("readout_error", "MEASURE", "fRO"),
    ):
        number, value = median(name, word)
        theirs = value if word[0] == "T" else 1 - value
        assert len(found[figure].live) == number
        assert np.median(list(found[figure].live.values())) == pytest.approx(theirs, abs=1e-12)
    assert (found["one_qubit_error"].missing, found["two_qubit_error"].missing) == (4, 25)


def test_qcs_and_braket_say_the_same_of_the_device(rigetti):
    here = rigetti.calibration(NAME)
    there = braket_capabilities.calibration(NAME, "Cepheus", capabilities("rigetti-cepheus"))
    assert here.qubits == there.qubits
    assert {gate.qubits: gate.error for gate in here.couplings().values()} == {
        gate.qubits: gate.error for gate in there.couplings().values()
    }
    assert here.natives == there.natives
    assert (here.family, there.family) == ("Ankaa", "Ankaa")


def test_it_is_as_old_as_its_youngest_figure(rigetti):
    found = rigetti.calibration(NAME)
    assert found.time == "2026-05-05T20:35:00+00:00"
    assert (found.device, found.backend) == (NAME, "Cepheus-1-108Q")


def test_times_of_1970_are_none(rigetti, braket_server):
    content = isa()
    for operation in (*content["instructions"], *content["benchmarks"]):
        for site in operation["sites"]:
            for given in site["characteristics"]:
                given["timestamp"] = "1970-01-01T00:00:00+00:00"
    content["instructions"][3]["sites"][0]["characteristics"][0]["timestamp"] = (
        "2026-05-01T00:00:00Z"
    )
    braket_server.processors["Cepheus-1-108Q"] = content
    assert rigetti.calibration(NAME).time == "2026-05-01T00:00:00+00:00"
    content["instructions"][3]["sites"][0]["characteristics"][0]["timestamp"] = (
        "1970-01-01T00:00:00Z"
    )
    with pytest.raises(ValueError, match="no figure of Cepheus-1-108Q says when"):
        rigetti.calibration(NAME)


def test_a_simultaneous_benchmark_of_zeros_was_never_taken():
    content = isa()
    (together,) = [one for one in content["benchmarks"] if "simultaneous" in one["name"]]
    for given in together["sites"][0]["characteristics"]:
        given["value"] = 0.0
    found = qcs_format.calibration(NAME, content)
    errors = [gate.error for gate in found.one_qubit_gates() if gate.error is not None]
    number, value = median("randomized_benchmark_1q", "fRB")
    assert (len(errors), np.median(errors)) == (number, pytest.approx(1 - value, abs=1e-12))


def test_another_entangling_gate_is_a_figure_and_no_coupling_for_circuits():
    content = isa()
    (cz,) = [one for one in content["instructions"] if one["name"] == "CZ"]
    cz["name"] = "ISWAP"
    for site in cz["sites"]:
        site["characteristics"][0]["name"] = "fISWAP"
    found = qcs_format.calibration(NAME, content)
    assert found.couplings() == {}  # it is not its own inverse: no circuit here uses it
    iswap = found.couplings(ENTANGLING_GATES)[88, 89]
    assert (iswap.name, iswap.error) == ("iswap", pytest.approx(1 - 0.9962143093800572))
    (figure,) = [one for one in figures(found) if one.name == "two_qubit_error"]
    assert (len(figure.live), figure.missing) == (168, 25)


def test_the_work_goes_through_braket(rigetti, braket_server):
    braket_server.play = flips
    sent, mine = batch(), tag()
    assert rigetti.device(NAME).online
    assert rigetti.device(NAME).name == NAME
    assert NAME in [one.name for one in rigetti.devices()]
    assert rigetti.quote(NAME, sent, Price()).usd == pytest.approx(0.30 + 40 * 0.000425)
    job = rigetti.submit(NAME, sent, mine, QUOTE)
    (task,) = braket_server.tasks.values()
    assert task.request["deviceArn"] == CEPHEUS
    assert "rx(3.141592653589793) $14;" in task.action["programs"][0]["source"]
    assert rigetti.find(NAME, mine) == job
    assert rigetti.status(NAME, job).state == "done"
    assert rigetti.result(NAME, job, sent) == [{"001": 20}] * 2
    assert rigetti.cost(NAME, job, sent, QUOTE).usd == QUOTE.usd
    task.status = "QUEUED"
    rigetti.cancel(NAME, job)
    assert task.status == "CANCELLED"


def test_a_no_of_braket_is_one_here(rigetti, braket_server):
    braket_server.fail(
        fault("CreateQuantumTask", status=424, error="DeviceOfflineException"),
        fault("CreateQuantumTask", status=500, error="InternalServiceException"),
    )
    with pytest.raises(Rejected, match="DeviceOfflineException"):
        rigetti.submit(NAME, batch(), tag(), QUOTE)
    with pytest.raises(Refused, match="HTTP 500"):
        rigetti.submit(NAME, batch(), tag(), QUOTE)
    assert braket_server.count("CreateQuantumTask") == 2
    assert not braket_server.tasks


def test_qcs_asks_for_patience_or_says_no(rigetti, braket_server):
    name = "GetInstructionSetArchitecture"
    braket_server.fail(
        fault(name, status=429, headers=(("Retry-After", "30"),)), fault(name, status=500)
    )
    with pytest.raises(TryLater) as later:
        rigetti.calibration(NAME)
    assert later.value.seconds == 30
    with pytest.raises(Refused, match="HTTP 500"):
        rigetti.calibration(NAME)
    braket_server.processors.clear()
    with pytest.raises(Refused, match="HTTP 404: no processor Cepheus-1-108Q"):
        rigetti.calibration(NAME)
    assert braket_server.count(name) == 3


def test_an_architecture_of_another_schema_is_told(rigetti, braket_server):
    braket_server.processors["Cepheus-1-108Q"] = {"architecture": {}}
    with pytest.raises(ValueError, match=r"architecture of cepheus-1-108q .*KeyError: 'nodes'"):
        rigetti.calibration(NAME)


def test_no_account_is_told(rigetti, monkeypatch):
    monkeypatch.setenv("QCS_SECRETS_FILE_PATH", "/nowhere/secrets.toml")
    with pytest.raises(NoAccount, match=r"QCS needs an account: .*/nowhere/secrets.toml"):
        rigetti.calibration(NAME)


@pytest.mark.parametrize("name", [NAME, "Ankaa-3", CEPHEUS])
def test_names_that_are_known(name):
    load("rigetti").check(name)


@pytest.mark.parametrize("name", ["aspen", "iqm/garnet", "rigetti/ankaa-3x", ""])
def test_another_name_is_told(name):
    with pytest.raises(ValueError, match="of Rigetti is known; known are ankaa-3, cepheus-1-108q"):
        load("rigetti").check(name)
