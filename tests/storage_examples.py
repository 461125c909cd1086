"""Runs, readings and alerts as short as a test can say them."""

from dataclasses import replace
from typing import Any

from storage.types import Alert, Reading, Run, Signal

START = 1_700_000_000.0  # 2023-11-14T22:13:20Z
SPEED = Signal("gpu.speed", "token/s", "higher", "how fast it is")


def run(**more: Any) -> Run:
    """A run that went well."""
    return replace(Run("training", "gpu.training", "ok", "", START, 2.5), **more)


def reading(value: float = 1.0, **more: Any) -> Reading:
    """A measured reading of SPEED on gpu0."""
    return Reading(
        **{"signal": SPEED.name, "target": "gpu0", "value": value, "origin": "measured"}
        | {"at": START}
        | more
    )


def alert(key: str, **more: Any) -> Alert:
    """A trigger that fires."""
    plain = Alert(key, "fires", "slow", "gpu0", "warning", START, {"value": 1.5})
    return replace(plain, **more)
