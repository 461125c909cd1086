"""The pages against the code: what drifts apart fails here. What the interfaces say is checked in
test_docs_interfaces.py."""

import json
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from click.testing import CliRunner
from doc_pages import CONFIGURATION, PAGES, ROOT, RUNNING, SIGNALS, Fence, Page, bare, slug, words
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from monitor import config as configs
from monitor.cli import CONFIG, TEMPFAIL, cli
from monitor.config import SCHEDULE, Budget, Config, Monitor, Slack
from monitor.health import SCHEDULER_SILENCE, SENDER_SILENCE
from monitor.problems import ConfigError
from monitor.runner import MOST_RESULT, TAIL
from monitor.sender import BACKOFF
from probes.base import kinds
from probes.external.command import MOST_STDOUT
from storage.types import ORIGINS
from triggers.checklist import Item
from triggers.rule import MIN_BASELINE, Rule, When

SECTIONS: dict[str, type[BaseModel]] = {
    "[monitor]": Monitor,
    "[slack]": Slack,
    "[budget]": Budget,
    "[trigger.NAME]": Rule,
    "[checklist.NAME]": Item,
    **kinds(),
}
SMALLEST: dict[str, dict[str, Any]] = {
    "[monitor]": {},
    "[slack]": {"channel": "#c"},
    "[budget]": {},
    "[trigger.NAME]": {"when": "above", "signal": "gpu.gemm.time", "threshold": 1},
    "[checklist.NAME]": {"question": "Why?", "gaps": ["a number"]},
    "external.command": {"argv": ["true"], "signals": {"a.b": "1"}},
    "quantum.calibration": {"device": "fake_kingston"},
    "quantum.mirror": {"device": "fake_kingston"},
}
"""The least that a table must say to be valid."""

TRIGGERS: dict[When, dict[str, Any]] = {
    "above": {"signal": "gpu.gemm.time", "threshold": 10},
    "below": {"signal": "gpu.gemm.time", "threshold": 10},
    "drops": {"signal": "gpu.gemm.time", "threshold": "10%"},
    "rises": {"signal": "gpu.gemm.time", "threshold": "10%"},
    "fails": {"probe": "*"},
    "stale": {"signal": "gpu.gemm.time", "threshold": "6h"},
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
}
CLEARS = {"above": 9, "below": 11, "stale": "5h"}


def keys(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The keys of a table by their names in the file; its own name is none of them."""
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    return {name: field for name, field in fields.items() if name != "name"}


def toml(table: dict[str, Any], path: tuple[str, ...] = ()) -> str:
    """A document as TOML; tables below the second level are written inline."""
    plain = {k: v for k, v in table.items() if not isinstance(v, dict) or len(path) > 1}
    lines = [f"[{'.'.join(path)}]"] if path else []
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
        return {head: {"n": table} if name else table, **_beside(head)}
    return {"probe": {"n": {"kind": section, "every": "1h", **table}}}


def _beside(head: str) -> dict[str, Any]:
    return {} if head != "trigger" else {"probe": {"p": {"kind": "gpu.gemm", "every": "1h"}}}


def read_table(folder: Path, section: str, table: dict[str, Any]) -> Any:
    """One table as the service understands it."""
    found = read(folder, document(section, table))
    whole = {"[monitor]": found.monitor, "[slack]": found.slack, "[budget]": found.budget}
    return whole.get(section) or (
        found.triggers.get("n")
        or found.checklist.get("n")
        or (found.probes["n"].every, found.probes["n"].timeout, found.probes["n"].probe)
    )


# --- docs/configuration.md ---------------------------------------------------------------------


@pytest.mark.parametrize("section", SECTIONS)
def test_every_key_is_named_and_no_other(section: str) -> None:
    assert CONFIGURATION.table(section).column("key") == list(keys(SECTIONS[section])) or set(
        CONFIGURATION.table(section).column("key")
    ) == set(keys(SECTIONS[section]))


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
        elif section != "[trigger.NAME]" and key != "gaps":
            read_table(tmp_path, section, without)


@pytest.mark.parametrize("section", SECTIONS)
def test_a_key_that_is_set_to_its_default_changes_nothing(section: str, tmp_path: Path) -> None:
    smallest = SMALLEST.get(section, {})
    usual = read_table(tmp_path, section, smallest)
    for key, row in CONFIGURATION.table(section).by_key().items():
        written = re.fullmatch(r"`(.+)`", row["default"])
        if written is None:
            field = keys(SECTIONS[section])[key]
            assert field.is_required() or field.default is None, f"{key} has a default"
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
            if value is not None:
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
        assert not re.findall(r'"\w+"', said) or set(re.findall(r'"[a-z0-9]+"', said)) == set(
            _choices(field.annotation)
        ), f"{section} {key}"


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
    assert table.header == ("key", *(f"{each}" for each in get_args(When)))
    assert set(table.column("key")) == keys(Rule).keys() - {"when"}
    smallest = {"when": when, **TRIGGERS[when]}
    read_table(tmp_path, "[trigger.NAME]", smallest)
    for key, row in table.by_key().items():
        example = CLEARS.get(when, "5%") if key == "clear" else EXAMPLES[key]
        if row[f"`{when}`" if f"`{when}`" in row else when] == "required":
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
    assert not found.warnings, f"{page.name} shows a trigger on a signal that nothing writes"


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


def test_every_kind_and_origin_has_its_place() -> None:
    assert set(SIGNALS.headings[1:]) == set(kinds())
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
        ("docs/interfaces.md", f"more than {MOST_STDOUT >> 20} MiB"),
        ("docs/interfaces.md", f"at most {MOST_RESULT >> 20} MiB"),
        ("docs/interfaces.md", f"their last {TAIL >> 10} KiB"),
        ("docs/configuration.md", f"It takes {MIN_BASELINE} readings at least"),
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
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, check=True).stdout
    files = [ROOT / name.decode() for name in names.split(b"\0") if name]
    assert ROOT / "README.md" in files
    found = {str(f): forbidden.findall(f.read_bytes()) for f in files if f.is_file()}
    assert not {name: hits for name, hits in found.items() if hits}
