"""`paper.job`: a queue in a folder, which does what its lines of instruction say, one a step.

`submit`, `find`, `collect`, `cancel` and `prepare` are files of lines; each step takes the first
line away, and the last one stays. `jobs/` holds what the cloud has: one file a job.
"""

import json
import os
import random
import time
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar
from uuid import uuid4

from probes.base import Skipped
from probes.queued import QueuedProbe, Rejected, TryLater, Unreadable
from storage.types import Order, Progress, Quote, Reading, Result, Signal


class PaperJob(QueuedProbe):
    """A number from a folder.

    Summary
        It stands for work at a cloud.

    What the number means
        Nothing: it is 0.5.

    References
        None: https://example.org.
    """

    signals: ClassVar[tuple[Signal, ...]] = (
        Signal("paper.job.value", "1", "higher", "A number that came back"),
    )
    packages: ClassVar[tuple[str, ...]] = ("pydantic",)
    deadline: ClassVar[float] = 20.0

    cloud: str
    device: str = "sheet"
    usd: float = 0.5
    qpu_seconds: float = 2.0
    visible_after: float = 0.2
    atomic: bool = True
    billed: float | None = 0.25

    def queued(self) -> bool:
        return True

    def resource(self) -> None:
        return None

    def run(self) -> Iterable[Reading]:
        raise AssertionError("a queued probe is not run")

    def prepare(self) -> Order:
        match self._next("prepare"):
            case "offline":
                raise Skipped("the device is offline")
            case "broken":
                raise RuntimeError("no calibration today")
        self.keep(circuits=3, shots=100)
        quote = Quote(self.usd, self.qpu_seconds)
        content = {"cloud": self.cloud}
        return Order(
            "paper",
            self.device,
            quote,
            content,
            visible_after=self.visible_after,
            atomic=self.atomic,
        )

    def submit(self, order: Order, tag: str) -> str:
        word = self._next("submit")
        match word:
            case "reject":
                raise Rejected("too many circuits")
            case "later" | "much later":
                raise TryLater("slow down", 0.3 if word == "later" else 1e9)
            case "fails-before":
                raise ConnectionError("reset")
            case "hangs-before":
                self._hang()
            case "slow":
                time.sleep(random.uniform(0.0, 0.3))
        job = uuid4().hex
        fresh = self._file(f"{job}.new")
        fresh.write_text(json.dumps({"tag": tag}))
        fresh.rename(self._file(f"jobs/{job}"))  # there is a job, or there is none
        match word:
            case "slow":
                time.sleep(random.uniform(0.0, 0.3))
            case "fails-after":
                raise ConnectionError("reset by peer")
            case "hangs-after":
                self._hang()
            case "dies-after":
                os._exit(3)
        return job

    def find(self, order: Order, tag: str) -> str | None:
        match self._next("find"):
            case "fails":
                raise ConnectionError("no route")
            case "hidden":
                return None
        return next((job for job, had in self.jobs().items() if had == tag), None)

    def collect(self, order: Order, job: str) -> Progress | Result:
        word = self._next("collect") or "done"
        while word == "waits" and not self._file("go").exists():
            time.sleep(0.02)
        if word in ("queued", "running", "failed", "cancelled", "gone"):
            return Progress(word, word.upper(), "as told", 4 if word == "queued" else None, usd=0.1)
        if word.startswith("unknown"):
            return Progress("unknown", word.partition(" ")[2])
        if word == "bad":
            raise Unreadable("no counts")
        if word == "raises":
            raise ConnectionError("502 Bad Gateway")
        if word == "later":
            raise TryLater("slow down", 0.01)
        self.keep(job=job)
        value = Reading("paper.job.value", self.device, 0.5, "measured")
        later = time.time() + (-3602 if word == "done an hour ago" else 5)
        return Result((value,), "DONE", self.billed, 1.5, later, later + 2)

    def cancel(self, order: Order, job: str) -> None:
        match self._next("cancel"):
            case "fails":
                raise ConnectionError("no route")
            case "ignored":
                return
        self._file("collect").write_text("cancelled")

    def jobs(self) -> dict[str, str]:
        """The tag of every job that the cloud has."""
        return {
            file.name: json.loads(file.read_text())["tag"] for file in self._file("jobs").iterdir()
        }

    def _next(self, step: str) -> str:
        file = self._file(step)
        lines = file.read_text().split("\n") if file.exists() else []
        if len(lines) > 1:
            file.write_text("\n".join(lines[1:]))
        with self._file("steps").open("a") as log:
            log.write(f"{step}\n")
        return lines[0] if lines else ""

    def _hang(self) -> None:
        self._file("hangs").touch()
        time.sleep(600)

    def _file(self, name: str) -> Path:
        return Path(self.cloud) / name
