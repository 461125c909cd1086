"""What an edit of the config would do, and the configs that were in force: documents with stable
keys."""

import difflib
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from monitor.edit.apply import Applied, Draft
from monitor.edit.edited import Edit
from monitor.foresee import backtest
from monitor.judge import series
from monitor.problems import shown
from monitor.report import iso
from monitor.text import number
from storage.configs import Change, Version
from storage.store import Store
from storage.types import Standing, now
from triggers.change import stand
from triggers.rule import COMPOSITE, Rule

SAID = frozenset({"advice", "notify", "severity"})
"""Keys that do not decide whether a trigger fires."""


def changes(found: Sequence[Change]) -> list[dict[str, Any]]:
    """Keys with another value; null: the key is not, or will no longer be, there."""
    return [{"key": one.key, "old": one.old, "new": one.new} for one in found]


def outcome(draft: Draft, applied: Applied | None) -> dict[str, Any]:
    """What was written, and what the service said to it; nulls while nothing is written."""
    return {
        "path": str(draft.path),
        "changes": changes(draft.changes),
        "applied": applied is not None,
        "backup": str(applied.backup) if applied and applied.backup else None,
        "service": applied.service if applied else None,
        "said": applied.said if applied else None,
        "warnings": list(applied.warnings) if applied else [],
    }


def tried(store: Store | str, edit: Edit, name: str, since: float) -> dict[str, Any]:
    """What the new values would have done over the last `since` seconds, in full and in a sentence;
    else why that is not known. And what becomes of the trigger where it fires now.

    `store`: the database, or why it cannot be read.
    """
    if not edit.changes:
        return {"backtest": None, "summary": None, "untried": None, "firing": []}
    found, why = _backtest(store, edit, name, since)
    rules = (edit.old.triggers[name], edit.new.triggers[name])
    return {
        "backtest": found,
        "summary": None if found is None else backtest.summary(found),
        "untried": why or None,
        "firing": [] if isinstance(store, str) else consequences(store, *rules, now()),
    }


def _backtest(
    store: Store | str, edit: Edit, name: str, since: float
) -> tuple[dict[str, Any] | None, str]:
    """The backtest, or why there is none."""
    if all(change.key.rpartition(".")[2] in SAID for change in edit.changes):
        return None, "It fires as before: only what is said of it changes."
    if isinstance(store, str):
        return None, f"{store}, so nothing says how often it would have fired."
    until = now()
    changed = edit.new.triggers[name]
    return backtest.compare(store, edit.old, name, changed, until - since, until), ""


# --- what becomes of a trigger that fires ------------------------------------------------------


def consequences(store: Store, old: Rule, new: Rule, moment: float) -> list[str]:
    """What the edit does to a trigger that fires, a sentence for each of its targets."""
    standings = [s for s in store.standings_of(old.name) if s.subject == old.subject]
    firing = [s for s in standings if s.state == "firing"]
    told = [_consequence(store, new, standing, moment) for standing in firing]
    if firing and old.notify and not new.notify:
        told.append("with notify = false nothing more is sent for it")
    return told


def _consequence(store: Store, new: Rule, standing: Standing, moment: float) -> str:
    where = f"it fires on {standing.target} now"
    if new.subject != standing.subject:
        return f"{where}: it will be about something else, which closes that alert"
    if not (fnmatchcase(standing.target, new.target) or new.probe is not None):
        return f"{where}: that target is no longer covered, which closes the alert"
    if new.when in (*COMPOSITE, "crosses"):
        return f"{where}: standing and alert stay, and are judged anew"
    seen = series(store, new, standing)
    after, _ = stand(new, standing, seen, moment)
    if new.when not in ("fails", "stale") and seen.readings:  # those have no value in the unit
        where += f", at {number(seen.readings[-1].value, seen.unit)}"
    if after.state == "firing":
        return f"{where}, and goes on firing: standing and alert stay"
    return f"{where}: standing and alert stay, and resolve once it is judged by the new values"


# --- configs that were in force ----------------------------------------------------------------


def history(versions: Sequence[Version], running: str | None) -> list[dict[str, Any]]:
    """Configs that were in force, newest first. `running`: the sum of the one that is now."""
    newest = next((one.id for one in versions if one.sha256 == running), None)
    return [version(one, in_force=one.id == newest) for one in versions]


def version(one: Version, *, in_force: bool) -> dict[str, Any]:
    """One config that was in force, without its text."""
    return {
        "id": one.id,
        "at": iso(one.at),
        "by": one.by,
        "how": one.how,
        "sha256": one.sha256,
        "in_force": in_force,
        "changes": changes(one.changes),
    }


def difference(
    before: tuple[str, str], after: tuple[str, str], found: Sequence[Change]
) -> dict[str, Any]:
    """Two texts with their names: the keys that differ, and the lines."""
    return {
        "old": before[0],
        "new": after[0],
        "changes": changes(found),
        "lines": unified(before[1], after[1], before[0], after[0]),
    }


def unified(before: str, after: str, old: str, new: str) -> list[str]:
    """The lines that differ, with their neighbours, as `diff -u` shows them. Line ends are left
    out: texts that differ in these alone show nothing."""
    return list(
        difflib.unified_diff(_lines(before), _lines(after), fromfile=old, tofile=new, lineterm="")
    )


def _lines(text: str) -> list[str]:
    plain = text.removeprefix("\ufeff").replace("\r\n", "\n")
    return plain.removesuffix("\n").split("\n")


def called(one: Version | None, path: Path) -> str:
    """A name for a text: which of the history it is, or the file as it stands."""
    return f"config {one.id}" if one else shown(path)
