"""`[fleet]` as a config says it, and the size of what a large one brings."""

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from monitor.config import Config, parse
from monitor.fleet.nodes import packed, unpacked
from monitor.problems import ConfigError
from monitor.runner import MOST_RESULT

PROBES = """
[probe.training]
kind = "gpu.training"
every = "1h"
[probe.meter]
kind = "external.command"
argv = ["true"]
signals = { "a.b" = "1" }
every = "1h"
"""


def config(table: str) -> Config:
    return parse(Path("/config.toml"), f"{table}\n{PROBES}".encode())


def test_every_probe_of_gpus_runs_on_the_fleet_and_no_other() -> None:
    found = config('[fleet]\nengine = "ray"')
    assert found.fleet is not None
    assert (found.fleet.address, found.fleet.resource) == ("auto", "qrossover")
    there = {name: found.fleet.has(entry) for name, entry in found.probes.items()}
    assert there == {"training": True, "meter": False}
    assert config("").fleet is None


@pytest.mark.parametrize("address", ["auto", "ray://head:10001", "10.0.0.1:6379"])
def test_an_address_is_as_ray_has_it(address: str) -> None:
    found = config(f'[fleet]\nengine = "ray"\naddress = "{address}"')
    assert found.fleet is not None
    assert found.fleet.address == address


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("[fleet]", "engine: this key is missing"),
        ('[fleet]\nengine = "rey"', "expected 'ray', got 'rey'"),
        ('[fleet]\nengine = "ray"\naddress = "head"', 'expected "auto", "ray://HEAD:10001"'),
        ('[fleet]\nengine = "ray"\naddress = "head:65536"', 'expected "auto", "ray://HEAD:10001"'),
        ('[fleet]\nengine = "ray"\nresource = ""', "fleet.resource: "),
        ('[fleet]\nengine = "ray"\nresource = "GPU"', "expected a name of your own"),
        ('[fleet]\nengine = "ray"\nadress = "auto"', 'Did you mean "address"?'),
    ],
)
def test_a_fault_is_told(table: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        config(table)
    assert said in str(error.value)


def test_three_hundred_nodes_with_eight_gpus_fit_into_one_result() -> None:
    random = Random(1)

    def measured() -> dict[str, Any]:
        """A run as long as one of gpu.gemm in five dtypes, each number its own."""
        setup = json.dumps(
            {f"setting {n}": "of a GPU, its driver and libraries" for n in range(10)}
        )
        readings = [
            {"signal": "gpu.gemm.throughput", "value": random.random(), "sigma": random.random()}
            | {"target": f"GPU-{random.getrandbits(128):x}", "at": random.random(), "setup": setup}
            for _ in range(25)
        ]
        return {"readings": readings, "payload": {"times": [random.random() for _ in range(200)]}}

    nodes = [{"runs": [measured() for _ in range(8)]} for _ in range(30)]
    text = packed(nodes)
    assert 10 * len(text) < MOST_RESULT < 10 * len(json.dumps(nodes))
    assert unpacked(text) == nodes
