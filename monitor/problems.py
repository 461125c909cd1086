"""What is wrong with a config file, all of it in one go, each with its place and a way out."""

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

Key = tuple[str | int, ...]

# Slack, AWS, GitHub, JWT, PEM: a known beginning, and all that follows it
_SECRET = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"xox[a-z](?:\.xox[a-z])?-|xapp-\d|hooks\.slack\.com/services/"
    r"|(?:AKIA|ASIA)[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{20}|github_pat_"
    r"|eyJ[\w-]{8,}\.eyJ|-----BEGIN [A-Z ]*PRIVATE KEY"
    r")[^\s'\"]*"
)
_MOST_SHOWN = 60
_MOST_SAID = 600
_MOST_LISTED = 15
# pydantic's words for what JSON and Python call differently than TOML does
_WORDS = (
    (re.compile(r"^\w+ should (?:be|have)"), "expected"),
    (re.compile(r"^Input is not a valid path\b.*"), "expected a path"),
    (re.compile(r" after validation, not \d+"), ""),
    (re.compile(r"\ba valid (?:tuple|list|array)\b"), "an array"),
    (re.compile(r"\b(?:a valid|an) (?:dictionary|object|mapping)\b"), "a table"),
    (re.compile(r"\ba valid integer\b"), "a whole number"),
    (re.compile(r"\ba valid boolean\b"), "true or false"),
    (re.compile(r"\ba valid\b"), "a"),
)


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault: the key it is about, what is wrong, and whether its value or its name is."""

    key: Key
    message: str
    in_value: bool = True


class ConfigError(Exception):
    """A config file that cannot be used; a line `file:line:column: key: message` for each fault.

    Whatever looks like a secret is struck out: these lines go to logs and to Slack.
    """

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = tuple(redacted(line) for line in lines)
        super().__init__("\n".join(self.lines))


def is_secret(text: str) -> bool:
    """Whether a text holds something that looks like a token."""
    return _SECRET.search(text) is not None


def redacted(text: str) -> str:
    """The text with all that looks like a token struck out."""
    return _SECRET.sub("[secret]", text)


def shown(path: Path) -> str:
    """A path as its reader would type it: relative where it lies below the present folder."""
    try:
        return str(path.relative_to(Path.cwd()))
    except (ValueError, OSError):  # elsewhere, or the present folder is gone
        return str(path)


def located(
    path: Path, text: str, problems: Iterable[Problem], *, first_index: int = 0
) -> ConfigError:
    """The error that tells all problems of a file in the order in which they stand there.

    Of several about one key the first is told: the rest follow from it. `first_index`: what the
    first item of an array is called.
    """
    from monitor.places import Places  # noqa: PLC0415 the parser is needed only on errors

    places = Places(text)
    first: dict[Key, Problem] = {}
    for problem in problems:
        first.setdefault(problem.key, problem)
    found = [(places.of(one.key, value=one.in_value), one) for one in first.values()]
    found.sort(key=lambda pair: pair[0])
    return ConfigError(
        [
            f"{shown(path)}:{line}:{column}: {_said(one, first_index)}"
            for (line, column), one in found
        ]
    )


def _said(problem: Problem, first_index: int) -> str:
    message = redacted(problem.message)
    if len(message) > _MOST_SAID:
        message = f"{message[:_MOST_SAID]}…"
    counted = (part + first_index if isinstance(part, int) else part for part in problem.key)
    key = redacted(key_text(tuple(counted)))
    return f"{key}: {message}" if key else message


def key_text(key: Key) -> str:
    """A key as it is written in TOML: `probe.queue.signals."queue.length"`."""
    return ".".join(_part(part) for part in key)


def _part(part: str | int) -> str:
    text = str(part)
    return text if re.fullmatch(r"[\w-]+", text) else json.dumps(text, ensure_ascii=False)


def nearest(word: str, known: Iterable[str]) -> str:
    """' Did you mean "…"?' for the known word nearest to `word`, else nothing."""
    lower = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word.lower(), list(lower), n=1)
    return f' Did you mean "{lower[found[0]]}"?' if found else ""


def hint(word: str, known: Iterable[str]) -> str:
    """The known word nearest to `word`, else all of them where they are few."""
    names = sorted(known)
    near = nearest(word, names)
    return near or (f" Known here: {', '.join(names)}." if 0 < len(names) <= _MOST_LISTED else "")


def unknown_key(key: Key, known: Iterable[str]) -> Problem:
    """A key that nothing reads."""
    return Problem(key, f"unknown key.{hint(str(key[-1]), known)}", in_value=False)


def of_validation(
    error: ValidationError, table: Key, known: Sequence[str], value: Any
) -> list[Problem]:
    """The problems of one table of this value. `known` are the keys that it may hold."""
    faults: dict[Key, list[dict[str, Any]]] = {}
    for fault in error.errors(include_url=False):
        key = (*table, *_inside(value, fault["loc"]))
        if fault["type"] == "missing":
            key = (*key, fault["loc"][-1])
        faults.setdefault(key, []).append(dict(fault))
    return [
        _problem(key, told, table, known)
        for key, told in faults.items()
        if not _follows(key, told[0], faults)
    ]


def _inside(value: Any, loc: Iterable[str | int]) -> Iterator[str | int]:
    """The part of a place that is in the file: pydantic also names the branches of a union."""
    for part in loc:
        table = isinstance(value, dict) and part in value
        array = isinstance(value, list) and isinstance(part, int) and part < len(value)
        if table or array:
            value = value[part]
            yield part


def _follows(key: Key, fault: dict[str, Any], faults: Iterable[Key]) -> bool:
    """Whether an array is called too short only because what it holds is wrong."""
    inner = (other for other in faults if len(other) > len(key) and other[: len(key)] == key)
    return fault["type"] == "too_short" and any(inner)


def _problem(
    key: Key, faults: Sequence[dict[str, Any]], table: Key, known: Sequence[str]
) -> Problem:
    kind, got = faults[0]["type"], faults[0].get("input")
    if kind == "wrong":  # a check of ours that says which key it is about
        return Problem((*table, faults[0]["ctx"]["key"]), faults[0]["ctx"]["message"])
    if kind == "extra_forbidden":
        return unknown_key(key, known)
    if kind == "missing":
        return Problem(key, "this key is missing", in_value=False)
    if kind == "value_error":
        return Problem(key, faults[0]["msg"].removeprefix("Value error, "))
    # several faults of one key are the branches of a union: any of them would do
    expected = " or ".join(dict.fromkeys(_expected(fault["msg"]) for fault in faults))
    near = nearest(got, _options(faults[0])) if isinstance(got, str) else ""
    return Problem(key, f"expected {expected}, got {_shown(got)}{f'.{near}' if near else ''}")


def _expected(message: str) -> str:
    for found, ours in _WORDS:
        message = found.sub(ours, message)
    return message.removeprefix("expected ")


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    text = redacted(repr(value))
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"


def _options(fault: dict[str, Any]) -> list[str]:
    return re.findall(r"'([^']+)'", str(fault.get("ctx", {}).get("expected", "")))
