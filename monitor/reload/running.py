"""The config that a running service has, where the file does not say the same: the file was edited,
emptied or deleted, or cannot be used."""

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tomli

from monitor import config as configs
from monitor.config import parse
from monitor.contents import contents
from monitor.lock import holder
from monitor.problems import ConfigError
from monitor.sections import Config, Monitor, located
from storage import configs as history
from storage.schema import OtherSchema
from storage.store import Store


@dataclass(frozen=True, slots=True)
class InForce:
    """The config that counts. `why`: what is the matter with the file where it is not that of the
    file; `faults` are the file's own."""

    config: Config
    why: str = ""
    faults: tuple[str, ...] = ()


def reading(given: Path | None) -> InForce:
    """The config that a running service has, else that of the file: `given`, or the one that is
    found. Raises ConfigError where neither can be had."""
    path = find(given)
    fault: ConfigError | None = None
    file: Config | None = None
    try:
        file = configs.read(path, with_token=False)
    except ConfigError as error:
        fault = error
    held = _held(path)
    if file is not None and held is not None and held[1] == file.sha256:
        return InForce(with_database(file, held[0]))
    running = in_force(path)
    if running is not None:
        return InForce(running, _why(path, file, running), fault.lines if fault else ())
    if fault is not None:
        raise fault
    assert file is not None
    return InForce(file)


def _why(path: Path, file: Config | None, running: Config) -> str:
    """What is the matter with a file that is not the one in force."""
    if file is not None:
        refused = holder(running.monitor.database).get("faults")
        return "could not be loaded" if refused else "has changed"
    try:
        return "cannot be used" if contents(path).strip() else "is empty"
    except FileNotFoundError:
        return "is missing"
    except OSError:
        return "cannot be read"


def find(given: Path | None) -> Path:
    """The config file, also one that is gone while a service runs by it. Raises ConfigError."""
    places = configs.places(given)
    for place in places:
        if configs.is_there(place) or _held(place):
            return place
    return configs.find(given)


def in_force(path: Path) -> Config | None:
    """The config in force in the service that runs by this file; None where none does, or where
    its history does not have it. Its database is the one that the service has open."""
    path = path.absolute()
    found = _held(path)
    if not found:
        return None
    database, sha256 = found
    with contextlib.suppress(sqlite3.Error, OtherSchema, FileNotFoundError, ConfigError):
        return _of_the_history(path, database, sha256)
    return None


def _of_the_history(path: Path, database: Path, sha256: str) -> Config | None:
    store = Store.reader(database)
    try:
        version = history.of_sum(store, sha256)
    finally:
        store.close()
    if version is None:
        return None
    config = parse(path, version.text.encode(), with_token=False)
    # a byte order mark belongs to the sum of the file, and not to its text
    return replace(with_database(config, database), sha256=sha256)


def with_database(config: Config, database: Path) -> Config:
    """The config with the database that the service has open, or that was found."""
    monitor = config.monitor.model_copy(update={"database": database})
    return replace(config, monitor=monitor)


def _held(path: Path) -> tuple[Path, str] | None:
    """The database of the service that runs by this file, and the sum of what it has loaded."""
    for database in dict.fromkeys(databases(path)):
        said = holder(database)
        file, sha256 = said.get("config"), said.get("sha256")
        if file and sha256 and _same(Path(file), path):
            return database, sha256
    return None


def _same(one: Path, other: Path) -> bool:
    return one == other or one.resolve() == other.resolve()


def databases(path: Path) -> Iterator[Path]:
    """Where the database of a file may be: where its [monitor] table says, which may be whole where
    the rest is broken; where that of the text before the last edit says; where it is without one,
    or beside that."""
    for file in (path, path.with_name(f"{path.name}.bak")):
        try:
            text = contents(file).decode(errors="replace")
        except (OSError, ValueError):
            continue
        for document in (text, _monitor_table(text)):
            with contextlib.suppress(ValueError, RecursionError):
                named = _database(tomli.loads(document))
                if named is not None:
                    yield located(path.parent, named)
    usual = path.parent / Monitor().database
    yield usual
    with contextlib.suppress(OSError):
        yield from (lock.with_suffix("") for lock in sorted(usual.parent.glob("*.lock")))


def _database(document: dict[str, Any]) -> Path | None:
    table = document.get("monitor")
    named = table.get("database") if isinstance(table, dict) else None
    if not isinstance(named, str) or not named or "\0" in named:
        return None
    return Path(named)


def _monitor_table(text: str) -> str:
    """The lines of the [monitor] table, up to the next one."""
    kept: list[str] = []
    for line in text.splitlines():
        start = line.strip()
        if start.startswith("["):
            if kept:
                break
            if start.partition("#")[0].replace(" ", "").strip() != "[monitor]":
                continue
        if kept or start.startswith("["):
            kept.append(line)
    return "\n".join(kept)
