"""A real Ray cluster on loopback: a head, and nodes with and without the fleet's resource.

Its nodes have addresses of their own in 127.0.0.0/8: Ray replaces 127.0.0.1 itself by an address
of the machine's network.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

RESOURCE = "qrossover"
SMALL = {"num_cpus": 1, "object_store_memory": 80 << 20, "include_dashboard": False}
GCS = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 200}
"""How soon the cluster notices that a node is gone: within a second instead of fifteen."""


class LocalCluster:
    """The head with two nodes, and as many more as a test wants."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster  # noqa: PLC0415 a test skips where there is none

        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        head = {"node_ip_address": "127.0.0.2", "node_name": "head", "_system_config": GCS}
        self._cluster = Cluster(initialize_head=True, head_node_args=SMALL | head)
        self._next = 3
        self.address: str = self._cluster.address

    def add(self, name: str, *, resource: str = RESOURCE, **environment: str) -> Any:
        """Start a node that has one of a resource; `environment` is what its workers see too."""
        before = {key: os.environ.get(key) for key in environment}
        os.environ.update(environment)
        try:
            node = self._cluster.add_node(
                **SMALL,
                resources={resource: 1},
                node_ip_address=f"127.0.0.{self._next}",
                node_name=name,
            )
        finally:
            for key, value in before.items():
                os.environ.pop(key) if value is None else os.environ.update({key: value})
        self._next += 1
        return node

    def kill(self, node: Any) -> None:
        """Kill a node's processes, as a power cut would."""
        for pid in pids(node):
            for one in (*psutil.Process(pid).children(recursive=True), psutil.Process(pid)):
                one.kill()

    def remove(self, node: Any) -> None:
        """Take a node away in good order."""
        self._cluster.remove_node(node, allow_graceful=True)

    def close(self) -> None:
        """End every node."""
        self._cluster.shutdown()


def pids(node: Any) -> list[int]:
    """The processes that make a node."""
    return [one.process.pid for each in node.all_processes.values() for one in each]


def workers(node: Any) -> list[psutil.Process]:
    """What runs below a node's raylet and is a child of the probes'."""
    below = [one for pid in pids(node) for one in psutil.Process(pid).children(recursive=True)]
    return [one for one in below if "--parent" in one.cmdline()]


@contextmanager
def cluster() -> Iterator[LocalCluster]:
    """A cluster for the time of a block."""
    local = LocalCluster()
    try:
        yield local
    finally:
        local.close()


def until(holds: Callable[[], Any], seconds: float = 20.0) -> None:
    """Wait until something is there."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it has not come"
        time.sleep(0.05)


def another(path: Path) -> Path:
    """A folder with a package named `probes` that is not ours: what a node sees on which qrossover
    is not installed."""
    (path / "probes").mkdir()
    (path / "probes" / "__init__.py").write_text("")
    return path
