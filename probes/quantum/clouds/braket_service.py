"""When a device on Amazon Braket runs, how many wait for it, what it takes and what it costs."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any

from probes.quantum.batch import Batch

PROGRAM = "braket.ir.openqasm.program"
PROGRAM_SET = "braket.ir.openqasm.program_set"

DAYS = {
    "Everyday": range(7),
    "Weekdays": range(5),
    "Weekend": range(5, 7),
    **{
        name: range(number, number + 1)
        for number, name in enumerate(
            ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
        )
    },
}

QUEUE = re.compile(r"(>?)\s*(\d+)\s*(?:\(.*\))?")
"""A number as Braket writes it: "12", ">15", "0 (1 prioritized job(s) running)"."""

Document = Mapping[str, Any]


def is_open(capabilities: Document, at: float) -> bool:
    """Whether a moment (seconds since the epoch) lies in one of the device's execution windows,
    which are in UTC and hold their last second. True where the device lists none."""
    windows = capabilities["service"].get("executionWindows") or ()
    moment = datetime.fromtimestamp(at, UTC).replace(microsecond=0)
    return not windows or any(_within(window, moment) for window in windows)


def _within(window: Document, moment: datetime) -> bool:
    start, end = (time.fromisoformat(window[key]) for key in ("windowStartHour", "windowEndHour"))
    days = DAYS.get(window["executionDay"])
    if days is None:
        raise ValueError(
            f"an execution window is on {window['executionDay']!r}; known are {', '.join(DAYS)}"
        )
    clock, today = moment.time(), moment.weekday()
    if start <= end:
        return today in days and start <= clock <= end
    yesterday = (moment - timedelta(days=1)).weekday()  # the window goes on past midnight
    return (today in days and clock >= start) or (yesterday in days and clock <= end)


def number(text: str) -> tuple[int | None, bool]:
    """A number as Braket writes it, and whether it is only a lower bound; None if it is none."""
    found = QUEUE.fullmatch(text.strip())
    if found is None:
        return None, False
    more = bool(found[1])
    return int(found[2]) + more, more


def waiting(queues: Sequence[Document]) -> tuple[int | None, bool]:
    """How many tasks wait, of both priorities, and whether that is only a lower bound. None where
    Braket does not say, or not in a way that can be read."""
    sizes = [
        number(queue["queueSize"]) for queue in queues if queue["queue"] == "QUANTUM_TASKS_QUEUE"
    ]
    known = [size for size, _ in sizes if size is not None]
    if not sizes or len(known) < len(sizes):
        return None, False
    return sum(known), any(more for _, more in sizes)


def shot_price(capabilities: Document) -> float | None:
    """USD for one shot; None where the device is not paid by the shot."""
    cost = capabilities["service"].get("deviceCost") or {}
    return float(cost["price"]) if cost.get("unit") == "shot" else None


def check_fits(device: str, capabilities: Document, batch: Batch) -> None:
    """Raise ValueError where the device does not take the batch as one task."""
    low, high = capabilities["service"]["shotsRange"]
    if not low <= batch.shots <= high:
        raise ValueError(
            f"{device} takes from {low} to {high} shots of a circuit, not {batch.shots}"
        )
    action = PROGRAM if len(batch.circuits) == 1 else PROGRAM_SET
    limits = capabilities["action"].get(action)
    if limits is None:
        raise ValueError(f"{device} takes no {len(batch.circuits)} circuits in one task ({action})")
    if action == PROGRAM_SET:
        _check_set(device, limits, batch)


def _check_set(device: str, limits: Document, batch: Batch) -> None:
    circuits, shots = len(batch.circuits), len(batch.circuits) * batch.shots
    if circuits > limits["maximumExecutables"] or shots > limits["maximumTotalShots"]:
        raise ValueError(
            f"{device} takes at most {limits['maximumExecutables']} circuits and "
            f"{limits['maximumTotalShots']} shots in one task, and these are {circuits} and "
            f"{shots}: ask for fewer circuits or shots"
        )
    if shots < (limits.get("minimumTotalShots") or 0):
        raise ValueError(
            f"{device} takes no task of less than {limits['minimumTotalShots']} shots, "
            f"and these are {shots}"
        )
