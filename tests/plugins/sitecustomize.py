"""With this folder on PYTHONPATH, the paper cloud's kind is found by every Python that starts."""

from pathlib import Path

import probes

probes.__path__.append(str(Path(__file__).parent))
