"""A dated milestone: who said that what would be done by when, and what has come of it. Pure: today
comes in."""

import re
from calendar import monthrange
from collections.abc import Iterable
from datetime import date
from typing import Annotated, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from triggers.rule import wrong

Status = Literal["announced", "met", "missed", "slipped", "open"]
STATUSES: tuple[Status, ...] = get_args(Status)
WAITING: tuple[Status, ...] = ("announced", "open", "slipped")
"""What may still come: an answer is owed once its day has passed."""

_DAY = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?")
_ADDRESS = re.compile(r"https?://[^\s/]+\.[^\s]+")
_Text = Annotated[str, Field(min_length=1)]


def last_day(text: str) -> date:
    """The last day of "2029", "2029-06" or "2029-06-10". Raises ValueError for anything else."""
    year, month, day = _parts(text)
    month = month or 12
    return date(year, month, day or monthrange(year, month)[1])


def first_day(text: str) -> date:
    """The first day of "2029", "2029-06" or "2029-06-10". Raises ValueError for anything else."""
    year, month, day = _parts(text)
    return date(year, month or 1, day or 1)


def _parts(text: str) -> tuple[int, int, int]:
    found = _DAY.fullmatch(text)
    if found is None:
        raise ValueError(f'expected "2029", "2029-06" or "2029-06-10", got {text!r}')
    year, month, day = (0 if part is None else int(part) for part in found.groups())
    try:
        date(year, *(1 if part is None else int(part) for part in found.groups()[1:]))
    except ValueError:
        raise ValueError(f"there is no such day: {text!r}") from None
    return year, month, day


class Milestone(BaseModel):
    """A `[milestone.ID]` table. Days are "2029", "2029-06" or "2029-06-10".

    `due` is the day it was promised for; a published result that nobody promised has none. `since`
    is the day of the evidence for `status`: of the announcement, the paper, the new roadmap.
    `checked` is the day on which somebody last looked whether the status is still right.
    `moved_to` is the new day of one that has slipped.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    who: _Text
    what: _Text
    due: str | None = None
    status: Status
    since: str
    moved_to: str | None = None
    source: _Text
    url: str
    checked: str
    note: str = ""

    @field_validator("due", "since", "moved_to")
    @classmethod
    def _some_day(cls, value: str | None) -> str | None:
        if value is not None:
            last_day(value)
        return value

    @field_validator("checked")
    @classmethod
    def _one_day(cls, value: str) -> str:
        if last_day(value) != first_day(value):
            raise ValueError(f'expected a day such as "2026-11-22", got {value!r}')
        return value

    @field_validator("url")
    @classmethod
    def _address(cls, value: str) -> str:
        if not _ADDRESS.fullmatch(value):
            raise ValueError(f"expected the http(s) address of the source, got {value!r}")
        return value

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        checked = last_day(self.checked)
        if first_day(self.since) > checked:
            raise wrong("since", f"{self.since} lies after `checked`, {self.checked}")
        if self.due is None and self.status != "met":
            raise wrong("status", f'"{self.status}" needs a `due`: only a result has none')
        if (self.moved_to is None) is (self.status == "slipped"):
            raise wrong("status", '"slipped" and `moved_to` go together')
        if self.due is not None:
            self._in_time(last_day(self.due), checked)
        return self

    def _in_time(self, due: date, checked: date) -> None:
        if self.status == "announced" and due < checked:
            said = f'was due {self.due}: say "met", "missed" or "slipped", else "open"'
            raise wrong("status", f'"announced", and {said}')
        if self.status == "missed" and due >= checked:
            raise wrong(
                "status", f'"missed", and due only {self.due}: say "announced" or "slipped"'
            )
        if self.moved_to is not None and last_day(self.moved_to) <= due:
            raise wrong("moved_to", f"expected a day after {self.due}, got {self.moved_to!r}")

    @property
    def awaited(self) -> str | None:
        """The day that it is waited for now; None where nothing is waited for."""
        return (self.moved_to or self.due) if self.status in WAITING else None


def upcoming(milestones: Iterable[Milestone], today: date) -> list[Milestone]:
    """Those that are waited for and not past their day, the next one first."""
    return [one for one in _waited_for(milestones) if _day(one) >= today]


def past_due(milestones: Iterable[Milestone], today: date) -> list[Milestone]:
    """Those whose day has passed without a word on what came of them, the oldest first."""
    return [one for one in _waited_for(milestones) if _day(one) < today]


def _waited_for(milestones: Iterable[Milestone]) -> list[Milestone]:
    waited = [one for one in milestones if one.awaited is not None]
    return sorted(waited, key=lambda one: (_day(one), one.id))


def _day(milestone: Milestone) -> date:
    return last_day(milestone.awaited or milestone.since)
