"""What two configs say differently, key by key, and how a person reads it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from monitor.problems import key_text, redacted
from monitor.sections import NAMED
from storage.configs import Change

SHOWN_VALUE = 60
SHOWN_LINES = 10
SHOWN_NAMES = 3


def same(one: Any, other: Any) -> bool:
    """Whether two values of TOML are the same. Unlike for Python, 1 is neither true nor 1.0."""
    # a dict says its keys in their order: what only moved is looked at again, which does no harm
    return bool(one == other) and repr(one) == repr(other)


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Change, ...]:
    """The keys of two documents that have another value, each as it is written in TOML:
    `trigger.training-slower.threshold`. Arrays are values as a whole."""
    return tuple(_differences(old, new, ()))


def _differences(
    old: Mapping[str, Any], new: Mapping[str, Any], key: tuple[str, ...]
) -> Iterator[Change]:
    for name in [*old, *(name for name in new if name not in old)]:
        path, before, after = (*key, name), old.get(name), new.get(name)
        if before is after or same(before, after):
            continue
        if isinstance(before, dict) or isinstance(after, dict):
            inner = [part if isinstance(part, dict) else {} for part in (before, after)]
            values = [None if isinstance(part, dict) else part for part in (before, after)]
            if values != [None, None]:  # a value has become a table, or a table a value
                yield Change(key_text(path), *values)
            yield from _differences(inner[0], inner[1], path)
        else:
            yield Change(key_text(path), before, after)


def tables(changes: Sequence[Change]) -> list[str]:
    """The tables that changes are in, each once: `trigger.training-slower`, `slack`."""
    found = dict.fromkeys(_table(change.key) for change in changes)
    return list(found)


def _table(key: str) -> str:
    section, _, rest = key.partition(".")
    return f"{section}.{rest.partition('.')[0]}" if section in NAMED else section


def title(changes: Sequence[Change]) -> str:
    """The tables in one line: "trigger.a, trigger.b and 4 more"."""
    names = tables(changes)
    more = len(names) - SHOWN_NAMES
    return ", ".join(names[:SHOWN_NAMES]) + (f" and {more} more" if more > 0 else "")


def lines(changes: Sequence[Change], old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What changed for a reader of a message: a line for each key, one for a whole table that came
    or went, and how many are left out."""
    told: dict[str, None] = {}
    for change in changes:
        table = _table(change.key)
        was, now = _has(old, table), _has(new, table)
        if was and now:
            text = f"{change.key}: {value_text(change.old)} → {value_text(change.new)}"
        else:
            text = f"{table}: {'added' if now else 'removed'}"
        told[redacted(text)] = None
    most = list(told)
    more = len(most) - SHOWN_LINES
    return most[:SHOWN_LINES] + ([f"and {more} more"] if more > 0 else [])


def _has(document: Mapping[str, Any], table: str) -> bool:
    section, _, name = table.partition(".")
    found = document.get(section)
    return found is not None and (not name or (isinstance(found, dict) and name in found))


def value_text(value: Any) -> str:
    """A value as it stands in the file; "not set" where it does not."""
    if value is None:
        return "not set"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN_VALUE else f"{text[:SHOWN_VALUE]}…"
