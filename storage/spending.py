"""Who was paid how much: sums for reports, read-only."""

from typing import Any

from storage.ledger import OPEN
from storage.store import Store, milliseconds

_NUMBERS = (
    "runs",
    "open",
    "reserved_usd",
    "reserved_qpu_seconds",
    "quoted_usd",
    "quoted_qpu_seconds",
    "usd",
    "qpu_seconds",
    "unbilled",
)


def by_device(store: Store, since: float) -> list[dict[str, Any]]:
    """One row for each provider, device and probe: what is reserved now, and what was quoted and
    spent since a moment (seconds since the epoch); the dearest first.

    Paid runs that are no jobs have neither provider nor device. A bill that is not known counts
    with its quote, and the job as `unbilled`.
    """
    sums = ", ".join(f"sum({name}) AS {name}" for name in _NUMBERS)
    rows = store.connection.execute(
        f"SELECT provider, device, probe, {sums} FROM ({_JOBS} UNION ALL {_RUNS})"  # noqa: S608 ours
        " GROUP BY provider, device, probe"
        " ORDER BY sum(usd) + sum(reserved_usd) DESC,"
        " sum(qpu_seconds) + sum(reserved_qpu_seconds) DESC, probe, provider, device",
        {"since": milliseconds(since)},
    )
    return [dict(row) for row in rows]


_JOBS = f"""
    SELECT provider, device, probe,
           NOT is_open AS runs,
           is_open AS open,
           iif(is_open, quoted_usd, 0.0) AS reserved_usd,
           iif(is_open, quoted_qpu_seconds, 0.0) AS reserved_qpu_seconds,
           iif(is_open, 0.0, quoted_usd) AS quoted_usd,
           iif(is_open, 0.0, quoted_qpu_seconds) AS quoted_qpu_seconds,
           iif(is_open, 0.0, coalesce(usd, quoted_usd)) AS usd,
           iif(is_open, 0.0, coalesce(qpu_seconds, quoted_qpu_seconds)) AS qpu_seconds,
           NOT is_open AND ((usd IS NULL AND quoted_usd > 0)
                OR (qpu_seconds IS NULL AND quoted_qpu_seconds > 0)) AS unbilled
      FROM (SELECT *, {OPEN} AS is_open FROM jobs)
     WHERE is_open OR ended >= :since"""  # noqa: S608 our own words
_RUNS = """
    SELECT NULL, NULL, probe, 1, 0, 0.0, 0.0, usd, qpu_seconds, usd, qpu_seconds, 0
      FROM runs
     WHERE started >= :since AND (usd > 0 OR qpu_seconds > 0)
       AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.run = runs.id)"""
