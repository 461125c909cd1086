"""What a `[trigger.NAME]` table may say."""

import math
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from storage.types import ORIGINS, Origin, Severity
from triggers.quantity import (
    Duration,
    Hold,
    HoldField,
    Window,
    WindowField,
    as_written,
    lookalikes,
    parse_duration,
    parse_fraction,
)

When = Literal[
    "above", "below", "drops", "rises", "shifts", "fails", "stale", "crosses", "all", "any"
]
RELATIVE: tuple[When, ...] = ("drops", "rises")
KEYED: tuple[When, ...] = (*RELATIVE, "shifts")
"""Kinds that have a baseline: only readings of one setup compare."""
COMPOSITE: tuple[When, ...] = ("all", "any")
"""Kinds that are about other triggers."""
CONFIRMED: tuple[When, ...] = ("above", "below", *KEYED)
"""Kinds whose first reading that holds may be confirmed by a second."""
MIN_BASELINE = 5
"""Readings without which a median is no baseline."""
MIN_SCATTER = 20
"""Readings that a scatter may be worked out from at least, where a table asks for so few."""
SURE_SCATTER = 50
"""Readings that it waits for elsewhere: docs/detectors.md has what fewer cost."""
SHIFT = 3.0
"""The threshold of a shift unless the table says another: in sigmas, summed up."""
MOST_SLACK = 100.0
"""Times that the threshold of a shift may be its allowance."""

# Keys that a kind of trigger has no use for. One that is written down all the same is a mistake.
_OWN: dict[str, tuple[When, ...]] = {
    "baseline": KEYED,
    "of": COMPOSITE,
    "horizon": ("crosses",),
    "side": ("crosses", "shifts"),
    "allowance": ("shifts",),
    "confirm": CONFIRMED,
    "fit": ("crosses",),
}
"""Keys that only some kinds have a use for."""
_NO_SERIES = frozenset({"accept", "clear", "hold", "max_age", "no_data", "target", "threshold"})
_IDLE: dict[When, frozenset[str]] = {
    "fails": frozenset({"accept", "target"}),
    "shifts": frozenset({"clear", "hold"}),
    "stale": frozenset({"hold", "max_age", "no_data"}),
    "crosses": frozenset({"clear", "hold", "max_age", "no_data"}),
    "all": _NO_SERIES,
    "any": _NO_SERIES,
}
"""Further keys that a kind has no use for."""


CONFIRMATION = Hold(2, 2)


def wrong(key: str, message: str) -> PydanticCustomError:
    """An error about `key` of the table, wherever the check that found it stands."""
    return PydanticCustomError("wrong", "{message}", {"key": key, "message": message})


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


class Rule(BaseModel):
    """A trigger. Durations are seconds once read; fractions are numbers.

    `limit` and `clear_limit` are the threshold and its return as numbers: in the
    signal's unit for above, below and crosses, a fraction of the baseline for drops and rises,
    in sigmas for shifts, seconds for stale. `allowance` is what a shift may have without being one,
    in sigmas. `of` names the triggers of a composite. A trend that crosses does so to a
    `side` of the threshold, within `horizon`, and is fitted to the best of each device family or
    to all devices. One with `notify = false` is judged and shown, and no message is owed for it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    name: str
    when: When
    signal: str | None = None
    probe: str | None = None
    target: str = "*"
    threshold: float | str | None = None
    clear: float | str | None = None
    allowance: Annotated[float, Field(gt=0)] = 1.0
    baseline: WindowField = Window(seconds=14 * 86400.0)
    hold: HoldField = Field(default=Hold(), alias="for")
    confirm: bool = False
    keep_firing_for: Duration = 0.0
    max_age: Duration | None = None
    severity: Severity = "warning"
    advice: str = ""
    notify: bool = True
    of: Annotated[tuple[str, ...], BeforeValidator(_tuple)] = ()
    horizon: Duration | None = None
    side: Literal["above", "below"] | None = None
    fit: Literal["best", "all"] = "best"
    no_data: Literal["keep", "alert"] = "keep"
    accept: Annotated[tuple[Origin, ...], BeforeValidator(_tuple)] = tuple(
        origin for origin in ORIGINS if origin != "simulated"
    )

    @cached_property
    def limit(self) -> float:
        """The threshold as a number."""
        return self._number("threshold", self.threshold)

    @cached_property
    def clear_limit(self) -> float:
        """The value that a firing trigger must come back past, as a number."""
        return self.limit if self.clear is None else self._number("clear", self.clear)

    @cached_property
    def subject(self) -> str:
        """What the rule is about. A rule on something else is another rule."""
        return f"{self.when} {self.signal or self.probe or ', '.join(self.of)}"

    @model_validator(mode="before")
    @classmethod
    def _anything_is_fresh(cls, table: Any) -> Any:
        """Stale asks whether anything arrives: every origin counts unless the table says which."""
        if isinstance(table, dict) and table.get("when") == "stale":
            return {"accept": ORIGINS, **table}
        return table

    @model_validator(mode="before")
    @classmethod
    def _second_look(cls, table: Any) -> Any:
        """What is confirmed holds on two readings: the one that began it, and the second look."""
        if isinstance(table, dict) and table.get("confirm") is True:
            return table if table.keys() & {"for", "hold"} else {**table, "for": CONFIRMATION}
        return table

    @field_validator("threshold", "clear", "allowance", mode="before")
    @classmethod
    def _no_truth_value(cls, value: Any) -> Any:
        if isinstance(value, bool):
            raise ValueError(f"expected a number, a percentage or a duration, got {value!r}")
        return value

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        self._check_subject()
        self._check_idle()
        self._check_sides(self.limit, self.clear_limit)
        self._check_baseline()
        self._check_confirm()
        return self

    def _check_subject(self) -> None:
        wanted = "of" if self.when in COMPOSITE else "probe" if self.when == "fails" else "signal"
        if not getattr(self, wanted):
            example = '["NAME", "NAME"]' if wanted == "of" else '"…"'
            raise wrong("when", f'"{self.when}" needs `{wanted} = {example}`')
        for other in ("signal", "probe"):
            if other != wanted and getattr(self, other) is not None:
                about = "other triggers" if wanted == "of" else f"a {wanted}"
                raise wrong(other, f'when = "{self.when}" is about {about}: remove this key')
        if not self.target:
            raise wrong("target", 'expected a name or a pattern such as "*" or "GPU-*"')
        if not self.accept:
            raise wrong("accept", f"expected at least 1 of {', '.join(ORIGINS)}")
        if self.when == "crosses":
            self._check_crossing()

    def _check_crossing(self) -> None:
        if self.side is None:
            raise wrong("when", '"crosses" needs `side = "below"` or `side = "above"`')
        if self.horizon is None:
            raise wrong("when", '"crosses" needs a `horizon` such as "3y"')
        if self.horizon <= 0:
            raise wrong("horizon", 'expected more than 0, such as "3y"')

    def _check_idle(self) -> None:
        others = {key for key, kinds in _OWN.items() if self.when not in kinds}
        idle = others | _IDLE.get(self.when, frozenset())
        if self.confirm and self.hold == CONFIRMATION:
            idle -= {"hold"}
        for key in sorted(self.model_fields_set & idle):
            written = "for" if key == "hold" else key
            raise wrong(written, f'when = "{self.when}" has no use for it: remove this key')

    def _number(self, key: str, value: float | str | None) -> float:
        if self.when in COMPOSITE:
            return 0.5
        if self.when == "fails":
            if value is not None:
                raise wrong(key, 'when = "fails" takes none; say `for = "3 runs"`')
            return 0.5
        if value is None and self.when == "shifts":
            return SHIFT
        if value is None:
            raise wrong("when", f'"{self.when}" needs a `{key}`')
        try:
            number = parse_duration(value) if self.when == "stale" else parse_fraction(value)
        except ValueError as error:
            raise wrong(key, self._unread(value, str(error))) from None
        if isinstance(value, str) if self.when == "shifts" else self._wants_share(value):
            raise wrong(key, self._unread(value, ""))
        if not math.isfinite(number):
            raise wrong(key, f"expected a finite number, got {number}")
        return number

    def _wants_share(self, value: float | str) -> bool:
        return self.when in RELATIVE and not isinstance(value, str)

    def _unread(self, value: float | str, error: str) -> str:
        """What to say of a threshold that is none of this kind's."""
        got = f"got {as_written(value)}{lookalikes(value)}"
        if self.when == "stale":
            return error
        if self.when in RELATIVE:
            return f'expected a share of the baseline such as "10%", {got}'
        if self.when == "shifts":
            return f"expected a number of sigmas such as 3, {got}"
        return (
            f'expected a number such as 10, without quotes and unit, or a percentage "10%", {got}'
        )

    def _check_sides(self, limit: float, clear: float) -> None:
        if self.when in (*KEYED, "stale", "crosses") and limit <= 0:
            raise wrong("threshold", f"expected more than 0, got {as_written(self.threshold)}")
        if self.when == "drops" and limit >= 1:
            raise wrong("threshold", f"expected less than 100%, got {self.threshold!r}")
        if clear < limit if self.when == "below" else clear > limit:
            side = "below" if self.when == "below" else "above"
            raise wrong(
                "clear",
                f"{as_written(self.clear)} lies {side} the threshold {as_written(self.threshold)}",
            )
        if self.when == "stale" and clear != limit:
            raise wrong("clear", 'when = "stale" takes none: a new reading clears it')

        if self.max_age is not None and self.max_age <= 0:
            raise wrong("max_age", "expected more than 0: else every reading counts as missing")

    def _check_baseline(self) -> None:
        if self.when not in KEYED:
            return
        if self.when == "shifts":
            self._check_shifts()
        least = MIN_SCATTER if self.when == "shifts" else MIN_BASELINE
        counts = self.baseline.seconds == 0 and not self.baseline.peers
        if counts and self.baseline.readings < least:
            raise wrong("baseline", f"expected {least} readings or more, or a duration")
        if 0 < self.baseline.seconds <= self.hold.seconds:
            raise wrong("baseline", f"expected longer than `for`, which is {self.hold}")

    def _check_shifts(self) -> None:
        if self.baseline.peers:
            said = 'a shift is measured in the scatter of its own past; for peers use "drops"'
            raise wrong("baseline", f'{said} or "rises"')
        if self.limit / self.allowance > MOST_SLACK:
            said = f"expected at least a hundredth of the threshold, which is {self.limit:g}"
            raise wrong("allowance", said)

    def _check_confirm(self) -> None:
        if not self.confirm:
            return
        if self.hold.seconds:
            said = f"a second look at once says nothing of {self.hold}, which `for` asks for"
            raise wrong("confirm", f"{said}: remove one of the two")
        if self.hold.readings == 1:
            said = 'with `for = "1 reading"` it fires before anything can be confirmed'
            raise wrong("confirm", f"{said}: remove one of the two")
