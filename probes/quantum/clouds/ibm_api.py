"""IBM Quantum's REST interface: one session with its token, and what its answers mean.

The key of QISKIT_IBM_TOKEN is exchanged for a token that lasts an hour; QISKIT_IBM_INSTANCE is the
CRN of the instance that everything is asked of, and its region says where. IAM_URL (which IBM's own
client reads too), QROSSOVER_IBM_URL and QROSSOVER_IBM_CATALOG_URL name other servers: a private
endpoint, a test's. Nothing is tried twice, and no redirect is followed.

https://quantum.cloud.ibm.com/docs/api/qiskit-runtime-rest (version 2026-04-15),
https://quantum.cloud.ibm.com/docs/guides/cloud-setup-rest-api
"""

import json
import os
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self

from probes.quantum.clouds.account import NoAccount, secret
from probes.quantum.clouds.rest import Refused, reaching, retry_after, trust
from probes.queued import TryLater

if TYPE_CHECKING:
    from httpx import Response

VERSION = "2026-04-15"
"""Of the interface: answers keep the form of this date."""

IAM = "https://iam.cloud.ibm.com"
CATALOG = "https://globalcatalog.cloud.ibm.com/api/v1"
CRN = re.compile(r"crn(:[^:]*){4}:(?P<region>[a-z0-9-]+):")
HOME = "us-east"
"""The region whose address carries no name."""

SECONDS = 60.0
"""Patience for each answer; circuits of a job are a megabyte or two."""

NO = (HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
"""Statuses by which IAM refuses a key."""

MOST_WORDS = 400


class Api:
    """A session with IBM Quantum, to be used as a context manager.

    Raises account.NoAccount for secrets that lack or are refused, TryLater for HTTP 429, Refused
    for every other status that is no success, ValueError for an answer that is no JSON, and
    rest.Unreached for a connection that fails.
    """

    def __init__(self) -> None:
        self._key = secret("QISKIT_IBM_TOKEN", "IBM Quantum")
        self._instance = secret("QISKIT_IBM_INSTANCE", "IBM Quantum")
        self._base = os.environ.get("QROSSOVER_IBM_URL") or address(self._instance)

    def __enter__(self) -> Self:
        import httpx

        self._client = httpx.Client(timeout=SECONDS, verify=trust())
        try:
            self._client.headers.update(self._signed_in())
        except BaseException:
            self._client.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, path: str, **query: str) -> dict[str, Any]:
        """The JSON object that `GET path` answers; {} where it answers null."""
        return _json(self.text(path, **query), path)

    def text(self, path: str, **query: str) -> str:
        """What `GET path` answers; "" where it has no content."""
        return _checked(self._ask("GET", self._base + path, params=query)).text

    def post(self, path: str, body: str = "") -> dict[str, Any]:
        """The JSON object that `POST path` answers to this JSON; {} where it has no content."""
        headers = {"Content-Type": "application/json"}
        sent = self._ask("POST", self._base + path, content=body.encode(), headers=headers)
        return _json(_checked(sent).text or "null", path)

    def plan(self, plan: str) -> dict[str, Any]:
        """The entry of a service plan in IBM Cloud's catalogue."""
        base = os.environ.get("QROSSOVER_IBM_CATALOG_URL") or CATALOG
        answer = _checked(self._ask("GET", f"{base}/{plan}"))
        return _json(answer.text, f"{base}/{plan}")

    def _ask(self, method: str, url: str, **more: Any) -> "Response":
        with reaching("IBM Cloud"):
            return self._client.request(method, url, **more)

    def _signed_in(self) -> Mapping[str, str]:
        grant = {"grant_type": "urn:ibm:params:oauth:grant-type:apikey", "apikey": self._key}
        base = os.environ.get("IAM_URL") or IAM
        answer = self._ask("POST", f"{base}/identity/token", data=grant)
        if answer.status_code in NO:
            raise NoAccount(
                f"IBM Cloud refuses the API key in QISKIT_IBM_TOKEN (HTTP {answer.status_code}: "
                f"{words(answer)}): make one at https://cloud.ibm.com/iam/apikeys"
            )
        token = _json(_checked(answer).text, "/identity/token").get("access_token")
        if not token:
            raise ValueError("IBM Cloud answered a request for a token without an access_token")
        return {
            "Authorization": f"Bearer {token}",
            "Service-CRN": self._instance,
            "IBM-API-Version": VERSION,
            "Accept": "application/json",
        }


def address(instance: str) -> str:
    """Where an instance is served, from the region that is the sixth part of its CRN."""
    found = CRN.match(instance)
    if not found:
        raise NoAccount(
            "QISKIT_IBM_INSTANCE must be an instance's CRN, which begins with 'crn:v1:': "
            "copy it from https://quantum.cloud.ibm.com/instances"
        )
    region = "" if found["region"] == HOME else f"{found['region']}."
    return f"https://{region}quantum.cloud.ibm.com/api/v1"


def _checked(answer: "Response") -> "Response":
    """The answer itself where it is a success."""
    if answer.is_success:
        return answer
    asked = f"{answer.request.method} {answer.request.url.path}"
    told = f"IBM answered HTTP {answer.status_code} to {asked}: {words(answer)}"
    if answer.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        raise TryLater(told, retry_after(answer.headers))
    raise Refused(answer.status_code, told)


def words(answer: "Response") -> str:
    """What an error answer says: IBM Quantum's list of errors, IAM's message, or its text."""
    try:
        said = answer.json()
    except ValueError:
        said = None
    found = answer.text
    if isinstance(said, dict):
        errors = said.get("errors") or [said]
        listed = [error for error in errors if isinstance(error, dict)]
        texts = [error.get("message") or error.get("errorMessage") for error in listed]
        found = "; ".join(str(text) for text in texts if text) or found
    return " ".join(found.split())[:MOST_WORDS] or "(no words)"


def _json(text: str, path: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ValueError(
            f"IBM answered {path} with what is no JSON: {text[:MOST_WORDS]!r}"
        ) from error
    if not isinstance(found, dict | None):
        raise ValueError(f"IBM answered {path} with no JSON object: {text[:MOST_WORDS]!r}")
    return found or {}
