"""IBM Quantum on loopback, as new for every test."""

import pytest
from ibm_server import IbmServer


@pytest.fixture(scope="module")
def running():
    with IbmServer() as server:
        yield server


@pytest.fixture
def server(running, monkeypatch):
    running.forget()
    for name, value in running.environment().items():
        monkeypatch.setenv(name, value)
    return running
