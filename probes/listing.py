"""The child of `qrossover devices`: what a provider says of its devices now.

`python -m probes.listing` speaks the child protocol of `python -m probes`. It is no kind of probe:
it is asked when somebody wants to know, on no schedule.
"""

import sys
from collections.abc import Iterable
from dataclasses import asdict
from typing import ClassVar

from pydantic import Field

from probes.__main__ import main
from probes.base import Probe, Skipped
from probes.quantum.provider import Unsupported
from probes.quantum.providers import ProviderName, load
from storage.types import Reading


class Listing(Probe):
    """The devices of one provider, kept as `devices`."""

    deadline: ClassVar[float] = 120.0

    provider: ProviderName = Field(description="who is asked")

    def resource(self) -> None:
        """It takes nothing of this machine."""

    def run(self) -> Iterable[Reading]:
        """No reading. Raises Skipped where the provider does not list its devices, and what the
        provider raises."""
        try:
            found = load(self.provider).devices()
        except Unsupported as unsupported:
            raise Skipped(str(unsupported)) from unsupported
        self.keep(devices=[asdict(device) for device in found])
        return ()


if __name__ == "__main__":
    sys.exit(main(lambda _: Listing))
