"""Every provider: what it can be asked, and what it says that this machine lacks."""

import subprocess
import sys
from pathlib import Path

import pytest

from probes.quantum.clouds.account import NoAccount
from probes.quantum.provider import NoLibrary, Provider, require
from probes.quantum.providers import known, load

EVERY = pytest.mark.parametrize("name", known())
ABILITIES = {
    "devices": "devices",
    "calibration": "calibration",
    "history": "history",
    "quote": "quote",
    "submit": "submit",
    "find": "find",
    "cancel": "cancel",
    "cost": "cost",
}
"""Abilities by the method that has them; a queue is told of a device."""


@EVERY
def test_it_has_what_it_says_that_it_supports(name: str) -> None:
    provider = load(name)
    for ability, method in ABILITIES.items():
        own = getattr(type(provider), method) is not getattr(Provider, method)
        assert own == (ability in provider.supports), ability


@EVERY
def test_a_cloud_without_account_says_what_to_do_and_asks_nobody(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in (
        *("IONQ_API_KEY", "QISKIT_IBM_TOKEN", "AZURE_QUANTUM_CONNECTION_STRING"),
        *("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_CONFIG_FILE", "QCS_SECRETS_FILE_PATH"),
    ):
        monkeypatch.delenv(variable, raising=False)
    provider = load(name)
    if not provider.queued:
        if name != "snapshot":
            pytest.importorskip(name, reason=f"needs qrossover[{name}]")
        provider.ready()
        return
    with pytest.raises((NoAccount, NoLibrary), match=r"set |pip install|auth/token"):
        provider.ready()


def test_an_account_at_braket_is_not_one_at_qcs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("qcs_api_client_common", reason="QCS needs qrossover[rigetti]")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("QCS_SECRETS_FILE_PATH", raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "A")
    load("braket").ready()
    with pytest.raises(NoAccount, match="QCS needs an account"):
        load("rigetti").ready()
    (tmp_path / ".qcs").mkdir()
    (tmp_path / ".qcs" / "secrets.toml").touch()
    load("rigetti").ready()


def test_a_library_that_lacks_is_told_without_importing_it() -> None:
    with pytest.raises(NoLibrary, match="pip install it"):
        require("no_such_package.part", "it needs a package: pip install it")


def test_asking_what_lacks_imports_no_sdk() -> None:
    program = (
        "import sys; from probes.listing import Listing; Listing().run();"
        "print(*[name for name in ('boto3', 'braket', 'azure.quantum', 'cirq', 'pennylane',"
        " 'qiskit', 'qiskit_ibm_runtime', 'qcs_api_client_common', 'numpy')"
        " if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
