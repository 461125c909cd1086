"""What a wrong config is told: file, line and column, the key, what was expected, a way out."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.config import read
from monitor.problems import ConfigError

Told = Callable[[str | bytes], list[str]]
METER = """\
[probe.meter]
kind = "external.command"
argv = ["./meter"]
signals = { "test.meter" = "V" }
every = "15m"
"""
HIGH = """\
[trigger.high]
signal = "test.meter"
when = "above"
threshold = 10
"""
MIRROR = "[probe.x]\nkind = 'quantum.mirror'\nevery = '1h'\n"


@pytest.fixture
def told(tmp_path: Path) -> Told:
    """The lines about a text, without the name of the file that each begins with."""

    def tell(text: str | bytes) -> list[str]:
        file = tmp_path / "config.toml"
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        with pytest.raises(ConfigError) as wrong:
            read(file)
        assert str(wrong.value) == "\n".join(wrong.value.lines)
        assert all(line.startswith(f"{file}:") for line in wrong.value.lines)
        return [line.removeprefix(f"{file}:") for line in wrong.value.lines]

    return tell


ONE_FAULT = [
    ("[moniter]\n", '1:2: moniter: unknown key. Did you mean "monitor"?'),
    ("[monitor]\nhtpp = ''\n", '2:1: monitor.htpp: unknown key. Did you mean "http"?'),
    ("[monitor]\nzzz = ''\n", "2:1: monitor.zzz: unknown key. Known here: database, http."),
    ("[monitor]\nHTTP = ''\n", '2:1: monitor.HTTP: unknown key. Did you mean "http"?'),
    ("monitor = 1\n", "1:11: monitor: expected a table, [monitor], got 1"),
    ("[[probe]]\nkind = 'a'\n", "1:3: probe: expected a table, [probe], got [{'kind': 'a'}]"),
    ("[probe]\nmeter = 'x'\n", "2:9: probe.meter: expected a table, [probe.meter], got 'x'"),
    ("[probe.'a b']\n", '1:2: probe."a b": a name is made of letters, digits, - and _'),
    (
        "[monitor]\nhttp = 'x'\n",
        '2:8: monitor.http: expected "HOST:PORT" such as "127.0.0.1:8577", or "", got \'x\'',
    ),
    ("[monitor]\nhttp = 8577\n", "2:8: monitor.http: expected a string, got 8577"),
    ("[monitor]\ndatabase = ''\n", "2:12: monitor.database: expected the path of a file, got '.'"),
    ("[slack]\n", "1:2: slack.channel: this key is missing"),
    ("[slack]\nchannel = ''\n", "2:11: slack.channel: expected at least 1 character, got ''"),
    (
        "[slack]\nchannel = '#a'\nremind_every = 60\n",
        '3:16: slack.remind_every: expected a duration such as "90s", "15m", "6h" or "14d", g',
    ),
    (
        "[slack]\nchannel = '#a'\napi_url = 'slack.com'\n",
        "3:11: slack.api_url: expected an http(s) address, got 'slack.com'",
    ),
    (
        "[budget]\nusd_per_day = -1\n",
        "2:15: budget.usd_per_day: expected greater than or equal to 0, got -1",
    ),
    ("[budget]\nusd_per_day = '5'\n", "2:15: budget.usd_per_day: expected a number, got '5'"),
    ("[budget]\nusd_per_day = true\n", "2:15: budget.usd_per_day: expected a number, got true"),
    (
        "[budget]\nusd_per_day = inf\n",
        "2:15: budget.usd_per_day: expected a finite number, got inf",
    ),
    (
        "[budget]\nusd_per_day = 0xffff_ffff_ffff_ffff\n",
        "2:15: budget.usd_per_day: this number is too large: 64 bits are the most",
    ),
    (
        "[budget]\nusd_per_day = 2026-11-22\n",
        "2:15: budget.usd_per_day: no key takes a date or a time; put it in quotes if it is m",
    ),
    (
        METER.replace('"external.command"', '"external.comand"'),
        "2:8: probe.meter.kind: no probe kind 'external.comand'; known are external.command,",
    ),
    (METER.replace('"15m"', "15"), '5:9: probe.meter.every: expected a duration such as "90s",'),
    (METER.replace('"15m"', '"0s"'), '5:9: probe.meter.every: expected "1s" to "10y", got \'0s\''),
    (METER.replace('"15m"', '"11y"'), '5:9: probe.meter.every: expected "1s" to "10y"'),
    (METER.replace('["./meter"]', '"./meter"'), "3:8: probe.meter.argv: expected an array, got"),
    (METER.replace('["./meter"]', "[]"), "3:8: probe.meter.argv: expected at least 1 item, got ()"),
    (
        METER.replace('["./meter"]', '["a", 2]'),
        "3:14: probe.meter.argv.1: expected a string, got 2",
    ),
    (
        METER.replace('["./meter"]', '["", "a"]'),
        "3:8: probe.meter.argv: expected a program and its",
    ),
    (METER.replace('["./meter"]', '["a\\u0000"]'), "3:8: probe.meter.argv: expected a program and"),
    (METER.replace('"V"', "5"), '4:28: probe.meter.signals."test.meter": expected a string, got 5'),
    (
        METER.replace('"V"', '""'),
        '4:28: probe.meter.signals."test.meter": expected at least 1 char',
    ),
    (METER.replace('"test.meter"', '"a b"'), '4:21: probe.meter.signals."a b": expected a name of'),
    (METER + "usd = 'dear'\n", "6:7: probe.meter.usd: expected a number, got 'dear'"),
    (METER + "argw = 1\n", '6:1: probe.meter.argw: unknown key. Did you mean "argv"?'),
    (METER + "origin = 'guessed'\n", "6:10: probe.meter.origin: expected 'measured', 'simulated',"),
    (
        METER + HIGH.replace("test.meter", "test.metre"),
        "7:10: trigger.high.signal: no probe writes a signal 'test.metre'. Did you mean \"test",
    ),
    (
        METER + HIGH.replace("above", "abov"),
        "8:8: trigger.high.when: expected 'above', 'below', 'drops', 'rises', 'shifts', 'f",
    ),
    (
        METER + HIGH.replace("10", '"10%"'),
        "9:13: trigger.high.threshold: expected a number of V, got '10%'; test.meter is no sh",
    ),
    (
        METER + HIGH.replace("10", "[10]"),
        "9:13: trigger.high.threshold: expected a number or a string, got [10]",
    ),
    (METER + HIGH.replace("10", "nan"), "9:13: trigger.high.threshold: expected a finite number,"),
    (
        METER + HIGH + "severity = 'warn'\n",
        "10:12: trigger.high.severity: expected 'info', 'warning' or 'page', got 'warn'. Did",
    ),
    (METER + HIGH + "accept = ['measurd']\n", "10:11: trigger.high.accept.0: expected 'measured',"),
    (METER + HIGH + "for = 'ever'\n", '10:7: trigger.high.for: expected "2 readings", "2 of 3" or'),
    (
        METER + HIGH + "probe = 'meter'\n",
        '10:9: trigger.high.probe: when = "above" is about a signal: remove this key',
    ),
    (
        METER + "[trigger.t]\nwhen = 'fails'\nprobe = 'metre'\n",
        "8:9: trigger.t.probe: no probe of this config matches 'metre'. Did you mean \"meter\"?",
    ),
    (
        "[checklist.a]\nquestion = ''\ngaps = ['']\n[checklist.c]\nquestion = '?'\n",
        "4:2: checklist.c: needs `requires` or `gaps`: without them",
    ),
    (
        METER + HIGH + "[checklist.c]\nquestion = '?'\nrequires = ['high', 'higher']\n",
        "12:21: checklist.c.requires.1: no trigger 'higher'. Did you mean \"high\"?",
    ),
    (
        "[probe.x]\nkind = 'gpu.training'\nevery = '1h'\nsize = 'smal'\n",
        "4:8: probe.x.size: expected 'auto', 'small' or 'medium', got 'smal'. Did you mean \"s",
    ),
    (
        "[probe.x]\nkind = 'gpu.training'\nevery = '1h'\nsteps = 20.5\n",
        "4:9: probe.x.steps: expected a whole number, got 20.5",
    ),
    (MIRROR + "device = 'fake_x'\n", "4:10: probe.x.device: no snapshot of a device 'fake_x'"),
    (MIRROR, "1:2: probe.x.device: this key is missing"),
    (
        MIRROR + "device = 'fake_kingston'\nwidths = [2, 99]\n",
        "5:14: probe.x.widths.1: expected less",
    ),
]


@pytest.mark.parametrize(("text", "line"), ONE_FAULT, ids=range(len(ONE_FAULT)))
def test_a_fault_is_told_once_with_its_place_and_a_way_out(
    told: Told, text: str, line: str
) -> None:
    (said,) = told(text)
    assert said[: len(line)] == line


SUGGESTED = [
    (METER.replace("external.command", "external.comand"), "external.command"),
    (METER + HIGH.replace("test.meter", "test.metre"), "test.meter"),
    (METER + HIGH.replace("above", "abov"), "above"),
    (METER + HIGH + "severity = 'warn'\n", "warning"),
    (METER + HIGH + "accept = ['measurd']\n", "measured"),
    (METER + HIGH + "[checklist.c]\nquestion = '?'\nrequires = ['hi']\n", "high"),
]


@pytest.mark.parametrize(("text", "word"), SUGGESTED, ids=range(len(SUGGESTED)))
def test_the_nearest_known_word_is_suggested(told: Told, text: str, word: str) -> None:
    (said,) = told(text)
    assert re.search(rf'Did you mean "{re.escape(word)}"\?$', said)


def test_all_faults_are_told_in_the_order_of_the_file(told: Told) -> None:
    said = told(
        "[trigger.high]\n"
        "when = 'abov'\n"
        "signal = 3\n"
        "[probe.meter]\n"
        "kind = 'external.command'\n"
        "every = 'often'\n"
        "[slack]\n"
        "chanel = '#a'\n"
        "[checklist.c]\n"
        "requires = ['low']\n"
    )
    assert [line.split(": ")[:2] for line in said] == [
        ["2:8", "trigger.high.when"],
        ["3:10", "trigger.high.signal"],
        ["4:2", "probe.meter.argv"],
        ["4:2", "probe.meter.signals"],
        ["6:9", "probe.meter.every"],
        ["7:2", "slack.channel"],
        ["8:1", "slack.chanel"],
        ["9:2", "checklist.c.question"],
    ]


def test_a_fault_brings_no_false_ones_after_it(told: Told) -> None:
    wrong_probe = METER.replace('"15m"', "15")
    wrong_trigger = HIGH.replace("10", "[]")
    fails = "[trigger.fails]\nwhen = 'fails'\nprobe = 'meter'\n"
    item = "[checklist.c]\nquestion = '?'\nrequires = ['high']\n"
    assert len(told(wrong_probe + HIGH + fails + item)) == 1
    assert len(told(METER + wrong_trigger + item)) == 1


def test_a_signal_in_two_units_is_told_where_the_second_stands(told: Told) -> None:
    other = METER.replace("probe.meter", "probe.other").replace('"V"', '"mV"')
    (said,) = told(METER + other)
    assert said.startswith(
        "9:28: probe.other.signals.\"test.meter\": is declared in 'V' by another"
    )


SYNTAX = {
    "a.b = \n": "1:7: not valid TOML: Invalid value",
    "[probe.a\n": "1:9: not valid TOML: Expected ']'",
    "[a.b]\n[a.b]\n": "2:5: not valid TOML: Cannot declare [a.b] twice",
    "[a]\r\nb = é\r\n": "2:5: not valid TOML: Invalid value",
    "x = 1\ny =": "2:1: not valid TOML: Invalid value",
    "x = 2026-02-30\n": "1:5: not valid TOML: Invalid date or datetime",
    "x = '\0'\n": "1:6: not valid TOML: Found invalid character",
}


@pytest.mark.parametrize(("text", "line"), SYNTAX.items(), ids=range(len(SYNTAX)))
def test_a_file_that_is_no_toml_is_told_where(told: Told, text: str, line: str) -> None:
    (said,) = told(text)
    assert said[: len(line)] == line


def test_bytes_that_are_no_text_are_told_where(told: Told) -> None:
    assert told("[slack]\nchannel = 'é".encode() + b"\xff'\n") == ["2:13: this byte is not UTF-8"]


@pytest.mark.parametrize("text", ["x = " + "[" * 5000, "x = " + "[" * 40 + "]" * 40 + "\n"])
def test_what_is_nested_without_end_is_a_fault(told: Told, text: str) -> None:
    assert any("nested too deeply" in line for line in told(text))


def test_a_number_of_too_many_digits_is_a_fault(told: Told) -> None:
    assert "not valid TOML" in told(f"x = {'9' * 5000}\n")[0]
    # tomllib makes a number of this one, which Python then refuses to print
    assert "64 bits" in told(f"[budget]\nusd_per_day = 0x{'f' * 5000}\n")[0]


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    for path, why in {
        tmp_path / "missing.toml": "No such file",
        tmp_path: "Is a directory",
        Path("a\0b"): "null byte",
    }.items():
        with pytest.raises(ConfigError, match=f"cannot be read.*{why}"):
            read(path)


def test_a_database_that_is_a_directory_is_told(told: Told) -> None:
    (said,) = told("[monitor]\ndatabase = '../'\n")
    assert said.startswith("2:12: monitor.database: expected the path of a file")


@pytest.mark.parametrize(
    ("content", "why"), [(None, "No such file"), (" \n", "is empty"), ("\udcff", "decode byte")]
)
def test_a_token_file_that_says_nothing_is_told(
    told: Told, tmp_path: Path, content: str | None, why: str
) -> None:
    if content is not None:
        (tmp_path / "token").write_bytes(content.encode(errors="surrogateescape"))
    (said,) = told("[slack]\nchannel = '#a'\ntoken_file = 'token'\n")
    assert said.startswith("3:14: slack.token_file: ")
    assert why in said
