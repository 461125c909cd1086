"""The milestones that ship with Qrossover, under those of a file of one's own (`[scenario]`)."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import tomli
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from monitor.literals import fit
from monitor.problems import ConfigError, Problem, located, of_validation, shown, unknown_key
from triggers.milestone import Milestone, past_due

EVIDENCE = ("since", "source", "url", "checked")
"""What a status of one's own is said with: those of the shipped entry are about another status."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_KEYS = [name for name in Milestone.model_fields if name != "id"]


class ScenarioSettings(BaseModel):
    """`[scenario]`. `milestones` is a file whose entries correct or add to the shipped ones."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    milestones: Path | None = None

    @field_validator("milestones")
    @classmethod
    def _file(cls, value: Path) -> Path:
        if value.name in ("", "..") or "\0" in str(value):
            raise ValueError(f"expected the path of a file, got {str(value)!r}")
        return value


def load(own: Path | None = None) -> dict[str, Milestone]:
    """All milestones by id: the shipped ones, corrected and followed by those of `own`.

    Raises ConfigError with every fault of that file.
    """
    shipped = _shipped()
    merged = {name: Milestone(id=name, **table) for name, table in shipped.items()}
    return merged if own is None else merged | _read(own, shipped)


def _shipped() -> dict[str, dict[str, Any]]:
    text = files("triggers").joinpath("milestones.toml").read_text(encoding="utf-8")
    tables: dict[str, dict[str, Any]] = tomli.loads(text)["milestone"]
    return tables


def _read(path: Path, shipped: Mapping[str, Mapping[str, Any]]) -> dict[str, Milestone]:
    from monitor.config import parsed  # noqa: PLC0415 the config has our settings in it

    try:
        raw = path.read_bytes()
    except (OSError, ValueError) as error:
        message = f"{shown(path)}: cannot be read: {error}; [scenario] milestones names it"
        raise ConfigError([message]) from None
    text, document = parsed(path, raw)
    problems: list[Problem] = []
    document = fit(document, problems)
    found = {made.id: made for made in _entries(document, shipped, problems)}
    if problems:
        raise located(path, text, problems)
    return found


def _entries(
    document: Mapping[str, Any],
    shipped: Mapping[str, Mapping[str, Any]],
    problems: list[Problem],
) -> Iterator[Milestone]:
    problems += [unknown_key((name,), ["milestone"]) for name in document if name != "milestone"]
    tables = document.get("milestone", {})
    if not isinstance(tables, dict):
        problems.append(Problem(("milestone",), "expected tables, [milestone.NAME]"))
        return
    for name, table in tables.items():
        if not isinstance(table, dict):
            problems.append(Problem(("milestone", name), "expected a table"))
            continue
        faults = list(_faults(name, table, shipped.get(name, {})))
        problems += faults
        if not faults:
            yield Milestone(id=name, **_over(shipped.get(name, {}), table))


def _faults(name: str, table: Mapping[str, Any], under: Mapping[str, Any]) -> Iterator[Problem]:
    key = ("milestone", name)
    if not NAME.fullmatch(name):
        yield Problem(key, "a name is made of letters, digits, - and _", in_value=False)
        return
    if "id" in table:
        yield unknown_key((*key, "id"), _KEYS)
        return
    if table.get("status", under.get("status")) != under.get("status"):
        lacking = [each for each in EVIDENCE if each not in table] if under else []
        if lacking:
            message = f"another status needs its own evidence: add {', '.join(lacking)}"
            yield Problem((*key, "status"), message)
            return
    merged = _over(under, table)
    try:
        Milestone.model_validate({"id": name, **merged}, strict=True)
    except ValidationError as error:
        yield from of_validation(error, key, _KEYS, merged)


def _over(under: Mapping[str, Any], table: Mapping[str, Any]) -> dict[str, Any]:
    """A shipped entry with the keys of one's own table. What belonged to its old status goes."""
    kept = dict(under)
    if "status" in table and table["status"] != under.get("status"):
        kept = {key: value for key, value in kept.items() if key not in ("moved_to", "note")}
    return kept | dict(table)


def today(moment: float) -> date:
    """The day of a moment, UTC."""
    return datetime.fromtimestamp(moment, UTC).date()


def overdue(milestones: Mapping[str, Milestone], moment: float) -> str:
    """One line on the milestones that are past their day without a word on what came of them; ""
    where there are none."""
    late = past_due(milestones.values(), today(moment))
    if not late:
        return ""
    are = "milestone is" if len(late) == 1 else "milestones are"
    named = ", ".join(f"{one.id} ({one.awaited})" for one in late)
    return f"{len(late)} {are} past due and not confirmed: {named}; see `qrossover scenario`"
