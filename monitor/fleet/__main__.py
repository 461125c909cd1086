"""The child that takes a probe through a fleet: the protocol of `python -m probes`."""

import sys

from monitor.fleet.nodes import Pass
from probes.__main__ import main

if __name__ == "__main__":
    sys.exit(main(lambda _: Pass))
