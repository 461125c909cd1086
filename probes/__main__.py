"""The child: settings in on stdin, one JSON document out on a pipe of its own.

`python -m probes --result FD` is started by `monitor/runner.py`. Stdout and stderr belong to the
libraries; the runner keeps their tail. The child dies with its parent, and leaves no core file.
"""

import argparse
import ctypes
import importlib.metadata
import json
import os
import resource
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from probes.base import NotInstalled, Probe, Skipped, load, setup_text
from probes.queued import QueuedProbe, Rejected, TryLater, Unreadable, perform
from storage.types import Reading

PR_SET_PDEATHSIG = 1
MOST_REASON = 500


def main(find: Callable[[str], type[Probe]] = load) -> int:
    """Run the probe that stdin describes; the exit status is 0 whenever a result was written."""
    parser = argparse.ArgumentParser(prog="python -m probes", description=__doc__)
    parser.add_argument("--result", type=int, required=True, help="file descriptor of the result")
    parser.add_argument("--parent", type=int, required=True, help="process that must outlive this")
    options = parser.parse_args()
    die_with(options.parent)
    # A process that held a GPU's memory would fill the disk, run after run.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.set_inheritable(options.result, False)
    order = json.load(sys.stdin)
    result = execute(find(order["kind"]), order["settings"], order.get("task"))
    # errors="replace": half a surrogate pair in a library's message is no UTF-8
    with os.fdopen(options.result, "w", encoding="utf-8", errors="replace") as pipe:
        pipe.write(as_text(result))
    return 0


def die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent dies (Linux, prctl(2))."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the process that started this run has died already")


def execute(
    kind: type[Probe], settings: dict[str, Any], task: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """One run, or one step of a queued probe's, as a document: outcome, reason, readings, versions,
    payload, this machine, and the step's answer."""
    probe: Probe | None = None
    readings: list[Reading] = []
    answer: dict[str, Any] = {}
    try:
        probe = kind.model_validate(settings)
        if task is None:
            readings.extend(probe.run())
        else:
            assert isinstance(probe, QueuedProbe)
            answer, readings = perform(probe, task)
        check_promises(probe, readings)
        readings = made_with(probe, readings)
        outcome, reason = "ok", ""
    except Skipped as skipped:
        outcome, reason, readings = "skipped", str(skipped), []
    except TryLater as later:
        outcome, reason, readings = "skipped", str(later), []
        answer = {"later": later.seconds}
    # A probe runs foreign libraries, which raise anything: its failure is data, told with its
    # trace on stderr (the runner keeps the tail) and with one line as the reason.
    except Exception as error:  # noqa: BLE001
        traceback.print_exc()
        outcome, reason, readings = "failed", one_line(error), []
        answer = {
            "rejected": isinstance(error, Rejected),
            "bad": isinstance(error, Unreadable),
            "missing": isinstance(error, ImportError | NotInstalled),
        }
    return {
        "outcome": outcome,
        "reason": reason,
        "readings": [as_json(reading) for reading in readings],
        "versions": versions(kind),
        "payload": probe.payload if probe else {},
        "host": socket.gethostname(),
        "answer": answer,
    }


def check_promises(probe: Probe, readings: list[Reading]) -> None:
    """Raise ValueError for a reading of a signal that the probe has not declared."""
    promised = {signal.name for signal in probe.promises()}
    for reading in readings:
        if reading.signal not in promised:
            raise ValueError(
                f"undeclared signal {reading.signal!r}; declared are {', '.join(sorted(promised))}"
            )


def made_with(probe: Probe, readings: list[Reading]) -> list[Reading]:
    """The readings with their setup: see `Probe.setup`. One that has its own keeps it."""
    setup = setup_text(probe)
    return [replace(reading, setup=reading.setup or setup) for reading in readings]


def one_line(error: Exception) -> str:
    """An exception as one line that names its type where the text alone would not tell."""
    text = " ".join(str(error).split())
    plain = isinstance(error, ValueError | RuntimeError | Rejected) and text
    said = text if plain else f"{type(error).__name__}: {text}".rstrip(": ")
    return said if len(said) <= MOST_REASON else f"{said[:MOST_REASON]}…"


def as_json(reading: Reading) -> dict[str, Any]:
    """A reading as the runner expects it."""
    return {name: getattr(reading, name) for name in Reading.__slots__}


def as_text(result: dict[str, Any]) -> str:
    """A document as JSON. One that cannot be written so is a failed run, without its numbers."""
    try:
        return json.dumps(result, allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError) as error:
        traceback.print_exc()
        reason = f"its result is no JSON: {error}"
        bare = {"outcome": "failed", "reason": reason, "readings": [], "payload": {}, "answer": {}}
        return json.dumps({**result, **bare}, ensure_ascii=False)


def versions(kind: type[Probe]) -> dict[str, str]:
    """Versions of Python and of the distributions that the probe measures with."""
    found = {"python": sys.version.split()[0]}
    for package in kind.packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue  # an optional part that this machine lacks has no version
    return found


if __name__ == "__main__":
    sys.exit(main())
