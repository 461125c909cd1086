"""`python tests/paper_service.py CONFIG`: the real service, but that it looks at jobs many times a
second. `tests/plugins` is on its PYTHONPATH and its children's, where the paper cloud is wanted."""

import asyncio
import sys
from pathlib import Path

from monitor import log
from monitor.channels import Channels
from monitor.config import Config, read
from monitor.daemon import Daemon
from monitor.settling import Cadence


async def serve(config: Config) -> None:
    """Run the service until it is told to stop."""
    daemon = Daemon(config, Channels(), Cadence(soonest=0.3, latest=0.5))
    try:
        await daemon.serve(lambda: None)
    finally:
        daemon.close()


if __name__ == "__main__":
    log.configure()
    asyncio.run(serve(read(Path(sys.argv[1]))))
