"""Alerts as the service owes them."""

import time
from typing import Any

from storage.types import Alert, AlertKind, Severity

NOON = 1795348800.0  # 2026-11-22 12:00 UTC

SLOWER: dict[str, Any] = {
    "signal": "gpu.training.tokens_per_second",
    "unit": "token/s",
    "better": "higher",
    "when": "drops",
    "value": 45100.0,
    "sigma": 310.0,
    "threshold": 46080.0,
    "threshold_text": "10% below the baseline of 51,200 token/s",
    "baseline": 51200.0,
    "origin": "measured",
    "since": NOON - 900,
    "read_at": NOON - 60,
    "why": "45100 is below 46080; 2 of the last 2, needs 2 readings",
    "trend": [51200.0, 51300.0, 51100.0, 51200.0, 46000.0, 45100.0],
    "trend_window": "14 d",
    "advice": "Check clocks & throttle reasons, then <driver> changes.",
    "explain": "qrossover trigger explain training-slower --target GPU-8f2a51c0",
}


def alert(
    kind: AlertKind = "fires",
    *,
    key: str = "key-1",
    trigger: str = "training-slower",
    target: str = "GPU-8f2a51c0",
    severity: Severity = "warning",
    created: float = NOON,
    **facts: Any,
) -> Alert:
    """An alert of a slower training canary; `facts` are added, None takes one away."""
    said = {name: value for name, value in (SLOWER | facts).items() if value is not None}
    return Alert(key, kind, trigger, target, severity, created, said)


def alert_now(kind: AlertKind = "fires", key: str = "key-1", **facts: Any) -> Alert:
    """The same, owed at this moment: a loopback Slack stamps messages with the real time."""
    return alert(kind, key=key, created=time.time(), **facts)
