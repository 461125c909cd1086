"""Numbers, spans and moments as a person reads them: in Slack and in the terminal's tables."""

import math
from datetime import UTC, datetime

_MINUTE, _HOUR, _DAY, _YEAR = 60.0, 3600.0, 86400.0, 31557600.0
_WHOLE = 1000.0
_SMALL = 0.01
_LARGE = 1e9
_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_FRACTIONS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


def number(value: float, unit: str) -> str:
    """A value with its unit: "51,200 token/s", "1.9e-3", "260 µs", "1.5 GiB", "$2.49/h".

    Four significant digits below 1,000; whole numbers with separators from there to 1e9.
    Unit "1" prints the bare number, "s" the span that suits it, "B" binary multiples, "USD" a $,
    "year" a date: "2031.4".
    """
    if unit in ("", "1"):
        return figure(value)
    if unit == "s":
        return _span(value)
    if unit == "%":
        return f"{figure(value)}%"
    if unit == "B":
        return _bytes(value)
    if unit == "USD" or unit.startswith("USD/"):
        return _dollars(value) + unit.removeprefix("USD")
    return f"{value:.1f}" if unit == "year" else f"{figure(value)} {unit}"


def figure(value: float, digits: int = 4) -> str:
    """A bare number: "0.0512", "1.9e-3", "51,200", "1.956e14"."""
    size = abs(value)
    if value == 0:
        return "0"
    if not math.isfinite(value):
        return f"{value:g}"
    if size < _SMALL or size >= _LARGE:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        return f"{_trimmed(mantissa)}e{int(exponent)}"
    if size >= _WHOLE:
        return f"{value:,.0f}"
    text = f"{value:.{digits}g}"
    # 999.96 rounds up to a number that has separators
    return f"{value:,.0f}" if abs(float(text)) >= _WHOLE else text


def percent(share: float) -> str:
    """A share as percent with three digits: 0.1 is "10%"."""
    return f"{figure(share * 100, 3)}%"


def ago(seconds: float) -> str:
    """A span in its largest unit: "45 s", "3 min", "2 h", "6 d", "2.1 y". Never negative."""
    seconds = max(0.0, seconds)
    if seconds < _MINUTE:
        return f"{int(seconds)} s"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE:.0f} min"
    if seconds < 2 * _DAY:
        return f"{seconds // _HOUR:.0f} h"
    if seconds < 2 * _YEAR:
        return f"{seconds // _DAY:.0f} d"
    return f"{_trimmed(f'{seconds / _YEAR:.1f}')} y"


def lasted(seconds: float) -> str:
    """A span in its two largest units: "40 s", "2 h 10 min", "3 d 4 h"."""
    seconds = max(0.0, seconds)
    if seconds < _MINUTE:
        return f"{int(seconds)} s"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE:.0f} min"
    if seconds < _DAY:
        return _pair(seconds, _HOUR, "h", _MINUTE, "min")
    return _pair(seconds, _DAY, "d", _HOUR, "h")


def moment(epoch: float) -> str:
    """Seconds since the epoch as "2026-11-22 18:51 UTC"."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _pair(seconds: float, large: float, large_sign: str, small: float, small_sign: str) -> str:
    whole, rest = divmod(seconds, large)
    tail = f" {rest // small:.0f} {small_sign}" if rest >= small else ""
    return f"{whole:.0f} {large_sign}{tail}"


def _span(seconds: float) -> str:
    if abs(seconds) >= 2 * _MINUTE:
        return lasted(seconds) if seconds > 0 else f"-{lasted(-seconds)}"
    for size, sign in _FRACTIONS:
        if abs(seconds) >= size:
            return f"{figure(seconds / size)} {sign}"
    return f"{figure(seconds)} s"


def _bytes(value: float) -> str:
    power = 0
    while abs(value) >= 1024 and power < len(_BINARY) - 1:  # noqa: PLR2004 KiB are defined so
        value /= 1024
        power += 1
    return f"{figure(value)} {_BINARY[power]}"


def _dollars(value: float) -> str:
    sign = "-" if value < 0 else ""
    size = abs(value)
    if size >= _SMALL:
        size = round(size, 9)  # 1,500 shots of $0.00145 and a fee are $2.475, not a trifle less
    # a price per shot is a fraction of a cent and keeps its digits
    tiny = 0 < size < _SMALL
    digits = 3 - math.floor(math.log10(size)) if tiny else 2
    return f"{sign}${_trimmed(f'{size:.{digits}f}') if tiny else f'{size:,.2f}'}"


def _trimmed(mantissa: str) -> str:
    return mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa


def amounts(usd: float | None, qpu_seconds: float | None) -> list[str]:
    """Money and device time, each where it is known and not zero: ["$4.20", "12 QPU s"]."""
    parts = ((usd, "USD"), (qpu_seconds, "QPU s"))
    return [number(value, unit) for value, unit in parts if value]


def amount(usd: float | None, qpu_seconds: float | None) -> str:
    """The same in words: "$4.20 and 12 QPU s"; "nothing"."""
    return " and ".join(amounts(usd, qpu_seconds)) or "nothing"


def times(count: int) -> str:
    """How often something happened: "never", "once", "twice", "12 times"."""
    return {0: "never", 1: "once", 2: "twice"}.get(count, f"{count:,} times")


def fired(count: int) -> str:
    """What follows "it would": "never have fired", "have fired twice"."""
    return f"have fired {times(count)}" if count else "never have fired"
