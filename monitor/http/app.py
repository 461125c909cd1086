"""`/healthz` and `/metrics`, for loopback."""

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from monitor.http.metrics import Readout

if TYPE_CHECKING:
    from monitor.health import Health
    from monitor.reload.loaded import State


def make_app(health: "Health", loaded: "State") -> Starlette:
    """The application over one service's health, database and config."""
    registry = CollectorRegistry()
    registry.register(Readout(health, loaded))

    async def healthz(_: Request) -> Response:
        faults = health.faults()
        status = "unhealthy" if faults else "ok"
        return JSONResponse({"status": status, "faults": faults}, 503 if faults else 200)

    async def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), media_type=content_type)

    return Starlette(routes=[Route("/healthz", healthz), Route("/metrics", metrics)])
