"""When a device on Braket runs, how many wait, and what it takes in one task."""

from datetime import UTC, datetime

import pytest
from braket_data import capabilities, forte, published, sv1
from qiskit import QuantumCircuit

from probes.quantum.batch import Batch
from probes.quantum.clouds.braket_service import check_fits, is_open, number, shot_price, waiting


def moment(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def window(day, start, end):
    given = {"executionDay": day, "windowStartHour": start, "windowEndHour": end}
    return {"service": {"executionWindows": [given]}}


@pytest.mark.parametrize(
    ("day", "start", "end", "at", "expected"),
    [
        ("Everyday", "00:00:00", "23:59:59", "2026-05-05T23:59:59.900", True),
        ("Everyday", "09:00", "19:00", "2026-05-05T09:00:00", True),
        ("Everyday", "09:00", "19:00", "2026-05-05T08:59:59", False),
        ("Everyday", "09:00", "19:00", "2026-05-05T19:00:01", False),
        ("Weekdays", "00:00:00", "23:59:59", "2026-05-08T12:00:00", True),  # a Friday
        ("Weekdays", "00:00:00", "23:59:59", "2026-05-09T12:00:00", False),
        ("Weekend", "00:00:00", "23:59:59", "2026-05-09T12:00:00", True),
        ("Sunday", "00:00:00", "23:59:59", "2026-05-09T12:00:00", False),
        ("Saturday", "22:00", "02:00", "2026-05-10T01:30:00", True),  # goes on past midnight
        ("Saturday", "22:00", "02:00", "2026-05-09T01:30:00", False),
        ("Saturday", "22:00", "02:00", "2026-05-09T23:00:00", True),
    ],
)
def test_execution_windows(day, start, end, at, expected):
    assert is_open(window(day, start, end), moment(at)) is expected


def test_garnet_is_closed_between_its_windows():
    content = published("iqm-garnet")
    assert is_open(content, moment("2026-05-05T01:29:59"))
    assert not is_open(content, moment("2026-05-05T02:00:00"))


def test_windows_that_are_not_said_close_nothing():
    assert is_open({"service": {"executionWindows": []}}, moment("2026-05-05T12:00:00"))


def test_an_unknown_day_is_named():
    with pytest.raises(ValueError, match="on 'Caturday'; known are Everyday"):
        is_open(window("Caturday", "00:00", "01:00"), moment("2026-05-05T12:00:00"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", (0, False)),
        ("12", (12, False)),
        (">15", (16, True)),
        ("> 4000", (4001, True)),
        ("0 (1 prioritized job(s) running)", (0, False)),
        ("many", (None, False)),
        ("", (None, False)),
        ("-1", (None, False)),
    ],
)
def test_numbers_as_braket_writes_them(text, expected):
    assert number(text) == expected


def queue(size, name="QUANTUM_TASKS_QUEUE"):
    return {"queue": name, "queueSize": size}


@pytest.mark.parametrize(
    ("queues", "expected"),
    [
        ([queue("3"), queue("2"), queue("9", "JOBS_QUEUE")], (5, False)),
        ([queue(">15"), queue("2")], (18, True)),
        ([queue("3"), queue("lots")], (None, False)),
        ([queue("9", "JOBS_QUEUE")], (None, False)),
        ([], (None, False)),
    ],
)
def test_tasks_of_both_priorities_wait(queues, expected):
    assert waiting(queues) == expected


def test_only_a_price_of_a_shot_is_one():
    assert shot_price(capabilities("iqm-garnet")) == 0.00145
    assert shot_price(capabilities("rigetti-cepheus")) == 0.000425
    assert shot_price(sv1()) is None
    assert shot_price({"service": {"deviceCost": None}}) is None


def batch(circuits, shots):
    return Batch([QuantumCircuit(1)] * circuits, [(1,)] * circuits, shots)


@pytest.mark.parametrize(
    ("circuits", "shots", "message"),
    [
        (1, 20001, "takes from 1 to 20000 shots of a circuit, not 20001"),
        (101, 10, "at most 100 circuits and 200000 shots in one task, and these are 101 and 1010"),
        (100, 2001, "these are 100 and 200100: ask for fewer"),
    ],
)
def test_what_does_not_fit_in_one_task_is_told(circuits, shots, message):
    with pytest.raises(ValueError, match=message):
        check_fits("iqm/garnet", capabilities("iqm-garnet"), batch(circuits, shots))


def test_what_fits_is_taken():
    check_fits("iqm/garnet", capabilities("iqm-garnet"), batch(100, 2000))
    check_fits("iqm/garnet", capabilities("iqm-garnet"), batch(1, 20000))


def test_a_least_number_of_shots_and_a_device_without_program_sets():
    with pytest.raises(ValueError, match="no task of less than 20 shots, and these are 18"):
        check_fits("ionq/forte-1", forte(), batch(2, 9))
    with pytest.raises(ValueError, match="takes no 2 circuits in one task"):
        check_fits("amazon/sv1", sv1(), batch(2, 10))
