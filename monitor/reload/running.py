"""The config that a running service has, where the file itself cannot be used any more."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tomli

from monitor.config import parse
from monitor.contents import contents
from monitor.lock import holder
from monitor.problems import ConfigError
from monitor.sections import Config, Monitor, located
from storage import configs
from storage.schema import OtherSchema
from storage.store import Store


def in_force(path: Path) -> Config | None:
    """The config that was loaded last from this file by a service that runs; None where none does,
    or where it cannot be found."""
    path = path.absolute()
    for database in _databases(path):
        if holder(database).get("config") == str(path):
            with contextlib.suppress(sqlite3.Error, OtherSchema, FileNotFoundError, ConfigError):
                return _newest(path, database)
    return None


def _newest(path: Path, database: Path) -> Config | None:
    store = Store.reader(database)
    try:
        for version in configs.versions(store, 1):
            return parse(path, version.text.encode(), with_token=False)
    finally:
        store.close()
    return None


def _databases(path: Path) -> Iterator[Path]:
    """Where the database of a broken file may be: where its [monitor] table says, which may be
    whole, and where it is without one."""
    try:
        text = contents(path).decode(errors="replace")
    except OSError:
        text = ""
    for document in (text, _monitor_table(text)):
        with contextlib.suppress(ValueError, RecursionError):
            named = _database(tomli.loads(document))
            if named is not None:
                yield located(path.parent, named)
    yield path.parent / Monitor().database


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
