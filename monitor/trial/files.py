"""`*.test.toml`: unit tests of a config's triggers, found and read. All faults of all files are
told in one go, each with its place."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from monitor import config as configs
from monitor.config import Config, parsed, strictly
from monitor.literals import fit
from monitor.places import Places
from monitor.problems import (
    ConfigError,
    Key,
    Problem,
    located,
    of_validation,
    shown,
    unknown_key,
)
from monitor.trial.case import Case, TrialTable
from triggers.trial import Trial

PATTERN = "*.test.toml"
KEYS = ("config", "test")


@dataclass(frozen=True, slots=True)
class TrialFile:
    """A valid file of tests: the config that it is about, and its trials with their lines."""

    path: Path
    config: Config
    trials: tuple[tuple[int, Trial], ...]


def find(paths: Iterable[Path]) -> list[Path]:
    """The files of tests: those named, and those that lie in a folder that is named."""
    found: dict[Path, None] = {}
    for path in (Path(os.path.normpath(path.absolute())) for path in paths):
        inside = sorted(path.glob(PATTERN)) if path.is_dir() else [path]
        found |= dict.fromkeys(inside)
    return list(found)


def read(
    paths: Iterable[Path], usual: Callable[[], Config]
) -> tuple[list[TrialFile], ConfigError | None]:
    """Read files of tests: those that can be used, and all faults of the others and of the configs
    that they name. `usual` gives the config of those that name none."""
    files: list[TrialFile] = []
    lines: dict[str, None] = {}
    known: dict[Path, Config] = {}
    for path in paths:
        try:
            files.append(_read(path, usual, known))
        except ConfigError as error:
            lines |= dict.fromkeys(error.lines)
    return files, ConfigError(list(lines)) if lines else None


def _read(path: Path, usual: Callable[[], Config], known: dict[Path, Config]) -> TrialFile:
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise ConfigError([f"{shown(path)}: there is no such file"]) from None
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL in it
        why = error.strerror if isinstance(error, OSError) else error
        raise ConfigError([f"{shown(path)}: cannot be read: {why}"]) from None
    text, document = parsed(path, raw)
    problems: list[Problem] = []
    document = fit(document, problems)
    problems += [unknown_key((name,), KEYS) for name in document if name not in KEYS]
    tables = list(_tables(document, problems))
    config = _config(path, document, usual, known, problems)
    places = Places(text)
    trials: list[tuple[int, Trial]] = []
    if config is not None:
        for key, table in tables:
            case = Case(table, key, config)
            trial = case.trial()
            problems += case.problems
            if trial is not None:
                trials.append((places.of(key)[0], trial))
    if problems or config is None:
        raise located(path, text, problems, first_index=1)  # as slots are counted
    return TrialFile(path, config, tuple(trials))


def _config(
    path: Path,
    document: dict[str, Any],
    usual: Callable[[], Config],
    known: dict[Path, Config],
    problems: list[Problem],
) -> Config | None:
    """The config that a file is about, read once however many files name it."""
    if "config" not in document:
        return usual()
    name = document["config"]
    if not isinstance(name, str) or not name:
        message = f'expected the path of a config such as "config.toml", got {name!r}'
        problems.append(Problem(("config",), message))
        return None
    file = Path(os.path.normpath(path.parent / name))
    if file not in known:
        if not file.is_file():
            problems.append(Problem(("config",), f"there is no file {shown(file)}"))
            return None
        known[file] = configs.read(file, with_token=False)
    return known[file]


def _tables(document: dict[str, Any], problems: list[Problem]) -> Iterable[tuple[Key, TrialTable]]:
    """Every `[[test]]` that says what it must, by its place."""
    tables = document.get("test")
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        problems.append(Problem(("test",), "expected at least one [[test]]"))
        return
    names: set[str] = set()
    for index, written in enumerate(tables):
        key: Key = ("test", index)
        fields = list(TrialTable.model_fields)
        clash = written.keys() - set(fields)
        problems += [unknown_key((*key, name), fields) for name in sorted(clash)]
        table = {name: value for name, value in written.items() if name not in clash}
        try:
            found = strictly(TrialTable, table)
        except ValidationError as error:
            problems += of_validation(error, key, fields, table)
            continue
        if found.name in names:
            message = f"another test of this file is called {found.name!r} too"
            problems.append(Problem((*key, "name"), message))
        names.add(found.name)
        if not clash:  # a key that nobody knows may be all that was expected
            yield key, found
