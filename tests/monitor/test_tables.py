"""Tables show what a probe said as it said it, through the real command line."""

import json

import pytest
from living import Living

from monitor import tables

SAID = [
    {"signal": "test.meter", "target": "a[/z]", "value": 12, "note": "of [/z] and :key:"},
    {"signal": "test.meter", "target": "b[bold]", "value": 13, "note": "\x1b[31mred\x07\x9b"},
    {"signal": "test.meter", "target": "c\x1b[2J", "value": 14, "note": "[link=x]y"},
]
PRINTING = f"""
import sys
print({chr(10).join(map(json.dumps, SAID))!r})
"""
BROKEN = """
[probe.broken]
kind = "external.command"
argv = ["./[/z][bold]:key:\\u001b[2J"]
signals = { "test.meter" = "V" }
every = "1h"
[trigger.fails]
probe = "broken"
when = "fails"
[checklist.loud]
question = "Is it [/z] loud?"
requires = ["high"]
gaps = ["[/z] and :key:"]
"""
REPORTS = {
    ("runs",): ["./[/z][bold]:key: [2J"],
    ("signals",): ["a[/z]", "b[bold]", "c [2J"],
    ("trigger", "list"): ["a[/z]", "b[bold]", "c [2J"],
    ("trigger", "explain", "high"): ["high on a[/z]", "of [/z] and :key:", "[31mred", "[link=x]y"],
    ("trigger", "explain", "fails"): ["./[/z][bold]:key: [2J"],
    ("checklist",): ["Is it [/z] loud?", "[/z] and :key:"],
    ("status",): ["broken"],
    ("once", "meter"): ["a[/z]", "b[bold]"],
    ("once", "--dry-run"): ["meter"],
}


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Living:
    """A folder with a run that printed markup and control characters, and one that failed."""
    living = Living(tmp_path_factory.mktemp("living"), more=BROKEN)
    (living.folder / "meter.py").write_text(PRINTING)
    assert living.command("once").returncode == 1
    return living


@pytest.mark.parametrize("words", REPORTS, ids=" ".join)
def test_what_was_said_is_shown_and_does_nothing(said: Living, words: tuple[str, ...]) -> None:
    done = said.command(*words)
    assert (done.returncode, done.stderr) == (0, "")
    unfolded = " ".join(done.stdout.split())
    for text in REPORTS[words]:
        assert text in unfolded
    assert all(sign == "\n" or sign.isprintable() for sign in done.stdout)


def test_a_target_that_is_named_in_an_error_does_nothing(said: Living) -> None:
    done = said.command("trigger", "explain", "high", "--target", "x")
    assert (done.returncode, "c [2J" in done.stderr) == (1, True)
    assert "\x1b" not in done.stderr


def test_a_cell_is_plain_text_on_any_console() -> None:
    text = tables.cell("[/z] :key:\0\x1b[1m", "bold", indent=2)
    assert (text.plain, text.spans) == ("  [/z] :key:  [1m", [])
    with (console := tables.console()).capture() as shown:
        console.print("[/z] [bold] :key:")
    assert shown.get() == "[/z] [bold] :key:\n"


def test_one_reading_has_no_trend_and_its_target_is_shown_whole(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The names of a canary with its device and size, as wide as they come with the service."""
    reading = {
        "signal": "quantum.layer_fidelity.error_per_gate",
        "target": "fake_kingston/fixed-w6",
        "at": "2026-11-22T19:42:11.775Z",
        "value": 2.336e-3,
        "sigma": 1.2e-4,
        "unit": "1",
        "origin": "simulated",
    }
    tables.console().print(tables.signals([reading]))
    once = capsys.readouterr().out
    assert "trend" not in once
    assert "fake_kingston/fixed-w6  2.336e-3 ±5.1%  simulated" in once
    later = reading | {"at": "2026-11-23T19:42:11.775Z"}
    tables.console().print(tables.signals([reading, later]))
    twice = capsys.readouterr().out
    assert "trend" in twice
    assert "▄▄" in twice
    assert all(len(line.rstrip()) <= 80 for line in (once + twice).splitlines())
