"""Any valid config, any change: the document differs in those keys, the text in their lines."""

import codecs
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from monitor.edit.edited import edited
from monitor.edit.values import WrongValue
from monitor.refusal import Refused

PROBE = """\
[probe.meter] # measures
kind = "external.command"
argv = ["./meter", '''[trigger.t0]
threshold = 1''']
signals = { "test.meter" = "V" }
every = "15m"
"""
NAMES = ("t0", "t1", "t2")

blank = st.sampled_from(["", " ", "  ", "\t"])
comment = st.sampled_from(["", " # c", "      # [trigger.t0]", "\t# é threshold = 1", "#"])
numbers = st.sampled_from(["5", "1e-3", "100_000", "-7", "0.5", "+3.0", "0x10"])
texts = st.sampled_from(['"info"', "'info'", '"""info"""', '"\\u0069nfo"'])
advices = st.sampled_from(['"do"', "'''[trigger.t1]\nfor = 1'''", '"é # no comment"', '""'])
accepts = st.sampled_from(['["measured"]', '[ "measured", # c\n  "vendor",\n]', '["derived"]'])
VALUES = {
    "threshold": numbers,
    "severity": texts,
    "advice": advices,
    "accept": accepts,
    "for": st.sampled_from(['"2 of 3"', '"1h"', "'1 reading'"]),
    "notify": st.sampled_from(["true", "false"]),
}
OPTIONAL = tuple(VALUES)[1:]


@st.composite
def tables(draw: st.DrawFn, name: str) -> str:
    """One trigger in one of the ways to write it, with odd blanks and comments."""
    chosen = draw(st.permutations(("threshold", *draw(st.sets(st.sampled_from(OPTIONAL))))))
    pairs = [("signal", '"test.meter"'), ("when", '"above"')]
    pairs += [(key, draw(VALUES[key])) for key in chosen]
    quoted = [f'"{k}"' if draw(st.booleans()) else k for k, _ in pairs]
    form = draw(st.sampled_from(["table", "table", "table", "dotted", "inline"]))
    if form == "inline":
        inner = (f"{k} = {v}" for k, (_, v) in zip(quoted, pairs, strict=True) if "\n" not in v)
        return f"trigger.{name} = {{ {', '.join(inner)} }}{draw(comment)}\n"
    head = "" if form == "dotted" else f"{draw(blank)}[trigger.{name}]{draw(comment)}\n"
    before = f"trigger.{name}." if form == "dotted" else ""
    lines = (
        f"{draw(blank)}{before}{k}{draw(blank)}={draw(blank)}{v}{draw(comment)}\n"
        for k, (_, v) in zip(quoted, pairs, strict=True)
    )
    return head + "".join(lines) + draw(st.sampled_from(["", "\n", "# end\n", "\n  # end\n\n"]))


@st.composite
def configs(draw: st.DrawFn) -> str:
    """A whole config: dotted and inline tables come first, since they belong to no table."""
    parts = [draw(tables(name)) for name in NAMES]
    first = [part for part in parts if not part.lstrip().startswith("[")]
    rest = [part for part in parts if part.lstrip().startswith("[")]
    if first:  # what is defined by dotted keys cannot be a table with a header besides
        rest = []
    text = "".join(first) + draw(st.sampled_from([PROBE, "\n" + PROBE])) + "".join(rest)
    text = draw(st.sampled_from([text, text.rstrip("\n")]))
    return draw(st.sampled_from([text, text.replace("\n", "\r\n"), "\ufeff" + text]))


changes = st.dictionaries(
    st.sampled_from(["threshold", *OPTIONAL, "keep_firing_for", "clear"]),
    st.none()
    | st.sampled_from([5, 6.5, "info", "page", "2 of 3", "30m", True, False, "it's", '"'])
    | st.just(["measured", "vendor"]),
    min_size=1,
    max_size=4,
)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("edit") / "config.toml"


def document(raw: bytes) -> dict[str, Any]:
    return tomllib.loads(raw.removeprefix(codecs.BOM_UTF8).decode())


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(text=configs(), name=st.sampled_from(NAMES), wanted=changes)
def test_an_edit_changes_its_keys_and_nothing_else(
    file: Path, text: str, name: str, wanted: dict[str, Any]
) -> None:
    raw = text.encode()
    file.write_bytes(raw)
    before = document(raw)
    assume(name in before["trigger"])
    try:
        found = edited(file, name, wanted)
    except WrongValue:
        return
    except Refused as refused:
        assert "by hand" in str(refused)  # noqa: PT017 rarely, and then it says what to do
        return
    table = before["trigger"][name]
    for key, value in wanted.items():
        table.pop(key, None)
        if value is not None:
            table[key] = value
    assert document(found.after) == before
    if not found.changes:
        assert found.after == raw
        return
    assert {c.key.rpartition(".")[2] for c in found.changes} <= set(wanted)
    assert found.after.startswith(codecs.BOM_UTF8) == raw.startswith(codecs.BOM_UTF8)
    only_its_lines(raw, found.after, set(wanted), name)


def only_its_lines(before: bytes, after: bytes, keys: set[str], name: str) -> None:
    """Without the lines of these keys both texts are the same, line for line."""
    words = (*keys, f"trigger.{name} =", '"vendor"')
    old, new = (_without(raw.decode(), words) for raw in (before, after))
    assert old == new
    if b"\r\n" in before:
        assert after.count(b"\r\n") == after.count(b"\n")


def _without(text: str, words: tuple[str, ...]) -> list[str]:
    # an array and a text of several lines are one value
    text = text.replace("\r", "").replace("\n]", "]").replace("\nfor = 1", "")
    kept = [line for line in text.split("\n") if not any(word in line for word in words)]
    return "\n".join(kept).rstrip("\n").split("\n")


def test_the_properties_are_about_something(file: Path) -> None:
    """Most random configs are valid, and most random changes are made."""
    tally = {"made": 0, "refused": 0, "wrong": 0}

    @settings(
        max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    @given(text=configs(), name=st.sampled_from(NAMES), value=st.sampled_from([6, 9.5, 11]))
    def once(text: str, name: str, value: float) -> None:
        file.write_bytes(text.encode())
        assume(name in document(text.encode())["trigger"])
        try:
            tally["made"] += bool(edited(file, name, {"threshold": value}).changes)
        except Refused:
            tally["refused"] += 1
        except WrongValue:
            tally["wrong"] += 1

    once()
    assert tally["made"] > 20 * (tally["refused"] + tally["wrong"]), tally
