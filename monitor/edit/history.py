"""The configs that were in force, as the command line asks for them: which one, and its bytes."""

import codecs
import hashlib
import os
from pathlib import Path

from monitor import config as configs
from monitor.config import Config
from monitor.differences import differences
from monitor.edit import file as edit_file
from monitor.edit.apply import Draft, document
from monitor.problems import ConfigError, shown
from monitor.refusal import Refused
from monitor.reload import running
from monitor.sections import Monitor
from storage.configs import Version, version, versions
from storage.store import Store

EVERY = 1 << 31
"""More versions than there are."""


def where(path: Path) -> Config:
    """The config that says where the database is, also while the file itself is wrong or gone: the
    history is needed most then. Raises ConfigError where nothing says it."""
    if (alive := running.in_force(path)) is not None:
        return alive
    try:
        return configs.read(path, with_token=False)
    except ConfigError as error:
        for database in running.databases(path):
            if database.exists():
                return running.with_database(configs.parse(path, b""), database)
        raise error from None


def find(given: Path | None) -> Path:
    """The config file, also one that is gone and has left its database or an earlier text. Raises
    ConfigError."""
    try:
        return running.find(given)
    except ConfigError:
        for place in configs.places(given):
            left = (place.with_name(f"{place.name}.bak"), place.parent / Monitor().database)
            if any(configs.is_there(file) for file in left):
                return place
        raise


def present(path: Path) -> bytes | None:
    """What the file says now; None where it is gone. Raises ConfigError where it cannot be read."""
    return edit_file.present(path) if os.path.lexists(path) else None


def chosen(store: Store, number: int) -> Version:
    """One version. Raises Refused where there is none with this id."""
    try:
        return version(store, number)
    except LookupError:
        last = versions(store, 1)
        known = f"the newest is {last[0].id}" if last else "none has been in force yet"
        raise Refused(f"no config {number} in the history; {known}") from None


def newest(store: Store) -> Version:
    """The config that came into force last. Raises Refused where none ever did."""
    last = versions(store, 1)
    if not last:
        raise Refused("no config has been in force yet: `qrossover run` keeps the first")
    return last[0]


def earlier(store: Store, before: bytes | None) -> Version:
    """What a revert goes back to: the config before the one that the file says; where the file has
    never been in force, the one that was last. Raises Refused."""
    present = hashlib.sha256(before or b"").hexdigest()
    every = versions(store, EVERY)
    known = [index for index, one in enumerate(every) if one.sha256 == present]
    older = every[known[0] + 1 :] if known else every
    found = next((one for one in older if one.sha256 != present), None)
    if found is None:
        newest(store)
        raise Refused("there is no config before this one in the history: nothing to go back to")
    return found


def raw(one: Version) -> bytes:
    """The bytes of a version as they stood in the file. Raises Refused where they do not."""
    for mark in (b"", codecs.BOM_UTF8):
        found = mark + one.text.encode()
        if hashlib.sha256(found).hexdigest() == one.sha256:
            return found
    raise Refused(f"config {one.id} is not whole in the history: its text does not have its sum")


def back_to(path: Path, alive: Config, before: bytes | None, one: Version) -> Draft:
    """The file with the text of a version in its place; `alive` says where the service is found.
    Raises Refused for a text that is no valid config to this version of Qrossover."""
    after = raw(one)
    try:
        new = configs.parse(path, after, with_token=False)
    except ConfigError as error:
        lines = [line.removeprefix(f"{shown(path)}:") for line in error.lines]
        faults = "\n".join(f"config {one.id}:{line}" for line in lines)
        raise Refused(f"config {one.id} cannot be used as it was:\n{faults}") from None
    said = differences(document(text(before)), document(text(after)))
    return Draft(path, before, after, alive, new, said)


def text(raw_text: bytes | None) -> str:
    """The text of a config file, also of one that is not UTF-8; nothing of one that is gone."""
    return (raw_text or b"").decode("utf-8-sig", errors="replace")
