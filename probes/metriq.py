"""Independent results: what metriq-data has published of devices, wherever its files lie."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any, ClassVar

from pydantic import Field

from probes.archive import json_files
from probes.metriq_record import parse
from probes.metriq_results import SIGNALS, Unclear
from probes.source import Record, Source
from storage.types import Reading, Signal

Moment = tuple[str, str, float]


class Metriq(Source):
    """Every record of metriq-data's files, at its own time. Their origin is `confirmed`: reviewed
    evidence that somebody brought in by hand, measured by neither us nor the owner; what ran on a
    simulator is `simulated`.

    The payload counts exact `duplicates`, and has for what is `left_out` each reason, how often it
    was met, and where first.
    """

    kind: ClassVar[str] = "metriq"
    noun: ClassVar[str] = "results"
    signals: ClassVar[tuple[Signal, ...]] = SIGNALS
    packages: ClassVar[tuple[str, ...]] = ("httpx",)
    deadline: ClassVar[float] = 600.0

    place: str = Field(min_length=1, description="a file, folder, archive or http(s) address")

    def records(self) -> Iterator[Record]:
        """Every record that can be understood, once. ValueError where nothing can be read."""
        seen: dict[Moment, Reading] = {}
        duplicates = 0
        reasons: Counter[str] = Counter()
        first: dict[str, str] = {}
        for name, raw in self._raw():
            try:
                if isinstance(raw, Unclear):
                    raise raw
                readings = parse(raw)
                _require_agreement(readings, seen)
            except Unclear as why:
                reasons[str(why)] += 1
                first.setdefault(str(why), name)
                continue
            fresh = [reading for reading in readings if _key(reading) not in seen]
            if not fresh:
                duplicates += 1
                continue
            seen |= {_key(reading): reading for reading in readings}
            yield Record(
                settings={"source": "metriq", "device": readings[0].target.partition("/")[0]},
                payload={"file": name, "record": raw},
                readings=readings,
            )
        self.keep(
            duplicates=duplicates,
            left_out=[
                {"reason": reason, "count": count, "first": first[reason]}
                for reason, count in reasons.most_common()
            ],
        )

    def _raw(self) -> Iterator[tuple[str, Any]]:
        """Every record with the file it is in; for a file without any, why."""
        for name, content in json_files(self.place):
            try:
                found = json.loads(content)
            except (ValueError, RecursionError):
                yield name, Unclear("the file is no JSON")
                continue
            if isinstance(found, list):
                yield from ((name, one) for one in found)
            elif isinstance(found, dict) and "job_type" in found:
                yield name, found
            else:
                yield name, Unclear("the file is no list of results")


def _key(reading: Reading) -> Moment:
    return reading.signal, reading.target, round(reading.at, 3)


def _require_agreement(readings: tuple[Reading, ...], seen: dict[Moment, Reading]) -> None:
    """Raise Unclear where another record has told another number for the same moment."""
    for reading in readings:
        other = seen.get(_key(reading))
        if other is not None and (other.value, other.sigma) != (reading.value, reading.sigma):
            raise Unclear("another record of the same moment says otherwise")
