"""The walk of jobs with its real parts, in the test's own process, over a cloud made of paper."""

import contextlib
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import paper_cloud
from paper_cloud import Cloud

import probes
from monitor.config import ProbeEntry, read
from monitor.jobs.cancelling import wish
from monitor.jobs.following import Following
from monitor.judge import Judge
from monitor.runner import Runner
from monitor.settling import Cadence, House, Settled
from monitor.tick import tick
from monitor.writer import Writer
from probes.base import kinds
from storage.types import Job

CONFIG = """
[monitor]
database = "q.db"
[budget]
usd_per_day = {usd}
[probe.paper]
kind = "paper.job"
cloud = "{cloud}"
every = "24h"
{more}
[trigger.low]
signal = "paper.job.value"
when = "below"
threshold = 1
"""


@dataclass
class Work:
    """A house, its cloud, and one paper probe."""

    house: House
    cloud: Cloud
    folder: Path

    @property
    def entry(self) -> ProbeEntry:
        return self.house.config.probes["paper"]

    def config(self, usd: float = 5.0, more: str = "") -> None:
        """Put another config into force."""
        file = self.folder / "config.toml"
        file.write_text(CONFIG.format(usd=usd, cloud=self.cloud.folder, more=more))
        self.house.config = read(file)
        self.house.judge = Judge(self.house.config, self.house.writer)

    async def order(self) -> Settled:
        return await tick(self.house, self.entry)

    async def step(self) -> None:
        """Follow the open jobs by one step, whenever they are due."""
        for job in self.house.writer.ledger.open():
            with self.house.writer.store.transaction():
                self.house.writer.ledger.put(replace(job, due=0.0))
        following = Following(self.house, lambda: None, lambda _: None)
        await following.look_once()

    async def wish(self, number: int = 1) -> None:
        """Ada wishes the end of a job."""
        following = Following(self.house, lambda: None, lambda _: None)
        await wish(self.house, following.follow, number, "ada")

    def aged(self, days: float) -> None:
        """Make the job and its run older."""
        seconds = days * 86400.0
        with self.house.writer.store.transaction():
            job = replace(self.job, created=self.job.created - seconds)
            self.house.writer.ledger.put(job)
            self.rows(f"UPDATE runs SET started = started - {seconds * 1000}")

    def damage(self) -> None:
        """Damage the database, and open it as a start does."""
        path = self.house.writer.path
        self.house.writer.close()
        path.write_bytes(bytes(range(256)) * 100)
        self.house.writer = Writer(path)
        self.house.judge = Judge(self.house.config, self.house.writer)

    def go_back_to(self, copy: Path) -> None:
        """Put a copy in the place of the database, as an operator does with the service stopped."""
        path = self.house.writer.path
        self.house.writer.close()
        for file in self.folder.glob(f"{path.name}-*"):
            file.unlink()
        shutil.copyfile(copy, path)
        self.house.writer = Writer(path)
        self.house.judge = Judge(self.house.config, self.house.writer)

    async def restart(self) -> None:
        """What a start does to the jobs of a life before."""
        await Following(self.house, lambda: None, lambda _: None).begin()

    @property
    def job(self) -> Job:
        [job] = self.house.writer.ledger.last(9)
        return job

    def rows(self, query: str) -> list[tuple[object, ...]]:
        return [tuple(row) for row in self.house.writer.store.connection.execute(query)]

    @property
    def runs(self) -> list[tuple[object, ...]]:
        return self.rows("SELECT outcome, reason FROM runs ORDER BY id")

    @property
    def values(self) -> list[tuple[object, ...]]:
        return self.rows("SELECT value, run FROM readings WHERE signal = 'paper.job.value'")

    @property
    def told(self) -> list[tuple[object, ...]]:
        return self.rows(
            "SELECT severity, facts ->> 'title' FROM alerts WHERE kind = 'notice' ORDER BY id"
        )


@contextlib.asynccontextmanager
async def working(tmp_path: Path) -> AsyncIterator[Work]:
    """A house in a folder, with the paper cloud's kind for as long as it stands."""
    paper_cloud.plug_in()
    cloud = Cloud(tmp_path / "cloud")
    file = tmp_path / "config.toml"
    file.write_text(CONFIG.format(usd=5.0, cloud=cloud.folder, more=""))
    config = read(file)
    writer = Writer(tmp_path / "q.db")
    runner = Runner(f"{tmp_path}#", tmp_path, paper_cloud.CHILD)
    made = House(config, writer, runner, Judge(config, writer), Cadence(soonest=0.01, latest=0.02))
    try:
        yield Work(made, cloud, tmp_path)
    finally:
        await runner.close()
        made.writer.close()
        probes.__path__.remove(paper_cloud.PLUGINS)
        kinds.cache_clear()
