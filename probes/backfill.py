"""The child of `qrossover backfill`: one source of a past, read from its beginning to its end.

`python -m probes.backfill` speaks the child protocol of `python -m probes`; `kind` names the source
there.
"""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import ClassVar

from pydantic import Field, ValidationInfo, field_validator

from probes.__main__ import main
from probes.base import setup_text
from probes.metriq import Metriq
from probes.quantum.calibration import DeviceCalibration
from probes.quantum.device import Calibration
from probes.quantum.figures import readings, record
from probes.quantum.providers import ProviderName, load
from probes.quantum.providers.snapshot import INVENTED, Snapshot
from probes.source import Record, Source
from probes.source import load as load_source
from storage.types import Signal

OF_THE_LOOK = frozenset(f"quantum.calibration.{name}" for name in ("age", "queue", "wait"))
"""What is known at the moment of a look alone: the past has none of it."""
PUBLISHED = tuple(s for s in DeviceCalibration.signals if s.name not in OF_THE_LOOK)


class Snapshots(Source):
    """The real calibrations of 2020 to 2026 that come with qiskit-ibm-runtime, each at its own
    time. The payload has who is left out."""

    kind: ClassVar[str] = "quantum.calibration"
    noun: ClassVar[str] = "snapshots"
    signals: ClassVar[tuple[Signal, ...]] = PUBLISHED
    packages: ClassVar[tuple[str, ...]] = DeviceCalibration.packages

    def records(self) -> Iterator[Record]:
        """Every real snapshot. ValueError where one cannot be read."""
        provider = Snapshot()
        self.keep(left_out=sorted(INVENTED.intersection(provider.names())))
        for device in provider.names():
            if device not in INVENTED:
                yield of_calibration("snapshot", provider.calibration(device))


class History(Source):
    """The calibrations of a device between two moments, as its provider has kept them."""

    kind: ClassVar[str] = "quantum.calibration"
    noun: ClassVar[str] = "calibrations"
    signals: ClassVar[tuple[Signal, ...]] = PUBLISHED
    packages: ClassVar[tuple[str, ...]] = DeviceCalibration.packages
    deadline: ClassVar[float] = 3600.0
    """A cloud gives them one by one or in pages of ten: a year takes hundreds of requests."""

    provider: ProviderName = Field(description="who has kept them")
    device: str = Field(description="the provider's name for it")
    since: float = Field(ge=0, description="seconds since the epoch")
    until: float = Field(description="seconds since the epoch")

    @field_validator("device")
    @classmethod
    def _known(cls, value: str, info: ValidationInfo) -> str:
        if "provider" in info.data:  # else that is the fault to tell
            provider = load(info.data["provider"])
            if "history" not in provider.supports:
                raise ValueError(f"{info.data['provider']} has no calibrations of the past")
            provider.check(value)
        return value

    def records(self) -> Iterator[Record]:
        """Every calibration once, oldest first."""
        found = load(self.provider).history(self.device, self.since, self.until)
        for calibration in {one.at: one for one in found}.values():
            yield of_calibration(self.provider, calibration)


def of_calibration(provider: str, calibration: Calibration) -> Record:
    """A calibration as it was then: what a run of `quantum.calibration` would have kept."""
    setup = setup_text(DeviceCalibration(provider=provider, device=calibration.device))
    return Record(
        settings={"provider": provider, "device": calibration.device},
        payload=record(calibration),
        readings=tuple(replace(r, setup=setup) for r in readings(calibration, calibration.at)),
    )


SOURCES: Mapping[str, type[Source]] = MappingProxyType(
    {"snapshots": Snapshots, "history": History, "metriq": Metriq}
)


if __name__ == "__main__":
    sys.exit(main(load_source))
