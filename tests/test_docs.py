"""The pages against the code and the files: signals, commands, links, numbers. What drifts apart
fails here; the config and the interfaces have tests of their own beside this."""

import fnmatch
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from doc_pages import PAGES, ROOT, RUNNING, SIGNALS, Page, bare, slug, words

from monitor.cli import CONFIG, TEMPFAIL, cli
from monitor.derived import COSTS
from monitor.health import SCHEDULER_SILENCE, SENDER_SILENCE
from monitor.prices import OLDEST
from monitor.runner import MOST_RESULT, TAIL
from monitor.sender import BACKOFF
from probes import metriq_results
from probes.base import kinds
from probes.external.command import MOST_STDOUT
from probes.queued import JOB_SIGNALS
from storage.types import ORIGINS
from triggers import crossover
from triggers.quantity import MOST_READINGS
from triggers.rule import MIN_BASELINE

# --- docs/signals.md ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", kinds())
def test_signals_are_those_that_are_declared(kind: str) -> None:
    said = [
        (bare(row[0]), bare(row[1]), row[2], row[3])
        for table in SIGNALS.tables
        if table.heading == kind
        for row in table.rows
    ]
    assert said == [(s.name, s.unit, s.better, s.help) for s in kinds()[kind].signals]


def test_derived_signals_are_those_that_are_declared() -> None:
    rows = SIGNALS.table("crossover", first="signal").rows
    said = [(bare(row[0]), bare(row[1]), row[2], row[3]) for row in rows]
    assert said == [(s.name, s.unit, s.better, s.help) for s in crossover.SIGNALS]


def test_signals_of_costs_are_those_that_are_declared() -> None:
    rows = SIGNALS.table("gpu.cost", first="signal").rows
    said = [(bare(row[0]), bare(row[1]), row[2], row[3]) for row in rows]
    assert said == [(s.name, s.unit, s.better, s.help) for s in COSTS.values()]


def test_signals_of_jobs_are_those_that_are_declared() -> None:
    rows = SIGNALS.table("quantum.job", first="signal").rows
    said = [(bare(row[0]), bare(row[1]), row[2], row[3]) for row in rows]
    assert said == [(s.name, s.unit, s.better, s.help) for s in JOB_SIGNALS]


def test_signals_of_independent_results_are_those_that_are_declared() -> None:
    rows = SIGNALS.table("metriq", first="signal").rows
    said = [(bare(row[0]), bare(row[1]), row[2], row[3]) for row in rows]
    assert said == [(s.name, s.unit, s.better, s.help) for s in metriq_results.SIGNALS]


def test_every_kind_and_origin_has_its_place() -> None:
    assert set(SIGNALS.headings[1:]) == {*kinds(), "gpu.cost", "quantum.job", "crossover", "metriq"}
    assert SIGNALS.table("Signals", first="origin").column("origin") == list(ORIGINS)
    for table in SIGNALS.tables[1:]:
        assert set(table.column("origin")) <= set(ORIGINS)


# --- commands, files, links --------------------------------------------------------------------


def _commands() -> Iterator[tuple[str, list[str]]]:
    """Every command that a page or a file for operators names."""
    for page in PAGES:
        yield from ((page.name, command) for command in page.commands())
    for name in ("config.toml", "deploy/qrossover.service", "deploy/slack-manifest.yaml"):
        text = (ROOT / name).read_text()
        yield from ((name, words(code)) for code in re.findall(r"`([^`\n]+)`", text))


def _named(program: str) -> list[Any]:
    return [
        pytest.param(command[1:], id=f"{name}: {' '.join(command)}")
        for name, command in _commands()
        if len(command) > 1 and Path(command[0]).name == program
    ]


@pytest.mark.parametrize("arguments", _named("qrossover"))
def test_a_command_exists_with_its_options(arguments: list[str]) -> None:
    # [NAME] and [PROBE…] stand for what may be left out
    plain = [word.strip("[]").rstrip("…") for word in arguments]
    done = CliRunner().invoke(cli, [*plain, "--help"])
    assert done.exit_code == 0, done.output


def test_every_command_is_named() -> None:
    named = {tuple(param.values[0][:2]) for param in _named("qrossover")}
    for name, command in cli.commands.items():
        for inner in getattr(command, "commands", {None: None}):
            wanted = (name,) if inner is None else (name, inner)
            assert any(words[: len(wanted)] == wanted for words in named), wanted


@pytest.mark.parametrize("arguments", _named("make"))
def test_what_is_made_is_in_the_makefile(arguments: list[str]) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    folder = arguments.index("-C") if "-C" in arguments else len(arguments)
    named = [*arguments[:folder], *arguments[folder + 2 :]]
    assert named
    assert set(named) <= set(targets)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_within_the_repository_lead_somewhere(page: Page) -> None:
    for link in page.links:
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (page.path.parent / file).resolve() if file else page.path
        assert target.exists(), link
        if anchor:
            headings = Page(str(target.relative_to(ROOT))).headings
            assert anchor in map(slug, headings), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_of_the_repository_that_a_page_names_are_there(page: Page) -> None:
    ours = re.compile(r"(?:monitor|probes|triggers|storage|tests|docs|deploy|benchmarks)/[\w./]+")
    for code in page.codes:
        if ours.fullmatch(code) and not re.search(r"[A-Z]{3}", code):
            assert (ROOT / code).exists(), code


# --- numbers in prose, the unit, the changelog -------------------------------------------------


@pytest.mark.parametrize(
    ("page", "sentence"),
    [
        ("docs/interfaces.md", f"no beat of the scheduler for {SCHEDULER_SILENCE:.0f} s"),
        ("docs/interfaces.md", f"no turn of the sender for {SENDER_SILENCE:.0f} s"),
        ("docs/signals.md", f"of that GPU on demand, of the {OLDEST / 86400:.0f} days before"),
        ("docs/interfaces.md", f"more than {MOST_STDOUT >> 20} MiB"),
        ("docs/interfaces.md", f"at most {MOST_RESULT >> 20} MiB"),
        ("docs/interfaces.md", f"their last {TAIL >> 10} KiB"),
        ("docs/configuration.md", f"It takes {MIN_BASELINE} readings at least"),
        ("docs/configuration.md", f"Readings are counted up to {MOST_READINGS:,}"),
        (
            "docs/running.md",
            f"after {', '.join(f'{s:.0f}' for s in BACKOFF[:-1])}, then every {BACKOFF[-1]:.0f} s",
        ),
    ],
)
def test_numbers_in_prose_are_those_of_the_code(page: str, sentence: str) -> None:
    assert sentence in " ".join(Page(page).path.read_text().split())


def test_the_unit_fits_the_program_and_the_page() -> None:
    unit = (ROOT / "deploy/qrossover.service").read_text()
    lines = [line for line in unit.splitlines() if line and not line.startswith("#")]
    said = dict(line.split("=", 1) for line in lines if "=" in line)
    assert said["RestartPreventExitStatus"] == f"{TEMPFAIL} {CONFIG}"
    for row in RUNNING.table("Under systemd", first="line").column("line"):
        for shown in row.split(", "):
            assert any(line.startswith(shown.rstrip("…")) for line in lines), shown
    block = next(tomllib.loads(f.text) for f in RUNNING.fences if f.info == "toml")
    assert block["monitor"]["database"].startswith(f"/var/lib/{said['StateDirectory']}/")
    credential, _, file = said["LoadCredential"].partition(":")
    assert block["slack"]["token_file"] == f"${{CREDENTIALS_DIRECTORY}}/{credential}"
    assert file in RUNNING.path.read_text()
    arguments = said["ExecStart"].split()[1:]
    assert CliRunner().invoke(cli, [*arguments, "--help"]).exit_code == 0


def test_scopes_are_those_of_the_manifest() -> None:
    manifest = (ROOT / "deploy/slack-manifest.yaml").read_text()
    scopes = re.findall(r"^\s+- ([a-z:.]+)", manifest, re.MULTILINE)
    assert RUNNING.table("Slack", first="scope").column("scope") == scopes


def test_the_version_has_its_place_in_the_changelog() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    headings = Page("CHANGELOG.md").headings
    assert "[Unreleased]" in headings
    assert any(re.fullmatch(rf"\[{version}\] - \d{{4}}-\d\d-\d\d", each) for each in headings)


def test_no_file_names_a_machine_or_an_index() -> None:
    # written so that this file does not match itself
    forbidden = re.compile(
        rb"(?<![\w.])/(?:[w]ork|[r]oot|[h]ome/\w+)/|index[-]url|find[-]links|trusted[-]host"
    )
    ignored = [line.strip("/") for line in (ROOT / ".gitignore").read_text().split()]
    files = [
        file
        for top in ROOT.iterdir()
        if not _is_one_of(top, [".git", *ignored])
        for file in ([top] if top.is_file() else top.rglob("*"))
        if file.is_file() and not any(_is_one_of(part, ignored) for part in file.parents)
    ]
    assert {ROOT / "README.md", ROOT / "monitor/cli.py", ROOT / ".ci/run"} <= set(files)
    found = {str(file): forbidden.findall(file.read_bytes()) for file in files}
    assert not {name: hits for name, hits in found.items() if hits}


def _is_one_of(path: Path, patterns: list[str]) -> bool:
    return any(fnmatch.fnmatchcase(path.name, pattern) for pattern in patterns)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_has_a_place_left_to_fill(page: Page) -> None:
    assert not re.findall(r"@@\w+@@|\bTODO\b|\bTBD\b", page.path.read_text())
