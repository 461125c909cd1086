"""A small HTTP server inside the service's own loop."""

import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from monitor.refusal import Refused


class Server(uvicorn.Server):
    """Uvicorn without its signal handlers: signals belong to the daemon."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave every signal to the daemon."""
        yield


def make(app: ASGIApp) -> Server:
    """A server that keeps silent, since the service has its own log."""
    return Server(
        uvicorn.Config(
            app,
            lifespan="off",
            log_config=None,
            access_log=False,
            ws="none",
            http="h11",
            loop="none",
            timeout_graceful_shutdown=1,
        )
    )


def listen(address: str) -> socket.socket:
    """A listening socket at HOST:PORT. Raises Refused."""
    host, _, port = address.rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host.strip("[]"), int(port)), family=family)
    except OSError as error:
        # Python adds the address, in its own notation; the one of the config is said already
        why = str(error.strerror).partition(" (while")[0]
        raise Refused(
            f'[monitor] http: {address} cannot be served ({why}): name another port, or ""'
        ) from error
