"""The control socket: how the command line asks a running service to do what only it may do.

A Unix socket beside the database, readable by its owner alone. One request: run probes now.
"""

import http.client
import json
import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from monitor.refusal import Refused

LONGEST_PATH = 100
"""Bytes of a Unix socket's address that every kernel takes (unix(7): 108 on Linux)."""


def make_control(run_probes: Callable[[Sequence[str]], Awaitable[list[int]]]) -> Starlette:
    """The application of the control socket. `run_probes` runs the named probes now and returns
    the ids of their runs; it raises Refused."""

    async def once(request: Request) -> Response:
        try:
            numbers = await run_probes(json.loads(await request.body())["probes"])
        except Refused as refused:
            return JSONResponse({"error": str(refused)}, 404)
        return JSONResponse({"runs": numbers})

    return Starlette(routes=[Route("/once", once, methods=["POST"])])


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
    """Have the running service run probes now; the ids of their runs.

    Raises OSError where no service answers, Refused with what it said where it does not.
    """
    connection = _Connection(path_for(database))
    try:
        connection.request("POST", "/once", json.dumps({"probes": list(probes)}))
        response = connection.getresponse()
        said: dict[str, Any] = json.loads(response.read())
    finally:
        connection.close()
    if response.status != http.client.OK:
        raise Refused(said.get("error", f"the service answered {response.status}"))
    return [int(number) for number in said["runs"]]


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("qrossover")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with _Reachable(self._path) as address:
            self.sock.connect(address)


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
