"""What a request to the control socket says, held against what it may say."""

import json
from typing import Any

from starlette.requests import Request

from monitor.refusal import Refused

MOST_BYTES = 1 << 20
"""A request is a name and a sentence or two; the summary of a backtest is the longest."""

LATEST = 253402300799.0
"""The last second of the year 9999, since the epoch: later ones have no date."""
_KINDS = {
    str: "a text",
    float: "a time up to the year 9999",
    list: "a list of texts",
    type(None): "null",
}


class Misused(Refused):
    """A request that no command of ours makes."""


async def document(request: Request, **known: tuple[type, ...]) -> dict[str, Any]:
    """The JSON object of a request, nothing where it has no body. `known`: its keys, and what each
    may be. Raises Misused."""
    raw = b""
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > MOST_BYTES:
            raise Misused(f"the request is larger than {MOST_BYTES >> 10} KiB")
    try:
        found = json.loads(raw or b"{}", parse_int=float, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise Misused(f"the request is not valid JSON: {error}") from None
    if not isinstance(found, dict):
        raise Misused("the request is not a JSON object")
    for key, value in found.items():
        if key not in known:
            raise Misused(f"the request has an unknown key {key!r}; known are {', '.join(known)}")
        if not isinstance(value, known[key]) or not _is_sound(value):
            kinds = " or ".join(_KINDS[kind] for kind in known[key])
            raise Misused(f"{key}: expected {kinds}")
    return found


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is not a number")


def _is_sound(value: Any) -> bool:
    """Whether a value can be stored: half a surrogate pair cannot be UTF-8."""
    if isinstance(value, float):
        return 0 <= value <= LATEST
    if isinstance(value, list):
        return all(isinstance(one, str) and _is_sound(one) for one in value)
    return not isinstance(value, str) or not any("\ud800" <= sign <= "\udfff" for sign in value)
