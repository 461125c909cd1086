"""One `[trigger.NAME]` table of a TOML text with other values, the rest of it byte for byte.

tomlkit sees the lines of that table alone wherever it has a header of its own: so a file of 10,000
triggers is edited in no time, and nothing outside can change. Inline tables and dotted keys are
edited in the whole document.
"""

import copy
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import tomli
import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Item, Key, SingleKey, String, Trivia

from monitor.refusal import Refused

_HEADER = re.compile(r"^[ \t]*\[[^\[].*$", re.MULTILINE)
BY_HAND = "it is written in a way that cannot be edited safely: edit the file by hand"


def rewritten(text: str, name: str, changes: Mapping[str, Any]) -> str:
    """The text with these keys of `[trigger.NAME]` set, or gone where the value is None.

    A comment behind a value keeps its column where the new value leaves room for it. Raises
    Refused where the table is written in a way that cannot be edited without touching more.
    """
    own = _table(text, name)
    if own is None:
        return _in_document(text, name, changes)
    begin, end = own
    document = _read(text[begin:end], name)
    table: Any = document["trigger"]
    _in_body(table[name].value.body, changes, "\r\n" if "\r\n" in text else "\n")
    return text[:begin] + tomlkit.dumps(document) + text[end:]


def _read(text: str, name: str) -> tomlkit.TOMLDocument:
    """A text as tomlkit has it. Raises Refused where that would write it down otherwise."""
    try:
        document = tomlkit.parse(text)
    except TOMLKitError as error:
        raise Refused(f"trigger.{name}: {BY_HAND} ({error})") from None
    if tomlkit.dumps(document) != text:
        raise Refused(f"trigger.{name}: {BY_HAND}")
    return document


def _table(text: str, name: str) -> tuple[int, int] | None:
    """Where the lines of `[trigger.NAME]` begin and end; None where it has no header of its own.

    A line that looks like a header may stand within a text or an array of several lines. What
    comes before it is then no whole document, which is how that is found out.
    """
    heads = [found.start() for found in _HEADER.finditer(text)]
    for index, begin in enumerate(heads):
        line = text[begin : text.find("\n", begin) + 1 or None]
        if name not in line or _parsed(line) != {"trigger": {name: {}}}:
            continue
        if _parsed(text[:begin]) is None:
            continue
        ends = (*heads[index + 1 :], len(text))
        return begin, next(end for end in ends if _parsed(text[begin:end]) is not None)
    return None


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        return tomli.loads(text)
    except ValueError:
        return None


# --- a table with a header ---------------------------------------------------------------------


def _in_body(body: list[Any], changes: Mapping[str, Any], line_end: str) -> None:
    """Change the lines of one table; `body` has them in order, blank and comment lines too."""
    for key, value in changes.items():
        at = next((i for i, (k, _) in enumerate(body) if k is not None and k.key == key), None)
        if at is None:
            _insert(body, key, value, line_end)
        elif value is None:
            del body[at]
        else:
            body[at] = (body[at][0], _in_place_of(body[at][1], value))


def _insert(body: list[Any], key: str, value: Any, line_end: str) -> None:
    """Add a line behind the last key: what follows it is often a comment on the next table."""
    keyed = [index for index, (k, _) in enumerate(body) if k is not None]
    last = body[keyed[-1]][1].trivia
    item = _item(value, quote='"')
    # the last line of a file may have no end: then the new last line has none
    item._trivia = Trivia(indent=last.indent, trail=last.trail)
    last.trail = last.trail or line_end
    body.insert(keyed[-1] + 1, (_key(key, [body[index][0] for index in keyed]), item))


def _key(name: str, beside: list[Key]) -> Key:
    """The key with its equals sign below those of its neighbours, where they stand in a column."""
    before = [key.as_string() + key.sep.partition("=")[0] for key in beside]
    after = beside[-1].sep.partition("=")[2]
    columns = {len(text) for text in before}
    aligned = len(columns) == 1 and len({len(text.rstrip()) for text in before}) > 1
    gap = before[-1][len(before[-1].rstrip()) :]
    width = columns.pop() if aligned else 0
    padded = name.ljust(width) if len(name) < width else f"{name}{gap[:1]}"
    return SingleKey(name, sep=f"{padded[len(name) :]}={after}")


def _in_place_of(old: Item, value: Any) -> Item:
    """The value as an item with the comment and the line end of the old one."""
    before = old.as_string()
    item = _item(value, quote=before[0])
    trivia = copy.copy(old.trivia)
    trivia.comment_ws = _space(trivia.comment_ws, before, item.as_string())
    item._trivia = trivia
    return item


def _space(space: str, before: str, after: str) -> str:
    """What stands between a value and its comment. A single blank is no column."""
    if len(space) < 2 or space.strip(" ") or "\n" in before + after:  # noqa: PLR2004
        return space
    return " " * max(1, len(space) + len(before) - len(after))


def _item(value: Any, *, quote: str) -> Item:
    plain = isinstance(value, str) and not isinstance(value, String)
    if plain and quote == "'" and value.isprintable() and "'" not in value:
        return tomlkit.string(value, literal=True)
    return copy.deepcopy(value) if isinstance(value, Item) else tomlkit.item(value)


# --- inline tables and dotted keys -------------------------------------------------------------


def _in_document(text: str, name: str, changes: Mapping[str, Any]) -> str:
    """The whole text with the changes, one after the other: tables that are not in one piece are
    numbered anew by each, and tomlkit does not notice."""
    after = text
    for key, value in changes.items():
        document = _read(after, name)
        tables: Any = document["trigger"]
        try:
            _change(tables[name], key, value)
        except (TOMLKitError, LookupError) as error:
            raise Refused(f"trigger.{name}: {BY_HAND} ({error})") from None
        after = tomlkit.dumps(document)
    return _checked(text, after, changes, name)


def _change(table: Any, key: str, value: Any) -> None:
    if value is None:
        del table[key]
        return
    old = tomlkit.item(table[key]).as_string() if key in table else None
    item = _item(value, quote=old[0] if old else '"')
    table[key] = item
    if old is not None:
        item.trivia.comment_ws = _space(item.trivia.comment_ws, old, item.as_string())


def _checked(before: str, after: str, changes: Mapping[str, Any], name: str) -> str:
    """The text after an edit of the whole document, if only lines of these keys are others."""
    old, new = (text.split("\n") for text in (before, after))
    gone = Counter(old) - Counter(new)
    if all(any(key in line for key in changes) or name in line for line in gone):
        if "\r\n" in before:
            # a line that tomlkit has added
            fresh = set(new) - set(old)
            new = [f"{x}\r" if x in fresh and x and not x.endswith("\r") else x for x in new]
        return "\n".join(new)
    raise Refused(f"trigger.{name}: {BY_HAND}")
