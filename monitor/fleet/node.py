"""What Ray runs on a node: its GPUs, and the ordinary child with its deadline on one of them.

Nodes import this module from their own installation, which must be the service's version.
"""

import asyncio
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import uuid4

from monitor.runner import Finished, Runner
from monitor.sections import ProbeEntry
from probes.base import load
from probes.gpu import devices, nvml

Document = dict[str, Any]
"""How a run on one device ended: outcome, reason, seconds, readings, versions, payload, stderr."""


def places(kind: str, settings: Mapping[str, Any]) -> list[str]:
    """The targets that a probe has on this node: its own, or each GPU where it says "auto" and can
    be given one by its UUID. One that does not answer is among them by its index, so that it fails
    and keeps none of the others. Raises BrokenGpu where the driver fails, and Skipped where a MIG
    slice is left to us."""
    unhide()
    target = settings.get("target", load(kind).model_fields["target"].default)
    if target != "auto" or not _takes_uuids(kind, settings):
        return [target]
    present, failing = nvml.listed()
    well = [gpu.uuid for gpu in devices.allowed(present)]
    return [*well, *(f"cuda:{index}" for index in failing)] or ["auto"]


def measured(kind: str, settings: Mapping[str, Any], timeout: float) -> Document:
    """Run a probe once in a child, which is killed after `timeout` seconds."""
    unhide()
    return asyncio.run(_run(kind, settings, timeout))


def unhide() -> None:
    """Show GPUs again: versions of Ray, or RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO=1, hide all of them
    from a task that asks for none."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") == "":
        del os.environ["CUDA_VISIBLE_DEVICES"]


def as_document(finished: Finished) -> Document:
    """A run as JSON."""
    run = finished.run
    return {
        "outcome": run.outcome,
        "reason": run.reason,
        "seconds": run.seconds,
        "readings": [asdict(reading) for reading in finished.readings],
        "versions": dict(run.versions),
        "payload": dict(run.payload),
        "stderr": run.stderr,
    }


def unrun(outcome: str, reason: str) -> Document:
    """A run that brought nothing."""
    bare = {"seconds": 0.0, "readings": [], "versions": {}, "payload": {}, "stderr": ""}
    return {"outcome": outcome, "reason": reason, **bare}


def _takes_uuids(kind: str, settings: Mapping[str, Any]) -> bool:
    """Whether a probe measures one GPU, and not all of a node together."""
    try:
        load(kind).model_validate({**settings, "target": f"GPU-{'0' * 8}{'-0000' * 3}-{'0' * 12}"})
    except ValueError:
        return False
    return True


async def _run(kind: str, settings: Mapping[str, Any], seconds: float) -> Document:
    probe = load(kind).model_validate(settings)
    entry = ProbeEntry("fleet", kind, 0.0, seconds, probe, settings)
    runner = Runner(f"fleet-{uuid4().hex}", Path(tempfile.gettempdir()))
    try:
        return as_document(await runner.run(entry))
    finally:
        await runner.close()
