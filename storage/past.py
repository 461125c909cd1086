"""Readings that a backfill brought: a past that was measured by others, which nobody watches."""

BACKFILL = "backfill"
"""The probe of the runs that brought them."""

WATCHED = f"""
    EXISTS (
        SELECT 1 FROM samples JOIN runs ON runs.id = samples.run
         WHERE samples.series = series.id AND runs.probe <> '{BACKFILL}'
    )
"""  # noqa: S608 the name is ours
"""Condition on `series`: some run other than a backfill has written it. A device that was retired
years ago is part of a trend; it is not stale, not silent, and no present value."""
