"""A series in a short notation: "40x1000 880 _ 3x(1000 990) 1000..900/5 1000". Pure.

Every item is one slot: a number, or `_` where no reading comes. `NxITEM` and `Nx(ITEMS)` repeat,
`A..B/N` is N numbers in equal steps from A to B. A series of runs says `ok` and `failed`.
"""

import math
import re
from collections.abc import Mapping

Slots = tuple[float | None, ...]
"""One entry for each slot: the number read in it, or None."""

RUN_WORDS: Mapping[str, float] = {"ok": 0.0, "failed": 1.0}
"""What a run's end is called, and the number that it is judged as."""
MOST = 10_000
"""Slots of one series: what takes longer than a moment to judge is no unit test."""
DEEPEST = 8

_TOKEN = re.compile(r"\s+|([0-9]+)x|([()])|([^\s()]+)")
_NUMBER = r"[+-]?[0-9](?:_?[0-9])*(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"
_RAMP = re.compile(rf"({_NUMBER})\.\.({_NUMBER})/([0-9]+)")


def parse(text: str, words: Mapping[str, float] | None = None) -> Slots:
    """The slots of a series. `words` stand for numbers, and then nothing else is one.

    Raises ValueError that names the item which is wrong, and what is expected.
    """
    row = _Row(words)
    for found in _TOKEN.finditer(text):
        times, bracket, item = found.groups()
        if times:
            row.repeat(times)
        elif bracket == "(":
            row.open()
        elif bracket:
            row.close()
        elif item:
            row.add(item)
    return row.end()


class _Row:
    """The slots read so far, and those of every bracket that is open."""

    def __init__(self, words: Mapping[str, float] | None) -> None:
        self._words = words
        self._rows: list[list[float | None]] = [[]]
        self._times: list[int] = []
        self._next = 1
        self._repeats = ""

    def repeat(self, times: str) -> None:
        if self._repeats:
            raise ValueError(f"{self._repeats!r} is followed by {times + 'x'!r}: repeat a bracket")
        self._next, self._repeats = _count(times, f"{times}x"), f"{times}x"

    def open(self) -> None:
        if len(self._rows) > DEEPEST:
            raise ValueError(f"brackets are nested more than {DEEPEST} deep")
        self._times.append(self._next)
        self._rows.append([])
        self._next, self._repeats = 1, ""

    def close(self) -> None:
        self._whole()
        if not self._times:
            raise ValueError('")" closes no bracket')
        inner = self._rows.pop()
        if not inner:
            raise ValueError("a bracket holds nothing")
        self._extend(inner, self._times.pop())

    def add(self, item: str) -> None:
        self._extend(self._item(item), self._next)
        self._next, self._repeats = 1, ""

    def end(self) -> Slots:
        self._whole()
        if self._times:
            raise ValueError('a bracket is not closed: ")" is missing')
        (row,) = self._rows
        if not row:
            raise ValueError('expected readings such as "40x1000 880 _ 1000", got none')
        return tuple(row)

    def _whole(self) -> None:
        if self._repeats:
            raise ValueError(f'{self._repeats!r} repeats nothing: write it as in "3x1000"')

    def _extend(self, slots: list[float | None], times: int) -> None:
        if len(self._rows[-1]) + len(slots) * times > MOST:
            raise ValueError(f"more than {MOST:,} slots")
        self._rows[-1] += slots * times

    def _item(self, item: str) -> list[float | None]:
        if item == "_":
            return [None]
        if self._words is not None:
            if item not in self._words:
                known = '", "'.join(self._words)
                raise ValueError(f'expected "{known}" or "_", got {item!r}')
            return [self._words[item]]
        if ramp := _RAMP.fullmatch(item):
            return _ramp(_number(ramp[1]), _number(ramp[2]), _count(ramp[3], item))
        if not re.fullmatch(_NUMBER, item):
            raise ValueError(
                f'expected a number, "_", "3x1000", "3x(1000 990)" or "1000..900/5", got {item!r}'
            )
        return [_number(item)]


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"expected a finite number, got {text!r}")
    return number


def _count(text: str, item: str) -> int:
    # the digits are looked at first: Python refuses to read thousands of them
    if len(text) > len(str(MOST)) or not 1 <= int(text) <= MOST:
        raise ValueError(f"expected 1 to {MOST:,} slots, got {item!r}")
    return int(text)


def _ramp(first: float, last: float, count: int) -> list[float | None]:
    if count == 1:
        raise ValueError("a ramp has 2 slots or more")
    return [first + (last - first) * index / (count - 1) for index in range(count)]
