"""What may be paid for: quotes against what is reserved and spent, on a real ledger."""

from dataclasses import replace
from pathlib import Path

import pytest

from monitor.budget import DAY, refusal
from monitor.sections import Budget
from storage.ledger import Ledger
from storage.store import Store
from storage.types import Order, Quote, Run

NOON = 1_764_072_000.0  # 2025-11-25 12:00 UTC


@pytest.fixture
def store(tmp_path: Path):
    opened = Store.writer(tmp_path / "q.db")
    yield opened
    opened.close()


def job(store: Store, usd: float, qpu: float = 0.0, ended: float | None = None) -> None:
    """A job of this price: open, or ended at a moment."""
    ledger = Ledger(store)
    with store.transaction():
        run = store.reserve(Run("p", "k", "skipped", "", NOON, 0.0), reason="waits")
        order = Order("ionq", "d", Quote(usd, qpu), {})
        made = ledger.intend(order, run=run.id, probe="p", kind="k", settings={}, now=NOON)
        if ended is not None:
            ledger.put(
                replace(made, state="done", usd=usd, qpu_seconds=qpu, ended=ended, order=None)
            )


def asked(store: Store, usd: float, qpu: float = 0.0, **limits: float) -> str:
    return refusal(Budget(**limits), Quote(usd, qpu), Ledger(store), NOON)


def test_what_is_free_is_never_refused(store: Store) -> None:
    assert asked(store, 0.0) == ""


def test_nothing_paid_is_started_as_shipped(store: Store) -> None:
    assert asked(store, 0.01) == (
        "budget: up to $0.01 a run, $0.00 spent and $0.00 reserved of usd_per_day = 0; "
        "a single run costs more than that"
    )


def test_a_price_that_fits_to_the_cent_is_paid(store: Store) -> None:
    for _ in range(9):
        job(store, 0.1, ended=NOON - 60)
    assert asked(store, 0.1, usd_per_day=1.0) == ""
    assert asked(store, 0.11, usd_per_day=1.0) != ""


def test_it_says_when_the_run_fits_next(store: Store) -> None:
    job(store, 2.0, ended=NOON - 20 * 3600)
    job(store, 2.0, ended=NOON - 3600)
    assert asked(store, 1.5, usd_per_day=4.0).endswith("it fits from 2025-11-25 16:00 UTC on")
    assert asked(store, 3.0, usd_per_day=4.0).endswith("it fits from 2025-11-26 11:00 UTC on")
    assert asked(store, 4.5, usd_per_day=4.0).endswith("a single run costs more than that")


def test_what_is_reserved_counts_until_its_job_has_ended(store: Store) -> None:
    job(store, 3.0)
    why = asked(store, 1.5, usd_per_day=4.0)
    assert "$0.00 spent and $3.00 reserved of usd_per_day = 4" in why
    assert why.endswith("it fits once a job that is under way has ended for less")


def test_a_day_and_28_days_are_two_windows(store: Store) -> None:
    job(store, 3.0, ended=NOON - 2 * DAY)
    job(store, 9.0, ended=NOON - 29 * DAY)
    assert asked(store, 2.0, usd_per_day=4.0) == ""
    why = asked(store, 2.0, usd_per_day=4.0, usd_per_28_days=4.0)
    assert "$3.00 spent and $0.00 reserved of usd_per_28_days = 4" in why
    assert why.endswith("it fits from 2025-12-21 12:00 UTC on")


def test_time_on_a_free_plan_has_a_limit_of_its_own(store: Store) -> None:
    job(store, 0.0, qpu=295.0, ended=NOON - DAY)
    assert asked(store, 0.0, 5.0) == ""
    assert "up to 6 QPU s a run, 295 QPU s spent" in asked(store, 0.0, 6.0)
