"""What a message says, and that no text makes it more than Slack takes."""

import json
import re
from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from slack_alerts import NOON, SLOWER, alert
from slack_server import Refused, check_content
from slackblocks import Message as CheckedMessage
from slackblocks.blocks import Block
from slackblocks.errors import InvalidUsageError

from monitor.slack.limits import HEADER, TEXT, TOTAL, code, escape, fit, size
from monitor.slack.message import Message, render, render_original, render_plain
from storage.types import Alert, AlertKind, Severity

# a busy machine is no failure
CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def shown(message: Message) -> str:
    """All the text that the blocks show."""
    return json.dumps(message.blocks, ensure_ascii=False)


def check(message: Message) -> None:
    """Slack takes it: by the loopback's rules, by slackblocks', and by the measured total."""
    json.dumps({"text": message.text, "blocks": message.blocks}).encode()
    check_content({"text": message.text, "blocks": message.blocks})
    blocks = [Block.from_dict(block) for block in message.blocks]
    CheckedMessage(channel="C1", text=message.text, blocks=blocks).json()
    assert size(message.text) <= TEXT
    assert size(json.dumps(message.blocks, ensure_ascii=False)) <= TOTAL
    # the header is plain text, in which nothing is escaped
    for text in (message.text, json.dumps(message.blocks[1:], ensure_ascii=False)):
        assert not re.search(r"&(?!amp;|lt;|gt;)", text)
    assert not re.search("[<>]", message.text)


@pytest.mark.parametrize(
    "block",
    [
        {"type": "header", "text": {"type": "plain_text", "text": "x" * 151}},
        {"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}},
        {"type": "section", "text": {"type": "mrkdwn", "text": ""}},
        {"type": "section", "fields": [{"type": "mrkdwn", "text": "x" * 2001}]},
        {"type": "section", "fields": [{"type": "mrkdwn", "text": "x"}] * 11},
        {"type": "context", "elements": [{"type": "mrkdwn", "text": "x"}] * 11},
    ],
)
def test_both_checkers_refuse_what_is_too_much(block: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="invalid_blocks"):
        check_content({"text": "x", "blocks": [block]})
    with pytest.raises(InvalidUsageError):
        Block.from_dict(block)


# --- what it says ----------------------------------------------------------------------------


def test_the_first_line_is_enough_for_a_phone() -> None:
    assert render(alert()).text.splitlines()[0] == (
        "🟠 warning: training-slower on GPU-8f2a51c0: 45,100 ± 310 token/s "
        "(threshold: 46,080 token/s, 10% below the baseline of 51,200 token/s)"
    )


@pytest.mark.parametrize(
    "part",
    [
        "training-slower",
        "GPU-8f2a51c0",
        "gpu.training.tokens_per_second",
        "45,100 ± 310 token/s",
        "46,080 token/s, 10% below the baseline of 51,200 token/s",
        "51,200 token/s (now −11.9%, worse)",
        "measured, read 2026-11-22 11:59 UTC",
        "2026-11-22 11:45 UTC (15 min)",
        "████▂▁",
        "45,100 to 51,300 token/s over 14 d",
        "45100 is below 46080; 2 of the last 2, needs 2 readings",
        "Check clocks &amp; throttle reasons, then &lt;driver&gt; changes.",
        "qrossover trigger explain training-slower --target GPU-8f2a51c0",
        "warning",
    ],
)
def test_blocks_and_text_say_everything(part: str) -> None:
    message = render(alert())
    assert part in shown(message)
    assert part in message.text


def test_the_blocks_in_their_order() -> None:
    message = render(alert())
    check(message)
    kinds = [next(iter(block.keys() - {"type"})) for block in message.blocks]
    assert kinds == ["text", "text", "fields", "text", "text", "text", "elements"]
    assert message.blocks[0]["text"]["text"] == "🟠 warning: training-slower on GPU-8f2a51c0"


@pytest.mark.parametrize(
    ("kind", "severity", "start"),
    [
        ("fires", "page", "🔴 page: training-slower on GPU-8f2a51c0: 45,100 "),
        ("fires", "info", "🔵 info: training-slower on GPU-8f2a51c0: 45,100 "),
        ("reminds", "warning", "🟠 warning, still firing: training-slower on GPU-8f2a51c0: "),
        ("no-data", "warning", "⚪ no data: training-slower on GPU-8f2a51c0: last value 45,100 "),
        ("resolves", "page", "✅ resolved: training-slower on GPU-8f2a51c0: 45,100 "),
    ],
)
def test_kind_and_severity_lead(kind: AlertKind, severity: Severity, start: str) -> None:
    message = render(alert(kind, severity=severity))
    assert message.text.startswith(start)
    check(message)


def test_a_resolution_says_how_long_and_gives_no_advice() -> None:
    message = render(alert("resolves", value=51000.0, since=NOON - 7800, until=NOON))
    assert "; after 2 h 10 min\n" in message.text
    assert "Fired: 2026-11-22 09:50 UTC until 2026-11-22 12:00 UTC" in message.text
    assert "throttle" not in message.text
    check(message)


def test_the_first_message_after_the_resolution() -> None:
    first = alert(created=NOON, since=NOON - 900)
    message = render_original(first, alert("resolves", until=NOON + 6900))
    assert message.text.splitlines()[0] == (
        "✅ training-slower on GPU-8f2a51c0: Resolved after 2 h 10 min, 2026-11-22 13:55 UTC"
    )
    assert "🟠" not in shown(message)
    for kept in ("45,100 ± 310 token/s", "46,080 token/s", "throttle", "qrossover trigger explain"):
        assert kept in shown(message)
    check(message)


def test_a_checklist_item() -> None:
    message = render(
        Alert(
            "key",
            "fires",
            "checklist.logical-qubits",
            "*",
            "page",
            NOON,
            {
                "question": "Is there access at a comparable cost?",
                "criteria": [
                    {"name": "cost-ratio", "value_text": "1.4 against 2", "holds": True},
                    {"name": "error", "value_text": "1.9e-3 against 1e-6", "holds": False},
                    {"name": "on-sale", "value_text": "no reading yet", "holds": None},
                ],
            },
        )
    )
    lines = message.text.splitlines()
    assert lines[0] == "🔴 page: checklist.logical-qubits: 1 of 3 criteria hold"
    assert lines[1] == "Is there access at a comparable cost?"
    for line in ("✅ cost-ratio: 1.4 against 2", "❌ error: 1.9e-3 against 1e-6"):
        assert line in lines
        assert line in shown(message)
    assert "❔ on-sale: no reading yet" in shown(message)
    check(message)


def test_a_notice() -> None:
    message = render(
        Alert(
            "key",
            "notice",
            "config",
            "*",
            "warning",
            NOON,
            {
                "title": "config.toml was not taken",
                "body": "config.toml:12:3: unknown key\nthe running config stays",
            },
        )
    )
    assert message.text == (
        "🟠 config.toml was not taken\nconfig.toml:12:3: unknown key\nthe running config stays"
    )
    check(message)


def test_a_trigger_on_runs_counts_them() -> None:
    message = render(
        alert(
            when="fails",
            unit="1",
            value=1.0,
            sigma=None,
            threshold=None,
            threshold_text="failed, 3 runs",
            baseline=None,
            trend=[0.0, 1.0, 1.0, 1.0],
        )
    )
    assert message.text.startswith("🟠 warning: training-slower on GPU-8f2a51c0: failed, 3 runs\n")
    assert "▁███ 3 of the last 4 runs failed" in message.text
    assert "Value" not in message.text


def test_why_a_run_failed_is_not_said_again_as_its_note() -> None:
    why = "the last run failed (no device answers)"
    text = render(alert(when="fails", why=why, note="no device answers")).text
    assert text.count("no device answers") == 1
    assert "a bad day" in render(alert(when="fails", why=why, note="a bad day")).text


def test_the_threshold_is_not_said_twice() -> None:
    message = render(alert(when="above", threshold=40000.0, threshold_text="above 40,000 token/s"))
    assert "(threshold: above 40,000 token/s)" in message.text


def test_simulated_is_said() -> None:
    assert "simulated, read" in render(alert(origin="simulated")).text


def test_nothing_but_a_name_is_a_message() -> None:
    message = render(Alert("key", "resolves", "gone", "*", "info", NOON, {}))
    assert message.text == "✅ resolved: gone"
    check(message)


def test_mentions_and_markup_are_inert() -> None:
    message = render(
        alert(trigger="<!channel>", target="`<@U1>`", advice="<!here> & <https://x|y>")
    )
    check(message)
    assert "<" not in message.text
    sections = json.dumps(message.blocks[1:], ensure_ascii=False)
    assert "<" not in sections
    # a plain_text object shows what stands there, and parses nothing
    assert message.blocks[0]["text"]["type"] == "plain_text"


# --- a terminal ------------------------------------------------------------------------------


def test_plain() -> None:
    assert render_plain(alert()).splitlines() == [
        "🟠 warning: training-slower on GPU-8f2a51c0: 45,100 ± 310 token/s (threshold:",
        "  46,080 token/s, 10% below the baseline of 51,200 token/s)",
        "  Value:      45,100 ± 310 token/s",
        "  Threshold:  46,080 token/s, 10% below the baseline of 51,200 token/s",
        "  Signal:     gpu.training.tokens_per_second",
        "  Target:     GPU-8f2a51c0",
        "  Baseline:   51,200 token/s (now −11.9%, worse)",
        "  Origin:     measured, read 2026-11-22 11:59 UTC",
        "  Since:      2026-11-22 11:45 UTC (15 min)",
        "  Trend:      ████▂▁ 45,100 to 51,300 token/s over 14 d",
        "  Why:        45100 is below 46080; 2 of the last 2, needs 2 readings",
        "  What to do: Check clocks & throttle reasons, then <driver> changes.",
        "  $ qrossover trigger explain training-slower --target GPU-8f2a51c0",
    ]


def test_a_long_command_can_be_copied_from_the_terminal() -> None:
    command = "qrossover trigger explain " + " ".join(["--target GPU-0123456789"] * 6)
    lines = render_plain(alert(explain=command)).splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("  $ "))
    joined = "\n".join(lines[start:]).removeprefix("  $ ")
    assert joined.count("\\\n") >= 2
    assert " ".join(joined.replace("\\\n", " ").split()) == command


# --- limits ----------------------------------------------------------------------------------

ODD = st.one_of(st.text(max_size=20), st.text("&<>`*\n\t\x00\u2028😀ß漢\ud800", max_size=20))
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
TIMES = st.floats(0, 4e9)
FACTS = st.fixed_dictionaries(
    {},
    optional={
        "signal": ODD,
        "unit": st.one_of(st.sampled_from(["1", "s", "B", "USD", "USD/h", "%", ""]), ODD),
        "better": st.sampled_from(["higher", "lower", "neither"]),
        "when": st.sampled_from(["above", "below", "drops", "rises", "fails", "stale"]),
        "value": NUMBERS,
        "sigma": NUMBERS,
        "threshold": NUMBERS,
        "threshold_text": ODD,
        "baseline": NUMBERS,
        "origin": ODD,
        "since": TIMES,
        "until": TIMES,
        "read_at": TIMES,
        "note": ODD,
        "why": ODD,
        "trend": st.lists(NUMBERS, max_size=60),
        "trend_window": ODD,
        "advice": ODD,
        "explain": ODD,
        "question": ODD,
        "criteria": st.lists(
            st.fixed_dictionaries(
                {}, optional={"name": ODD, "value_text": ODD, "holds": st.none() | st.booleans()}
            ),
            max_size=70,
        ),
        "title": ODD,
        "body": ODD,
    },
)
ALERTS = st.builds(
    Alert,
    key=st.just("key"),
    kind=st.sampled_from(get_args(AlertKind)),
    trigger=ODD.map("t{}".format),
    target=ODD,
    severity=st.sampled_from(get_args(Severity)),
    created=TIMES,
    facts=FACTS,
)


LENGTHS = st.sampled_from([1, 10, 200, 1000])


def stretched(part: Any, times: int) -> Any:
    """The same with every text so many times as long."""
    match part:
        case str():
            return part * times
        case list():
            return [stretched(inner, times) for inner in part]
        case dict():
            return {name: stretched(inner, times) for name, inner in part.items()}
        case Alert():
            trigger, target = part.trigger * times, part.target * times
            facts = stretched(part.facts, times) | {"when": part.facts.get("when", "above")}
            return replace(part, trigger=trigger, target=target, facts=facts)
    return part


@CALM
@given(ALERTS, ALERTS, LENGTHS)
def test_no_text_is_too_much(one: Alert, other: Alert, times: int) -> None:
    one = stretched(one, times)
    check(render(one))
    check(render_original(one, other))


@CALM
@given(ALERTS, LENGTHS)
def test_no_line_is_too_long(one: Alert, times: int) -> None:
    text = render_plain(stretched(one, times))
    assert text
    assert all(0 < len(line) <= 80 for line in text.splitlines())
    text.encode()


@pytest.mark.parametrize("name", ["advice", "why", "note", "question", "explain", "trend_window"])
def test_a_long_text_is_cut_where_one_sees_it(name: str) -> None:
    message = render(alert(**{name: "a&b " * 5000}))
    check(message)
    assert "…" in shown(message)
    # the command that explains is the way to what was cut: it stays
    assert "qrossover" in shown(message) or name == "explain"


def test_more_criteria_than_blocks() -> None:
    criteria = [{"name": f"c{n}", "value_text": "1", "holds": True} for n in range(120)]
    message = render(alert(criteria=criteria))
    check(message)
    assert len(message.blocks) == 50
    assert message.blocks[-2]["text"]["text"] == "…"
    assert "qrossover trigger explain" in json.dumps(message.blocks[-1])


@CALM
@given(ODD, st.integers(5, 300))
def test_cutting(text: str, limit: int) -> None:
    for cut in (fit(text, limit), escape(text, limit), code(text, limit)):
        assert size(cut) <= limit
    assert not re.search(r"&(?!amp;|lt;|gt;)", escape(text, limit))


def test_what_fits_is_not_cut() -> None:
    assert fit("a" * HEADER, HEADER) == "a" * HEADER
    assert escape("<&>", 13) == "&lt;&amp;&gt;"
    assert escape("<&>", 12) == "&lt;&amp;…"
    assert code("a `b`\nc", 40) == "`a 'b' c`"


def test_facts_are_left_as_they_were() -> None:
    facts: dict[str, Any] = json.loads(json.dumps(SLOWER))
    render(Alert("key", "fires", "t", "x", "info", NOON, facts))
    assert facts == SLOWER
