"""The page about testing triggers against what a test may say, and what it shows."""

import re
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner
from doc_pages import CONFIGURATION, ROOT, bare

from monitor.cli import cli
from monitor.trial.case import SeriesTable, TrialTable
from triggers.notation import MOST, RUN_WORDS, parse

HEADING = "Testing triggers"


def block(info: str) -> str:
    (found,) = (fence.text for fence in CONFIGURATION.fences if fence.info == info)
    return found


def test_every_key_of_a_test_is_named_and_no_other() -> None:
    rows = CONFIGURATION.table(HEADING).by_key()
    assert sorted(rows) == sorted(TrialTable.model_fields)
    for key, field in TrialTable.model_fields.items():
        assert (rows[key]["default"] == "required") == field.is_required(), key
    for key in SeriesTable.model_fields.keys() - {"readings"}:
        assert f"`{key}`" in rows["series"]["meaning"]
    assert f"{MOST:,} slots" in rows["readings"]["meaning"]


def test_the_notation_that_is_shown_is_read() -> None:
    for cell in CONFIGURATION.table(HEADING, first="in readings").column("in readings"):
        for text in cell.split(", "):
            assert parse(text, RUN_WORDS if text in RUN_WORDS else None)


def test_a_ramp_is_what_the_page_says() -> None:
    row = CONFIGURATION.table(HEADING, first="in readings").by_key()["1000..900/5"]
    numbers = re.search(r": ([\d ]+)$", bare(row["means"]))
    assert numbers is not None
    assert parse(numbers[1]) == parse("1000..900/5")


def test_the_output_that_is_shown_is_real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.toml").write_text((ROOT / "config.toml").read_text())
    (tmp_path / "config.test.toml").write_text(block("toml tests"))
    done = CliRunner().invoke(cli, ["trigger", "test"])
    assert done.exit_code == 1, done.output
    said = "\n".join(line.rstrip() for line in done.stdout.splitlines())
    assert said.partition("\nWithout a test")[0] == block("text tests").rstrip()


def test_the_composite_that_is_shown_is_tested(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert tomllib.loads(block("toml composite"))["trigger"]
    text = f"{(ROOT / 'config.toml').read_text()}\n{block('toml composite')}"
    (tmp_path / "config.toml").write_text(text)
    (tmp_path / "config.test.toml").write_text(block("toml tests composite"))
    done = CliRunner().invoke(cli, ["trigger", "test"])
    assert done.exit_code == 0, done.output
