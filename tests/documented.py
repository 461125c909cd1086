"""JSON documents against the tables of docs/interfaces.md."""

from collections.abc import Iterator
from typing import Any

from doc_pages import INTERFACES

TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}

WHOLE = ("payload", "settings", "versions", "setup", "baseline_setup")
"""Objects whose keys are somebody else's."""


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every path of a document down to what holds no more objects, with its type."""
    if isinstance(value, dict) and path.rpartition(".")[2] not in WHOLE:
        for key, inner in value.items():
            yield from leaves(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and any(isinstance(inner, dict) for inner in value):
        for inner in value:
            yield from leaves(inner, f"{path}[]")
    elif isinstance(value, dict | list):
        yield path, "object" if isinstance(value, dict) else "list"
    else:
        yield path, TYPES[type(value)]


def assert_documented(heading: str, *documents: Any) -> None:
    """The table under a heading has the documents' keys, with types that they have."""
    rows = INTERFACES.table(heading).by_key()
    found = {leaf for document in documents for leaf in leaves(document)}
    assert {path for path, _ in found} == set(rows)
    for path, kind in found:
        allowed = set(rows[path]["type"].split(" or "))
        allowed |= {"integer"} if "number" in allowed else set()
        assert kind in allowed, path
