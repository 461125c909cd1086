"""For every test process, before anything imports torch."""

import os

from monitor.runner import GENTLE

# As the service has it for its children: several test processes share the cores, and threads that
# spin while they wait make a step of training a hundred times slower.
for name, value in GENTLE.items():
    os.environ.setdefault(name, value)
