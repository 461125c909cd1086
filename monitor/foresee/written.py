"""Values of a rule as its config writes them: 50 and not 50.0, "14d" and not 1209600.0."""

from typing import Any

from triggers.quantity import Hold, Window
from triggers.rule import Rule

DURATIONS = ("keep_firing_for", "max_age", "horizon")
UNITS = (("y", 31557600.0), ("d", 86400.0), ("h", 3600.0), ("m", 60.0))
EXACT = 2.0**53
"""Below this every whole float is a whole number."""


def plain(value: Any) -> Any:
    """A whole number without its ".0"; anything else as it is."""
    if isinstance(value, float) and value.is_integer() and abs(value) < EXACT:
        return int(value)
    return value


def changes(present: Rule, changed: Rule | None) -> list[dict[str, Any]]:
    """The keys in which two rules differ, with both values."""
    if changed is None:
        return []
    return [
        {
            "key": field.alias or name,
            "old": _written(name, getattr(present, name)),
            "new": _written(name, getattr(changed, name)),
        }
        for name, field in Rule.model_fields.items()
        if getattr(present, name) != getattr(changed, name)
    ]


def _written(name: str, value: Any) -> Any:
    if isinstance(value, Hold | Window):
        return _duration(value.seconds) if value.seconds else str(value)
    if isinstance(value, float) and name in DURATIONS:
        return _duration(value)
    return ", ".join(map(str, value)) if isinstance(value, tuple) else plain(value)


def _duration(seconds: float) -> str:
    """In the largest unit of which it is a whole number."""
    for unit, size in UNITS:
        if seconds and seconds % size == 0:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:g}s"
