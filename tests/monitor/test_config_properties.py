"""Whatever is done to a config: it is read, or refused with places that are in the file."""

import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.config import read
from monitor.places import Places
from monitor.problems import ConfigError

VALID = """\
[monitor]
database = "var/q.db" # über
http = ""

[slack]
channel = "#a"
token_env = "TOKEN"
remind_every = "24h"

[budget]
usd_per_day = 1.5

[probe.meter]
kind = "external.command"
argv = ["./meter", "-v"]
signals = { "test.meter" = "V", "test.share" = "1" }
every = "15m"

[probe.gemm]
kind = "gpu.gemm"
every = "1h"

[trigger.high]
signal = "test.meter"
when = "above"
threshold = 10
for = "2 of 3"

[trigger.drop]
signal = "test.share"
when = "drops"
threshold = "10%"
baseline = "14d"
accept = ["measured"]

[trigger.fails]
when = "fails"
probe = "*"

[checklist.c]
question = "?"
requires = ["high", "drop"]
"""
VALUES = (
    '"x"', '""', "1", "-1", "1e400", "nan", "true", "[]", "[1, 'a']", "{}", "{ a = 1 }",
    "1979-05-27", "0x7fffffffffffffff", "99999999999999999999", '"10%"', '"15m"', '"é\\u0000"',
    '"""\nlong\n"""', "'xoxb-1-a'", '"99999999999999999999999999y"', f'"{"9" * 400}d"',
    "[[[[[]]]]]",
)  # fmt: skip
LINES = VALID.splitlines(keepends=True)


def check(file: Path, raw: bytes) -> None:
    """Read it; what is said of it has places that exist."""
    file.write_bytes(raw)
    lines = raw.decode("utf-8-sig", errors="replace").split("\n")
    if not raw.strip():
        assert faults(file) == (f"{file} is empty",)
        return
    for said in faults(file):
        found = re.match(rf"{re.escape(str(file))}:(\d+):(\d+): \S", said)
        assert found is not None, said
        line, column = int(found[1]), int(found[2])
        assert 1 <= line <= len(lines), said
        assert 1 <= column <= len(lines[line - 1]) + 1, said
        assert "\n" not in said


def faults(file: Path) -> tuple[str, ...]:
    try:
        read(file)
    except ConfigError as wrong:
        return wrong.lines
    return ()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("config") / "config.toml"


few = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def test_the_example_is_valid(file: Path) -> None:
    file.write_text(VALID)
    assert read(file).warnings == ()


@few
@given(
    edits=st.lists(
        st.tuples(st.integers(0, len(LINES) - 1), st.sampled_from(VALUES)), min_size=1, max_size=3
    )
)
def test_any_value_anywhere(file: Path, edits: list[tuple[int, str]]) -> None:
    lines = LINES.copy()
    for number, value in edits:
        key, equals, _ = lines[number].partition("=")
        lines[number] = f"{key}= {value}\n" if equals else lines[number]
    check(file, "".join(lines).encode())


@few
@given(
    at=st.integers(0, len(VALID)),
    gone=st.integers(0, 12),
    put=st.text(st.sampled_from("[]{}=.,\"'#\n\r\t \\é\0ab1-%"), max_size=8),
)
def test_any_text_anywhere(file: Path, at: int, gone: int, put: str) -> None:
    check(file, (VALID[:at] + put + VALID[at + gone :]).encode())


@few
@given(st.permutations(range(len(LINES))), st.integers(1, len(LINES)))
def test_lines_in_any_order(file: Path, order: list[int], count: int) -> None:
    check(file, "".join(LINES[number] for number in order[:count]).encode())


@few
@given(raw=st.binary(max_size=60))
def test_any_bytes(file: Path, raw: bytes) -> None:
    check(file, raw)


scalars = st.sampled_from(["1", "'a'", "true", "1.5"])
names = st.sampled_from(["a", "b", '"c.d"', "'e f'", '"\\u00e9"', '"\\""'])
inner = st.recursive(
    scalars,
    lambda deeper: st.one_of(
        st.lists(deeper, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.dictionaries(names, deeper, max_size=3).map(
            lambda table: f"{{ {', '.join(f'{k} = {v}' for k, v in table.items())} }}"
        ),
    ),
    max_leaves=8,
)


@few
@given(st.dictionaries(names, st.dictionaries(names, inner, max_size=3), max_size=3))
def test_every_value_of_a_document_has_its_place(tables: dict[str, dict[str, str]]) -> None:
    text = "".join(
        f"[{head}]\n" + "".join(f"  {name} = {value}\n" for name, value in table.items())
        for head, table in tables.items()
    )
    places, lines = Places(text), text.split("\n")
    for key, value in leaves((), tomllib.loads(text)):
        line, column = places.of(key, value=True)
        begun = lines[line - 1][column - 1 :]
        spelled = {"True": "true"}.get(str(value), f"{value!r}")
        assert begun.startswith(spelled), (key, begun)


def leaves(key: tuple[str | int, ...], value: object) -> list[tuple[tuple[str | int, ...], object]]:
    if isinstance(value, dict):
        return [leaf for name, item in value.items() for leaf in leaves((*key, name), item)]
    if isinstance(value, list):
        return [leaf for at, item in enumerate(value) for leaf in leaves((*key, at), item)]
    return [(key, value)]
