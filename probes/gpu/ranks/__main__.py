"""One rank: joins the others, measures with them, and leaves its result in their folder.

`python -m probes.gpu.ranks FOLDER RANK PARENT` is started by `probes/gpu/launch.py`.
"""

import argparse
import json
import os
import resource
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from probes.__main__ import die_with, one_line
from probes.gpu.launch import STAGE


def main() -> int:
    """Measure as the folder's order says; the exit status is 0 where there is a result."""
    parser = argparse.ArgumentParser(prog="python -m probes.gpu.ranks", description=__doc__)
    parser.add_argument("folder", type=Path, help="holds order.json and takes the result")
    parser.add_argument("rank", type=int, help="which one this is, from 0")
    parser.add_argument("parent", type=int, help="process that must outlive this")
    options = parser.parse_args()
    die_with(options.parent)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        left: dict[str, Any] = {"result": measured(options.folder, options.rank)}
    # A process's edge: whatever a library raises is the rank's reason, and the first rank that has
    # one is the cause of the others'.
    except Exception as error:  # noqa: BLE001
        traceback.print_exc()
        left = {"error": one_line(error), "at": time.monotonic()}
    file = options.folder / f"result-{options.rank}"
    file.write_text(json.dumps(left), encoding="utf-8")
    file.rename(file.with_suffix(".json"))  # whole, or not there
    sys.stderr.flush()
    # At once: a communicator that waits for a rank which is gone would wait for ever.
    os._exit(0 if "result" in left else 1)


def measured(folder: Path, rank: int) -> dict[str, Any]:
    """Join the others and measure."""
    order = json.loads((folder / "order.json").read_text(encoding="utf-8"))
    say("import torch")
    from probes.gpu.ranks import group

    return group.measure(order, folder / "store", rank, say)


def say(stage: str) -> None:
    """Tell what comes next, so that a rank that hangs is known by where."""
    print(f"{STAGE}{stage}", file=sys.stderr, flush=True)  # noqa: T201 kept with the run


if __name__ == "__main__":
    sys.exit(main())
