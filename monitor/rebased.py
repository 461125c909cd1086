"""What is told where a change of setup has moved a baseline beyond the threshold: nothing fires,
since readings of two setups do not compare, and yet somebody must know.

One message a trigger: a new driver on a node moves the baselines of all of its GPUs, each in its
own run. What comes later, while the message is still held back, is added to it.
"""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from monitor.facts import explain
from storage.outbox import Outbox
from storage.types import Alert, Standing
from triggers.rule import Rule

LONGEST_WAIT = 3600.0
"""Seconds that a message is held back at most."""
SHOWN = 20
ADVICE = (
    "Nothing fires: the trigger goes on from the new baseline. Look whether what has changed is "
    "worth that; after a rollback the old baseline holds again."
)


def tell(
    outbox: Outbox, rule: Rule, standing: Standing, why: str, *, wait: float, now: float
) -> None:
    """Owe a message about the new baseline of a standing, to be sent after `wait` seconds, or add
    it to the one that waits. Inside the caller's transaction."""
    waiting = outbox.waiting(rule.name, "rebases")
    told = {} if waiting is None else waiting.alert.facts["rebased"]
    this = {"why": why, "value": standing.value, "read_at": standing.read_at}
    facts = _facts(rule, {**told, standing.target: this})
    if waiting is not None:
        outbox.amend(waiting.id, facts)
        return
    alert = Alert(uuid4().hex, "rebases", rule.name, rule.target, rule.severity, now, facts)
    outbox.owe(alert, due=now + min(wait, LONGEST_WAIT))


def _facts(rule: Rule, rebased: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    many = f"s on {len(rebased)} targets" if len(rebased) > 1 else ""
    lines = [f"{target}: {one['why']}" for target, one in sorted(rebased.items())]
    more = [f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return {
        "title": f"{rule.name}: new baseline{many}, beyond the threshold from the old",
        "body": "\n".join([*lines[:SHOWN], *more]),
        "signal": rule.signal,
        "rebased": rebased,
        "advice": ADVICE,
        "explain": explain(rule, rule.target),
    }
