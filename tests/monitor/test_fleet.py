"""Probes of GPUs on the nodes of a real Ray cluster on loopback, whose nodes hang and die."""

import asyncio
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_asyncio
import ray_cluster
from ray_cluster import LocalCluster, until, workers

from monitor import tick
from monitor.config import read
from monitor.fleet.nodes import unreachable
from monitor.judge import Judge
from monitor.runner import Runner
from monitor.settling import House, Settled
from monitor.writer import Writer

pytest.importorskip("ray", reason="Ray is not installed: pip install 'qrossover[fleet]'")
TESTS = Path(__file__).parents[1]
QUICK = {"target": "cpu", "layers": 1, "width": 8, "heads": 1, "sequence": 8, "vocabulary": 8}
LONG = {"steps": 1000, "width": 256, "sequence": 256, "layers": 16}
NEVER = "never"
HEALTH = {"kind": "gpu.health"}
"""Needs a driver and no torch."""
CONFIG = """
[monitor]
database = "q.db"
[slack]
channel = "#compute"
token_env = "SLACK_BOT_TOKEN"
[fleet]
engine = "ray"
address = "{address}"
resource = "{resource}"
[probe.canary]
every = "1h"
timeout = "60s"
{settings}
[trigger.canary-fails]
probe = "canary"
when = "fails"
for = "1 run"
"""


@pytest.fixture(scope="module")
def fake_driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a driver library that says what the environment says."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no C compiler here (cc, gcc, clang) to build the fake libnvidia-ml.so.1 with")
    source = TESTS / "probes" / "gpu" / "fake_nvml.c"
    library = tmp_path_factory.mktemp("driver") / "libnvidia-ml.so.1"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    return library.parent


@pytest.fixture(scope="module")
def cluster(fake_driver: Path) -> Iterator[LocalCluster]:
    """Two nodes: the driver of one knows a GPU, that of the other two, and it hangs once the folder
    has a pipe into which nobody writes."""
    driver = {"LD_LIBRARY_PATH": str(fake_driver)}
    with ray_cluster.cluster() as local:
        local.add("node-a", FAKE_GPUS="1", **driver)
        local.add("node-b", FAKE_GPUS="2", FAKE_0_CELSIUS=f"@{fake_driver}/{NEVER}", **driver)
        yield local


@dataclass
class Place:
    """A service's house without its loop."""

    folder: Path
    house: House

    async def tick(self, seconds: float = 60.0, hosts: Collection[str] = ()) -> dict[str, Settled]:
        """One pass: what came of it by node."""
        entry = self.house.config.probes["canary"]
        settled = await tick.tick(self.house, replace(entry, timeout=seconds), hosts=hosts)
        return {one.run.host: one for one in settled.everywhere}


@pytest_asyncio.fixture
async def place(tmp_path: Path, cluster: LocalCluster) -> AsyncIterator[Any]:
    made: list[House] = []

    def make(settings: dict[str, Any], address: str = "", resource: str = "qrossover") -> Place:
        table = {"kind": "gpu.training", **settings}
        lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in table.items())
        file = tmp_path / "config.toml"
        file.write_text(
            CONFIG.format(address=address or cluster.address, resource=resource, settings=lines)
        )
        config = read(file)
        writer = Writer(tmp_path / "q.db")
        runner = Runner(f"{tmp_path}#", tmp_path, secrets=config.secret_names())
        made.append(House(config, writer, runner, Judge(config, writer)))
        return Place(tmp_path, made[-1])

    yield make
    for house in made:
        await house.runner.close()
        house.writer.close()


async def test_every_node_with_the_resource_brings_a_run(place: Any) -> None:
    here = place(HEALTH | {"xid_hours": 2})
    found = await here.tick()
    assert found.keys() == {"node-a", "node-b"}  # and not the head, which was given none
    assert {one.run.outcome for one in found.values()} == {"ok"}
    assert len({one.run.started for one in found.values()}) == 1
    for host, gpus in (("node-a", 1), ("node-b", 2)):
        powers = [one for one in found[host].readings if one.signal == "gpu.health.power"]
        assert [one.value for one in powers] == [121.5] * gpus
        assert json.loads(powers[0].setup)["kind"] == "gpu.health"
        assert found[host].run.payload.keys() == {"all"}
    rows = here.house.writer.store.connection.execute("SELECT host, settings FROM runs").fetchall()
    assert sorted(row["host"] for row in rows) == ["node-a", "node-b"]
    assert json.loads(rows[0]["settings"])["xid_hours"] == 2

    assert (await here.tick(hosts={"node-b", "node-c"})).keys() == {"node-b"}
    [gone] = (await here.tick(hosts={"node-c"})).values()
    assert (gone.run.outcome, gone.run.reason) == ("skipped", "node-c: left the cluster")


async def test_a_canary_measures_on_a_node(place: Any) -> None:
    here = place(QUICK | {"steps": 5, "warmup": 1})
    found = (await here.tick(hosts={"node-a"}))["node-a"]
    assert found.run.outcome == "ok", found.run.reason
    assert "gpu.training.tokens_per_second" in {reading.signal for reading in found.readings}
    assert found.run.payload["cpu"]["device"]["kind"] == "cpu"
    assert "torch" in found.run.versions


async def test_a_node_that_hangs_and_one_that_dies_keep_nobody(
    place: Any, cluster: LocalCluster, fake_driver: Path
) -> None:
    """The trigger fires with the nodes' names, and resolves with a pass in which none fails."""
    here = place(HEALTH)
    pipe = fake_driver / NEVER
    stuck = {"LD_LIBRARY_PATH": str(fake_driver), "FAKE_0_CELSIUS": f"@{pipe}"}
    lost = cluster.add("node-lost", FAKE_GPUS="1", **stuck)  # found by itself
    os.mkfifo(pipe)
    going = asyncio.create_task(here.tick(seconds=4))
    await asyncio.to_thread(until, lambda: workers(lost))
    cluster.kill(lost)
    found = await going
    pipe.unlink()
    assert found["node-a"].run.outcome == "ok"
    assert found["node-a"].readings
    assert found["node-b"].run.outcome == "timeout"
    assert found["node-b"].run.reason == "node-b: all: killed after 4 s, its timeout"
    assert found["node-lost"].run.outcome == "failed"
    assert found["node-lost"].run.reason.startswith("node-lost: node lost: ")
    assert not running()
    [standing] = here.house.writer.store.firing()
    assert "node-b" in standing.why
    assert "node-lost" in standing.why
    assert (await here.tick()).keys() == {"node-a", "node-b"}
    assert here.house.writer.store.firing() == []


async def test_a_node_without_qrossover_says_so(
    place: Any, cluster: LocalCluster, tmp_path: Path
) -> None:
    bare = cluster.add("node-bare", PYTHONPATH=str(ray_cluster.another(tmp_path)), resource="bare")
    try:
        found = await place(QUICK, resource="bare").tick()
    finally:
        cluster.remove(bare)
    assert found["node-bare"].run.outcome == "failed"
    assert "qrossover is not installed there" in found["node-bare"].run.reason


async def test_every_gpu_of_a_node_is_asked_for_in_turn(
    place: Any, cluster: LocalCluster, fake_driver: Path
) -> None:
    driver = {"LD_LIBRARY_PATH": str(fake_driver), "FAKE_GPUS": "3"}
    busy = {"FAKE_0_PID": "4711", "FAKE_1_PID": "4712"}
    lost = {"FAKE_2_LOST": "1"}  # it does not keep the others
    node = cluster.add("node-gpus", resource="gpus", **driver | busy | lost)
    try:
        found = await place({"target": "auto"}, resource="gpus").tick()
    finally:
        cluster.remove(node)
    run = found["node-gpus"].run
    assert run.outcome == "failed"
    assert "cuda:2: " in run.reason
    for number, pid in ((0, 4711), (1, 4712)):
        assert f"GPU-00000000-0000-0000-0000-{number:012d} used by pid {pid}" in run.reason
    assert len(run.payload) == 3


async def test_the_end_of_the_service_ends_what_runs_on_the_nodes(
    place: Any, cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-of-the-service")
    here = place(QUICK | LONG)
    pass_ = asyncio.create_task(here.tick())
    await asyncio.to_thread(until, running)
    child = running()[0]
    through = child_of_ours("monitor.fleet")
    for one in (child, child.parents()[0], through):
        assert "SLACK_BOT_TOKEN" not in one.environ()
    pass_.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pass_
    await here.house.runner.close()
    await asyncio.to_thread(until, lambda: not running())
    [row] = here.house.writer.store.connection.execute("SELECT outcome, reason FROM runs")
    assert tuple(row) == ("skipped", "the service stopped while it ran")


async def test_a_cluster_that_is_not_there_is_a_failed_run(place: Any) -> None:
    found = await place(QUICK, address="127.0.0.1:1").tick()
    assert found[""].run.outcome == "failed"
    assert "the Ray cluster at '127.0.0.1:1' cannot be reached" in found[""].run.reason
    assert "Check [fleet] address" in found[""].run.reason


def test_versions_that_differ_are_both_told() -> None:
    """By Ray's own check, which a cluster of another version ends with."""
    from ray._private.utils import check_version_info  # noqa: PLC0415 a test skips without Ray

    other = {"ray_version": "2.9.0", "python_version": "3.10.1"}
    with pytest.raises(RuntimeError) as error:
        check_version_info(other, "10.0.0.1:6379")
    said = str(unreachable("head:6379", error.value))
    assert "Ray: 2.9.0 Python: 3.10.1" in said
    assert f"Python: {platform.python_version()}" in said
    assert "to be the same here and there" in said
    assert "address" not in said


async def test_a_cluster_without_the_resource_is_a_failed_run(place: Any) -> None:
    found = await place(QUICK, resource="nobody-has-it").tick()
    assert found[""].run.outcome == "failed"
    assert "`ray start --resources='{\"nobody-has-it\": 1}'`" in found[""].run.reason


def test_the_service_meets_no_ray() -> None:
    program = "import sys, monitor.daemon, monitor.service; sys.exit('ray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def child_of_ours(module: str) -> psutil.Process:
    alive = [one for one in psutil.Process().children() if one.status() != psutil.STATUS_ZOMBIE]
    [found] = [one for one in alive if module in one.cmdline()]
    return found


def running() -> list[psutil.Process]:
    """The children that measure on nodes, below workers of Ray."""
    found = []
    for one in psutil.process_iter(["cmdline", "pid"]):
        if "probes" in (one.info["cmdline"] or ()) and "--parent" in one.info["cmdline"]:
            parent = one.parent()
            if parent is not None and parent.name().startswith("ray::"):
                found.append(one)
    return found
