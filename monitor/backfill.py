"""`qrossover backfill`: what others have published of the past, as readings at their own times.

One way for every source: a child reads it, and what is not in the history yet is stored and judged
in one transaction. Only the holder of the database writes: a running service does it when it is
asked, else this process takes the lock itself. Twice is once.
"""

import asyncio
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from pydantic import ValidationError

from monitor.config import Config, ProbeEntry
from monitor.holding import holding
from monitor.http.control import NotListening, ask_backfill
from monitor.judge import Judge
from monitor.lock import Taken, holder, path_for
from monitor.refusal import Refused
from monitor.report import iso
from monitor.runner import Finished, Runner
from monitor.settling import House
from probes.source import Source, load
from storage.past import BACKFILL
from storage.reports import has_all
from storage.store import UnitChanged
from storage.types import Reading, Run, now

CALIBRATION = "quantum.calibration"
ERROR = f"{CALIBRATION}.two_qubit_error"
CHILD = (sys.executable, "-P", "-m", "probes.backfill")

Settings = Mapping[str, Any]


def backfill(config: Config, source: str, settings: Settings) -> dict[str, Any]:
    """Store what is not stored yet of a source: by the running service where there is one, else by
    this process. What was found and what was new. Raises Taken and Refused."""
    made(source, settings)  # what it cannot be asked for is told before anybody is asked
    database = config.monitor.database
    if other := holder(database):
        try:
            return ask_backfill(database, source, settings)
        except NotListening:
            raise Taken(path_for(database), other.get("pid")) from None
    return asyncio.run(_alone(config, source, settings))


async def _alone(config: Config, source: str, settings: Settings) -> dict[str, Any]:
    with holding(config.monitor.database, config.path) as writer:
        house = House(config, writer, runner_for(config), Judge(config, writer))
        return await bring(lambda: house, source, settings)


def made(source: str, settings: Settings) -> Source:
    """The source with its settings. Raises Refused with all that is wrong with them."""
    try:
        return load(source).model_validate(dict(settings))
    except LookupError as unknown:
        raise Refused(str(unknown)) from None
    except ValidationError as error:
        wrong = (one["msg"].removeprefix("Value error, ") for one in error.errors())
        raise Refused("; ".join(wrong)) from None


def runner_for(config: Config) -> Runner:
    """What starts the child that reads a source."""
    # a mark of its own, since its end must not touch the service's other children; a start finds it
    mark = f"{config.monitor.database.resolve()}#backfill-"
    return Runner(mark, config.path.parent, CHILD, config.secret_names())


async def bring(house: Callable[[], House], source: str, settings: Settings) -> dict[str, Any]:
    """Read a source in one child, store what is new and judge on it.

    `house` is asked once the child has ended: its config may have been loaded anew meanwhile.
    Raises Refused with the child's reason.
    """
    past = made(source, settings)
    runner = runner_for(house().config)
    entry = ProbeEntry(BACKFILL, source, 0.0, past.deadline, past, past.model_dump(mode="json"))
    try:
        finished = await runner.run(entry)
    finally:
        await runner.close()
    if finished.run.outcome != "ok":
        raise Refused(f"the {past.noun} cannot be read: {finished.run.reason}")
    try:
        new = await house().writer.insist(lambda: _settle(house(), past, finished))
    except UnitChanged as changed:
        raise Refused(str(changed)) from changed
    return _told(past, finished, new)


def _settle(house: House, past: Source, finished: Finished) -> list[int]:
    """Everything that a backfill changes; how many readings each record has brought that was not
    stored yet. The caller holds the transaction."""
    store = house.writer.store
    new = []
    for run, readings in _records(past, finished):
        if not has_all(store, readings):
            store.record(run, readings, past.signals)
            new.append(len(readings))
    if new:
        house.judge.everything(now())
    return new


def _records(past: Source, finished: Finished) -> Iterator[tuple[Run, list[Reading]]]:
    """Every record as a run, with its share of the time, and its readings."""
    whole, readings = finished.run, iter(finished.readings)
    records = whole.payload["records"]
    for record in records:
        run = Run(
            probe=BACKFILL,
            kind=past.kind,
            outcome="ok",
            reason="",
            started=whole.started,
            seconds=round(whole.seconds / len(records), 3),
            settings=record["settings"],
            versions=whole.versions,
            payload=record["payload"],
        )
        yield run, list(islice(readings, record["readings"]))


def _told(past: Source, finished: Finished, new: list[int]) -> dict[str, Any]:
    """The document: counts, what the source says of itself, and a summary."""
    payload = dict(finished.run.payload)
    counts = {past.noun: len(payload.pop("records")), "new": len(new), "readings": sum(new)}
    if past.kind == CALIBRATION:
        return counts | payload | {"families": families(finished.readings)}
    return counts | payload | {"signals": by_signal(finished.readings)}


def by_signal(readings: Iterable[Reading]) -> list[dict[str, Any]]:
    """One row for each signal, by name: its readings, its devices, its first and last moment."""
    grouped: dict[str, list[Reading]] = defaultdict(list)
    for reading in sorted(readings, key=lambda one: (one.signal, one.at)):
        grouped[reading.signal].append(reading)
    return [
        {
            "signal": signal,
            "readings": len(found),
            "devices": len({reading.target.partition("/")[0] for reading in found}),
            "first": iso(found[0].at),
            "last": iso(found[-1].at),
        }
        for signal, found in grouped.items()
    ]


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
