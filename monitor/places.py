"""Where in a TOML file a key or a value stands. Loaded only when something is wrong with it."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping

import tree_sitter_toml
from tree_sitter import Language, Node, Parser

Key = tuple[str | int, ...]
Place = tuple[int, int]
"""Line and column, both from 1; the column counts characters."""


class Places:
    """Every key path of a TOML text with the places of its key and of its value."""

    def __init__(self, text: str) -> None:
        self._lines = text.encode().split(b"\n")
        self._keys: dict[Key, Place] = {}
        self._values: dict[Key, Place] = {}
        root = Parser(Language(tree_sitter_toml.language())).parse(text.encode()).root_node
        counts: dict[Key, int] = {}
        for node in root.named_children:
            if node.type == "pair":
                self._pair((), node)
            elif node.type in ("table", "table_array_element"):
                self._table(node, counts)

    def of(self, key: Key, *, value: bool = False) -> Place:
        """The place of a key (or of its value), else of the nearest thing that holds it."""
        for length in range(len(key), 0, -1):
            places = (self._keys, self._values)
            if value and length == len(key):
                places = (self._values, self._keys)
            for known in places:
                if key[:length] in known:
                    return known[key[:length]]
        return 1, 1

    def _table(self, node: Node, counts: dict[Key, int]) -> None:
        head = node.named_children[0]
        *outer, last = _names(head)
        path: Key = (*_newest(outer, counts), last)
        if node.type == "table_array_element":
            counts[path] = counts.get(path, -1) + 1
        path = _newest([last], counts, path[:-1])
        for length in range(1, len(path) + 1):
            self._keys.setdefault(path[:length], self._place(head))
        for child in node.named_children[1:]:
            if child.type == "pair":
                self._pair(path, child)

    def _pair(self, prefix: Key, node: Node) -> None:
        name, value = [child for child in node.named_children if child.type != "comment"][:2]
        path = (*prefix, *_names(name))
        for length in range(len(prefix) + 1, len(path) + 1):
            self._keys.setdefault(path[:length], self._place(name))
        self._value(path, value)

    def _value(self, path: Key, node: Node) -> None:
        self._values[path] = self._place(node)
        items = [child for child in node.named_children if child.type != "comment"]
        if node.type == "inline_table":
            for item in items:
                self._pair(path, item)
        elif node.type == "array":
            for index, item in enumerate(items):
                self._value((*path, index), item)

    def _place(self, node: Node) -> Place:
        row, column = node.start_point
        return row + 1, len(self._lines[row][:column].decode(errors="replace")) + 1


def _newest(names: Iterable[str], counts: Mapping[Key, int], path: Key = ()) -> Key:
    """A path with, behind every name of an array of tables, the index of its newest table."""
    for name in names:
        path = (*path, name)
        if path in counts:
            path = (*path, counts[path])
    return path


def _names(node: Node) -> Iterator[str]:
    if node.type == "dotted_key":
        for child in node.named_children:
            yield from _names(child)
        return
    text = (node.text or b"").decode()
    # a quoted key may hold escapes: let the parser that read the file say what it means
    yield next(iter(tomllib.loads(f"{text} = 0"))) if node.type == "quoted_key" else text
