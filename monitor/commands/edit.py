"""`qrossover trigger set`: other values for a trigger, with what they would have done, then written
and told to the running service."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from monitor import config as configs
from monitor.commands.common import Failure, Misused, duration, json_option, prose, say, warn
from monitor.problems import shown

if TYPE_CHECKING:
    from monitor.config import Config
    from monitor.edit.apply import Applied, Draft
    from storage.store import Store


def yes_option(command: Any) -> Any:
    """`--yes` and `--dry-run` of every command that writes the config."""
    command = click.option("--yes", is_flag=True, help="Apply without asking.")(command)
    return click.option("--dry-run", is_flag=True, help="Show what would change; write nothing.")(
        command
    )


@click.command("set")
@click.argument("name")
@click.argument("changes", nargs=-1, required=True, metavar="KEY=VALUE…")
@click.option(
    "--since", default="90d", callback=duration, show_default=True, help="How far back to try it."
)
@yes_option
@json_option
@click.pass_context
def trigger_set(
    context: click.Context,
    *,
    name: str,
    changes: Sequence[str],
    since: float,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Give a trigger other values, once you have seen what they do.

    Shows first how often it would have fired, then asks, writes the config and tells the service.

    \b
    qrossover trigger set training-slower threshold=8% for="3 readings"
    qrossover trigger set training-slower clear=        (removes the key)
    """
    from monitor.edit.edited import edited
    from monitor.edit.values import WrongValue, read

    _one_of_both(yes=yes, dry=dry_run)
    path = configs.find(context.find_root().obj)
    try:
        found = edited(path, name, read(name, changes))
    except WrongValue as wrong:
        raise Misused(str(wrong)) from None

    from monitor.edit import report as edit_report  # numpy is loaded once all words make sense
    from monitor.edit.apply import Draft

    draft = Draft(found.path, found.before, found.after, found.old, found.new, found.changes)
    known = reader_or_why(found.old)
    document = {"trigger": name, **edit_report.tried(known, found, name, since)}
    if not as_json:
        _show(document, draft)
    settle(draft, document, note=document["summary"] or "", yes=yes, dry=dry_run, quiet=as_json)


def reader_or_why(config: "Config") -> "Store | str":
    """The database, read-only; where it cannot be read, why not."""
    import sqlite3

    from storage.store import Store

    try:
        return Store.reader(config.monitor.database)
    except FileNotFoundError:
        return "There is no database yet"
    except (OSError, sqlite3.Error) as error:  # the file may be this user's, the database not
        return f"The database cannot be read here ({error})"


def _show(document: dict[str, Any], draft: "Draft") -> None:
    from monitor import tables
    from monitor.edit import report as edit_report
    from monitor.edit import tables as edit_tables

    if not draft.changes:
        return
    console = tables.console()
    console.print(edit_tables.changes(edit_report.changes(draft.changes)))
    console.print()
    console.print(tables.cell(document["summary"] or document["untried"]))
    for line in document["firing"]:
        console.print(tables.cell(f"{line[:1].upper()}{line[1:]}."))


# --- what every command that writes the config does at its end ---------------------------------


def settle(
    draft: "Draft",
    document: dict[str, Any],
    *,
    note: str,
    yes: bool,
    dry: bool,
    quiet: bool,
    how: Any = "set",
) -> None:
    """Ask, apply, and say what came of it. `quiet`: as one JSON document, and nothing is asked."""
    from monitor.edit import report as edit_report
    from monitor.edit.apply import apply
    from monitor.who import user

    _one_of_both(yes=yes, dry=dry)
    applied = None
    if draft.after == draft.before:
        if not quiet:
            click.echo(f"{shown(draft.path)} says so already: nothing to change.")
    elif not dry and agreed(yes=yes, quiet=quiet):
        applied = apply(draft, by=user(), how=how, note=note)
    if quiet:
        say({**document, **edit_report.outcome(draft, applied)})
    elif applied is not None:
        _said(draft.path, applied)
    elif dry and draft.after != draft.before:
        click.echo("Nothing is written: this was a trial.")
    if applied is not None and applied.service == "refused it":
        raise SystemExit(1)


def _one_of_both(*, yes: bool, dry: bool) -> None:
    if yes and dry:
        raise Misused("--yes and --dry-run exclude each other")


def agreed(*, yes: bool, quiet: bool) -> bool:
    """Whether the person at the terminal wants it. Raises Misused where nobody can be asked."""
    import sys

    if yes:
        return True
    if quiet or not sys.stdin.isatty():
        raise Misused(
            "nothing is written: nobody can be asked here. Say --yes to apply it, or --dry-run to "
            "look only"
        )
    if not _confirmed("Apply?"):
        raise Failure("nothing was written")
    return True


def _confirmed(question: str) -> bool:
    """Whether the answer is yes. The end of the input is a no; Ctrl-C ends the command."""
    try:
        return click.confirm(question)
    except click.Abort as end:
        if isinstance(end.__context__, EOFError):
            click.echo()
            return False
        raise


def _said(path: Path, applied: "Applied") -> None:
    kept = f"; the text before is in {applied.backup.name}" if applied.backup else ""
    prose(f"Written to {shown(path)}{kept}.")
    prose(f"{applied.said[:1].upper()}{applied.said[1:]}.")
    for warning in applied.warnings:
        warn(warning)
