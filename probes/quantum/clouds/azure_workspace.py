"""An Azure Quantum workspace: its targets, jobs and blobs, by Microsoft's own client.

Every request is sent once: the client's retries and redirects are off. A job's input and output lie
in a blob container of its own, `job-ID`, as azure-quantum lays them
(https://github.com/microsoft/azure-quantum-python, azure/quantum/job/base_job.py, 3.13).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self, cast
from urllib.parse import urlsplit

from probes.quantum.clouds.account import NoAccount, secret
from probes.quantum.clouds.rest import PATIENCE, Refused, retry_after
from probes.quantum.provider import NoLibrary
from probes.queued import TryLater

if TYPE_CHECKING:
    from azure.core.exceptions import HttpResponseError
    from azure.quantum._client.models import JobDetails, ProviderStatus

CONNECTION = "AZURE_QUANTUM_CONNECTION_STRING"
PARTS = ("SubscriptionId", "ResourceGroupName", "WorkspaceName", "ApiKey", "QuantumEndpoint")
NEEDED = "Azure Quantum needs its library: pip install 'qrossover[azure]'"
INPUT = "inputData"
NO_CONTENT = 204
NOT_FOUND = 404
CONFLICT = 409
TOO_MANY = 429


class Workspace:
    """The workspace that AZURE_QUANTUM_CONNECTION_STRING names.

    Raises NoAccount where that lacks, NoLibrary where azure-quantum does. Every method raises
    TryLater for HTTP 429 and Refused for any other status that is no success.
    """

    def __init__(self) -> None:
        parts = connection(secret(CONNECTION, "Azure Quantum"))
        try:
            from azure.core.credentials import AzureKeyCredential
            from azure.quantum._client import WorkspaceClient
        except ImportError as error:
            raise NoLibrary(NEEDED) from error
        self._place = parts["SubscriptionId"], parts["ResourceGroupName"], parts["WorkspaceName"]
        self._client = WorkspaceClient(
            endpoint=parts["QuantumEndpoint"].rstrip("/"),
            credential=AzureKeyCredential(parts["ApiKey"]),
            **_once(),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def providers(self) -> "list[ProviderStatus]":
        """The providers of the workspace with their targets."""
        with told():
            return list(self._client.services.providers.list(*self._place))

    def job(self, job: str) -> "JobDetails | None":
        """A job; None where the workspace has none of that id."""
        try:
            with told():
                return self._client.services.jobs.get(*self._place, job)
        except Refused as refused:
            if refused.status == NOT_FOUND:
                return None
            raise

    def create(self, job: str, **details: Any) -> None:
        """Create a job of that id. Where there is one already, it stays as it is."""
        from azure.quantum._client.models import JobDetails

        try:
            with told():
                self._client.services.jobs.create(*self._place, job, JobDetails(**details))
        except Refused as refused:
            if refused.status != CONFLICT:
                raise

    def cancel(self, job: str) -> None:
        """Ask for a job's end. The service answers 204 where its document says 200."""
        try:
            with told():
                self._client.services.jobs.cancel(*self._place, job)
        except Refused as refused:
            if refused.status != NO_CONTENT:
                raise

    def container(self, job: str) -> str:
        """Address, with permission to write, of a job's container, which is made if need be."""
        return self._sas(container_name=f"job-{job}")

    def upload(self, container: str, content: bytes) -> str:
        """Lay a job's input into its container; its address, without permissions."""
        from azure.storage.blob import ContainerClient, ContentSettings

        with ContainerClient.from_container_url(container, **_once()) as client, told():
            blob = client.get_blob_client(INPUT)
            kind = ContentSettings(content_type="application/json")
            blob.upload_blob(content, overwrite=True, content_settings=kind)
            return str(blob.url).partition("?")[0]

    def download(self, address: str) -> bytes:
        """The content of a blob of a job, by its address with or without permissions."""
        from azure.storage.blob import BlobClient

        with BlobClient.from_blob_url(address) as bare:
            permitted = self._sas(container_name=bare.container_name, blob_name=bare.blob_name)
        with BlobClient.from_blob_url(permitted, **_once()) as blob, told():
            return bytes(blob.download_blob().readall())

    def _sas(self, **blob: Any) -> str:
        from azure.quantum._client.models import BlobDetails

        with told():
            storage = self._client.services.storage
            return str(storage.get_sas_uri(*self._place, BlobDetails(**blob)).sas_uri)


def connection(text: str) -> dict[str, str]:
    """The parts of a connection string, as the portal gives it under Operations > Access keys.

    Raises NoAccount, naming what lacks and never what is there.
    """
    pairs = (part.partition("=") for part in text.split(";"))
    parts = {name.strip(): value.strip() for name, _, value in pairs}
    lacking = [name for name in PARTS if not parts.get(name)]
    if lacking:
        raise NoAccount(f"{CONNECTION} lacks {', '.join(lacking)}: copy it from the portal again")
    if not urlsplit(parts["QuantumEndpoint"]).netloc:
        raise NoAccount(f"the QuantumEndpoint in {CONNECTION} is no address: copy it again")
    return parts


def word(given: Any) -> str:
    """A word of Azure's: Microsoft's client makes those it knows members of an enumeration."""
    return str(getattr(given, "value", given))


@contextmanager
def told() -> Iterator[None]:
    """Errors of Microsoft's client as TryLater and Refused, where there was an answer at all."""
    from azure.core.exceptions import HttpResponseError

    try:
        yield
    except HttpResponseError as error:
        status, response = error.status_code or 0, cast("Any", error.response)
        if status == TOO_MANY:
            seconds = retry_after(response.headers)
            raise TryLater("Azure asks for patience (HTTP 429)", seconds) from error
        raise Refused(status, f"Azure answers with HTTP {status}: {_words(error)}") from error


def _words(error: "HttpResponseError") -> str:
    told_by = error.error.message if error.error else error.reason
    hint = f"; is {CONNECTION} right?" if error.status_code in (401, 403) else ""
    return f"{' '.join(str(told_by or 'without a word').split())}{hint}"


def _once() -> dict[str, Any]:
    """Settings of Microsoft's clients: no second try, no redirect, bounded patience."""
    return {
        "retry_total": 0,
        "permit_redirects": False,
        "connection_timeout": PATIENCE,
        "read_timeout": PATIENCE,
    }
