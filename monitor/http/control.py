"""The control socket: how the command line asks a running service to do what only it may do.

A Unix socket beside the database, readable by its owner alone. The requests: run probes now, store
what others have published, acknowledge or snooze a trigger, cancel a job, load the config file now,
and say how you are.
"""

import http.client
import json
import os
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, get_args

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from monitor.http.body import Misused, document
from monitor.problems import ConfigError
from monitor.refusal import Refused
from monitor.reload.loaded import Edit, Loaded
from storage.configs import How

CONNECT_SECONDS = 5.0
"""How long a service may take to be there; its answer takes as long as its probes do."""
HEALTH_SECONDS = 2.0
"""How long a service may take to say how it is: it needs no work for that."""
UNUSABLE = 422
"""The status where the config file cannot be used."""
STOPPING = 503
"""The status where the service is about to end."""
LONGEST_PATH = 100
"""Bytes of a Unix socket's address that every kernel takes (unix(7): 108 on Linux)."""


class NotListening(Exception):
    """Nobody listens on the control socket: a single pass has none, a service that starts has
    none yet, one that stops takes no request any more."""


class Stopping(Refused):
    """The service is about to end: nothing new comes into force in it."""


def make_control(
    *,
    run_probes: Callable[[Sequence[str]], Awaitable[list[int]]],
    backfill: Callable[[str, Mapping[str, Any]], Awaitable[dict[str, Any]]],
    attend: Callable[[dict[str, Any]], Awaitable[dict[str, Any]]],
    cancel: Callable[[int, str], Awaitable[None]],
    load: Callable[[Edit], Awaitable[Loaded]],
    faults: Callable[[], list[str]],
    running: Callable[[], Mapping[str, float]] = dict,
) -> Starlette:
    """The application of the control socket.

    `run_probes` runs the named probes now and returns the ids of their runs; `backfill` stores what
    is missing of a source of the past, by its name and settings, and returns what it found;
    `attend` does what somebody says about a trigger and returns how that stands; `cancel` has a
    job's end asked for, for somebody. These raise Refused. `load` loads the config file; it raises
    ConfigError. `faults` says what is wrong with the service, `running` since when which probes
    run.
    """

    async def once(request: Request) -> Response:
        said = await document(request, probes=(list,))
        return JSONResponse({"runs": await run_probes(said.get("probes", ()))})

    async def past(request: Request) -> Response:
        words = dict.fromkeys(("source", "provider", "device", "place"), (str,))
        said = await document(request, **words, since=(float,), until=(float,))
        return JSONResponse(await backfill(said.pop("source", "snapshots"), said))

    async def unwanted(request: Request) -> Response:
        said = await document(request, id=(float,), by=(str,))
        if not float(number := said.get("id", 0.0)).is_integer():
            raise Misused("id: expected a whole number")
        await cancel(int(number), said.get("by", ""))
        return JSONResponse({})

    async def reload(request: Request) -> Response:
        said = await document(request, by=(str,), how=(str,), note=(str,))
        if said.get("how", "edit") not in get_args(How):
            raise Misused(f"how: expected {', '.join(get_args(How))}, got {said['how']!r}")
        loaded = asdict(await load(Edit(**said)))
        return JSONResponse({key: loaded[key] for key in ("changes", "warnings", "sha256")})

    async def health(_: Request) -> Response:
        return JSONResponse({"faults": faults(), "running": dict(running())})

    async def trigger(request: Request) -> Response:
        words = dict.fromkeys(("verb", "trigger", "by", "note"), (str,))
        maybe = {"target": (str, type(None)), "until": (float, type(None))}
        said = await document(request, **words, **maybe)
        return JSONResponse(await attend(said))

    return Starlette(
        routes=[
            Route("/once", once, methods=["POST"]),
            Route("/backfill", past, methods=["POST"]),
            Route("/trigger", trigger, methods=["POST"]),
            Route("/jobs/cancel", unwanted, methods=["POST"]),
            Route("/reload", reload, methods=["POST"]),
            Route("/health", health),
        ],
        exception_handlers={
            Misused: _answer(400),
            Stopping: _answer(STOPPING),
            Refused: _answer(404),
            ConfigError: _unusable,
        },
    )


def _answer(status: int) -> Callable[[Request, Exception], Response]:
    return lambda _, error: JSONResponse({"error": str(error)}, status)


def _unusable(_: Request, error: Exception) -> Response:
    lines = error.lines if isinstance(error, ConfigError) else ()
    return JSONResponse({"error": str(error), "faults": lines}, UNUSABLE)


def path_for(database: Path) -> Path:
    """Where the control socket of a database lies."""
    return database.with_name(f"{database.name}.sock")


def unix_socket(database: Path) -> socket.socket:
    """The listening control socket. The caller holds the lock, so an old file is a leftover."""
    path = path_for(database)
    path.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        with _Reachable(path) as address:
            listening.bind(address)
    finally:
        os.umask(mask)
    listening.listen()
    return listening


def ask_once(database: Path, probes: Sequence[str]) -> list[int]:
    """Have the running service run probes now; the ids of their runs. Raises as `ask` does."""
    return [int(number) for number in ask(database, "/once", {"probes": list(probes)})["runs"]]


def ask_backfill(database: Path, source: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Have the running service store what is missing of a source of the past; what it found.
    Raises as `ask` does."""
    return ask(database, "/backfill", {"source": source, **settings})


def ask(database: Path, path: str, document: dict[str, Any]) -> dict[str, Any]:
    """What the running service answers to a request.

    Raises NotListening where none takes the request, OSError where its answer breaks off, and
    Refused with what it said where it does not do it.
    """
    status, said = _post(database, path, document)
    if status != http.client.OK:
        raise Refused(said.get("error", f"the service answered {status} to {path}: see its log"))
    return said


def ask_reload(
    database: Path, *, by: str = "", how: How = "edit", note: str = ""
) -> dict[str, Any]:
    """Have the running service load its config file now: `changes` (a list of key, old and new),
    `warnings` and `sha256`. `by` and `note` are told along with it.

    Raises as `ask` does, and ConfigError with the faults of a file that it cannot use.
    """
    status, said = _post(database, "/reload", {"by": by, "how": how, "note": note})
    if status == UNUSABLE:
        raise ConfigError(said["faults"])
    if status != http.client.OK:
        raise Refused(said.get("error", f"the service answered {status}"))
    return said


def _post(database: Path, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    connection = _Connection(path_for(database))
    try:
        connection.connect()
    except (FileNotFoundError, ConnectionRefusedError, TimeoutError) as error:
        raise NotListening from error
    try:
        connection.request("POST", path, json.dumps(body))
        response = connection.getresponse()
        text = response.read()
    finally:
        connection.close()
    # a service of an earlier version answers what it does not know in plain words
    if response.status == STOPPING:
        raise NotListening
    is_json = response.headers.get_content_type() == "application/json"
    return response.status, json.loads(text) if is_json else {}


@dataclass(frozen=True, slots=True)
class Health:
    """What a running service says of itself: what is wrong, and since when which probes run
    (seconds since the epoch)."""

    faults: tuple[str, ...]
    running: Mapping[str, float] = field(default_factory=dict)


def ask_health(database: Path) -> Health:
    """How the running service is; that it does not answer is a fault too."""
    connection = _Connection(path_for(database), HEALTH_SECONDS)
    try:
        connection.connect()
        connection.sock.settimeout(HEALTH_SECONDS)
        connection.request("GET", "/health")
        said = json.loads(connection.getresponse().read())
        running = {str(name): float(at) for name, at in said.get("running", {}).items()}
        return Health(tuple(str(fault) for fault in said["faults"]), running)
    except PermissionError:
        # the database may be read by its group, the socket may not: no sign of a sick service
        return Health(("not known: the service tells it to its own user only",))
    except (OSError, http.client.HTTPException, ValueError, KeyError):
        return Health(("the service does not answer",))
    finally:
        connection.close()


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path, patience: float = CONNECT_SECONDS) -> None:
        super().__init__("qrossover")
        self._path = path
        self._patience = patience

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.sock.settimeout(self._patience)
            with _Reachable(self._path) as address:
                self.sock.connect(address)
            self.sock.settimeout(None)
        except BaseException:
            self.sock.close()
            raise


class _Reachable:
    """An address for a socket at any path: a long one is named through its open folder."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._folder: int | None = None

    def __enter__(self) -> str:
        if len(os.fsencode(self._path)) <= LONGEST_PATH:
            return str(self._path)
        self._folder = os.open(self._path.parent, os.O_PATH | os.O_DIRECTORY)
        return f"/proc/self/fd/{self._folder}/{self._path.name}"

    def __exit__(self, *_: object) -> None:
        if self._folder is not None:
            os.close(self._folder)
