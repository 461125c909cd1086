"""A new text of the config put in force: written, told to the running service, kept in the history.

The running service keeps the history itself as it takes the new config. Where none runs, the
command that edits does it, under the service's own lock.
"""

import contextlib
import hashlib
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import tomli

from monitor.config import Config
from monitor.differences import differences
from monitor.edit import file as edit_file
from monitor.holding import holding
from monitor.http.control import NotListening, ask_reload
from monitor.lock import Taken, holder
from monitor.problems import ConfigError
from monitor.refusal import Refused
from monitor.writer import Writer
from storage import configs
from storage.configs import Change, How
from storage.store import Store
from storage.types import now


@dataclass(frozen=True, slots=True)
class Draft:
    """A config file as it is (None: it is gone), and as it will be once that is applied. `running`
    is the config that says where the service is found."""

    path: Path
    before: bytes | None
    after: bytes
    running: Config
    new: Config
    changes: Sequence[Change]


@dataclass(frozen=True, slots=True)
class Applied:
    """What has come of it. `service`: took it, refused it, was not told, or does not run.
    `backup`: where the text before is, if there was one. `warnings`: what is odd about the new
    config and was not about the old one."""

    backup: Path | None
    service: Literal["took it", "refused it", "not told", "does not run"]
    said: str
    warnings: tuple[str, ...] = ()


def apply(draft: Draft, *, by: str, how: How, note: str) -> Applied:
    """Write the new text and put it in force. Raises Refused where nothing was written."""
    database = draft.running.monitor.database
    try:
        backup = _written(draft)
    except edit_file.Changed as changed:
        raise Refused(f"{changed}{_by_whom(draft.path, database)}") from None
    alive = holder(database)
    if not alive:
        with contextlib.suppress(Taken):  # a service has just started: it is told
            return Applied(backup, "does not run", _keep(draft, by=by, how=how))
        alive = holder(database)
    other = alive.get("config", str(draft.path))
    if Path(other).resolve() != draft.path.resolve():
        said = f"the running service reads another file, {other}: it is not told"
        return Applied(backup, "not told", said)
    applied = _tell(backup, database, by=by, how=how, note=note)
    known = draft.running.warnings  # what was odd before is not this edit's doing
    return replace(applied, warnings=tuple(w for w in applied.warnings if w not in known))


def _written(draft: Draft) -> Path | None:
    """Put the new text in its place; where the text before is kept."""
    if draft.before is not None:
        return edit_file.replace(draft.path, draft.before, draft.after)
    edit_file.restore(draft.path, draft.after)
    return None


def _by_whom(path: Path, database: Path) -> str:
    """Who has changed the file meanwhile, where its history says that already."""
    try:
        store = Store.reader(database)
        try:
            last = next(iter(configs.versions(store, 1)), None)
        finally:
            store.close()
        ours = last is not None and last.sha256 == _sha256(edit_file.present(path))
    except (ConfigError, OSError, sqlite3.Error):
        return ""
    return f" (it was {last.by}, by {last.how})" if last and ours and last.by else ""


def _tell(backup: Path | None, database: Path, *, by: str, how: How, note: str) -> Applied:
    """Have the running service load what is written; what it says to that."""
    try:
        taken = ask_reload(database, by=by, how=how, note=note)
    except (Refused, ConfigError) as refused:
        said = f"the running service cannot use it, and goes on as before: {refused}"
        return Applied(backup, "refused it", said)
    except NotListening:
        said = "the service starts, stops or makes one pass: it is in force from the next start"
    except PermissionError:
        said = "the running service can be told by its own user only; it looks at the file itself"
    except OSError as error:
        said = f"the running service has not answered ({error}): see `qrossover status`"
    else:
        return Applied(backup, "took it", "the running service has it", tuple(taken["warnings"]))
    return Applied(backup, "not told", said)


# --- where no service runs ---------------------------------------------------------------------


def _keep(draft: Draft, *, by: str, how: How) -> str:
    """Keep the new config in the history; what to say of it. Raises Taken."""
    database = draft.running.monitor.database
    try:
        if not database.exists():
            # made here it might be another user's than the service's
            return "no service runs: it is in force from the first start"
        with holding(database, draft.path) as writer:
            writer.once(lambda: _rows(writer, draft, by, how))
    except (OSError, sqlite3.Error, Refused) as error:
        reason = f"its history cannot be written here ({error})"
        return f"no service runs: it is in force from the next start; {reason}"
    return "no service runs: it is in force from the next start"


def _rows(writer: Writer, draft: Draft, by: str, how: How) -> None:
    """The row of the new config; before it that of the old one, where no service has seen it: an
    edit that cannot be undone by its history is worth little."""
    last = next(iter(configs.versions(writer.store, 1)), None)
    before = draft.before
    if before is None or not before.strip():  # nothing was in force without a text
        if last is None or last.sha256 != _sha256(draft.after):
            seen = document(last.text) if last else {}
            changes = differences(seen, document(draft.after.decode("utf-8-sig")))
            _row(writer, draft.after, by, how, changes)
        return
    said = _said(before)
    # what is no TOML was never in force, and is nothing to go back to
    if said and (last is None or last.sha256 != _sha256(before)):
        seen = document(last.text) if last else {}
        _row(writer, before, "", "edit", differences(seen, said))
    _row(writer, draft.after, by, how, draft.changes)


def _row(writer: Writer, raw: bytes, by: str, how: How, changes: Sequence[Change]) -> None:
    configs.keep(
        writer.store,
        at=now(),
        sha256=_sha256(raw),
        by=by,
        how=how,
        changes=changes,
        text=raw.decode(),
    )


def _sha256(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def _said(raw: bytes) -> dict[str, Any]:
    """What a file says; nothing where it is no text, or no TOML."""
    try:
        return document(raw.decode())
    except UnicodeDecodeError:
        return {}


def document(text: str) -> dict[str, Any]:
    """What a text of the config says; nothing where it is no TOML."""
    try:
        return tomli.loads(text.removeprefix("\ufeff"))
    except ValueError:
        return {}
