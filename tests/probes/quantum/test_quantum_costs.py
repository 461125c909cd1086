"""What a canary costs as it comes: small enough to run each day."""

from pathlib import Path

import pytest
from clouds import CLOUDS

from probes.base import kinds
from probes.quantum.canary import Canary

CANARIES = {kind: probe for kind, probe in kinds().items() if issubclass(probe, Canary)}
BY_NAME = {cloud.provider: cloud for cloud in CLOUDS}


def quote(provider: str, kind: str, device: str, folder: Path, monkeypatch: pytest.MonkeyPatch):
    """The quote of a canary with default settings at a provider's server."""
    cloud = BY_NAME[provider]
    for library in cloud.libraries:
        pytest.importorskip(library, reason=f"needs qrossover[{provider}]")
    with cloud.serve(folder) as there:
        for name, value in there.environment.items():
            monkeypatch.setenv(name, value)
        return CANARIES[kind](provider=provider, device=device).prepare().quote


@pytest.mark.parametrize("kind", CANARIES)
def test_a_run_on_braket_costs_less_than_three_dollars(kind, tmp_path, monkeypatch):
    asked = quote("braket", kind, "iqm/garnet", tmp_path, monkeypatch)
    assert 0.3 < asked.usd < 3.0


@pytest.mark.parametrize("kind", CANARIES)
def test_a_run_on_ibm_takes_less_than_twenty_qpu_seconds(kind, tmp_path, monkeypatch):
    asked = quote("ibm", kind, "ibm_kingston", tmp_path, monkeypatch)
    assert 0 < asked.qpu_seconds < 20
    assert asked.usd == 0.0  # the server's instance is on the open plan
