"""IBM Quantum, asked over REST on loopback: accounts, devices, their past, and prices."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ibm_server import CRN, KEY, PAID, RETIRED, stored
from loopback import Fault
from qiskit_ibm_runtime.api.utils import default_runtime_url_resolver

from probes.base import Skipped
from probes.quantum.circuits.chain import best_chain
from probes.quantum.clouds.account import NoAccount
from probes.quantum.clouds.ibm_api import address
from probes.quantum.clouds.rest import Refused
from probes.quantum.provider import Price, Unpriced
from probes.quantum.providers import load
from probes.queued import Rejected
from storage.types import Quote

ROOT = Path(__file__).parents[4]
DEVICE = "ibm_kingston"
TAG = "qrossover-0123456789abcdef0123456789abcdef"
QUOTE = Quote(1.5, 4.0)
HEAVY = ("numpy", "qiskit", "qiskit_ibm_runtime", "requests", "scipy")


# --- names and accounts ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ibm_kingston", "ibm_fez", "ibm_aachen", "ibm_kingston-2"])
def test_names_of_ibm_are_taken_without_asking_anybody(name):
    load("ibm").check(name)


@pytest.mark.parametrize("name", ["kingston", "IBM_fez", "ibm_", "ibm_../jobs", "ibm_fez?x=1", ""])
def test_other_names_are_refused(name):
    with pytest.raises(ValueError, match="is no device of IBM Quantum; they are named like"):
        load("ibm").check(name)


def test_a_snapshots_name_is_told_its_provider():
    with pytest.raises(ValueError, match='A stored snapshot has provider = "snapshot"'):
        load("ibm").check("fake_kingston")


@pytest.mark.parametrize("lacking", ["QISKIT_IBM_TOKEN", "QISKIT_IBM_INSTANCE"])
def test_a_secret_that_lacks_is_named(lacking, ibm, monkeypatch):
    monkeypatch.delenv(lacking)
    with pytest.raises(NoAccount, match=f"IBM Quantum needs an account: set {lacking}"):
        ibm.devices()


def test_a_refused_key_is_told_with_ibms_words_and_is_not_shown(ibm, server, batch, monkeypatch):
    monkeypatch.setenv("QISKIT_IBM_TOKEN", "not-the-key")
    with pytest.raises(NoAccount, match=r"HTTP 400: Provided API key could not be found") as told:
        ibm.devices()
    assert "not-the-key" not in str(told.value)
    with pytest.raises(Rejected, match="QISKIT_IBM_TOKEN"):
        ibm.submit(DEVICE, batch, TAG, QUOTE)
    assert server.jobs == []


@pytest.mark.parametrize(
    ("instance", "url"),
    [
        (CRN, "https://quantum.cloud.ibm.com/api/v1"),
        (CRN.replace("us-east", "eu-de"), "https://eu-de.quantum.cloud.ibm.com/api/v1"),
    ],
)
def test_the_region_of_the_instance_says_where_it_is_served(instance, url):
    """As IBM's own client has it."""
    assert address(instance) == url
    assert default_runtime_url_resolver("https://cloud.ibm.com", instance) == url


@pytest.mark.parametrize("instance", ["my-instance", "crn:v1:bluemix", "crn:v1:a:b:c::d"])
def test_an_instance_that_is_no_crn_is_refused(instance):
    with pytest.raises(NoAccount, match="QISKIT_IBM_INSTANCE must be an instance's CRN"):
        address(instance)


def test_reading_and_polling_load_no_sdk(server):
    program = f"""
import json, sys
from probes.quantum.providers import load
from probes.quantum.clouds.rest import Unreached
ibm = load("ibm")
before = sorted(set(sys.modules) & {{"httpx", *{HEAVY!r}}})
ibm.devices(), ibm.calibration({DEVICE!r})
ibm.find({DEVICE!r}, {TAG!r}), ibm.status({DEVICE!r}, "x")
print(json.dumps([before, sorted(set(sys.modules) & set({HEAVY!r}))]))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, **server.environment()},
        capture_output=True,
        check=True,
    )
    assert json.loads(done.stdout) == [[], []]


# --- devices and calibrations ------------------------------------------------------------------


def test_devices_with_status_queue_and_wait(ibm, server):
    server.status["ibm_sherbrooke"] = ("paused", "maintenance")
    kingston, sherbrooke = ibm.devices()
    assert (kingston.name, kingston.qubits, kingston.queue) == ("ibm_kingston", 156, 17)
    assert (kingston.status, kingston.online, kingston.wait) == ("online", True, 420)
    assert (sherbrooke.status, sherbrooke.online) == ("paused: maintenance", False)
    assert ibm.device("ibm_sherbrooke") == sherbrooke
    with pytest.raises(ValueError, match="lists no device 'ibm_fez'; it lists ibm_kingston, ibm"):
        ibm.device("ibm_fez")


def test_a_request_carries_token_instance_and_version(ibm, server):
    ibm.devices()
    (asked,) = server.calls("GET", "/backends")
    assert asked.headers["authorization"].startswith("Bearer ")
    assert asked.headers["service-crn"] == CRN
    assert asked.headers["ibm-api-version"] == "2026-04-15"
    assert KEY not in str(asked)


def test_a_calibration_is_the_devices_own(ibm):
    found = ibm.calibration(DEVICE)
    assert (found.device, found.backend, found.origin) == (DEVICE, DEVICE, "vendor")
    assert (found.time, found.family) == ("2026-04-15T07:15:15+00:00", "Heron r2")
    assert len(found.qubits) == 156
    general = {entry["name"]: entry["value"] for entry in stored(DEVICE, "props")["general"]}
    assert found.published == {"clops_h": 340000.0, "lf_100": general["lf_100"]}
    assert ibm.calibration("ibm_sherbrooke").published["quantum_volume"] == 32


def test_dead_couplings_are_marked_and_kept_out_of_chains(ibm, running, monkeypatch):
    monkeypatch.setattr(running, "devices", ("ibm_torino", "ibm_kyoto"))
    torino, kyoto = ibm.calibration("ibm_torino"), ibm.calibration("ibm_kyoto")
    assert sum(gate.dead for gate in torino.couplings().values()) == 11  # both ways each
    assert not any(gate.live for gate in kyoto.couplings().values())
    assert best_chain(kyoto, 2) is None


def test_an_unknown_device_is_told_by_ibm(ibm):
    with pytest.raises(Refused, match=r"HTTP 404 .*: Backend ibm_atlantis not found"):
        ibm.calibration("ibm_atlantis")


def test_a_calibration_in_another_format_is_refused(ibm, server):
    server.fail(Fault(path=".*/properties", status=200, body='{"qubits": []}'))
    with pytest.raises(ValueError, match=r"calibration of ibm_kingston is not in .*backend_name"):
        ibm.calibration(DEVICE)


def test_a_list_of_devices_in_another_format_is_refused(ibm, server):
    server.fail(Fault(path="/backends", status=200, body='{"devices": [{"name": "ibm_x"}]}'))
    with pytest.raises(ValueError, match=r"list of devices is not in its documented .*'status'"):
        ibm.devices()


# --- the past ----------------------------------------------------------------------------------

NEWEST = datetime.fromisoformat("2026-04-15T09:15:15+02:00")


def at(**ago):
    """Properties as they were some time before the newest, in the local time of IBM's office."""
    moment = (NEWEST - timedelta(**ago)).isoformat()
    return {**stored(DEVICE, "props"), "last_update_date": moment}


def test_the_past_comes_oldest_first_and_once(ibm, server):
    ago = [{"hours": 3}, {"days": 1}, {"days": 2, "minutes": 5}, {"days": 9}, {"days": 40}]
    server.past[DEVICE] = [at(**each) for each in ago]
    until = NEWEST.timestamp() + 60
    found = ibm.history(DEVICE, until - 20 * 86400, until)
    back = [round((NEWEST.timestamp() - each.at) / 3600, 2) for each in found]
    assert back == [216.0, 48.08, 24.0, 0.0]  # the one of 3 hours ago is not its day's last
    assert {each.family for each in found} == {"Heron r2"}
    assert {tuple(each.published) for each in found} == {("lf_100",)}  # CLOPS is of today
    assert len(server.calls("GET", ".*/properties")) == len(found) + 1  # that of 40 days ago


def test_a_device_without_a_past_ends_the_walk(ibm, server):
    (only,) = ibm.history(DEVICE, 0, NEWEST.timestamp() + 1)
    assert only.at == NEWEST.timestamp()
    assert ibm.history(DEVICE, 0, NEWEST.timestamp() - 1) == []


def test_a_past_of_years_is_asked_for_in_parts(ibm, server):
    server.past[DEVICE] = [{**at(days=day), "gates": [], "qubits": []} for day in range(401)]
    with pytest.raises(ValueError, match="more than 400 days: ask for fewer"):
        ibm.history(DEVICE, 0, NEWEST.timestamp() + 1)
    assert len(server.calls("GET", ".*/properties")) == 400


def test_a_server_that_ignores_the_date_is_noticed(ibm, server):
    newest = json.dumps(stored(DEVICE, "props"))
    server.fail(Fault(path=".*/properties", status=200, body=newest))
    with pytest.raises(RuntimeError, match=r"before 2026-04-01.* and told 2026-04-15"):
        ibm.history(DEVICE, 0, datetime(2026, 4, 1, tzinfo=UTC).timestamp())


# --- prices ------------------------------------------------------------------------------------


def test_the_open_plan_costs_nothing_but_time(ibm, batch):
    quote = ibm.quote(DEVICE, batch, Price(qpu_second=1.6))
    assert quote.usd == 0
    assert quote.qpu_seconds == 5  # 2 × (2 s + 80 shots of 250 µs and some), rounded up


def test_a_paid_plan_costs_the_users_price(ibm, server, batch):
    server.plan = PAID
    quote = ibm.quote(DEVICE, batch, Price(qpu_second=1.6))
    assert quote.usd == pytest.approx(1.6 * quote.qpu_seconds)


@pytest.mark.parametrize(
    ("plan", "told"), [(PAID, r"'pay-as-you-go' \(paid\)"), (RETIRED, r"\(unknown\)")]
)
def test_without_a_price_nothing_is_guessed(plan, told, ibm, server, batch):
    server.plan = plan
    with pytest.raises(Unpriced, match=told + ".*set usd_per_qpu_second"):
        ibm.quote(DEVICE, batch, Price())


def test_a_catalogue_that_is_down_is_no_free_plan(ibm, server, batch):
    server.fail(Fault(path="/catalog/.*", status=503, body="down"))
    with pytest.raises(Refused, match="HTTP 503"):
        ibm.quote(DEVICE, batch, Price(qpu_second=1.6))


def test_an_instance_without_time_left_is_skipped(ibm, server, batch):
    server.usage.update(usage_consumed_seconds=600, usage_limit_reached=True)
    with pytest.raises(Skipped, match="has no QPU time left: 600 of 600 s are used"):
        ibm.quote(DEVICE, batch, Price())
