"""Children that a command starts beside a service, or where there is none: they only look."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from uuid import uuid4

from monitor.config import Config
from monitor.runner import CHILD, Runner


@contextlib.asynccontextmanager
async def asking(config: Config, child: Sequence[str] = CHILD) -> AsyncIterator[Runner]:
    """A runner for the time of a command. Its mark is none of the service's, whose children the end
    of the command must not touch."""
    # the config's own folder is where the service's children run too
    runner = Runner(f"asked-{uuid4().hex}", config.path.parent, child, config.secret_names())
    try:
        yield runner
    finally:
        await runner.close()
