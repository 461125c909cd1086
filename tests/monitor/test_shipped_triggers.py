"""The shipped triggers keep what their tests promise, and those tests can fail: whatever number of
a trigger is moved, one of them does."""

import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from click.testing import CliRunner
from doc_pages import ROOT

from monitor import config
from monitor.cli import cli
from monitor.trial import files as trials
from storage.types import ORIGINS
from triggers.outcome import run
from triggers.trial import Trial

SHIPPED: dict[str, dict[str, Any]] = tomllib.loads((ROOT / "config.toml").read_text())["trigger"]


def read(folder: Path) -> list[Trial]:
    """The tests of the config in a folder."""
    usual = folder / "config.toml"
    (file,), _ = trials.read([folder / "config.test.toml"], lambda: config.read(usual))
    assert file.config.path == usual
    return [trial for _, trial in file.trials]


def test_the_shipped_triggers_keep_what_their_tests_promise() -> None:
    done = CliRunner().invoke(cli, ["--config", str(ROOT / "config.toml"), "trigger", "test"])
    assert done.exit_code == 0, done.output


def test_every_shipped_trigger_is_tested() -> None:
    assert {trial.rule.name for trial in read(ROOT)} == set(SHIPPED)


def moved(table: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Other values of the keys of a trigger, each of which makes another trigger of it."""
    for key in ("threshold", "clear", "horizon"):
        if key in table:
            yield from ((key, other) for other in _others(table[key]))
    if "for" in table:
        words = table["for"].split()
        for step in (-1, 1):
            yield "for", " ".join([str(int(words[0]) + step), *words[1:]])
    if "confirm" in table:
        yield "confirm", False
    if table["when"] not in ("fails", "stale", "all", "any"):
        yield "accept", list(ORIGINS)


def _others(value: Any) -> tuple[Any, Any]:
    """A lower and a higher one."""
    return (-1, 1) if value == 0 else (_times(value, 0.5), _times(value, 2.0))


def _times(value: Any, factor: float) -> Any:
    if not isinstance(value, str):
        return value * factor
    number = value.rstrip("%smhdwy")
    return f"{float(number) * factor:g}{value[len(number) :]}"


MOVED = [
    pytest.param(name, key, value, id=f"{name}: {key} = {value}")
    for name, table in SHIPPED.items()
    for key, value in moved(table)
]


@pytest.mark.parametrize(("name", "key", "value"), MOVED)
def test_a_trigger_that_is_moved_fails_a_test(
    tmp_path: Path, name: str, key: str, value: Any
) -> None:
    document = tomlkit.parse((ROOT / "config.toml").read_text())
    document["trigger"][name][key] = value
    (tmp_path / "config.toml").write_text(tomlkit.dumps(document))
    shutil.copy(ROOT / "config.test.toml", tmp_path)
    about = [trial for trial in read(tmp_path) if trial.rule.name == name]
    assert any(run(trial).faults for trial in about)
