"""What a value in a rule may look like: "15m", "10%", "2 readings", "2 of 3"."""

import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31557600}
LONGEST = 100 * 31557600.0
MOST_READINGS = 10_000
"""Readings that a rule may count: each is looked at whenever the rule is judged."""
# [0-9], since \d takes the digits of every script
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([smhdwy])")
_COUNT = re.compile(r"([0-9]+)\s*(?:readings?|runs?)")
_SHARE = re.compile(r"([0-9]+)\s+of\s+([0-9]+)")
_PERCENT = re.compile(r"([+-]?[0-9]+(?:\.[0-9]+)?)\s*%")


def parse_duration(value: Any) -> float:
    """Seconds of "90s", "15m", "6h", "14d", "2w" or "7y" (365.25 days).

    Raises ValueError for anything else, a bare number included: its unit would be a guess.
    """
    found = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        said = f'expected a duration such as "90s", "15m", "6h" or "14d", got {as_written(value)}'
        raise ValueError(f"{said}{lookalikes(value)}")
    seconds = float(found[1]) * _SECONDS[found[2]]
    if seconds > LONGEST:
        raise ValueError(f'expected at most "100y", got {value!r}')
    return seconds


def parse_fraction(value: Any) -> float:
    """0.1 of "10%"; a number stands for itself. Raises ValueError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f'expected a number or a percentage such as "10%", got {value!r}')
    if not isinstance(value, str):
        return float(value)
    found = _PERCENT.fullmatch(value.strip())
    if found is None:
        said = f'expected a number or a percentage such as "10%", got {value!r}'
        raise ValueError(f"{said}{lookalikes(value)}")
    return float(found[1]) / 100


def as_written(value: Any) -> str:
    """A value as its file says it: 6 is read as the number 6.0."""
    return f"{value:g}" if isinstance(value, float) else repr(value)


def lookalikes(value: Any) -> str:
    """What in a text is no plain letter, digit or sign, though it may look like one: "１", "٪"."""
    odd = dict.fromkeys(sign for sign in str(value) if not sign.isascii())
    return f"; no plain digits, letters or signs: {', '.join(map(ascii, odd))}" if odd else ""


def say_duration(seconds: float) -> str:
    """A duration as a person writes it: "14 d", "1.5 h", "40 s"."""
    for unit in ("d", "h", "m"):
        if seconds >= _SECONDS[unit]:
            number = seconds / _SECONDS[unit]
            digits = ".3g" if number < 999.5 else ",.0f"  # noqa: PLR2004 past it, .3g says 1e+03
            return f"{number:{digits}} {'min' if unit == 'm' else unit}"
    return f"{seconds:.3g} s"


@dataclass(frozen=True, slots=True)
class Hold:
    """How long a condition must hold: on `readings` of the last `of`, or throughout `seconds`."""

    readings: int = 1
    of: int = 1
    seconds: float = 0.0

    def __str__(self) -> str:
        return self.said("reading")

    def said(self, noun: str) -> str:
        """In words, of readings or of what else is counted: "2 of 3 runs"."""
        if self.seconds:
            return say_duration(self.seconds)
        if self.of != self.readings:
            return f"{self.readings} of {self.of} {noun}s"
        return f"{self.readings} {noun}{'s' if self.readings > 1 else ''}"


def parse_hold(value: Any) -> Hold:
    """A Hold of "30m", "2 readings" or "2 of 3". Raises ValueError for anything else."""
    if isinstance(value, Hold):
        return value
    text = value.strip() if isinstance(value, str) else ""
    if found := _COUNT.fullmatch(text):
        hold = Hold(_count(found[1]), _count(found[1]))
    elif found := _SHARE.fullmatch(text):
        hold = Hold(_count(found[1]), _count(found[2]))
    elif _DURATION.fullmatch(text):
        return Hold(seconds=parse_duration(text))
    else:
        raise ValueError(
            f'expected "2 readings", "2 of 3" or a duration such as "30m", got {value!r}'
            f"{lookalikes(value)}"
        )
    if not 1 <= hold.readings <= hold.of:
        raise ValueError(f"{value!r} can never be met: expected 1 ≤ N ≤ M")
    return hold


def _count(digits: str) -> int:
    # looked at first: Python refuses to read thousands of digits
    if len(digits.lstrip("0")) > len(str(MOST_READINGS)) or int(digits) > MOST_READINGS:
        raise ValueError(f"expected at most {MOST_READINGS:,} readings; say longer as a duration")
    return int(digits)


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of the past: `seconds` long, or the last `readings` of a series; or no past, but
    the present of the `peers`."""

    seconds: float = 0.0
    readings: int = 0
    peers: bool = False

    def __str__(self) -> str:
        if self.peers:
            return "peers"
        return say_duration(self.seconds) if self.seconds else f"{self.readings} readings"


def parse_window(value: Any) -> Window:
    """A Window of "14d", "50 readings" or "peers". Raises ValueError for anything else."""
    if isinstance(value, Window):
        return value
    text = value.strip() if isinstance(value, str) else ""
    if text == "peers":
        return Window(peers=True)
    if found := _COUNT.fullmatch(text):
        return Window(readings=_count(found[1]))
    if _DURATION.fullmatch(text):
        return Window(seconds=parse_duration(text))
    said = f'expected a duration such as "14d", "50 readings" or "peers", got {value!r}'
    raise ValueError(f"{said}{lookalikes(value)}")


Duration = Annotated[float, BeforeValidator(parse_duration)]
HoldField = Annotated[Hold, BeforeValidator(parse_hold)]
WindowField = Annotated[Window, BeforeValidator(parse_window)]
