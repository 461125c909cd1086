"""What is said of the config file itself: it was loaded, it cannot be used, it can again."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from monitor.differences import lines, title
from storage.configs import Change
from storage.types import Alert, Severity, now

SHOWN_FAULTS = 10


def loaded(
    file: str,
    changes: Sequence[Change],
    documents: tuple[Mapping[str, Any], Mapping[str, Any]],
    *,
    by: str = "",
    note: str = "",
    warnings: Sequence[str] = (),
    after_error: bool = False,
) -> Alert:
    """A config came into force. `documents`: what the file said before, and what it says now.

    `after_error`: the last thing that was said is that the file cannot be used."""
    body = lines(changes, *documents)
    if changes:
        body.append(f"By {by}." if by else "By hand, in the file.")
    if note:
        body.append(note)
    if after_error:
        body.append(f"{file} can be used again.")
    body += [f"Warning: {warning}" for warning in warnings]
    return _notice(file, f"Config changed: {title(changes)}", body, "info")


def refused(file: str, faults: Sequence[str]) -> Alert:
    """An edit cannot be used."""
    body = [*shortened(faults), "The running config stays in force. A restart would fail."]
    return _notice(file, f"{file} was edited and cannot be used", body, "warning")


def missing(file: str, why: str) -> Alert:
    """The file is away or empty."""
    body = ["The running config stays in force. A restart would fail."]
    return _notice(file, f"{file} {why}", body, "warning")


def right_again(file: str) -> Alert:
    """The file is as the running config has it, after an edit that could not be used."""
    return _notice(file, f"{file} can be used again", ["It says what the service runs by."], "info")


def shortened(faults: Sequence[str]) -> list[str]:
    """The first faults, and how many there are besides."""
    more = len(faults) - SHOWN_FAULTS
    return [*faults[:SHOWN_FAULTS], *([f"and {more} more"] if more > 0 else [])]


def _notice(file: str, headline: str, body: Sequence[str], severity: Severity) -> Alert:
    return Alert(
        key=uuid4().hex,
        kind="notice",
        trigger="config",
        target=file,
        severity=severity,
        created=now(),
        facts={"title": headline, "body": "\n".join(body)},
    )
