"""One trigger edited in a config: which bytes change, and what is refused instead."""

import difflib
from pathlib import Path

import pytest

from monitor.config import read as read_config
from monitor.edit.edited import Edit, edited
from monitor.edit.values import WrongValue, read
from monitor.problems import ConfigError
from monitor.refusal import Refused

BEFORE = """\
# What is measured.
[probe.meter]
kind    = "external.command"
argv    = ["./meter"]
signals = { "test.meter" = "V", "test.share" = "1" }
every   = "15m"

# When to speak.
[trigger.high]                     # the first
signal    = "test.meter"
when      = "above"
threshold = 100_000                # chosen, not derived
clear     = 90e3                   # resolves there
for       = "2 of 3"               # or "2 readings"
severity  = 'info'

[trigger.drop]
signal = "test.share"
when = "drops"
threshold = "10%" # of the baseline

# --- What is asked ---
[checklist.c]
question = "?"
requires = ["high", "drop"]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def edit(file: Path, name: str, *words: str, text: str = BEFORE) -> Edit:
    """The text with these KEY=VALUE; nothing of it is written."""
    file.write_bytes(text.encode())
    found = edited(file, name, read(name, words))
    assert file.read_bytes() == text.encode() == found.before
    return found


def lines(found: Edit) -> list[str]:
    """The lines that went (-) and came (+)."""
    before, after = (raw.decode().split("\n") for raw in (found.before, found.after))
    told = difflib.unified_diff(before, after, n=0, lineterm="")
    return [line for line in told if not line.startswith(("---", "+++", "@@"))]


def refusal(file: Path, name: str, *words: str, text: str = BEFORE) -> str:
    """What is said of KEY=VALUE that a trigger cannot have."""
    with pytest.raises(WrongValue) as error:
        edit(file, name, *words, text=text)
    return str(error.value)


# --- what an edit looks like -------------------------------------------------------------------


def test_a_value_takes_the_place_of_another_and_its_comment_keeps_its_column(file: Path) -> None:
    found = edit(file, "high", "threshold=1e6")
    assert lines(found) == [
        "-threshold = 100_000                # chosen, not derived",
        "+threshold = 1e6                    # chosen, not derived",
    ]
    assert [(c.key, c.old, c.new) for c in found.changes] == [
        ("trigger.high.threshold", 100_000, 1e6)
    ]
    assert (found.old.triggers["high"].limit, found.new.triggers["high"].limit) == (1e5, 1e6)


def test_a_single_blank_before_a_comment_stays_single(file: Path) -> None:
    assert lines(edit(file, "drop", "threshold=8%")) == [
        '-threshold = "10%" # of the baseline',
        '+threshold = "8%" # of the baseline',
    ]


def test_a_comment_makes_way_for_a_long_value(file: Path) -> None:
    text = BEFORE.replace('"2 of 3"               #', '"2h"  #')
    assert lines(edit(file, "high", "for=2 readings", text=text))[1] == (
        '+for       = "2 readings" # or "2 readings"'
    )


def test_a_new_key_stands_behind_the_last_one_in_the_same_column(file: Path) -> None:
    found = edit(file, "high", "keep_firing_for=2h", "notify=false")
    assert lines(found) == ['+keep_firing_for = "2h"', "+notify = false"]
    assert lines(edit(file, "high", "notify=false")) == ["+notify    = false"]
    assert lines(edit(file, "drop", "clear=5%")) == ['+clear = "5%"']
    after = edit(file, "drop", "clear=5%").after.decode()
    assert 'baseline\nclear = "5%"\n\n# --- What is asked ---\n' in after


@pytest.mark.parametrize("word", ["clear=", "clear=none"])
def test_a_key_is_removed_with_its_line(file: Path, word: str) -> None:
    found = edit(file, "high", word)
    assert lines(found) == ["-clear     = 90e3                   # resolves there"]
    assert found.changes[0].new is None


def test_quotes_stay_what_they_were(file: Path) -> None:
    assert lines(edit(file, "high", "severity=page"))[1] == "+severity  = 'page'"


@pytest.mark.parametrize(
    ("word", "written"),
    [
        ("accept=measured,simulated", 'accept    = ["measured", "simulated"]'),
        ('accept=["measured"]', 'accept    = ["measured"]'),
        ('for="3 readings"', 'for       = "3 readings"           # or "2 readings"'),
        ("for=3 readings", 'for       = "3 readings"           # or "2 readings"'),
        ("threshold=200_000", "threshold = 200_000                # chosen, not derived"),
        ("threshold=.5e6", "threshold = 500000.0               # chosen, not derived"),
        ("notify=false", "notify    = false"),
        ("advice=true", 'advice    = "true"'),
        ("advice=none", 'advice    = "none"'),
        ("advice=Say: \"stop\" to it", 'advice    = "Say: \\"stop\\" to it"'),
    ],
)  # fmt: skip
def test_values_are_read_by_the_type_of_their_key(file: Path, word: str, written: str) -> None:
    assert f"+{written}" in lines(edit(file, "high", word))


@pytest.mark.parametrize(
    "word", ["threshold=100000", "threshold=1e5", "for=2 of 3", "advice=", "severity=info"]
)
def test_what_stands_there_already_changes_nothing(file: Path, word: str) -> None:
    found = edit(file, "high", word)
    assert found.changes == ()
    assert found.after == found.before


# --- how a file may be written -----------------------------------------------------------------


@pytest.mark.parametrize("name", ["high", "drop"])
def test_line_ends_and_byte_order_mark_stay(file: Path, name: str) -> None:
    plain = edit(file, name, "threshold=5%" if name == "drop" else "threshold=7e6", "notify=false")
    windows = "\ufeff" + BEFORE.replace("\n", "\r\n")
    words = ["threshold=5%" if name == "drop" else "threshold=7e6", "notify=false"]
    found = edit(file, name, *words, text=windows)
    assert found.after.decode() == "\ufeff" + plain.after.decode().replace("\n", "\r\n")


BESIDE = BEFORE.partition("[trigger.high]")[0]
FORMS = {
    "inline": 'trigger.x = { signal = "test.meter", when = "above", threshold = 5 } # c\n',
    "dotted": (
        'trigger.x.signal = "test.meter"\ntrigger.x.when="above"\ntrigger.x.threshold = 5 # c\n'
    ),
    "scattered": (
        'trigger.x.signal = "test.meter"\ntrigger.y.signal = "test.meter"\ntrigger.x.when="above"\n'
        'trigger.y.when="above"\ntrigger.y.threshold=1\ntrigger.x.threshold = 5 # c\n'
    ),
    "in a table": '[trigger]\nx.signal = "test.meter"\nx.when="above"\nx.threshold = 5 # c\n',
    "inline in a table": (
        '[trigger]\nx = { signal = "test.meter", when = "above", threshold = 5 } # c\n'
    ),
    "quoted": (
        ' [ trigger . "x" ] # h\n  "signal" = \'test.meter\'\n"when"="above"\n\'threshold\' = 5 # c'
    ),
    "escaped": (
        '[trigger."\\u0078"]\nsignal = "test.meter"\nwhen="above"\nthreshold = 5 # c\n# end\n'
    ),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_table_may_be_written_in_any_way(file: Path, form: str, end: str) -> None:
    own = FORMS[form]
    first = not own.lstrip().startswith("[")
    text = own + BESIDE if first else BESIDE + own
    found = edit(file, "x", "threshold=7", "for=2 readings", text=text.replace("\n", end))
    gone = [line for line in lines(found) if line.startswith("-")]
    assert gone == [line for line in gone if "threshold" in line]
    assert len(gone) <= 1 + (form == "quoted")  # that one has no end of its last line
    rule = found.new.triggers["x"]
    assert (rule.limit, str(rule.hold)) == (7.0, "2 readings")
    assert found.after.decode().count("# c") == 1
    assert found.after.count(b"\n") == found.after.count(end.encode())


def test_what_looks_like_a_table_in_a_text_is_left_alone(file: Path) -> None:
    decoy = 'advice = """\n[trigger.high]\nthreshold = 1\n"""\n'
    before, own, after = BEFORE.partition("# When to speak.\n")
    table, rest = after.split("\n\n", 1)
    other = f"[trigger.other]\n{decoy}{table.partition(chr(10))[2]}\n"
    text = f"{before}{other}\n{own}{table}\n\n{rest}"
    found = edit(file, "high", "threshold=7e6", text=text)
    assert found.new.triggers["high"].limit == 7e6
    assert found.new.triggers["other"].limit == 1e5
    assert decoy in found.after.decode()
    assert len(lines(found)) == 2


# --- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "word", "said"),
    [
        ("high", "threshold=nan", "threshold: expected a finite number, got nan"),
        ("high", "threshold=inf", "threshold: expected a finite number, got inf"),
        ("high", "threshold=1e999", "threshold: expected a finite number, got inf"),
        ("high", "clear=8%", "clear: expected a number of V, got '8%'"),
        ("high", "threshold=5 V", "threshold: expected a number such as 10, without quotes"),
        ("high", "threshold=", '"above" needs a `threshold`'),
        ("high", "clear=2e5", "clear: 200000 lies above the threshold 100000"),
        ("high", "baseline=1d", 'baseline: when = "above" has no use for it'),
        ("drop", "threshold=5", 'threshold: expected a share of the baseline such as "10%", got 5'),
        ("drop", "threshold=-5%", "threshold: expected more than 0, got '-5%'"),
        ("drop", "threshold=100%", "threshold: expected less than 100%"),
        ("high", "for=3", 'for: expected "2 readings", "2 of 3" or a duration'),
        ("high", "for=3 hours", 'for: expected "2 readings", "2 of 3" or a duration'),
        ("high", "max_age=15", "max_age: expected a duration"),
        ("high", "notify=no", "notify: expected true or false, got 'no'"),
        ("high", "severity=warn", 'or \'page\', got \'warn\'. Did you mean "warning"?'),
        ("high", "accept=measurd", 'Did you mean "measured"?'),
        ("high", "signal=test.metre", 'a signal \'test.metre\'. Did you mean "test.meter"?'),
        ("high", "treshold=5", 'treshold: unknown key. Did you mean "threshold"?'),
        ("high", "hold=2 readings", 'hold: unknown key. Did you mean "for"?'),
        ("high", "name=low", "name: unknown key."),
        ("high", "advice=xoxb-1-secret", "advice: this looks like a secret"),
    ],
)  # fmt: skip
def test_wrong_values_are_told_as_errors_of_the_config_are(
    file: Path, name: str, word: str, said: str
) -> None:
    told = refusal(file, name, word)
    assert told.startswith(f"trigger.{name}.")
    assert said in told
    assert "xoxb-1-secret" not in told
    assert file.read_text() == BEFORE


def test_the_same_words_as_those_of_a_file(file: Path) -> None:
    told = refusal(file, "drop", "threshold=120%")
    file.write_text(BEFORE.replace('"10%"', '"120%"'))
    with pytest.raises(ConfigError) as error:
        read_config(file)
    (line,) = error.value.lines
    assert line.endswith(told)


def test_words_that_are_no_change(file: Path) -> None:
    assert "expected KEY=VALUE such as threshold=8%" in refusal(file, "high", "threshold")
    assert "given twice" in refusal(file, "high", "for=2h", "for=3h")
    both = refusal(file, "high", "threshold", "treshold=1")
    assert len(both.splitlines()) == 2


def test_an_unknown_trigger(file: Path) -> None:
    with pytest.raises(Refused, match=r"no trigger 'hihg'. Did you mean \"high\"\?"):
        edit(file, "hihg", "threshold=1")
    with pytest.raises(Refused, match=r"no trigger 'xyzzy'. Known here: drop, high"):
        edit(file, "xyzzy", "threshold=1")


def test_a_file_that_is_wrong_already_is_told_with_its_places(file: Path) -> None:
    with pytest.raises(ConfigError, match=r"config.toml:12:13: trigger.high.threshold: expected"):
        edit(file, "drop", "threshold=8%", text=BEFORE.replace("100_000", '"x"   '))


def test_a_key_with_other_faults_of_the_file_in_its_wake(file: Path) -> None:
    """Validation across tables counts too: here a rule that its own `for` outlasts."""
    assert "baseline: expected longer than `for`" in refusal(file, "drop", "for=20d")
