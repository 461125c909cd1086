"""A person wishes the end of a job: written down first, then asked for at the provider.

The wish stands in the ledger, so it outlives a kill and a provider that does not answer. What is
reserved stays reserved until the provider says that the job has ended.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from monitor.config import Config
from monitor.holding import holding
from monitor.http.control import NotListening, ask
from monitor.jobs import walk
from monitor.jobs.answers import BY
from monitor.judge import Judge
from monitor.lock import Taken, holder, path_for
from monitor.refusal import Refused
from monitor.runner import Runner, kill_marked
from monitor.settling import House
from storage.ledger import Ledger
from storage.types import OPEN_JOBS, Job, now

MOST_STEPS = 4
"""Steps that are taken at once: found by its tag, cancelled, or withdrawn."""


def cancel(config: Config, number: int, by: str) -> None:
    """Have a job cancelled by the running service, or by this process where none runs; how it
    stands then is in the ledger. Raises Refused, and Taken where somebody has the database who does
    not listen."""
    database = config.monitor.database
    if other := holder(database):
        try:
            ask(database, "/jobs/cancel", {"id": number, "by": by})
        except NotListening:
            raise Taken(path_for(database), other.get("pid")) from None
        except PermissionError as error:
            raise Refused(f"the service listens to its own user only: {error}") from None
        return
    if not database.exists():
        raise Refused(f"no database at {database} yet: `qrossover run` makes it")
    with holding(database, config.path) as writer:
        mark = f"{database.resolve()}#"
        kill_marked(mark)  # as at every start: what a life before sent is then gone
        runner = Runner(mark, config.path.parent, secrets=config.secret_names())
        house = House(config, writer, runner, Judge(config, writer))
        asyncio.run(_alone(house, number, by))


async def _alone(house: House, number: int, by: str) -> None:
    ledger = house.writer.ledger
    await house.writer.insist(lambda: ledger.doubt(now()))
    await wish(house, lambda job: walk.follow(house, job), number, by)
    await house.runner.close()


async def wish(
    house: House, follow: Callable[[Job], Awaitable[object]], number: int, by: str
) -> None:
    """Write down who wishes a job's end, and take the steps to it that can be taken now. Raises
    Refused where the job is not there or has ended."""
    writer = house.writer
    _open(writer.ledger, number)
    while step := house.busy.get(number):  # its child's answer comes first: it may end the job
        await step.wait()
    unwanted = replace(_open(writer.ledger, number), unwanted=f"{BY}{by}", due=now())
    house.busy[number] = asyncio.Event()  # while the database is waited for, nobody looks at it
    try:
        await writer.insist(lambda: writer.ledger.put(unwanted))
    finally:
        house.busy.pop(number).set()
    for _ in range(MOST_STEPS):
        await follow(writer.ledger.get(number))
        job = writer.ledger.get(number)
        if job.state not in OPEN_JOBS or job.cancel_asked is not None or job.due > now():
            break


def _open(ledger: Ledger, number: int) -> Job:
    try:
        job = ledger.get(number)
    except LookupError as error:
        raise Refused(f"{error}: `qrossover jobs` lists them") from None
    if job.state not in OPEN_JOBS:
        raise Refused(f"job {number} has ended: {job.state}")
    return job
