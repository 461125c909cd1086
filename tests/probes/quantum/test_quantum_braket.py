"""Amazon Braket through its own library, against a server on loopback: devices, money, jobs."""

import random
import re
import subprocess
import sys
import time

import pytest
from braket_data import CEPHEUS, FORTE, GARNET, SV1, capabilities, device, forte, sv1
from braket_jobs import NAME, QUOTE, batch, flips, submitted, tag
from qiskit import QuantumCircuit

from probes.quantum.batch import Batch
from probes.quantum.clouds.braket_program import source
from probes.quantum.clouds.rest import Refused
from probes.quantum.mirror import MirrorCircuits
from probes.quantum.provider import Price, Unpriced
from probes.quantum.providers import load

pytest.importorskip("boto3", reason="Amazon Braket needs qrossover[braket]")


# --- devices --------------------------------------------------------------------------------------


def test_a_device_with_its_queue(braket):
    found = braket.device(NAME)
    assert (found.name, found.qubits, found.status, found.online) == (NAME, 20, "ONLINE", True)
    assert (found.queue, found.queue_at_least, found.simulator) == (3, False, False)


def test_a_long_queue_is_a_lower_bound(braket, braket_server):
    braket_server.devices[GARNET] = device(GARNET, capabilities("iqm-garnet"), queue=">15")
    found = braket.device(NAME)
    assert (found.queue, found.queue_at_least) == (16, True)


@pytest.mark.parametrize("word", ["OFFLINE", "RETIRED", "DREAMING"])
def test_a_device_that_is_not_online(braket, braket_server, word):
    braket_server.devices[GARNET] = device(GARNET, capabilities("iqm-garnet"), status=word)
    found = braket.device(NAME)
    assert (found.status, found.online) == (word, False)


def test_outside_of_its_windows_a_device_takes_tasks_that_wait(braket, braket_server):
    content = capabilities("iqm-garnet")
    hour = time.gmtime(time.time() + 7200).tm_hour
    closed = {"executionDay": "Everyday", "windowStartHour": f"{hour:02}:00"}
    content["service"]["executionWindows"] = [{**closed, "windowEndHour": f"{hour:02}:59"}]
    braket_server.devices[GARNET] = device(GARNET, content)
    found = braket.device(NAME)
    assert (found.status, found.online) == ("ONLINE, outside of its execution windows", True)


def test_devices_of_all_regions_each_once_and_none_that_is_retired(braket, braket_server):
    braket_server.page = 2
    braket_server.devices[FORTE] = device(FORTE, forte())
    braket_server.devices[SV1] = device(SV1, sv1())
    braket_server.devices[CEPHEUS] = device(
        CEPHEUS, capabilities("rigetti-cepheus"), status="RETIRED"
    )
    quera = "arn:aws:braket:us-east-1::device/qpu/quera/Aquila"
    braket_server.devices[quera] = device(quera, {})  # no gates: nothing here runs on it
    found = braket.devices()
    assert [one.name for one in found] == [NAME, "ionq/forte-1", "amazon/sv1"]
    assert [one.simulator for one in found] == [False, False, True]
    assert braket_server.count("SearchDevices") == 5 * 3


def test_a_simulator_is_no_hardware(braket):
    assert braket.origin_of("amazon/sv1") == "simulated"
    assert braket.origin_of(NAME) == "measured"
    with pytest.raises(ValueError, match="amazon/sv1 is a simulator: it has no calibration"):
        braket.calibration("amazon/sv1")


@pytest.mark.parametrize("name", [NAME, "IQM/Garnet", GARNET, "amazon/sv1"])
def test_names_that_are_known(name):
    load("braket").check(name)


@pytest.mark.parametrize("name", ["garnet", "iqm/ruby", "arn:aws:s3:::x", f"{GARNET}/x", ""])
def test_another_name_is_told_with_those_that_are_known(name):
    with pytest.raises(ValueError, match=f"no device '{re.escape(name)}'.*iqm/garnet.*ARN"):
        load("braket").check(name)


def test_the_calibration_is_of_the_name_it_was_asked_by(braket):
    found = braket.calibration(NAME)
    assert (found.device, found.backend, found.origin) == (NAME, "Garnet", "vendor")
    assert found.identity == "Garnet 1 2026-05-05T16:45:26.355472+00:00"


def test_capabilities_of_another_schema_are_told(braket, braket_server):
    content = capabilities("iqm-garnet")
    del content["paradigm"]
    braket_server.devices[GARNET] = device(GARNET, content)
    with pytest.raises(ValueError, match=r"iqm/garnet are not of its schema .*'paradigm'"):
        braket.calibration(NAME)


# --- money ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("price", "usd"),
    [
        (Price(), 0.30 + 2 * 500 * 0.00145),
        (Price(task=0.1), 0.1 + 2 * 500 * 0.00145),
        (Price(task=0.0, shot=0.01), 2 * 500 * 0.01),
    ],
)
def test_a_batch_costs_one_fee_and_all_its_shots(braket, price, usd):
    assert braket.quote(NAME, batch(shots=500), price).usd == pytest.approx(usd, rel=1e-12)


def test_a_shot_without_a_price_is_not_guessed(braket, braket_server):
    content = capabilities("iqm-garnet")
    content["service"]["deviceCost"] = {"price": 1.0, "unit": "minute"}
    braket_server.devices[GARNET] = device(GARNET, content)
    with pytest.raises(Unpriced, match="iqm/garnet says no price of a shot: set usd_per_shot"):
        braket.quote(NAME, batch(), Price())
    assert braket.quote(NAME, batch(), Price(shot=0.0)).usd == pytest.approx(0.30)


def test_what_cannot_be_one_task_is_refused_before_anything_is_sent(braket, braket_server):
    with pytest.raises(ValueError, match="at most 100 circuits"):
        braket.quote(NAME, batch(circuits=101), Price())
    wrong = QuantumCircuit(2)
    wrong.cx(0, 1)
    wrong.measure_all()
    with pytest.raises(ValueError, match="has the gate 'cx'"):
        braket.quote(NAME, Batch([wrong], [(1, 2)], 10), Price())
    assert not braket_server.tasks


def test_braket_reports_no_bill_so_a_completed_task_costs_its_quote(braket, braket_server):
    braket_server.polls = 9
    sent, job, task = submitted(braket, braket_server)
    assert braket.cost(NAME, job, sent, QUOTE).usd is None
    task.status = "COMPLETED"
    for price, usd in ((Price(), 0.30 + 40 * 0.00145), (Price(task=0.0, shot=0.0), 0.0)):
        quote = braket.quote(NAME, sent, price)
        assert braket.cost(NAME, job, sent, quote).usd == pytest.approx(usd, rel=1e-12)
    task.status = "CANCELLED"  # shots that were taken are billed, and nobody says how many
    assert braket.cost(NAME, job, sent, QUOTE).usd is None


# --- a job ----------------------------------------------------------------------------------------


def test_a_batch_is_one_task_with_our_tag(braket, braket_server):
    mine = tag()
    job = braket.submit(NAME, batch(), mine, QUOTE)
    (task,) = braket_server.tasks.values()
    assert task.arn == job
    assert (task.request["clientToken"], task.tag) == (mine, mine)
    assert (task.request["shots"], task.request["deviceArn"]) == (40, GARNET)
    assert task.request["outputS3Bucket"] == "amazon-braket-loopback"
    assert task.action["braketSchemaHeader"]["name"] == "braket.ir.openqasm.program_set"
    assert len(task.action["programs"]) == 2


def test_a_single_circuit_is_a_program_word_for_word(braket, braket_server):
    _, _, task = submitted(braket, braket_server, circuits=1)
    assert task.action["source"].splitlines() == [
        "OPENQASM 3.0;",
        "bit[3] b;",
        "#pragma braket verbatim",
        "box{",
        "prx(3.141592653589793, 0.0) $14;",
        "barrier $14, $9, $10;",
        "cz $14, $9;",
        "barrier $14, $9, $10;",
        "}",
        "b[0] = measure $14;",
        "b[1] = measure $9;",
        "b[2] = measure $10;",
    ]


@pytest.mark.parametrize("circuits", [1, 3])
def test_counts_have_the_first_qubit_rightmost_whatever_its_number(braket, braket_server, circuits):
    braket_server.play = flips
    sent, job, _ = submitted(braket, braket_server, circuits=circuits)
    assert braket.status(NAME, job).state == "done"
    assert braket.result(NAME, job, sent) == [{"001": 20}] * circuits


def test_a_task_can_wait_for_days(braket, braket_server):
    braket_server.polls = 3
    _, job, task = submitted(braket, braket_server)
    task.more["queueInfo"] = {"queue": "QUANTUM_TASKS_QUEUE", "position": "7"}
    first = braket.status(NAME, job)
    assert (first.state, first.word, first.position) == ("queued", "QUEUED", 7)
    task.more["queueInfo"]["position"] = ">2000"
    far = braket.status(NAME, job)
    assert (far.position, far.reason) == (None, "position >2000 in the queue")
    assert braket.status(NAME, job).state == "queued"
    done = braket.status(NAME, job)
    assert (done.state, done.word, done.started) == ("done", "COMPLETED", None)
    assert done.ended == pytest.approx(task.created, abs=0.01)


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("RUNNING", "running"),
        ("CANCELLING", "running"),
        ("CANCELLED", "cancelled"),
        ("FAILED", "failed"),
        ("COMPLETED", "done"),
        ("PONDERING", "unknown"),
    ],
)
def test_words_for_states(braket, braket_server, word, state):
    _, job, task = submitted(braket, braket_server)
    task.status = word
    assert (braket.status(NAME, job).state, braket.status(NAME, job).word) == (state, word)


def test_a_failed_task_may_say_why_or_not(braket, braket_server):
    _, job, task = submitted(braket, braket_server)
    task.status = "FAILED"
    task.more["failureReason"] = "a qubit was lost"
    assert braket.status(NAME, job).reason == "a qubit was lost"
    task.more = {"failureReason": None, "endedAt": None, "actionMetadata": None, "tags": None}
    bare = braket.status(NAME, job)
    assert (bare.state, bare.reason, bare.ended) == ("failed", "", None)


def test_a_task_that_is_not_known_any_more_is_gone(braket):
    found = braket.status(NAME, f"{GARNET.replace('::device', ':1:quantum-task')}")
    assert (found.state, found.word) == ("gone", "ResourceNotFoundException")


def test_a_task_is_cancelled_by_us_and_by_someone_else(braket, braket_server):
    braket_server.polls = 9
    _, job, task = submitted(braket, braket_server)
    braket.cancel(NAME, job)
    assert braket.status(NAME, job).state == "cancelled"
    _, job, task = submitted(braket, braket_server)
    task.status = "CANCELLED"
    assert braket.status(NAME, job).state == "cancelled"
    with pytest.raises(Refused, match="HTTP 409: ConflictException: the task is CANCELLED"):
        braket.cancel(NAME, job)


def test_a_bucket_that_is_not_set_is_the_one_of_amazons_library(braket, braket_server, monkeypatch):
    monkeypatch.delenv("AMZN_BRAKET_OUT_S3_BUCKET")
    _, _, task = submitted(braket, braket_server)
    assert task.request["outputS3Bucket"] == "amazon-braket-eu-north-1-123456789012"


# --- a canary -------------------------------------------------------------------------------------


def test_a_canary_runs_there_as_anywhere(braket_server):
    probe = MirrorCircuits(
        provider="braket", device=NAME, widths=(2,), depths=(2,), circuits=3, shots=40
    )
    order = probe.prepare()
    assert order.quote.usd == pytest.approx(0.30 + 120 * 0.00145)
    right = {
        source: outcome[::-1]
        for source, outcome in zip(
            sources(probe),
            order.content["batch"]["facts"]["parts"][0]["cells"][0]["outcomes"],
            strict=True,
        )
    }
    noise = random.Random(3)
    braket_server.play = lambda source, shots: [
        right[source] if noise.random() < 0.9 else "01" for _ in range(shots)
    ]
    job = probe.submit(order, tag())
    assert probe.find(order, braket_server.tasks[job].tag) == job
    result = probe.collect(order, job)
    assert result.word == "COMPLETED"
    assert result.usd == pytest.approx(order.quote.usd)
    (reading, _) = result.readings
    assert reading.signal == "quantum.mirror.polarization"
    assert reading.origin == "measured"
    assert reading.value == pytest.approx(0.9, abs=0.2)


def sources(probe):
    planned = probe.plan(load("braket").calibration(NAME))
    return [
        source("iqm", circuit, chain)
        for circuit, chain in zip(planned.circuits, planned.chains, strict=True)
    ]


def test_importing_the_provider_imports_no_library():
    code = (
        "import sys, probes.quantum.providers.braket, probes.quantum.providers.rigetti;"
        "print([name for name in sys.modules if name.split('.')[0] in"
        " ('boto3', 'botocore', 'braket', 'httpx', 'numpy', 'qcs_sdk', 'qiskit')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
