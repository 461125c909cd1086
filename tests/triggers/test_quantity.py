import pytest

from triggers.quantity import (
    Hold,
    Window,
    parse_duration,
    parse_fraction,
    parse_hold,
    parse_window,
    say_duration,
)

DAY = 86400.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("15m", 900),
        ("1.5h", 5400),
        ("14d", 14 * DAY),
        ("2w", 14 * DAY),
        ("1y", 365.25 * DAY),
        (" 6 h ", 21600),
        ("0s", 0),
    ],
)
def test_a_duration_is_a_number_with_its_unit(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "value",
    ["", "15", "m", "15 min", "-5m", "1e3s", "5M", "1h30m", "2 readings", 15, 1.5, True, None],
)
def test_anything_else_is_no_duration(value: object) -> None:
    with pytest.raises(ValueError, match="expected a duration such as"):
        parse_duration(value)


@pytest.mark.parametrize(
    ("value", "fraction"),
    [("10%", 0.1), ("-2.5 %", -0.025), ("+3%", 0.03), (7, 7.0), (-0.5, -0.5), ("150%", 1.5)],
)
def test_a_fraction_is_a_percentage_or_a_number(value: object, fraction: float) -> None:
    assert parse_fraction(value) == pytest.approx(fraction)


@pytest.mark.parametrize("value", ["", "10", "%", "ten%", "1e2%", True, None, [1], {}])
def test_anything_else_is_no_fraction(value: object) -> None:
    with pytest.raises(ValueError, match="expected a number or a percentage"):
        parse_fraction(value)


@pytest.mark.parametrize(
    ("text", "hold", "said"),
    [
        ("1 reading", Hold(1, 1), "1 reading"),
        ("2 readings", Hold(2, 2), "2 readings"),
        ("3 runs", Hold(3, 3), "3 readings"),
        ("2 of 3", Hold(2, 3), "2 of 3 readings"),
        ("3 of 3", Hold(3, 3), "3 readings"),
        ("30m", Hold(seconds=1800), "30 min"),
        ("0s", Hold(), "1 reading"),
    ],
)
def test_for_is_a_count_a_share_or_a_duration(text: str, hold: Hold, said: str) -> None:
    assert parse_hold(text) == hold
    assert str(parse_hold(text)) == said
    assert parse_hold(hold) is hold


@pytest.mark.parametrize("value", ["", "two readings", "2/3", "2 out of 3", 2, None, "30"])
def test_anything_else_is_no_for(value: object) -> None:
    with pytest.raises(ValueError, match='expected "2 readings", "2 of 3" or a duration'):
        parse_hold(value)


@pytest.mark.parametrize("text", ["0 readings", "0 of 3", "4 of 3", "1 of 0"])
def test_a_for_that_can_never_be_met_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="can never be met"):
        parse_hold(text)


def test_a_window_is_a_duration_or_a_count() -> None:
    assert parse_window("14d") == Window(seconds=14 * DAY)
    assert parse_window("50 readings") == Window(readings=50)
    assert parse_window(Window(readings=9)) == Window(readings=9)
    assert [str(parse_window(text)) for text in ("14d", "50 readings")] == ["14 d", "50 readings"]


@pytest.mark.parametrize("value", ["", "2 of 3", "fortnight", 14, None])
def test_anything_else_is_no_window(value: object) -> None:
    with pytest.raises(
        ValueError, match='expected a duration such as "14d", "50 readings" or "peers"'
    ):
        parse_window(value)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (0.25, "0.25 s"),
        (59, "59 s"),
        (60, "1 min"),
        (5400, "1.5 h"),
        (14 * DAY, "14 d"),
        (999 * DAY, "999 d"),
        (999.6 * DAY, "1,000 d"),
        (2000.4 * DAY, "2,000 d"),
    ],
)
def test_a_duration_is_said_as_a_person_writes_it(seconds: float, said: str) -> None:
    assert say_duration(seconds) == said
