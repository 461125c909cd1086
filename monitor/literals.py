"""What no literal of a config may be, whatever its key: a secret, a date, no finite number."""

import math
from collections.abc import Iterator
from datetime import date, time
from typing import Any

from monitor.problems import Key, Problem, is_secret

DEEPEST = 16
"""Tables in tables and arrays in arrays: no key of ours takes anything near as deep."""
INTEGERS = range(-(2**63), 2**63)


def fit(value: Any, problems: list[Problem], key: Key = ()) -> Any:
    """The value without its unfit literals, each an empty string now and told in `problems`."""
    fault = _fault(value, len(key))
    if fault:
        problems.append(Problem(key, fault))
        return ""
    if isinstance(value, dict):
        problems += _secret_names(key, value)
        return {name: fit(inner, problems, (*key, name)) for name, inner in value.items()}
    if isinstance(value, list):
        return [fit(inner, problems, (*key, index)) for index, inner in enumerate(value)]
    return value


def _fault(value: Any, depth: int) -> str:
    if depth > DEEPEST:
        return "tables or arrays are nested too deeply"
    if isinstance(value, str) and is_secret(value):
        return "this looks like a secret: name where it is kept, by `token_env` or `token_file`"
    if isinstance(value, date | time):
        return "no key takes a date or a time; put it in quotes if it is meant as text"
    if isinstance(value, float) and not math.isfinite(value):
        return f"expected a finite number, got {value}"
    if isinstance(value, int) and value not in INTEGERS:
        return "this number is too large: 64 bits are the most"
    return ""


def _secret_names(key: Key, table: dict[str, Any]) -> Iterator[Problem]:
    for name in table:
        if is_secret(name):
            yield Problem((*key, name), "the name of this key looks like a secret", in_value=False)
