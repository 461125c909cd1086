"""What an alert says, in plain words, before anyone decides how it looks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypedDict, cast

from monitor.slack.limits import clean
from monitor.sparkline import sparkline
from monitor.text import lasted, moment, number, percent
from storage.types import Alert


class Item(TypedDict, total=False):
    """One criterion of a checklist item, or one member of a composite trigger. `holds` is None
    where nothing can be said yet."""

    name: str
    value_text: str
    holds: bool | None


class Facts(TypedDict, total=False):
    """All that a message says; everything that is absent is left out of it.

    `value`, `sigma`, `threshold`, `baseline` with its `spread`, and `trend` (oldest first) are in
    `unit`; `made_of` says of what the baseline is made. `since`, `until` and `read_at` are seconds
    since the epoch, UTC. `threshold_text` is the threshold in words. `explain` is a command.
    `question` and `criteria` belong to checklist items, `tally` and `members` to triggers about
    other triggers, `by` to acknowledgements, `title` and `body` to notices and
    new baselines, `rebased` to these, by target.
    """

    signal: str
    unit: str
    better: Literal["higher", "lower", "neither"]
    when: str
    value: float
    sigma: float
    threshold: float
    threshold_text: str
    baseline: float
    spread: float
    made_of: str
    origin: str
    since: float
    until: float
    read_at: float
    note: str
    why: str
    trend: list[float]
    trend_window: str
    advice: str
    explain: str
    question: str
    criteria: list[Item]
    tally: str
    members: list[Item]
    by: str
    title: str
    body: str


@dataclass(frozen=True, slots=True)
class Story:
    """An alert in plain words. What is "" or empty is not said.

    `prefix` and `headline` say what happened to whom, `summary` what decided, on one line.
    `rows` are short pairs of label and value, `paragraphs` long ones.
    """

    emoji: str
    prefix: str
    headline: str
    summary: str
    question: str
    rows: tuple[tuple[str, str], ...]
    trend: str
    trend_range: str
    criteria: tuple[str, ...]
    paragraphs: tuple[tuple[str, str], ...]
    command: str
    footer: str


EMOJI = {"page": "🔴", "warning": "🟠", "info": "🔵"}
RESOLVED, SILENT, KNOWN = "✅", "⚪", "👀"
_ANSWERS = {True: "✅", False: "❌", None: "❔"}
_FIRING = {True: "🔴", False: "⚪", None: "❔"}
"""A member that fires is no good news: a tick beside it would read as one."""


def facts_of(alert: Alert) -> Facts:
    """The alert's facts as they are declared above, their texts cleaned."""
    return cast("Facts", _cleaned(dict(alert.facts)))


def tell(alert: Alert) -> Story:
    """An alert as a story."""
    facts = facts_of(alert)
    return Story(
        emoji=_emoji(alert),
        prefix=_prefix(alert),
        headline=_headline(alert, facts),
        summary=_summary(alert, facts),
        question=facts.get("question", ""),
        rows=tuple(_rows(alert, facts)),
        trend=sparkline(facts.get("trend", [])),
        trend_range=_trend_range(facts),
        criteria=(
            *(_line(item, _FIRING) for item in facts.get("members", [])),
            *(_line(item, _ANSWERS) for item in facts.get("criteria", [])),
        ),
        paragraphs=tuple(_paragraphs(alert, facts)),
        command=facts.get("explain", ""),
        footer=f"{alert.severity} · {moment(alert.created)}",
    )


def value_text(facts: Facts) -> str:
    """The value with its uncertainty: "45,100 ± 310 token/s"; "" where there is none.

    The outcome of a run is told by the threshold's words: "failed, 3 runs".
    """
    if "value" not in facts or facts.get("when") == "fails":
        return ""
    unit = facts.get("unit", "1")
    text = number(facts["value"], unit)
    sigma = facts.get("sigma")
    return _shared(text, "±", number(sigma, unit)) if sigma else text


def threshold_text(facts: Facts) -> str:
    """The threshold as a number and in words, each only where the other does not say it."""
    words = facts.get("threshold_text", "")
    if "threshold" not in facts:
        return words
    bare = number(facts["threshold"], facts.get("unit", "1"))
    if bare in words:
        return words
    return f"{bare}, {words}" if words else bare


def firing_for(facts: Facts, until: float) -> str:
    """How long it has fired: "2 h 10 min"; "" where its beginning is not known."""
    return lasted(until - facts["since"]) if "since" in facts else ""


def _emoji(alert: Alert) -> str:
    if alert.kind == "resolves":
        return RESOLVED
    if alert.kind == "acknowledges":
        return KNOWN
    return SILENT if alert.kind == "no-data" else EMOJI[alert.severity]


def _prefix(alert: Alert) -> str:
    words = {
        "fires": alert.severity,
        "reminds": f"{alert.severity}, still firing",
        "resolves": "resolved",
        "no-data": "no data",
        "acknowledges": "acknowledged",
        "reopens": "no longer acknowledged",
        "notice": "",
        "rebases": "",
    }
    word = words[alert.kind]
    return f"{word}: " if word else ""


def _headline(alert: Alert, facts: Facts) -> str:
    trigger, target = clean(alert.trigger), _target(alert)
    if alert.kind in ("notice", "rebases"):
        return facts.get("title") or trigger
    return f"{trigger} on {target}" if target else trigger


def _target(alert: Alert) -> str:
    return "" if alert.target == "*" else clean(alert.target)


def _summary(alert: Alert, facts: Facts) -> str:
    value, threshold = value_text(facts), threshold_text(facts)
    if alert.kind == "acknowledges":
        return f"by {facts.get('by', '')}, no reminders until it resolves"
    if alert.kind == "reopens":
        return f"by {facts.get('by', '')}, reminders come again"
    if alert.kind == "no-data":
        return f"last value {value}" if value else "no reading has come"
    held = _held(facts)
    against = f"{value} (threshold: {threshold})" if value and threshold else value
    if alert.kind == "resolves":
        spell = firing_for(facts, facts.get("until", alert.created))
        return "; ".join(filter(None, (against or held, f"after {spell}" if spell else "")))
    return against or held or threshold


def _shared(left: str, word: str, right: str) -> str:
    """Two numbers, with the unit once where it is the same: "45,100 ± 310 token/s"."""
    bare, _, unit = left.partition(" ")
    same = " " not in unit and unit == right.partition(" ")[2]
    return f"{bare if same else left} {word} {right}"


def _held(facts: Facts) -> str:
    if "tally" in facts:
        return facts["tally"]
    criteria = facts.get("criteria", [])
    holding = sum(item.get("holds") is True for item in criteria)
    return f"{holding} of {len(criteria)} criteria hold" if criteria else ""


def _rows(alert: Alert, facts: Facts) -> list[tuple[str, str]]:
    rows = [
        ("Value", value_text(facts)),
        ("Needs" if "members" in facts else "Threshold", threshold_text(facts)),
        ("Signal", facts.get("signal", "")),
        ("Target", _target(alert)),
        ("Baseline", _baseline(alert, facts)),
        ("Origin", _origin(facts)),
        *_times(alert, facts),
    ]
    return [(label, text) for label, text in rows if text]


def _baseline(alert: Alert, facts: Facts) -> str:
    level = facts.get("baseline")
    if level is None:
        return ""
    unit = facts.get("unit", "1")
    text = number(level, unit)
    if spread := facts.get("spread"):
        text = _shared(text, "±", number(spread, unit))
    made_of = f", {facts['made_of']}" if "made_of" in facts else ""
    if "value" not in facts or level == 0:
        return f"{text}{made_of}"
    change = facts["value"] / level - 1 if level > 0 else (facts["value"] - level) / -level
    sign = "−" if change < 0 else "+"
    direction = "" if alert.kind == "resolves" else _direction(facts, change)
    return f"{text} (now {sign}{percent(abs(change))}{direction}){made_of}"


def _direction(facts: Facts, change: float) -> str:
    better = facts.get("better", "neither")
    if better == "neither" or change == 0:
        return ""
    return ", better" if (change > 0) == (better == "higher") else ", worse"


def _origin(facts: Facts) -> str:
    read = facts.get("read_at")
    when = f"read {moment(read)}" if read is not None else ""
    return ", ".join(part for part in (facts.get("origin", ""), when) if part)


def _times(alert: Alert, facts: Facts) -> list[tuple[str, str]]:
    since = facts.get("since")
    if since is None:
        return []
    if alert.kind == "resolves":
        until = facts.get("until", alert.created)
        return [("Fired", f"{moment(since)} until {moment(until)}")]
    spell = alert.created - since
    text = moment(since)
    return [("Since", f"{text} ({lasted(spell)})" if spell >= 60 else text)]  # noqa: PLR2004


def _trend_range(facts: Facts) -> str:
    values = facts.get("trend", [])
    if not values:
        return ""
    if facts.get("when") == "fails":
        return f"{sum(value > 0 for value in values)} of the last {len(values)} runs failed"
    unit = facts.get("unit", "1")
    window = facts.get("trend_window", "")
    over = f" over {window}" if window else ""
    low, high = number(min(values), unit), number(max(values), unit)
    span = low if low == high else _shared(low, "to", high)
    return f"{span}{over}"


def _line(item: Item, marks: Mapping[bool | None, str]) -> str:
    said = filter(None, (item.get("name", ""), item.get("value_text", "")))
    return f"{marks[item.get('holds')]} {': '.join(said)}"


def _paragraphs(alert: Alert, facts: Facts) -> list[tuple[str, str]]:
    advice = "" if alert.kind == "resolves" else facts.get("advice", "")
    why = "" if "members" in facts else facts.get("why", "")  # they say it, line by line
    note = facts.get("note", "")
    parts = [
        ("", facts.get("body", "")),
        ("Why", why),
        ("What to do", advice),
        ("Note", "" if note in why else note),  # why a run failed is its note too
    ]
    return [(label, text) for label, text in parts if text]


def _cleaned(value: Any) -> Any:
    match value:
        case str():
            return clean(value)
        case dict():
            return {key: _cleaned(part) for key, part in value.items()}
        case list() | tuple():
            return [_cleaned(part) for part in value]
        case _:
            return value
