"""Thresholds as people mistype them: each is one clear line with its place, or is taken for what it
says."""

from pathlib import Path

import pytest

from monitor import config
from monitor.problems import ConfigError
from triggers.rule import Rule

HEAD = """\
[probe.meter]
kind = "external.command"
argv = ["./meter"]
signals = { "test.meter" = "V", "test.share" = "1", "test.percent" = "%" }
every = "15m"
[trigger.other]
signal = "test.meter"
when = "above"
threshold = 1
[trigger.t]
"""
ABOVE = 'signal = "test.meter"\nwhen = "above"\n'
SHARE = ABOVE.replace("meter", "share")
DROPS = 'signal = "test.meter"\nwhen = "drops"\n'
STALE = 'signal = "test.meter"\nwhen = "stale"\n'
CROSSES = 'signal = "test.meter"\nwhen = "crosses"\nthreshold = 1\n'
HIGH = ABOVE + "threshold = 1\n"
LOW = DROPS + 'threshold = "10%"\n'

NUMBER = (
    "13:13: trigger.t.threshold: expected a number such as 10, without quotes and unit, "
    'or a percentage "10%", got '
)
PART = '13:13: trigger.t.threshold: expected a share of the baseline such as "10%", got '
TIME = '13:13: trigger.t.threshold: expected a duration such as "90s", "15m", "6h" or "14d", got '
ODD = "; no plain digits, letters or signs: "


def told(body: str) -> list[str]:
    """The faults of a trigger t, by line and column."""
    with pytest.raises(ConfigError) as wrong:
        config.parse(Path.cwd() / "c.toml", (HEAD + body).encode())
    return [line.removeprefix("c.toml:") for line in wrong.value.lines]


def taken(body: str) -> Rule:
    return config.parse(Path.cwd() / "c.toml", (HEAD + body).encode()).triggers["t"]


THRESHOLDS = [
    # a unit, or words, beside the number
    (ABOVE, '"10 V"', NUMBER + "'10 V'"),
    (ABOVE, '"10"', NUMBER + "'10'"),
    (ABOVE, '"ten"', NUMBER + "'ten'"),
    (ABOVE, '"1e3"', NUMBER + "'1e3'"),
    (ABOVE, '"1,000"', NUMBER + "'1,000'"),
    (ABOVE, '""', NUMBER + "''"),
    (ABOVE, '"%"', NUMBER + "'%'"),
    (ABOVE, '"10%%"', NUMBER + "'10%%'"),
    (ABOVE, '"6h"', NUMBER + "'6h'"),
    (ABOVE, "true", "13:13: trigger.t.threshold: expected a number, a percentage or a duration"),
    (ABOVE, "[10]", "13:13: trigger.t.threshold: expected a number or a string, got [10]"),
    # no finite number
    (ABOVE, "nan", "13:13: trigger.t.threshold: expected a finite number, got nan"),
    (ABOVE, "-inf", "13:13: trigger.t.threshold: expected a finite number, got -inf"),
    (ABOVE, "1e400", "13:13: trigger.t.threshold: expected a finite number, got inf"),
    (ABOVE, '"nan"', NUMBER + "'nan'"),
    (ABOVE, '"inf%"', NUMBER + "'inf%'"),
    (DROPS, f'"{"9" * 400}%"', "13:13: trigger.t.threshold: expected a finite number, got inf"),
    # a share where a number is needed, and the other way round
    (
        ABOVE,
        '"10%"',
        "13:13: trigger.t.threshold: expected a number of V, got '10%'; test.meter is",
    ),
    (ABOVE, '" 10 % "', "13:13: trigger.t.threshold: expected a number of V, got ' 10 % '; test."),
    (
        ABOVE.replace("meter", "percent"),
        '"10 %"',
        "13:13: trigger.t.threshold: expected a number 10, got '10 %'; test.percent is in percent",
    ),
    (DROPS, "10", PART + "10"),
    (DROPS, "0.1", PART + "0.1"),
    (DROPS, '"10"', PART + "'10'"),
    (DROPS, '"1d"', PART + "'1d'"),
    (STALE, "6", TIME + "6"),
    (STALE, '"10%"', TIME + "'10%'"),
    (STALE, '"6 hours"', TIME + "'6 hours'"),
    (STALE, '"1h30m"', TIME + "'1h30m'"),
    (STALE, '"6H"', TIME + "'6H'"),
    # digits and signs of other scripts: float() and \d would take the digits
    (DROPS, '"１０%"', PART + f"'１０%'{ODD}'\\uff11', '\\uff10'"),
    (DROPS, '"١٠%"', PART + f"'١٠%'{ODD}'\\u0661', '\\u0660'"),
    (DROPS, '"10٪"', PART + f"'10٪'{ODD}'\\u066a'"),
    (ABOVE, '"10％"', NUMBER + f"'10％'{ODD}'\\uff05'"),
    (ABOVE, '"\ufeff10"', NUMBER + f"'\\ufeff10'{ODD}'\\ufeff'"),
    (STALE, '"６h"', TIME + f"'６h'{ODD}'\\uff16'"),
    # sign and size
    (DROPS, '"-10%"', "13:13: trigger.t.threshold: expected more than 0, got '-10%'"),
    (DROPS, '"0%"', "13:13: trigger.t.threshold: expected more than 0, got '0%'"),
    (DROPS, '"100%"', "13:13: trigger.t.threshold: expected less than 100%, got '100%'"),
    (STALE, '"0s"', "13:13: trigger.t.threshold: expected more than 0, got '0s'"),
    (STALE, '"-6h"', TIME + "'-6h'"),
    (STALE, '"101y"', "13:13: trigger.t.threshold: expected at most \"100y\", got '101y'"),
    # a comma, and a text without its quotes, are no TOML
    (ABOVE, "1,5", "13:14: not valid TOML: Expected newline or end of document"),
    (DROPS, "10%", "13:15: not valid TOML: Expected newline or end of document"),
]


@pytest.mark.parametrize(("body", "value", "line"), THRESHOLDS, ids=range(len(THRESHOLDS)))
def test_a_threshold_that_is_none_is_one_clear_line(body: str, value: str, line: str) -> None:
    (said,) = told(f"{body}threshold = {value}\n")
    assert said[: len(line)] == line


MEANT = [
    (SHARE, '"10 %"', 0.1),
    (SHARE, '" 10% "', 0.1),
    (SHARE, '"10\u00a0%"', 0.1),  # a space that does not break, as typesetters put it there
    (SHARE, '"+10%"', 0.1),
    # a signal of unit 1 is a pure number, a ratio among others: it may be past 100 %, or negative
    (SHARE, '"150%"', 1.5),
    (SHARE, '"-10%"', -0.1),
    (DROPS.replace("drops", "rises"), '"150%"', 1.5),
    (ABOVE, "-10", -10.0),
    (ABOVE, "0", 0.0),
    (ABOVE, "1_000", 1000.0),
    (STALE, '" 6 h "', 21600.0),
    (STALE, '"100y"', 100 * 31557600.0),
]


@pytest.mark.parametrize(("body", "value", "limit"), MEANT)
def test_what_can_be_meant_in_one_way_only_is_taken(body: str, value: str, limit: float) -> None:
    assert taken(f"{body}threshold = {value}\n").limit == limit


OTHER_KEYS = [
    (HIGH + "clear = 11\n", "14:9: trigger.t.clear: 11 lies above the threshold 1"),
    (HIGH + "clear = '5%'\n", "14:9: trigger.t.clear: expected a number of V, got '5%'"),
    (HIGH + "clear = nan\n", "14:9: trigger.t.clear: expected a finite number, got nan"),
    (LOW + "clear = 5\n", '14:9: trigger.t.clear: expected a share of the baseline such as "10%"'),
    (LOW + "clear = '15%'\n", "14:9: trigger.t.clear: '15%' lies above the threshold '10%'"),
    (HIGH + "for = '0 readings'\n", "14:7: trigger.t.for: '0 readings' can never be met"),
    (HIGH + "for = '3 of 2'\n", "14:7: trigger.t.for: '3 of 2' can never be met: expected 1 ≤ N"),
    (HIGH + "for = 2\n", '14:7: trigger.t.for: expected "2 readings", "2 of 3" or a duration'),
    (HIGH + "for = '٢ readings'\n", '14:7: trigger.t.for: expected "2 readings", "2 of 3" or'),
    (HIGH + "for = '10001 runs'\n", "14:7: trigger.t.for: expected at most 10,000 readings; say"),
    (HIGH + f"for = '1 of {'9' * 5000}'\n", "14:7: trigger.t.for: expected at most 10,000 read"),
    (HIGH + "for = '101y'\n", "14:7: trigger.t.for: expected at most \"100y\", got '101y'"),
    (LOW + "baseline = '99999999999 readings'\n", "14:12: trigger.t.baseline: expected at most 10"),
    (LOW + "baseline = '4 readings'\n", "14:12: trigger.t.baseline: expected 5 readings or more"),
    (LOW + "baseline = '0d'\n", "14:12: trigger.t.baseline: expected 5 readings or more"),
    (
        LOW + "baseline = 14\n",
        '14:12: trigger.t.baseline: expected a duration such as "14d", "50 r',
    ),
    (HIGH + "max_age = '0s'\n", "14:11: trigger.t.max_age: expected more than 0: else every"),
    (HIGH + "keep_firing_for = '-1h'\n", "14:19: trigger.t.keep_firing_for: expected a duration"),
    (HIGH + "target = ''\n", "14:10: trigger.t.target: expected a name or a pattern such as"),
    (HIGH + "accept = []\n", "14:10: trigger.t.accept: expected at least 1 of measured, simu"),
    (HIGH + "notify = 'no'\n", "14:10: trigger.t.notify: expected true or false, got 'no'"),
    (HIGH + "side = 'above'\n", '14:8: trigger.t.side: when = "above" has no use for it'),
    (CROSSES + "horizon = '3y'\n", '12:8: trigger.t.when: "crosses" needs `side = "below"` or'),
    (CROSSES + "side = 'below'\n", '12:8: trigger.t.when: "crosses" needs a `horizon` such as'),
    (CROSSES + "side = 'under'\nhorizon = '3y'\n", "14:8: trigger.t.side: expected 'above' or 'b"),
    (
        CROSSES + "side = 'below'\nhorizon = '0s'\n",
        "15:11: trigger.t.horizon: expected more than 0",
    ),
    (CROSSES + "side = 'below'\nhorizon = '101y'\n", "15:11: trigger.t.horizon: expected at most"),
    (CROSSES + "side = 'below'\nhorizon = 3\n", "15:11: trigger.t.horizon: expected a duration"),
    (
        CROSSES.replace("= 1", "= -1") + "side = 'below'\nhorizon = '3y'\n",
        "13:13: trigger.t.threshold: expected more than 0, got -1",
    ),
    (ABOVE, '12:8: trigger.t.when: "above" needs a `threshold`'),
    (HIGH + "threshold = 2\n", "14:14: not valid TOML: Cannot overwrite a value"),
]


@pytest.mark.parametrize(("body", "line"), OTHER_KEYS, ids=range(len(OTHER_KEYS)))
def test_a_key_that_makes_no_sense_is_one_clear_line(body: str, line: str) -> None:
    (said,) = told(body)
    assert said[: len(line)] == line


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("gpu.training.tokens_per_sec", "gpu.training.tokens_per_second"),
        ("qpu.calibration.two_qubit_error", "quantum.calibration.two_qubit_error"),
        ("training.tokens_per_second", "gpu.training.tokens_per_second"),
        ("gpu.gemm.tflops", "gpu.gemm.time"),
        ("Test.Meter", "test.meter"),
    ],
)
def test_a_signal_that_was_renamed_is_told_with_the_new_name(old: str, new: str) -> None:
    (said,) = told(HIGH.replace("test.meter", old))
    assert said == (
        f'11:10: trigger.t.signal: no probe writes a signal {old!r}. Did you mean "{new}"?'
    )


CIRCLES = [
    ("when = 'all'\nof = ['t']\n", "12:7: trigger.t.of.0: t → t: a trigger cannot be of itself"),
    (
        (
            "when = 'any'\nof = ['u']\n[trigger.u]\nwhen = 'all'\nof = ['other', 'v']\n"
            "[trigger.v]\nwhen = 'any'\nof = ['t']\n"
        ),
        "12:7: trigger.t.of.0: t → u → v → t is a circle: take one member out",
    ),
    ("when = 'all'\nof = ['other', 'x']\n", "12:16: trigger.t.of.1: no trigger 'x'. Known here: "),
    ("when = 'all'\nof = ['othr']\n", "12:7: trigger.t.of.0: no trigger 'othr'. Did you mean \"ot"),
    ("when = 'all'\nof = ['other', 'other']\n", "12:16: trigger.t.of.1: 'other' is named twice"),
    ("when = 'all'\nof = ['*']\n", "12:7: trigger.t.of.0: no trigger '*'."),
    ("when = 'all'\nof = []\n", '11:8: trigger.t.when: "all" needs `of = ["NAME", "NAME"]`'),
    ("when = 'all'\nof = 'other'\n", "12:6: trigger.t.of: expected an array, got 'other'"),
    ("when = 'all'\nof = [1]\n", "12:7: trigger.t.of.0: expected a string, got 1"),
    (
        "when = 'all'\nof = ['other']\nthreshold = 2\n",
        '13:13: trigger.t.threshold: when = "all" has no use for it: remove this key',
    ),
    (
        "when = 'all'\nof = ['other']\nsignal = 'test.meter'\n",
        '13:10: trigger.t.signal: when = "all" is about other triggers: remove this key',
    ),
]


@pytest.mark.parametrize(("body", "line"), CIRCLES, ids=range(len(CIRCLES)))
def test_a_composite_of_nothing_sound_is_one_clear_line(body: str, line: str) -> None:
    (said,) = told(body)
    assert said[: len(line)] == line
