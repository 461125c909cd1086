"""The short notation of a series: what it means, and what is said where it means nothing."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triggers.notation import MOST, RUN_WORDS, parse


@pytest.mark.parametrize(
    ("text", "slots"),
    [
        ("1", (1.0,)),
        ("3x20 9 8 _ _ 7", (20.0, 20.0, 20.0, 9.0, 8.0, None, None, 7.0)),
        ("2x_", (None, None)),
        ("  -1.5\n1e-6\t100_000 +2E3 ", (-1.5, 1e-6, 100_000.0, 2000.0)),
        ("2x(1 _ 2)", (1.0, None, 2.0, 1.0, None, 2.0)),
        ("2x(3x1 2x(0))", (1.0, 1.0, 1.0, 0.0, 0.0) * 2),
        ("(1 2)", (1.0, 2.0)),
        ("1000..900/5", (1000.0, 975.0, 950.0, 925.0, 900.0)),
        ("2x0..1/2", (0.0, 1.0, 0.0, 1.0)),
    ],
)
def test_a_text_is_its_slots(text: str, slots: tuple[float | None, ...]) -> None:
    assert parse(text) == slots


def test_a_series_of_runs_is_said_in_words() -> None:
    assert parse("2xok _ failed", RUN_WORDS) == (0.0, 0.0, None, 1.0)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", 'expected readings such as "40x1000 880 _ 1000", got none'),
        (" \n", "got none"),
        ("88O", "got '88O'"),
        ("ok", "got 'ok'"),
        ("nan", "got 'nan'"),
        ("inf", "got 'inf'"),
        ("1e999", "expected a finite number, got '1e999'"),
        ("10%", "got '10%'"),
        ("٣", "got '٣'"),
        ("1,000", "got '1,000'"),
        ("0x5", "expected 1 to 10,000 slots, got '0x'"),
        ("3x", "'3x' repeats nothing"),
        ("3x 5", None),
        ("3x4x5", "'3x' is followed by '4x'"),
        ("3x)", "'3x' repeats nothing"),
        ("(1", "a bracket is not closed"),
        ("1)", '")" closes no bracket'),
        ("2x()", "a bracket holds nothing"),
        ("(" * 20 + "1" + ")" * 20, "nested more than 8 deep"),
        ("1..2", "got '1..2'"),
        ("1..2/1", "a ramp has 2 slots or more"),
        ("1..2/0", "expected 1 to 10,000 slots, got '1..2/0'"),
        (f"{MOST + 1}x1", "expected 1 to 10,000 slots"),
        (f"{'9' * 5000}x1", "expected 1 to 10,000 slots"),
        (f"{MOST}x1 1", "more than 10,000 slots"),
        ("9999x(9999x(9999x1))", "more than 10,000 slots"),
    ],
)
def test_what_means_nothing_is_named(text: str, why: str | None) -> None:
    if why is None:  # a blank after the sign of a repeat does no harm
        assert parse(text) == (5.0, 5.0, 5.0)
        return
    with pytest.raises(ValueError) as wrong:  # noqa: PT011 the text is looked at below
        parse(text)
    assert why in str(wrong.value)


@pytest.mark.parametrize("text", ["1", "okay", "1xFailed"])
def test_runs_take_no_other_words(text: str) -> None:
    with pytest.raises(ValueError, match='expected "ok", "failed" or "_"'):
        parse(text, RUN_WORDS)


@given(st.text(alphabet="0123456789x_().e-/ okfaild", max_size=40))
def test_any_text_is_slots_or_a_plain_error(text: str) -> None:
    with suppress(ValueError):
        assert 1 <= len(parse(text)) <= MOST


@given(st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_what_is_written_slot_by_slot_comes_back(slots: list[float | None]) -> None:
    text = " ".join("_" if slot is None else repr(slot) for slot in slots)
    assert parse(text) == tuple(slots)
