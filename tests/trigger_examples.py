"""Rules, readings and series as short as a test can say them. Times are seconds after START."""

from typing import Any

from storage.types import ORIGINS, Origin, Reading, Series, Standing
from triggers.check import Verdict, check
from triggers.rule import Rule

START = 1_700_000_000.0
MINUTE = 60.0


def rule(when: str, threshold: Any = None, **table: Any) -> Rule:
    """A rule as its table says it; `hold` stands for the key `for`."""
    if "hold" in table:
        table["for"] = table.pop("hold")
    if threshold is not None:
        table["threshold"] = threshold
    subject = {"probe": "p"} if when == "fails" else {"signal": "s"}
    return Rule.model_validate({"name": "example", "when": when, **subject, **table})


def series(
    *values: float,
    every: float = MINUTE,
    origin: Origin = "measured",
    watched_since: float | None = None,
) -> Series:
    """A series of equally spaced readings, the first at START."""
    readings = tuple(
        Reading("s", "t", value, origin, at=START + every * index)
        for index, value in enumerate(values)
    )
    return Series("s", "ms", "t", readings, watched_since)


def mixed(*pairs: tuple[float, str]) -> Series:
    """A series of (value, origin), a minute apart."""
    known = {origin: origin for origin in ORIGINS}
    readings = tuple(
        Reading("s", "t", value, known[origin], at=START + MINUTE * index)
        for index, (value, origin) in enumerate(pairs)
    )
    return Series("s", "ms", "t", readings)


def runs(*failed: int, every: float = MINUTE) -> Series:
    """The ends of runs: 1 failed, 0 did not."""
    readings = tuple(
        Reading("run", "p", float(bad), "measured", None, START + every * index, "out of memory")
        for index, bad in enumerate(failed)
    )
    return Series("run", "1", "p", readings)


def end(judged: Series) -> float:
    """When the last reading of a series was taken."""
    return judged.readings[-1].at if judged.readings else START


def judged(by: Rule, on: Series, baseline: float | None = None, after: float = 0.0) -> Verdict:
    """The verdict `after` so many seconds behind the last reading, against a level that is kept."""
    standing = Standing("example", "t", "firing", START, START, baseline=baseline)
    return check(by, on, end(on) + after, standing)
