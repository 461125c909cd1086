"""An alert as a Slack message, and as text for a terminal. Pure."""

import json
import textwrap
from dataclasses import dataclass, replace
from typing import Any

from monitor.slack.limits import (
    BLOCKS,
    FIELDS,
    HEADER,
    SECTION,
    TEXT,
    TOTAL,
    clean,
    code,
    escape,
    fit,
    size,
)
from monitor.slack.story import RESOLVED, Facts, Item, Story, facts_of, firing_for, tell
from monitor.text import moment
from storage.types import Alert

__all__ = ["Facts", "Item", "Message", "render", "render_original", "render_plain"]

_VALUE = 300
_COMMAND = 900
_COLUMNS = 80
_CODE_ROWS = ("Signal", "Target")


@dataclass(frozen=True, slots=True)
class Message:
    """`text` is what phones and screen readers show, complete in itself; `blocks` what Slack
    shows. Both are within Slack's limits."""

    text: str
    blocks: list[dict[str, Any]]


def render(alert: Alert) -> Message:
    """An alert as a message."""
    return _message(tell(alert))


def render_original(original: Alert, answer: Alert) -> Message:
    """What the first message of an alert becomes with an answer to it: resolved, without urgency
    and with all the facts; acknowledged, with the name of who knows of it; or as it was."""
    story, facts = tell(original), facts_of(answer)
    if answer.kind == "resolves":
        until = facts.get("until", answer.created)
        spell = firing_for(facts_of(original), until)
        ended = f"Resolved after {spell}" if spell else "Resolved"
        summary = f"{ended}, {moment(until)}"
        return _message(replace(story, emoji=RESOLVED, prefix="", summary=summary))
    if answer.kind == "acknowledges":
        known = f"acknowledged by {facts.get('by', '')}, {moment(answer.created)}"
        summary = "; ".join(filter(None, (story.summary, known)))
        return _message(replace(story, summary=summary))
    return _message(story)


def render_plain(alert: Alert) -> str:
    """An alert as lines of at most 80 columns, without markup."""
    story = tell(alert)
    lines = _wrapped(_first_line(story), "  ")
    if story.question:
        lines += _wrapped(story.question, "  ", "  ")
    for label, text in _labelled(story):
        start = f"  {label + ':':<11} " if label else "  "
        indent = " " * len(start)
        for index, line in enumerate(text.splitlines()):
            lines += _wrapped(line, indent, indent if index else start)
    for text in story.criteria:
        lines += _wrapped(text, "     ", "  ")
    if story.command:
        lines += _shell(clean(story.command))
    return "\n".join(lines)


# --- text ------------------------------------------------------------------------------------


def _first_line(story: Story) -> str:
    summary = f": {story.summary}" if story.summary else ""
    return _one_line(f"{story.emoji} {story.prefix}{story.headline}{summary}")


def _labelled(story: Story) -> list[tuple[str, str]]:
    trend = [("Trend", f"{story.trend} {story.trend_range}")] if story.trend else []
    return [*story.rows, *trend, *story.paragraphs]


def _text(story: Story) -> str:
    command = [("Explain", story.command)] if story.command else []
    lines = [_first_line(story), story.question, *story.criteria]
    lines += [
        f"{label}: {text}" if label else text for label, text in [*_labelled(story), *command]
    ]
    return escape("\n".join(line for line in lines if line), TEXT)


def _wrapped(text: str, indent: str, first: str = "") -> list[str]:
    # one column less: an emoji takes two
    return textwrap.wrap(
        " ".join(clean(text).split()),
        _COLUMNS - 1,
        initial_indent=first,
        subsequent_indent=indent,
        break_on_hyphens=False,
    )


def _shell(command: str) -> list[str]:
    """A command over as many lines as it needs, each but the last continued for the shell."""
    lines = textwrap.wrap(
        command,
        _COLUMNS - 2,
        initial_indent="  $ ",
        subsequent_indent="      ",
        break_on_hyphens=False,
    )
    return [f"{line} \\" for line in lines[:-1]] + lines[-1:]


# --- blocks ----------------------------------------------------------------------------------


def _message(story: Story) -> Message:
    return Message(_text(story), _within(_blocks(story), _context(story)))


def _blocks(story: Story) -> list[dict[str, Any]]:
    blocks = [_header(f"{story.emoji} {story.prefix}{story.headline}")]
    if story.summary:
        blocks.append(_section(f"*{escape(_one_line(story.summary), SECTION - 2)}*"))
    if story.question:
        blocks.append(_section(f"_{escape(_one_line(story.question), SECTION - 2)}_"))
    blocks += [_section(escape(line, _VALUE)) for line in story.criteria]
    if story.rows:
        blocks.append(_fields(story.rows))
    if story.trend:
        span = escape(story.trend_range, _VALUE)
        blocks.append(_section(f"*Trend*  `{story.trend}`  {span}"))
    blocks += [_paragraph(label, text) for label, text in story.paragraphs]
    return blocks


def _header(text: str) -> dict[str, Any]:
    line = fit(_one_line(text), HEADER)
    return {"type": "header", "text": {"type": "plain_text", "text": line, "emoji": True}}


def _section(mrkdwn: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": mrkdwn}}


def _fields(rows: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    shown = [
        f"*{label}*\n{code(text, _VALUE) if label in _CODE_ROWS else escape(text, _VALUE)}"
        for label, text in rows[:FIELDS]
    ]
    return {"type": "section", "fields": [{"type": "mrkdwn", "text": text} for text in shown]}


def _paragraph(label: str, text: str) -> dict[str, Any]:
    start = f"*{label}*\n" if label else ""
    return _section(start + escape(text, SECTION - size(start)))


def _context(story: Story) -> dict[str, Any]:
    parts = [code(story.command, _COMMAND), escape(story.footer, _VALUE)]
    elements = [{"type": "mrkdwn", "text": text} for text in parts if text]
    return {"type": "context", "elements": elements}


def _within(blocks: list[dict[str, Any]], last: dict[str, Any]) -> list[dict[str, Any]]:
    """The blocks that fit into a message together with the last one, which tells where the rest
    can be read."""
    room = TOTAL - _weight(last) - _weight(_section("…"))
    kept: list[dict[str, Any]] = []
    for block in blocks:
        room -= _weight(block)
        if room < 0 or len(kept) == BLOCKS - 2:
            kept.append(_section("…"))
            break
        kept.append(block)
    return [*kept, last]


def _weight(block: dict[str, Any]) -> int:
    return size(json.dumps(block, ensure_ascii=False)) + 2


def _one_line(text: str) -> str:
    return " ".join(clean(text).split())
