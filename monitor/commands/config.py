"""`qrossover config`: the configs that were in force, what they changed, and the way back."""

from typing import TYPE_CHECKING, Any

import click

from monitor.commands.common import json_option, reader, say
from monitor.commands.edit import settle, yes_option
from monitor.lock import holder

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.config import Config
    from storage.configs import Version
    from storage.store import Store


class _Number(click.IntRange):
    """The id of a config in the history."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """The number; a text that is none is told with where the numbers are."""
        try:
            return super().convert(value, param, ctx)
        except click.UsageError:
            told = "expected the number of a config, see `qrossover config history`"
            self.fail(f"{told}, got {value!r}", param, ctx)


number = _Number(min=1)


@click.group()
def config() -> None:
    """The config's history: who changed what, and back."""


def _opened(context: click.Context) -> "tuple[Path, Config, Store]":
    from monitor.edit import history as edit_history

    path = edit_history.find(context.find_root().obj)
    where = edit_history.where(path)
    return path, where, reader(where)


@config.command()
@click.option(
    "--most",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="How many, newest first.",
)
@json_option
@click.pass_context
def history(context: click.Context, most: int, as_json: bool) -> None:
    """When which config came into force, and who changed what."""
    from monitor import tables
    from monitor.edit import report as edit_report
    from monitor.edit import tables as edit_tables
    from storage.configs import versions

    _, where, store = _opened(context)
    found = versions(store, most)
    rows = edit_report.history(found, _in_force(where, store))
    say(rows) if as_json else tables.console().print(edit_tables.history(rows))


def _in_force(where: "Config", store: "Store") -> str | None:
    """The sum of the config that the service runs by; of the last one where none runs."""
    from storage.configs import versions

    running: str | None = holder(where.monitor.database).get("sha256")
    return running or next((one.sha256 for one in versions(store, 1)), None)


@config.command()
@click.argument("id", required=False, type=number)
@json_option
@click.pass_context
def show(context: click.Context, id: int | None, as_json: bool) -> None:  # noqa: A002 its name in the help
    """The whole text of the config ID, or of the newest."""
    from monitor.edit import history as edit_history
    from monitor.edit import report as edit_report

    _, where, store = _opened(context)
    one = _one(store, id)
    if as_json:
        in_force = one.sha256 == _in_force(where, store)
        say({**edit_report.version(one, in_force=in_force), "text": one.text})
        return
    click.echo(edit_history.raw(one), nl=False)


def _one(store: "Store", id: int | None) -> "Version":  # noqa: A002
    from monitor.edit import history as edit_history

    return edit_history.newest(store) if id is None else edit_history.chosen(store, id)


@config.command()
@click.argument("old", required=False, type=number, metavar="[OLD]")
@click.argument("new", required=False, type=number, metavar="[NEW]")
@json_option
@click.pass_context
def diff(context: click.Context, old: int | None, new: int | None, as_json: bool) -> None:
    """What NEW says differently than OLD.

    NEW is the file as it stands where it is left out, and OLD the newest config in the history.
    """
    from monitor.differences import differences
    from monitor.edit import file as edit_file
    from monitor.edit import history as edit_history
    from monitor.edit import report as edit_report
    from monitor.edit import tables as edit_tables
    from monitor.edit.apply import document

    path, _, store = _opened(context)
    before = _one(store, old)
    after = None if new is None else _one(store, new)
    text = edit_history.text(edit_file.present(path)) if after is None else after.text
    names = (edit_report.called(before, path), edit_report.called(after, path))
    found = differences(document(before.text), document(text))
    told = edit_report.difference((names[0], before.text), (names[1], text), found)
    say(told) if as_json else edit_tables.print_lines(told["lines"])


@config.command()
@click.argument("id", required=False, type=number)
@yes_option
@json_option
@click.pass_context
def revert(
    context: click.Context,
    id: int | None,  # noqa: A002 its name in the help
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Put the config ID back into the file and in force.

    Without ID it is the one before the present.
    """
    from monitor.edit import history as edit_history
    from monitor.edit import report as edit_report
    from monitor.edit import tables as edit_tables

    path, where, store = _opened(context)
    before = edit_history.present(path)
    one = edit_history.earlier(store, before) if id is None else edit_history.chosen(store, id)
    draft = edit_history.back_to(path, where, before, one)
    names = (edit_report.called(None, path), edit_report.called(one, path))
    texts = [edit_history.text(part) for part in (draft.before, draft.after)]
    told: dict[str, Any] = {
        "to": one.id,
        "lines": edit_report.unified(texts[0], texts[1], *names),
    }
    if not as_json and draft.after != draft.before:
        edit_tables.print_lines(told["lines"])
    note = f"Back to config {one.id}."
    settle(draft, told, note=note, yes=yes, dry=dry_run, quiet=as_json, how="revert")
