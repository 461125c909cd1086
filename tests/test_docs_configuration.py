"""docs/configuration.md, and every block of TOML on any page, against what the service accepts."""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from doc_pages import CONFIGURATION, PAGES, ROOT, Fence, Page, bare
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from monitor import config as configs
from monitor.config import SCHEDULE, Budget, Config, Monitor, Slack
from monitor.outlook.milestones import ScenarioSettings
from monitor.problems import ConfigError
from monitor.sections import Cost, Fleet, Price
from probes.base import kinds
from triggers.assumptions import Assumptions
from triggers.checklist import Item
from triggers.rule import Rule, When

SECTIONS: dict[str, type[BaseModel]] = {
    "[fleet]": Fleet,
    "[monitor]": Monitor,
    "[slack]": Slack,
    "[budget]": Budget,
    "[price.NAME]": Price,
    "[cost]": Cost,
    "[crossover]": Assumptions,
    "[trigger.NAME]": Rule,
    "[checklist.NAME]": Item,
    "[scenario]": ScenarioSettings,
    **kinds(),
}
SMALLEST: dict[str, dict[str, Any]] = {
    "[monitor]": {},
    "[slack]": {"channel": "#c"},
    "[budget]": {},
    "[price.NAME]": {"usd_per_hour": 3.2, "date": "2026-11-01", "source": "our contract"},
    "[cost]": {},
    "[crossover]": {},
    "[fleet]": {"engine": "ray"},
    "[trigger.NAME]": {"when": "drops", "signal": "gpu.gemm.time", "threshold": "10%"},
    "[checklist.NAME]": {"question": "Why?", "gaps": ["a number"]},
    "external.command": {"argv": ["true"], "signals": {"a.b": "1"}},
    "quantum.calibration": {"device": "fake_kingston"},
    "quantum.ghz": {"device": "fake_kingston"},
    "quantum.layer_fidelity": {"device": "fake_kingston"},
    "quantum.logical": {"device": "fake_boston"},
    "quantum.mirror": {"device": "fake_kingston"},
    "quantum.sampling": {"device": "fake_kingston"},
    "quantum.state_preparation": {"device": "fake_kingston"},
    "quantum.volume": {"device": "fake_kingston"},
}
"""The least that a table must say to be valid."""

BESIDE: dict[str, Any] = {
    "probe": {"p": {"kind": "gpu.gemm", "every": "1h"}},
    "trigger": {"t": {"when": "fails", "probe": "p"}},
}
"""What stands beside the table that is tried, for it to speak of."""

TRIGGERS: dict[When, dict[str, Any]] = {
    "above": {"signal": "gpu.gemm.time", "threshold": 10},
    "below": {"signal": "gpu.gemm.time", "threshold": 10},
    "drops": {"signal": "gpu.gemm.time", "threshold": "10%"},
    "rises": {"signal": "gpu.gemm.time", "threshold": "10%"},
    "shifts": {"signal": "gpu.gemm.time"},
    "fails": {"probe": "*"},
    "stale": {"signal": "gpu.gemm.time", "threshold": "6h"},
    "crosses": {"signal": "gpu.gemm.time", "threshold": 0.1, "side": "below", "horizon": "3y"},
    "all": {"of": ["t"]},
    "any": {"of": ["t"]},
}
EXAMPLES: dict[str, Any] = {
    "signal": "gpu.gemm.time",
    "probe": "*",
    "target": "GPU-*",
    "threshold": "10%",
    "baseline": "20 readings",
    "for": "2 readings",
    "keep_firing_for": "1h",
    "max_age": "1h",
    "no_data": "alert",
    "accept": ["simulated"],
    "severity": "info",
    "advice": "Look.",
    "notify": False,
    "of": ["t"],
    "side": "above",
    "horizon": "1y",
    "fit": "all",
    "allowance": 0.5,
    "confirm": True,
}
CLEARS = {"above": 9, "below": 11, "stale": "5h"}
OWN_EXAMPLES: dict[tuple[When, str], Any] = {("shifts", "threshold"): 4}
"""Of a key that looks different for one kind of trigger."""


def keys(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The keys of a table by their names in the file; its own name is none of them."""
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    return {name: field for name, field in fields.items() if name != "name"}


def toml(table: dict[str, Any], path: tuple[str, ...] = ()) -> str:
    """A document as TOML; tables below the second level are written inline."""
    plain = {k: v for k, v in table.items() if not isinstance(v, dict) or len(path) > 1}
    lines = [f"[{'.'.join(map(json.dumps, path))}]"] if path else []
    lines += [f"{key} = {literal(value)}" for key, value in plain.items()]
    lines += [toml(inner, (*path, key)) for key, inner in table.items() if key not in plain]
    return "\n".join(lines)


def literal(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{json.dumps(k)} = {literal(v)}' for k, v in value.items())} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(literal, value))}]"
    return json.dumps(value, ensure_ascii=False)


def read(folder: Path, document: dict[str, Any]) -> Config:
    """A config as the service reads it. Raises ConfigError."""
    file = folder / "config.toml"
    file.write_text(toml(document))
    return configs.read(file)


def document(section: str, table: dict[str, Any]) -> dict[str, Any]:
    """The smallest config around one table."""
    if section.startswith("["):
        head, _, name = section.strip("[]").partition(".")
        return BESIDE | {head: BESIDE.get(head, {}) | {"n": table} if name else table}
    return {"probe": {"n": {"kind": section, "every": "1h", **table}}}


def read_table(folder: Path, section: str, table: dict[str, Any]) -> Any:
    """One table as the service understands it."""
    found = read(folder, document(section, table))
    whole = {
        "[monitor]": found.monitor,
        "[slack]": found.slack,
        "[budget]": found.budget,
        "[price.NAME]": found.prices.get("n"),
        "[cost]": found.cost,
        "[crossover]": found.crossover,
        "[fleet]": found.fleet,
        "[scenario]": found.scenario,
    }
    return whole.get(section) or (
        found.triggers.get("n")
        or found.checklist.get("n")
        or (found.probes["n"].every, found.probes["n"].timeout, found.probes["n"].probe)
    )


# --- docs/configuration.md ---------------------------------------------------------------------


@pytest.mark.parametrize("section", SECTIONS)
def test_every_key_is_named_and_no_other(section: str) -> None:
    named = CONFIGURATION.table(section).column("key")
    assert sorted(named) == sorted(keys(SECTIONS[section]))


def test_every_section_of_a_config_has_its_table() -> None:
    sections = {heading.strip("[]").partition(".")[0] for heading in CONFIGURATION.headings}
    assert set(configs.SECTIONS) <= sections
    assert CONFIGURATION.table("[probe.NAME]").column("key") == list(SCHEDULE)


@pytest.mark.parametrize("section", SECTIONS)
def test_required_keys_are_required_and_others_are_not(section: str, tmp_path: Path) -> None:
    smallest = SMALLEST.get(section, {})
    for key, row in CONFIGURATION.table(section).by_key().items():
        without = {name: value for name, value in smallest.items() if name != key}
        if row["default"] == "required":
            with pytest.raises(ConfigError, match=f"{key}: this key is missing"):
                read_table(tmp_path, section, without)
        elif section != "[trigger.NAME]":  # what a trigger needs is tested by its `when`
            other = {"requires": ["t"]} if key == "gaps" else {}
            read_table(tmp_path, section, {**without, **other})


@pytest.mark.parametrize("section", SECTIONS)
def test_a_key_that_is_set_to_its_default_changes_nothing(section: str, tmp_path: Path) -> None:
    for key, row in CONFIGURATION.table(section).by_key().items():
        smallest = SMALLEST.get(section, {})
        of_one: dict[str, When] = {"fit": "crosses", "allowance": "shifts"}
        if key in of_one:
            smallest = {"when": of_one[key], **TRIGGERS[of_one[key]]}
        usual = read_table(tmp_path, section, smallest)
        written = re.fullmatch(r"`(.+)`", row["default"])
        if written is None:
            field = keys(SECTIONS[section])[key]
            assert field.is_required() or field.default in (None, ()), f"{key} has a default"
            continue
        default = tomllib.loads(f"it = {written[1]}")["it"]
        if key not in smallest:
            assert read_table(tmp_path, section, {**smallest, key: default}) == usual, key


def _metadata(annotation: Any, field: FieldInfo | None = None) -> Iterator[Any]:
    yield from field.metadata if field else ()
    for inner in get_args(annotation):
        yield from getattr(inner, "metadata", ())
        yield from _metadata(inner)


def _bounds(field: FieldInfo) -> Iterator[str]:
    for limit in _metadata(field.annotation, field):
        for name in ("ge", "gt", "le", "lt", "min_length"):
            value = getattr(limit, name, None)
            if value is not None and field.annotation is not str:
                large = value > 1 << 30
                yield f"2^{value.bit_length() - 1}" if large else f"{value:,}"


def _choices(annotation: Any) -> Iterator[str]:
    if get_origin(annotation) is Literal:
        yield from (json.dumps(choice) for choice in get_args(annotation))
    for inner in get_args(annotation):
        yield from _choices(inner)


@pytest.mark.parametrize("section", SECTIONS)
def test_types_name_every_bound_and_every_choice(section: str) -> None:
    rows = CONFIGURATION.table(section).by_key()
    for key, field in keys(SECTIONS[section]).items():
        said = bare(rows[key]["type"])
        for wanted in (*_bounds(field), *_choices(field.annotation)):
            assert wanted in said, f"{section} {key}"


def test_kinds_have_their_timeouts_and_turns(tmp_path: Path) -> None:
    rows = CONFIGURATION.table("[probe.NAME]", first="kind").by_key()
    assert set(rows) == set(kinds())
    for kind, row in rows.items():
        entry = read(tmp_path, document(kind, SMALLEST.get(kind, {}))).probes["n"]
        assert bare(row["timeout"]) == f"{entry.timeout:g}s"
        assert row["one at a time"] == ("no" if entry.probe.resource() is None else "yes")


@pytest.mark.parametrize("when", TRIGGERS)
def test_which_key_a_trigger_takes(when: When, tmp_path: Path) -> None:
    table = CONFIGURATION.table("[trigger.NAME]", number=1)
    assert table.header == ("key", *get_args(When))
    assert set(table.column("key")) == keys(Rule).keys() - {"when"}
    smallest = {"when": when, **TRIGGERS[when]}
    read_table(tmp_path, "[trigger.NAME]", smallest)
    for key, row in table.by_key().items():
        example = CLEARS.get(when, "5%") if key == "clear" else EXAMPLES[key]
        example = OWN_EXAMPLES.get((when, key), example)
        if row[when] == "required":
            without = {name: value for name, value in smallest.items() if name != key}
            with pytest.raises(ConfigError, match="needs"):
                read_table(tmp_path, "[trigger.NAME]", without)
        elif row[when] == "yes":
            read_table(tmp_path, "[trigger.NAME]", {**smallest, key: example})
        else:
            with pytest.raises(ConfigError, match=f"trigger.n.{key}:"):
                read_table(tmp_path, "[trigger.NAME]", {**smallest, key: example})


# --- blocks of TOML on every page --------------------------------------------------------------


def _blocks(info: str) -> list[Any]:
    return [
        pytest.param(page, fence, id=f"{page.name}:{fence.line}")
        for page in PAGES
        for fence in page.fences
        if fence.info == info
    ]


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    both = {name: value for name, value in base.items() if name not in over}
    for name, value in over.items():
        known = base.get(name)
        deeper = isinstance(known, dict) and isinstance(value, dict)
        both[name] = _merged(known, value) if deeper else value
    return both


@pytest.mark.parametrize(("page", "fence"), _blocks("toml"))
def test_a_block_of_config_is_valid(
    page: Page, fence: Fence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alone it may be a fragment: it is laid over the shipped config."""
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "slack-token").write_text("a token")
    shipped = tomllib.loads((ROOT / "config.toml").read_text())
    block = tomllib.loads(fence.text)
    found = read(tmp_path, _merged(shipped, block))
    assert set(block.get("probe", {})) <= set(found.probes)
    # the prices on the pages grow old: that is no fault of theirs
    warnings = [line for line in found.warnings if "more than a year ago" not in line]
    assert not warnings, f"{page.name} shows a trigger on a signal that nothing writes"


@pytest.mark.parametrize(("page", "fence"), _blocks("toml wrong"))
def test_a_wrong_block_gives_the_errors_that_follow_it(
    page: Page, fence: Fence, tmp_path: Path
) -> None:
    shown = next(f for f in page.fences if f.line > fence.line)
    assert shown.info == "text errors"
    (tmp_path / "config.toml").write_text(fence.text)
    with pytest.raises(ConfigError) as error:
        configs.read(tmp_path / "config.toml")
    assert str(error.value).replace(f"{tmp_path}/", "") == shown.text.strip()


def test_pages_show_config_in_both_ways() -> None:
    assert len(_blocks("toml")) > len(kinds())
    assert _blocks("toml wrong")
