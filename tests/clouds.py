"""Every provider with a queue, and the server on loopback that stands for its cloud in tests."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from azure_server import AzureServer
from braket_data import CEPHEUS, GARNET, capabilities, device
from braket_server import OPERATIONS, BraketServer
from ibm_server import IbmServer, submission
from ionq_server import KEY as IONQ_KEY
from ionq_server import IonQServer
from loopback import Fault
from qcs_account import account


@dataclass(frozen=True)
class Running:
    """A server that runs, and the variables by which a child finds it."""

    server: Any
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Cloud:
    """How a provider is tested: its libraries, its server, and the settings of a probe there.

    `slow(server, before, after)` delays the next submissions by so many seconds before and after
    the job is created; `created(server, tag)` is how many jobs carry a tag, and `expected` how many
    one batch of two circuits is there.
    """

    provider: str
    libraries: tuple[str, ...]
    serve: Callable[[Path], AbstractContextManager[Running]]
    settings: str
    slow: Callable[[Any, float, float], None]
    created: Callable[[Any, str], int]
    expected: int = 1


@contextlib.contextmanager
def _ibm(_: Path) -> Iterator[Running]:
    with IbmServer() as server:
        yield Running(server, server.environment())


@contextlib.contextmanager
def _ionq(_: Path) -> Iterator[Running]:
    with IonQServer() as server:
        yield Running(server, {"IONQ_API_URL": server.url, "IONQ_API_KEY": IONQ_KEY})


@contextlib.contextmanager
def _azure(folder: Path) -> Iterator[Running]:
    with _ionq(folder) as ionq, AzureServer() as server:
        account_there = {"AZURE_QUANTUM_CONNECTION_STRING": server.connection}
        yield Running(server, {**ionq.environment, **account_there})


@contextlib.contextmanager
def _braket(_: Path) -> Iterator[Running]:
    with BraketServer() as server:
        server.devices[GARNET] = device(GARNET, capabilities("iqm-garnet"))
        yield Running(server, server.environment())


@contextlib.contextmanager
def _rigetti(folder: Path) -> Iterator[Running]:
    with BraketServer() as server:
        content = capabilities("rigetti-cepheus")
        server.devices[CEPHEUS] = device(CEPHEUS, content)
        server.processors["Cepheus-1-108Q"] = content["provider"]["specs"]
        yield Running(server, {**server.environment(), **account(folder, server.url)})


def _at(method: str, path: str) -> Callable[[Any, float, float], None]:
    def slow(server: Any, before: float, after: float) -> None:
        server.fail(*[Fault(method, path, before=before, after=after)] * 4)

    return slow


def _at_ibm(server: Any, before: float, after: float) -> None:
    server.fail(*[submission(before=before, after=after)] * 4)


def _tasks(server: Any, tag: str) -> int:
    return sum(task.tag == tag for task in server.tasks.values())


CLOUDS = (
    Cloud(
        "ibm",
        ("httpx", "qiskit_ibm_runtime"),
        _ibm,
        'provider = "ibm"\ndevice = "ibm_kingston"',
        _at_ibm,
        lambda server, tag: len(server.with_tag(tag)),
    ),
    Cloud(
        "ionq",
        ("httpx",),
        _ionq,
        'provider = "ionq"\ndevice = "qpu.forte-1"',
        _at("POST", "/jobs"),
        lambda server, tag: len(server.tagged(tag)),
    ),
    Cloud(
        "azure",
        ("httpx", "azure.quantum"),
        _azure,
        'provider = "azure"\ndevice = "ionq.qpu.forte-1"\nusd_per_task = 1.0',
        _at("PUT", ".*/jobs/[0-9a-f-]*"),
        lambda server, tag: len(server.tagged(tag)),
        expected=2,
    ),
    Cloud(
        "braket",
        ("boto3",),
        _braket,
        'provider = "braket"\ndevice = "iqm/garnet"',
        _at(*OPERATIONS["CreateQuantumTask"]),
        _tasks,
    ),
    Cloud(
        "rigetti",
        ("boto3", "qcs_api_client_common"),
        _rigetti,
        'provider = "rigetti"\ndevice = "cepheus-1-108q"',
        _at(*OPERATIONS["CreateQuantumTask"]),
        _tasks,
    ),
)
