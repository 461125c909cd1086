"""One pass of a probe over the nodes of a Ray cluster, in a child of the service's.

Ray 2.55 and newer. A task asks for no CPU and no GPU, else it would wait for production's work to
end; a little of a resource of its own takes it to nodes whose owner gave them that. Whether a GPU
is free is the probe's own question, at the node.
https://docs.ray.io/en/latest/ray-core/scheduling/resources.html
"""

import asyncio
import base64
import json
import os
import socket
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from monitor.fleet import node as on_node
from monitor.fleet.node import Document, unrun
from probes.base import Probe, Skipped, load
from storage.types import Reading, now

if TYPE_CHECKING:
    from collections.abc import Awaitable

START_SECONDS = 60.0
"""What a node is given to start a worker of Ray's, beside the time of the probe itself."""
CONNECT_SECONDS = 5.0
SHARE = 0.001
"""Of a node's resource, what one task holds."""
OUTCOMES = ("failed", "timeout", "ok", "skipped")
"""The worst comes first: what a node's run came to is the first of these that one of its devices
had."""


@dataclass(frozen=True, slots=True)
class Node:
    """One node: Ray's id, and the name by which people know it."""

    id: str
    host: str


class Pass(Probe):
    """Run the probe `kind` with `settings` on every node that has the resource `having`, or on
    `hosts` among them alone, for `timeout` seconds a device at most; kept as `nodes`, packed
    documents, one each."""

    address: str
    having: str
    kind: str
    settings: dict[str, Any]
    timeout: float
    hosts: tuple[str, ...] = ()

    def run(self) -> Iterable[Reading]:
        """No reading: what nodes bring is kept. Raises RuntimeError where no pass can be made, and
        Skipped where `hosts` have left."""
        connect(self.address)
        self.keep(nodes=packed(asyncio.run(self._over(self._nodes()))))
        return ()

    def resource(self) -> str | None:
        """One pass at a time: two canaries on one GPU would each find it busy. What takes no GPU
        runs beside them."""
        return "fleet" if load(self.kind).model_validate(self.settings).resource() else None

    def _nodes(self) -> list[Node]:
        import ray

        alive = [one for one in ray.nodes() if one["Alive"]]  # type: ignore[no-untyped-call]
        found = [_named(one) for one in alive if one["Resources"].get(self.having)]
        if not found:
            raise RuntimeError(
                f"none of the cluster's {len(alive)} nodes has the resource {self.having!r}: "
                f"start those with GPUs with `ray start --resources='{{\"{self.having}\": 1}}'`"
            )
        if not self.hosts:
            return found
        chosen = [node for node in found if node.host in self.hosts]
        if not chosen:
            raise Skipped(f"{', '.join(self.hosts)}: left the cluster")
        return chosen

    async def _over(self, nodes: Sequence[Node]) -> list[Document]:
        return await asyncio.gather(*(self._on(node) for node in nodes))

    async def _on(self, node: Node) -> Document:
        """All of one node, its devices one after the other. What it brought before it was lost
        stays."""
        brought: dict[str, Document] = {}
        try:
            targets = await self._ask(node, START_SECONDS, on_node.places, self.kind, self.settings)
            for target in targets:
                settings = {**self.settings, "target": target}
                limit = self.timeout + START_SECONDS
                brought[target] = await self._ask(
                    node, limit, on_node.measured, self.kind, settings, self.timeout
                )
        except _Lost as lost:
            brought[""] = lost.document
        return {"host": node.host, "ended": now(), **merged(node.host, brought)}

    async def _ask(
        self, node: Node, seconds: float, work: Callable[..., Any], *arguments: Any
    ) -> Any:
        """What a function says on a node. Raises _Lost."""
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        there = NodeAffinitySchedulingStrategy(node.id, soft=False)
        task = ray.remote(num_cpus=0, num_gpus=0, max_retries=0)(work).options(
            resources={self.having: SHARE}, scheduling_strategy=there
        )
        answer = task.remote(*arguments)
        try:
            return await _within(answer, seconds)
        except TimeoutError:
            ray.cancel(answer, force=True)
            why = f"the node did not answer within {seconds:g} s; it was left"
            raise _Lost(unrun("timeout", why)) from None
        except ray.exceptions.RayError as error:
            raise _Lost(_failure(error)) from error


def packed(documents: Sequence[Document]) -> str:
    """Documents as little text: each reading repeats its setup, and what comes of a pass must fit
    into one result of a child's."""
    return base64.b85encode(zlib.compress(json.dumps(documents).encode())).decode()


def unpacked(text: str) -> list[Document]:
    """What was packed."""
    found: list[Document] = json.loads(zlib.decompress(base64.b85decode(text)))
    return found


def connect(address: str) -> None:
    """Join a cluster that runs. Raises RuntimeError with what to do."""
    # nobody is told of our use of Ray, and its workers' output is not ours
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    try:
        import ray
    except ModuleNotFoundError:
        raise RuntimeError(
            '[fleet] needs Ray, which is not installed here: pip install "qrossover[fleet]"'
        ) from None
    try:
        _reach(address)
        ray.init(address=address, log_to_driver=False, configure_logging=False)
    except (OSError, RuntimeError, ValueError) as error:
        raise unreachable(address, error) from error


def unreachable(address: str, error: Exception) -> RuntimeError:
    """Why a cluster cannot be joined, and what to do."""
    advice = (
        "Check [fleet] address and that the cluster runs (`ray status`). From a machine that is no "
        'node of it, only "ray://HEAD:10001" works'
    )
    if "Version mismatch" in str(error):
        advice = "Ray wants its own version and Python's to be the same here and there"
    said = " ".join(str(error).split())[:300].rstrip(".")  # Ray's versions have a line each
    return RuntimeError(f"the Ray cluster at {address!r} cannot be reached: {said}. {advice}")


def _reach(address: str) -> None:
    """Raise OSError where nobody listens: Ray itself tries for 40 s."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if address != "auto":
        with socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS):
            pass


def merged(host: str, brought: Mapping[str, Document]) -> Document:
    """The runs of one node as one: each device's payload under its target, the worst outcome, and
    the reason of each device that has one."""
    each = [*brought.values()]
    said = [
        f"{target}: {one['reason']}" if target and target not in one["reason"] else one["reason"]
        for target, one in brought.items()
        if one["reason"]
    ]
    return {
        "outcome": next(word for word in OUTCOMES if word in {one["outcome"] for one in each}),
        "reason": f"{host}: {'; '.join(said)}" if said else "",
        "readings": [reading for one in each for reading in one["readings"]],
        "versions": {name: text for one in each for name, text in one["versions"].items()},
        "payload": {target: one["payload"] for target, one in brought.items() if target},
        "stderr": "\n".join(one["stderr"] for one in each if one["stderr"]),
    }


class _Lost(Exception):
    """A node that brings nothing more in this pass, and what is stored of that."""

    def __init__(self, document: Document) -> None:
        super().__init__(document["reason"])
        self.document = document


async def _within(answer: "Awaitable[Any]", seconds: float) -> Any:
    async def got() -> Any:
        return await answer

    return await asyncio.wait_for(got(), seconds)


def _named(node: Mapping[str, Any]) -> Node:
    """A node under the name that its owner gave it, else its host's: Ray's own is its address."""
    given = node["NodeName"]
    host = given if given != node["NodeManagerAddress"] else node["NodeManagerHostname"]
    return Node(node["NodeID"], host or given)


def _failure(error: Exception) -> Document:
    """What a node's end, or its refusal, says."""
    cause = getattr(error, "cause", None) or error
    if isinstance(cause, Skipped):
        return unrun("skipped", str(cause))
    text = str(error)
    if "No module named" in text or "failed to import" in text:
        return unrun(
            "failed",
            "qrossover is not installed there, or in another version: install it in the "
            f"environment that `ray start` runs in ({_first(cause)})",
        )
    if hasattr(error, "cause"):  # what was called raised it: the node is well
        return unrun("failed", f"{type(cause).__name__}: {_first(cause)}")
    return unrun("failed", f"node lost: {type(error).__name__}: {_first(error)}")


def _first(error: object) -> str:
    lines = str(error).strip().splitlines()
    return lines[-1 if len(lines) > 1 and "Traceback" in lines[0] else 0][:300] if lines else ""
