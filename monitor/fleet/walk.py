"""A probe of GPUs on every node of the fleet: a child talks to the cluster, its nodes bring runs.

One pass is one row in `runs` for each node; they share `started`, by which a `fails` trigger sees
them as one: a probe has failed where it failed on any node.
"""

import sys
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from monitor.fleet.nodes import START_SECONDS, Pass, unpacked
from monitor.problems import redacted
from monitor.runner import Finished, Runner
from monitor.sections import Fleet, ProbeEntry
from storage.types import Reading, Run

CHILD = (sys.executable, "-P", "-m", "monitor.fleet")
MOST_GPUS = 16
"""Of a node: after the time of so many, one after the other, a pass is cut off whole. Each node has
its own deadline within that."""


async def everywhere(
    runner: Runner, fleet: Fleet, entry: ProbeEntry, hosts: Collection[str] = ()
) -> list[Finished]:
    """The runs of one pass over all nodes, or over `hosts` alone; at least one. Where there is no
    pass, one that says why."""
    came = await runner.run(_order(fleet, entry, hosts), child=CHILD)
    whole = replace(came.run, settings=dict(entry.settings), payload={}, versions={}, host="")
    if came.run.outcome != "ok":
        return [replace(came, run=whole)]
    return [_finished(whole, node) for node in unpacked(came.run.payload["nodes"])]


def _order(fleet: Fleet, entry: ProbeEntry, hosts: Collection[str]) -> ProbeEntry:
    """What the child is to do, as an entry of the runner's."""
    settings = {
        "address": fleet.address,
        "having": fleet.resource,
        "kind": entry.kind,
        "settings": dict(entry.settings),
        "timeout": entry.timeout,
        "hosts": sorted(hosts),
    }
    longest = 2 * START_SECONDS + MOST_GPUS * (entry.timeout + START_SECONDS)
    return replace(entry, timeout=longest, probe=Pass.model_validate(settings), settings=settings)


def _finished(whole: Run, node: Mapping[str, Any]) -> Finished:
    run = replace(
        whole,
        outcome=node["outcome"],
        reason=redacted(node["reason"]),
        seconds=round(max(0.0, node["ended"] - whole.started), 3),
        versions=node["versions"],
        payload=node["payload"],
        stderr=node["stderr"],
        host=node["host"],
    )
    try:
        readings = tuple(Reading(**reading) for reading in node["readings"])
    except (TypeError, ValueError) as error:
        why = f"{node['host']}: its readings cannot be read, install this version there: {error}"
        return Finished(replace(run, outcome="failed", reason=why), (), node["ended"])
    return Finished(run, readings, node["ended"])
