"""A past that can be had: what a source brings, in records that become runs of their own."""

import importlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from probes.base import Probe
from storage.types import Reading


@dataclass(frozen=True, slots=True)
class Record:
    """One thing that was published at one moment, and its readings at that moment.

    `settings` and `payload` (JSON) are those of the run that it becomes; `settings["device"]` is
    the device that it is about.
    """

    settings: Mapping[str, Any]
    payload: Mapping[str, Any]
    readings: tuple[Reading, ...]


class Source(Probe):
    """Where a past comes from. It is no kind of probe: what was is read once, on no schedule.

    A run yields the readings of all records, one record after the other, and keeps `records`: for
    each its settings, its payload and the number of its readings.
    """

    kind: ClassVar[str]
    """The kind of the runs that its records become."""
    noun: ClassVar[str]
    """What its records are called."""

    def records(self) -> Iterable[Record]:
        """Everything that there is. Raises what tells why it cannot be read."""
        raise NotImplementedError

    def setup(self) -> dict[str, Any]:
        """Nothing: how others made their numbers is no matter of how they are read here."""
        return {}

    def run(self) -> Iterator[Reading]:
        """The readings of every record."""
        found = list(self.records())
        self.keep(
            records=[
                {
                    "settings": dict(one.settings),
                    "payload": dict(one.payload),
                    "readings": len(one.readings),
                }
                for one in found
            ]
        )
        for one in found:
            yield from one.readings


def load(name: str) -> type[Source]:
    """The source of that name. Raises LookupError, listing the known ones, where there is none."""
    known: Mapping[str, type[Source]] = importlib.import_module("probes.backfill").SOURCES
    if name not in known:
        raise LookupError(f"no source {name!r} of a past; there are {', '.join(known)}")
    return known[name]
