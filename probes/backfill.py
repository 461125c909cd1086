"""The child of `qrossover backfill snapshots`: every snapshot of a real device, as it was then.

`python -m probes.backfill` speaks the child protocol of `python -m probes`. It is no kind of probe:
nothing of it is measured again, so it has no place in a schedule.
"""

import sys
from collections.abc import Iterable
from typing import ClassVar

from probes.__main__ import main
from probes.base import Probe
from probes.quantum.calibration import DeviceCalibration
from probes.quantum.figures import readings, record
from probes.quantum.providers.snapshot import INVENTED, Snapshot
from storage.types import Reading, Signal

AGE = "quantum.calibration.age"
"""It is our clock minus the owner's: at the moment of the calibration there is none."""


class Snapshots(Probe):
    """The real calibrations of 2020 to 2026 that come with qiskit-ibm-runtime, each at its own
    time. The payload has what a run of `quantum.calibration` keeps, by device, and who is left out.
    """

    signals: ClassVar[tuple[Signal, ...]] = tuple(
        signal for signal in DeviceCalibration.signals if signal.name != AGE
    )
    packages: ClassVar[tuple[str, ...]] = DeviceCalibration.packages

    def run(self) -> Iterable[Reading]:
        """Every figure of every real snapshot. ValueError where one cannot be read."""
        provider = Snapshot()
        calibrations = [
            provider.calibration(device) for device in provider.names() if device not in INVENTED
        ]
        self.keep(
            devices={calibration.device: record(calibration) for calibration in calibrations},
            left_out=sorted(INVENTED.intersection(provider.names())),
        )
        for calibration in calibrations:
            yield from readings(calibration, calibration.at)


if __name__ == "__main__":
    sys.exit(main(lambda _: Snapshots))
