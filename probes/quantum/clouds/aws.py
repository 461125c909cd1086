"""Amazon's clouds by its own library: devices' names, clients that send once, and their errors."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from probes.quantum.clouds.account import NoAccount
from probes.quantum.clouds.rest import CERTAIN, PATIENCE, Refused, Unreached, retry_after
from probes.quantum.provider import NoLibrary, require
from probes.queued import TryLater

if TYPE_CHECKING:
    import boto3
    from botocore.exceptions import ClientError

KNOWN = {
    "amazon/dm1": "arn:aws:braket:::device/quantum-simulator/amazon/dm1",
    "amazon/sv1": "arn:aws:braket:::device/quantum-simulator/amazon/sv1",
    "amazon/tn1": "arn:aws:braket:::device/quantum-simulator/amazon/tn1",
    "ionq/forte-1": "arn:aws:braket:us-east-1::device/qpu/ionq/Forte-1",
    "ionq/forte-enterprise-1": "arn:aws:braket:us-east-1::device/qpu/ionq/Forte-Enterprise-1",
    "iqm/emerald": "arn:aws:braket:eu-north-1::device/qpu/iqm/Emerald",
    "iqm/garnet": "arn:aws:braket:eu-north-1::device/qpu/iqm/Garnet",
    "rigetti/ankaa-3": "arn:aws:braket:us-west-1::device/qpu/rigetti/Ankaa-3",
    "rigetti/cepheus-1-108q": "arn:aws:braket:us-west-1::device/qpu/rigetti/Cepheus-1-108Q",
}
"""Short names, without regard to case. Any other device goes by its ARN. As listed in May 2026 on
https://docs.aws.amazon.com/braket/latest/developerguide/braket-devices.html"""

ARN = re.compile(
    r"arn:aws:braket:(?P<region>[a-z0-9-]*)::device/"
    r"(?P<kind>qpu|quantum-simulator)/(?P<owner>iqm|ionq|rigetti|amazon)/(?P<name>[A-Za-z0-9-]+)"
)

REGIONS = ("us-east-1", "us-west-1", "us-west-2", "eu-west-2", "eu-north-1")
"""Where Braket has devices (braket.aws.AwsDevice.REGIONS)."""

REFUSALS = CERTAIN | {410, 424}
"""States by which CreateQuantumTask says no: also to retired and to offline devices.
https://docs.aws.amazon.com/braket/latest/APIReference/API_CreateQuantumTask.html"""

TOO_MANY = 429

NEEDED = "Amazon Braket needs boto3: pip install 'qrossover[braket]'"
ACCOUNT = (
    "Amazon Braket needs an account: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
    "AWS_PROFILE, or give the machine a role"
)
GIVEN = (
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
FILES = {
    "AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials",
    "AWS_CONFIG_FILE": "~/.aws/config",
}
"""Where boto3 finds credentials:
https://docs.aws.amazon.com/boto3/latest/guide/credentials.html"""


def arn_of(device: str) -> str:
    """The ARN of a device by its short name or its ARN. Raises ValueError for another word."""
    arn = KNOWN.get(device.lower(), device)
    if not ARN.fullmatch(arn):
        raise ValueError(
            f"no device {device!r} is known on Amazon Braket; known are {', '.join(KNOWN)}, "
            "and the ARN of any other of IQM, IonQ, Rigetti and Amazon"
        )
    return arn


def name_of(arn: str) -> str:
    """The short name of a device where it has one, else its ARN."""
    return next((name for name, known in KNOWN.items() if known == arn), arn)


def part(arn: str, name: str) -> str:
    """The region, kind, owner or name in a device's ARN."""
    found = ARN.fullmatch(arn)
    return found[name] if found else ""


def ready() -> None:
    """Raise NoLibrary without boto3, NoAccount where neither the environment nor a file of AWS's
    has credentials. A machine's role is asked for over the network: it is not looked for here."""
    require("boto3", NEEDED)
    files = (os.environ.get(name, usual) for name, usual in FILES.items())
    if not any(map(os.environ.get, GIVEN)) and not any(
        Path(file).expanduser().exists() for file in files
    ):
        raise NoAccount(ACCOUNT)


def session(region: str) -> "boto3.Session":
    """AWS's usual credentials in a region. Raises NoLibrary, and NoAccount where there are none."""
    try:
        import boto3
    except ImportError as error:
        raise NoLibrary(NEEDED) from error
    found = boto3.Session(region_name=region or None)
    if found.get_credentials() is None:
        raise NoAccount(ACCOUNT)
    return found if found.region_name else boto3.Session(region_name=REGIONS[0])


def client(service: str, region: str) -> Any:
    """A client of an AWS service that sends every request once.

    BRAKET_ENDPOINT is Braket's address for tests, as in its own library; AWS_ENDPOINT_URL_S3 and
    AWS_ENDPOINT_URL_STS are those of the two others.
    """
    opened = session(region)
    from botocore.config import Config

    return opened.client(
        service,
        endpoint_url=os.environ.get("BRAKET_ENDPOINT") if service == "braket" else None,
        config=Config(
            retries={"total_max_attempts": 1}, connect_timeout=PATIENCE, read_timeout=PATIENCE
        ),
    )


def ask(call: Callable[..., Any], **parameters: Any) -> Any:
    """One request. Raises TryLater for HTTP 429, Refused for another answer that says no, and
    Unreached where none comes."""
    from botocore import exceptions

    try:
        return call(**parameters)
    except exceptions.ClientError as error:
        raise _told(error) from error
    except (exceptions.ConnectionError, exceptions.HTTPClientError) as error:
        # their texts repeat the whole address of the request
        where = urlsplit(error.kwargs.get("endpoint_url", "")).netloc
        why = f"at {where}: {type(error).__name__}" if where else f"({error})"
        raise Unreached(f"AWS does not answer {why}") from error


def _told(error: "ClientError") -> Exception:
    """An answer that says no, in AWS's words."""
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    text = f"AWS answers {error.operation_name} with HTTP {status}: " + ": ".join(
        filter(None, (error.response["Error"].get(key) for key in ("Code", "Message")))
    )
    if status == TOO_MANY:
        headers = error.response["ResponseMetadata"].get("HTTPHeaders", {})
        return TryLater(text, retry_after({"Retry-After": headers.get("retry-after", "")}))
    failures = error.response.get("programSetValidationFailures")
    return Refused(status, f"{text}; first of its circuits: {failures[0]}" if failures else text)
