"""What two configs say differently, and how a person reads it."""

import itertools
from typing import Any

import pytest
import tomli

from monitor.differences import differences, lines, same, title, value_text
from storage.configs import Change

LEAVES = (None, True, False, 0, 1, 2, 0.0, -0.0, 1.0, "", "1", "true")
VALUES = (*LEAVES, *([leaf] for leaf in LEAVES), *({"a": leaf} for leaf in LEAVES), [], {}, [[1]])


def changes(old: str, new: str) -> tuple[Change, ...]:
    return differences(tomli.loads(old), tomli.loads(new))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("[a]\nb = 1", "# another comment\n[a]\nb = 1", []),
        ("[a]\nb = 1", "[a]\nb = 2", [Change("a.b", 1, 2)]),
        ("[a]\nb = 1", "[a]\nb = true", [Change("a.b", 1, True)]),
        ("[a]\nb = 1", "[a]\nb = 1\nc = [1]", [Change("a.c", None, [1])]),
        ("[a]\nb = 1", "[a]", [Change("a.b", 1, None)]),
        ('s = {"x.y" = 1}', 's = {"x.y" = 2}', [Change('s."x.y"', 1, 2)]),
        ("[a]\nb = 1", "a = 3", [Change("a", None, 3), Change("a.b", 1, None)]),
    ],
)
def test_a_key_with_another_value_is_named(old: str, new: str, expected: list[Change]) -> None:
    assert list(changes(old, new)) == expected


def test_the_same_is_what_would_be_written_the_same() -> None:
    for one, other in itertools.product(VALUES, repeat=2):
        assert same(one, other) == (repr(one) == repr(other)), (one, other)


def test_tables_that_come_or_go_are_one_line_each() -> None:
    old = tomli.loads('[trigger.a]\nwhen = "above"\nthreshold = 1\n[trigger.b]\nthreshold = 1')
    new = tomli.loads("[trigger.b]\nthreshold = 2\n[slack]\nchannel = '#x'")
    found = differences(old, new)
    assert title(found) == "trigger.a, trigger.b, slack"
    assert lines(found, old, new) == [
        "trigger.a: removed",
        "trigger.b.threshold: 1 → 2",
        "slack: added",
    ]


def test_many_changes_are_cut_short() -> None:
    old = {"trigger": {f"t{n}": {"threshold": n} for n in range(14)}}
    new = {"trigger": {f"t{n}": {"threshold": n + 1} for n in range(14)}}
    found = differences(old, new)
    assert title(found) == "trigger.t0, trigger.t1, trigger.t2 and 11 more"
    assert lines(found, old, new)[9:] == ["trigger.t9.threshold: 9 → 10", "and 4 more"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "not set"), ("8%", '"8%"'), (True, "true"), (0.5, "0.5"), (["a", 1], '["a", 1]')],
)
def test_a_value_reads_as_in_the_file(value: Any, text: str) -> None:
    assert value_text(value) == text
    assert len(value_text("x" * 999)) < 80
