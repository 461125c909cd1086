"""What is wrong with a config file, all of it in one go, each with its place and a way out."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

Key = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault: the key it is about, what is wrong, and whether its value or its name is."""

    key: Key
    message: str
    in_value: bool = True


class ConfigError(Exception):
    """A config file that cannot be used; a line `file:line:column: key: message` for each fault."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = tuple(lines)


def located(path: Path, text: str, problems: Iterable[Problem]) -> ConfigError:
    """The error that tells all problems of a file in the order in which they stand there."""
    from monitor.places import Places  # noqa: PLC0415 the parser is needed only on errors

    places = Places(text)
    found = [(places.of(problem.key, value=problem.in_value), problem) for problem in problems]
    found.sort(key=lambda pair: pair[0])
    return ConfigError([f"{path}:{line}:{column}: {_said(p)}" for (line, column), p in found])


def _said(problem: Problem) -> str:
    key = ".".join(str(part) for part in problem.key)
    return f"{key}: {problem.message}" if key else problem.message


def nearest(word: str, known: Iterable[str]) -> str:
    """' Did you mean "…"?' for the known word nearest to `word`, else nothing."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f' Did you mean "{found[0]}"?' if found else ""


def of_validation(error: ValidationError, table: Key, known: Sequence[str]) -> list[Problem]:
    """The problems of one table. `known` are the keys that it may hold."""
    return [_problem(dict(fault), table, known) for fault in error.errors(include_url=False)]


def _problem(fault: dict[str, Any], table: Key, known: Sequence[str]) -> Problem:
    key: Key = (*table, *(part for part in fault["loc"] if not _is_tag(part)))
    kind, got = fault["type"], fault.get("input")
    if kind == "wrong":
        about = fault["ctx"]["key"]
        return Problem((*table, about), fault["ctx"]["message"])
    if kind == "extra_forbidden":
        return unknown_key(key, known)
    if kind == "missing":
        return Problem(key, "this key is missing", in_value=False)
    message = fault["msg"].removeprefix("Value error, ")
    if kind == "value_error":
        return Problem(key, message)
    message = message.replace("Input should be", "expected")
    near = nearest(got, _options(fault)) if isinstance(got, str) else ""
    return Problem(key, f"{message}, got {got!r}.{near}" if near else f"{message}, got {got!r}")


def unknown_key(key: Key, known: Sequence[str]) -> Problem:
    """A key that nothing reads."""
    near = nearest(str(key[-1]), known)
    listed = ", ".join(sorted(known))
    return Problem(key, f"unknown key.{near or f' Known here: {listed}.'}", in_value=False)


def _options(fault: dict[str, Any]) -> list[str]:
    expected = str(fault.get("ctx", {}).get("expected", ""))
    return [part.strip("' ") for part in expected.replace(" or ", ",").split(",")]


def _is_tag(part: str | int) -> bool:
    # pydantic names the branch of a union ("str", "float") as if it were a key
    return isinstance(part, str) and part in {"str", "float", "int", "bool"}
