"""Rigetti's processors: calibrated by what Rigetti's own cloud (QCS) says, run on Amazon Braket.

QCS sells reservations of whole machines; Braket sells single tasks, which is what a canary is. So
the figures come from the source, with a time for each of them, and the work goes the other way.

Accounts: QCS's own files (~/.qcs/settings.toml and secrets.toml, or QCS_SETTINGS_FILE_PATH and
QCS_SECRETS_FILE_PATH), read and refreshed by Rigetti's library, and AWS's for Braket.
QCS_SETTINGS_APPLICATIONS_API_URL is QCS's address, if not https://api.qcs.rigetti.com.
https://docs.rigetti.com/qcs/references/qcs-client-configuration
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from probes.quantum.batch import Batch
from probes.quantum.clouds import qcs_format
from probes.quantum.clouds.account import NoAccount
from probes.quantum.clouds.aws import KNOWN, arn_of, part
from probes.quantum.clouds.rest import client, document, reaching
from probes.quantum.device import Calibration
from probes.quantum.provider import (
    Ability,
    Cost,
    Counts,
    Device,
    NoLibrary,
    Price,
    Provider,
    Status,
    require,
)
from probes.quantum.providers.braket import Braket
from storage.types import Quote

OWNER = "rigetti/"
NEEDED = "QCS needs pyquil: pip install 'qrossover[rigetti]'"
WHERE = "its files are at https://qcs.rigetti.com/auth/token"


class Rigetti(Provider):
    """Rigetti by QCS and Braket. A device is a processor's name, such as `cepheus-1-108q`."""

    supports: ClassVar[frozenset[Ability]] = Braket.supports

    def ready(self) -> None:
        """Raise NoLibrary and NoAccount as Braket does, and where QCS lacks its own."""
        Braket().ready()
        require("qcs_api_client_common", NEEDED)
        file = os.environ.get("QCS_SECRETS_FILE_PATH", "~/.qcs/secrets.toml")
        if not Path(file).expanduser().exists():
            raise NoAccount(f"QCS needs an account: {file} is not there; {WHERE}")

    def check(self, device: str) -> None:
        """Raise ValueError for a name of no known processor."""
        _arn(device)

    def devices(self) -> Sequence[Device]:
        """Rigetti's processors on Braket."""
        found = [one for one in Braket().devices() if part(arn_of(one.name), "owner") == "rigetti"]
        return [replace(one, name=one.name.removeprefix(OWNER)) for one in found]

    def device(self, device: str) -> Device:
        """One of them, as Braket offers it: that is where it runs."""
        return replace(Braket().device(_arn(device)), name=device)

    def calibration(self, device: str) -> Calibration:
        """The processor's instruction set architecture, with what was measured of it."""
        isa = _isa(part(_arn(device), "name"))
        try:
            return qcs_format.calibration(device, isa)
        except (KeyError, TypeError) as error:
            raise ValueError(
                f"QCS's architecture of {device} is not of its schema "
                f"({type(error).__name__}: {error})"
            ) from error

    def quote(self, device: str, batch: Batch, price: Price) -> Quote:
        """What Braket takes."""
        return Braket().quote(_arn(device), batch, price)

    def submit(self, device: str, batch: Batch, tag: str, quote: Quote) -> str:
        """One task on Braket."""
        return Braket().submit(_arn(device), batch, tag, quote)

    def find(self, device: str, tag: str) -> str | None:
        """The task on Braket with this tag."""
        return Braket().find(_arn(device), tag)

    def status(self, device: str, job: str) -> Status:
        """How the task stands."""
        return Braket().status(_arn(device), job)

    def result(self, device: str, job: str, batch: Batch) -> list[Counts]:
        """Counts of the task's circuits. Raises Unreadable."""
        return Braket().result(_arn(device), job, batch)

    def cancel(self, device: str, job: str) -> None:
        """Ask for the task's end."""
        Braket().cancel(_arn(device), job)

    def cost(self, device: str, job: str, batch: Batch, quote: Quote) -> Cost:
        """What a completed task costs, as quoted."""
        return Braket().cost(_arn(device), job, batch, quote)


def _arn(device: str) -> str:
    """The ARN on Braket of a processor by its name, or itself."""
    arn = KNOWN.get(f"{OWNER}{device.lower()}", device)
    if part(arn, "owner") != "rigetti":
        known = ", ".join(name.removeprefix(OWNER) for name in KNOWN if name.startswith(OWNER))
        raise ValueError(
            f"no processor {device!r} of Rigetti is known; known are {known}, and the ARN of any "
            "other on Amazon Braket"
        )
    return arn


def _isa(processor: str) -> Any:
    """What QCS says of a processor."""
    url, token = _account()
    with reaching("QCS"), client(url, {"Authorization": f"Bearer {token}"}) as qcs:
        answer = qcs.get(f"/v1/quantumProcessors/{processor}/instructionSetArchitecture")
    return document(answer, "QCS", "QCS_SECRETS_FILE_PATH")


def _account() -> tuple[str, str]:
    """QCS's address and a token for it, refreshed where it is old. Raises NoLibrary, and NoAccount
    where there is none. The library's own httpx.Auth sends the token's redacted form (0.27)."""
    try:
        from qcs_api_client_common import configuration
    except ImportError as error:
        raise NoLibrary(NEEDED) from error
    try:
        account = configuration.ClientConfiguration.load_default()
        return account.api_url, account.get_bearer_access_token().secret
    except (configuration.LoadError, configuration.TokenError) as error:
        raise NoAccount(f"QCS needs an account: {error}; {WHERE}") from error
