"""Other values for one trigger of a config file: the new text, proved before anything is written.

The new text is validated like any config, and what it says is compared with what the old one says:
they differ in these keys and in nothing else.
"""

import codecs
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli
from tomlkit.items import Item

from monitor import config as configs
from monitor.config import Config
from monitor.differences import same
from monitor.edit.file import present
from monitor.edit.text import BY_HAND, rewritten
from monitor.edit.values import KEYS, WrongValue, no_trigger, unknown
from monitor.problems import ConfigError, key_text, shown
from monitor.refusal import Refused
from storage.configs import Change


@dataclass(frozen=True, slots=True)
class Edit:
    """A config file before and after. `changes` are those that make a difference, with the names
    of the keys in full: `trigger.NAME.threshold`; without any, both texts are the same."""

    path: Path
    before: bytes
    after: bytes
    old: Config
    new: Config
    changes: tuple[Change, ...]


def edited(
    path: Path, trigger: str, changes: Mapping[str, Any], *, said: str | None = None
) -> Edit:
    """The file with these keys of `[trigger.NAME]` set, or removed where the value is None.

    `said`: what it counts as saying, whatever stands there. Values are Python's or tomlkit's.
    Nothing is written. Raises ConfigError where the file cannot be used as it is, Refused for an
    unknown trigger and for a table that cannot be edited safely, WrongValue for keys and values
    that the trigger cannot have.
    """
    path = path.absolute()
    before = present(path) if said is None else said.encode()
    old = configs.parse(path, before, with_token=False)
    if trigger not in old.triggers:
        raise Refused(f"{no_trigger(trigger, old.triggers)} The config is {shown(path)}.")
    if wrong := [unknown(trigger, key) for key in changes if key not in KEYS]:
        raise WrongValue(wrong)
    text = before.decode("utf-8-sig")
    table = tomli.loads(text)["trigger"][trigger]
    real = {key: value for key, value in changes.items() if _differs(table, key, value)}
    if not real:
        return Edit(path, before, before, old, old, ())
    after = rewritten(text, trigger, real)
    _prove(text, after, trigger, real)
    mark = codecs.BOM_UTF8 if before.startswith(codecs.BOM_UTF8) else b""
    raw = mark + after.encode()
    return Edit(
        path, before, raw, old, _valid(path, raw, old, trigger), _changes(trigger, table, real)
    )


def plain(value: Any) -> Any:
    """A tomlkit value as Python's own."""
    return value.unwrap() if isinstance(value, Item) else value


def _differs(table: Mapping[str, Any], key: str, value: Any) -> bool:
    old, new = table.get(key), plain(value)
    numbers = type(old) in (int, float) and type(new) in (int, float)
    return bool(old != new) if numbers else not same(old, new)


def _changes(trigger: str, table: Mapping[str, Any], real: Mapping[str, Any]) -> tuple[Change, ...]:
    return tuple(
        Change(key_text(("trigger", trigger, key)), table.get(key), plain(value))
        for key, value in real.items()
    )


def _prove(before: str, after: str, trigger: str, changes: Mapping[str, Any]) -> None:
    """Raise Refused unless the new text says what the old one does but for these changes."""
    wanted = tomli.loads(before)
    table = wanted["trigger"][trigger]
    for key, value in changes.items():
        table.pop(key, None)
        if value is not None:
            table[key] = plain(value)
    try:
        found = tomli.loads(after)
    except ValueError as error:
        raise Refused(f"trigger.{trigger}: {BY_HAND} ({error})") from None
    # as JSON, since 1, 1.0 and true are equal in Python
    if json.dumps(found, sort_keys=True) != json.dumps(wanted, sort_keys=True):
        raise Refused(f"trigger.{trigger}: {BY_HAND}")


def _valid(path: Path, raw: bytes, old: Config, trigger: str) -> Config:
    """The config that the new text is. Raises WrongValue with the faults of the trigger; their
    line and column would be those of a file that is not there."""
    try:
        return configs.parse(path, raw, with_token=False, before=old)
    except ConfigError as error:
        place = re.compile(rf"{re.escape(shown(path))}:\d+:\d+: ")
        lines = [place.sub("", line, count=1) for line in error.lines]
        own = [line for line in lines if line.startswith(f"trigger.{trigger}")]
        raise WrongValue(own or lines) from None
