"""KEY=VALUE as it is typed on a command line, read by the type of the key's field in a rule."""

import contextlib
from collections.abc import Iterable
from types import NoneType
from typing import Any, get_args, get_origin

import tomlkit
from tomlkit.exceptions import ParseError
from tomlkit.items import Array, Float, Integer, String

from monitor.problems import Problem, hint, nearest, unknown_key
from triggers.rule import Rule

KEYS = {
    field.alias or name: field.annotation
    for name, field in Rule.model_fields.items()
    if name != "name"
}
"""The keys of a `[trigger.NAME]` table, and the type of each."""
_INSIDE = {field.alias: name for name, field in Rule.model_fields.items() if field.alias}
NUMBERS = ("threshold", "clear")
"""Keys that are a number for some kinds of trigger and a text for others."""


class WrongValue(Exception):
    """KEY=VALUE that a trigger's table cannot hold: a line `trigger.NAME.KEY: message` each."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.lines = tuple(lines)
        super().__init__("\n".join(self.lines))


def read(trigger: str, words: Iterable[str]) -> dict[str, Any]:
    """Each key with its TOML value as it was typed; None where the key is to go.

    `threshold=8%` is a text, `threshold=1e-3` a number, `accept=measured,simulated` a list,
    `clear=` and `clear=none` remove the key. Whether the rule can take a value is for the config's
    own validation to say. Raises WrongValue.
    """
    found: dict[str, Any] = {}
    wrong: list[str] = []
    for word in words:
        key, equals, text = word.partition("=")
        key = key.strip()
        if fault := _fault(trigger, key, equals, found):
            wrong.append(fault)
        else:
            found[key] = _value(key, text.strip())
    if wrong:
        raise WrongValue(wrong)
    return found


def _fault(trigger: str, key: str, equals: str, found: dict[str, Any]) -> str:
    if not equals:
        return f"{key!r} is no change: expected KEY=VALUE such as threshold=8%"
    if key not in KEYS:
        return unknown(trigger, key)
    return f"trigger.{trigger}.{key}: is given twice" if key in found else ""


def unknown(trigger: str, key: str) -> str:
    """What to say of a key that no trigger has, with the nearest one."""
    meant = next((alias for alias, name in _INSIDE.items() if name == key), "")
    if meant:
        problem = Problem(("trigger", trigger, key), f'unknown key. Did you mean "{meant}"?')
    else:
        problem = unknown_key(("trigger", trigger, key), KEYS)
    return f"trigger.{trigger}.{key}: {problem.message}"


def _value(key: str, text: str) -> Any:
    if not text or (text == "none" and KEYS[key] is not str):
        return None
    typed = _toml(text)
    if isinstance(typed, String):  # written in quotes, as in the file
        return typed
    if key in NUMBERS:
        return typed if isinstance(typed, Integer | Float) else _loose_number(text)
    if _is_list(KEYS[key]):
        return typed if isinstance(typed, Array) else [part.strip() for part in text.split(",")]
    if KEYS[key] is bool and text in ("true", "false"):
        return text == "true"
    return text


def _toml(text: str) -> Any:
    """A text as TOML reads it, in the form in which it was typed; None where it does not."""
    with contextlib.suppress(ParseError, ValueError):
        return tomlkit.value(text)
    return None


def _loose_number(text: str) -> float | str:
    """A number that TOML would write otherwise (".5"), else the text."""
    try:
        return float(text)
    except ValueError:
        return text


def _is_list(annotation: Any) -> bool:
    inner = [one for one in get_args(annotation) if one is not NoneType]
    return get_origin(annotation) is tuple or any(get_origin(one) is tuple for one in inner)


def no_trigger(name: str, known: Iterable[str]) -> str:
    """What to say of a trigger that the config has not."""
    names = list(known)
    return f"no trigger {name!r}.{nearest(name, names) or hint(name, names)}"
