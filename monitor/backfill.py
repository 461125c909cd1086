"""`qrossover backfill snapshots`: the calibrations of 2020 to 2026 as readings at their own times.

Only the holder of the database writes: a running service does it when it is asked, else this
process takes the lock itself. Twice is once.
"""

import asyncio
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from monitor.config import Config, ProbeEntry
from monitor.holding import holding
from monitor.http.control import NotListening, ask_backfill
from monitor.judge import Judge
from monitor.lock import Taken, holder, path_for
from monitor.refusal import Refused
from monitor.report import iso
from monitor.runner import Finished, Runner
from monitor.settling import House
from probes.base import Probe, load
from storage.past import BACKFILL
from storage.reports import has_all
from storage.store import UnitChanged
from storage.types import Reading, Run, now

KIND = "quantum.calibration"
ERROR = f"{KIND}.two_qubit_error"
CHILD = (sys.executable, "-P", "-m", "probes.backfill")
DEADLINE = 120.0


def snapshots(config: Config) -> dict[str, Any]:
    """Store every snapshot that is not stored yet: by the running service where there is one, else
    by this process. What was found and what was new. Raises Taken and Refused."""
    database = config.monitor.database
    if other := holder(database):
        try:
            return ask_backfill(database)
        except NotListening:
            raise Taken(path_for(database), other.get("pid")) from None
    return asyncio.run(_alone(config))


async def _alone(config: Config) -> dict[str, Any]:
    with holding(config.monitor.database, config.path) as writer:
        house = House(config, writer, runner_for(config), Judge(config, writer))
        return await bring(lambda: house)


def runner_for(config: Config) -> Runner:
    """What starts the child that reads the snapshots."""
    mark = f"{config.monitor.database.resolve()}#"
    return Runner(mark, config.path.parent, CHILD, config.secret_names())


async def bring(house: Callable[[], House]) -> dict[str, Any]:
    """Read the snapshots in one child, store what is new and judge on it.

    `house` is asked once the child has ended: its config may have been loaded anew meanwhile.
    Raises Refused with the child's reason.
    """
    runner = runner_for(house().config)
    try:
        finished = await runner.run(_entry())
    finally:
        await runner.close()
    if finished.run.outcome != "ok":
        raise Refused(f"the snapshots cannot be read: {finished.run.reason}")
    try:
        new = await house().writer.insist(lambda: _settle(house(), finished))
    except UnitChanged as changed:
        raise Refused(str(changed)) from changed
    return {
        "snapshots": len(finished.run.payload["devices"]),
        "new": len(new),
        "readings": sum(map(len, new.values())),
        "left_out": finished.run.payload["left_out"],
        "families": families(finished.readings),
    }


def _entry() -> ProbeEntry:
    return ProbeEntry(BACKFILL, KIND, 0.0, DEADLINE, Probe(), {})


def _settle(house: House, finished: Finished) -> dict[str, list[Reading]]:
    """Everything that a backfill changes; the readings that are new, by device. The caller holds
    the transaction."""
    store = house.writer.store
    by_device: dict[str, list[Reading]] = defaultdict(list)
    for reading in finished.readings:
        by_device[reading.target].append(reading)
    new = {device: found for device, found in by_device.items() if not has_all(store, found)}
    for device, found in new.items():
        store.record(_run(finished.run, device), found, load(KIND).signals)
    if new:
        house.judge.everything(now())
    return new


def _run(whole: Run, device: str) -> Run:
    """The row of one snapshot: as a run of its probe would have been, and its share of the time."""
    devices = whole.payload["devices"]
    return Run(
        probe=BACKFILL,
        kind=KIND,
        outcome="ok",
        reason="",
        started=whole.started,
        seconds=round(whole.seconds / len(devices), 3),
        settings={"provider": "snapshot", "device": device},
        versions=whole.versions,
        payload=devices[device],
    )


def families(readings: Iterable[Reading]) -> list[dict[str, Any]]:
    """One row for each family, by first appearance: its devices, their first and last calibration,
    and the best two-qubit error with the device that has it. Family "" is not known."""
    grouped: dict[str, list[Reading]] = defaultdict(list)
    for reading in sorted(readings, key=lambda one: one.at):
        grouped[reading.family].append(reading)
    return [_family(name, found) for name, found in grouped.items()]


def _family(name: str, found: list[Reading]) -> dict[str, Any]:
    errors = [reading for reading in found if reading.signal == ERROR]
    best = min(errors, key=lambda one: one.value, default=None)
    return {
        "family": name,
        "first": iso(found[0].at),
        "last": iso(found[-1].at),
        "devices": len({reading.target for reading in found}),
        "best_two_qubit_error": best.value if best else None,
        "best_device": best.target if best else None,
    }
