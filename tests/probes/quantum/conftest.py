"""Real children of `python -m probes`, the files that the snapshots are read from, and clouds on
loopback."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from azure_server import AzureServer
from braket_data import GARNET, capabilities, device
from braket_server import BraketServer
from ionq_server import KEY as IONQ_KEY
from ionq_server import IonQServer

from probes.quantum.provider import Provider
from probes.quantum.providers import load

ROOT = Path(__file__).parents[3]

Document = dict[str, Any]
RunProbe = Callable[[str, Document], Document]
Properties = Callable[..., Document]


@pytest.fixture
def run_probe() -> RunProbe:
    """One run as the service starts it: settings on stdin, the result on a pipe of its own."""

    def run(kind: str, settings: Document) -> Document:
        reader, writer = os.pipe()
        order = json.dumps({"kind": kind, "settings": settings}).encode()
        child = subprocess.Popen(
            [sys.executable, "-m", "probes", "--result", str(writer), "--parent", str(os.getpid())],
            stdin=subprocess.PIPE,
            pass_fds=[writer],
            cwd=ROOT,
        )
        os.close(writer)
        assert child.stdin is not None
        with child.stdin as pipe:
            pipe.write(order)
        with os.fdopen(reader, encoding="utf-8") as result:
            text = result.read()
        assert child.wait() == 0
        return json.loads(text)

    return run


@pytest.fixture(scope="session")
def properties() -> Properties:
    """The raw JSON of a snapshot, found and read without the code under test."""
    spec = find_spec("qiskit_ibm_runtime")
    assert spec is not None
    assert spec.origin is not None
    backends = Path(spec.origin).parent / "fake_provider" / "backends"

    def read(device: str, part: str = "props") -> Document:
        name = device.removeprefix("fake_")
        return json.loads((backends / name / f"{part}_{name}.json").read_text(encoding="utf-8"))

    return read


@pytest.fixture(scope="session")
def ionq_cloud() -> Iterator[IonQServer]:
    with IonQServer() as running:
        yield running


@pytest.fixture(scope="session")
def azure_cloud() -> Iterator[AzureServer]:
    with AzureServer() as running:
        yield running


@pytest.fixture
def at_ionq(ionq_cloud: IonQServer, monkeypatch: pytest.MonkeyPatch) -> IonQServer:
    """IonQ as new, and the account that it knows."""
    ionq_cloud.renew()
    monkeypatch.setenv("IONQ_API_URL", ionq_cloud.url)
    monkeypatch.setenv("IONQ_API_KEY", IONQ_KEY)
    return ionq_cloud


@pytest.fixture
def at_azure(
    azure_cloud: AzureServer, at_ionq: IonQServer, monkeypatch: pytest.MonkeyPatch
) -> AzureServer:
    """An Azure workspace as new, the connection string to it, and IonQ for its calibrations."""
    azure_cloud.renew()
    monkeypatch.setenv("AZURE_QUANTUM_CONNECTION_STRING", azure_cloud.connection)
    return azure_cloud


@pytest.fixture(scope="session")
def one_braket_server() -> Iterator[BraketServer]:
    """One server for all tests: use `braket_server`."""
    with BraketServer() as server:
        yield server


@pytest.fixture
def braket_server(one_braket_server: BraketServer, monkeypatch: pytest.MonkeyPatch) -> BraketServer:
    """A Braket that has IQM's Garnet; Amazon's library finds it alone."""
    one_braket_server.renew()
    one_braket_server.devices[GARNET] = device(GARNET, capabilities("iqm-garnet"))
    for name, value in one_braket_server.environment().items():
        monkeypatch.setenv(name, value)
    return one_braket_server


@pytest.fixture
def braket(braket_server: BraketServer) -> Provider:
    """The provider that meets this server."""
    return load("braket")
