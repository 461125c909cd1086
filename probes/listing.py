"""The child of `qrossover devices`: which clouds there are, or what one says of its devices now.

`python -m probes.listing` speaks the child protocol of `python -m probes`. It is no kind of probe:
it is asked when somebody wants to know, on no schedule.
"""

import sys
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from pydantic import Field

from probes.__main__ import main
from probes.base import Probe, Skipped
from probes.quantum.clouds.account import NoAccount
from probes.quantum.provider import NoLibrary, Unsupported
from probes.quantum.providers import known, load
from storage.types import Reading


class Listing(Probe):
    """The devices of one provider, kept as `devices` with what it `supports`; without a name the
    `providers`, for which nobody is asked."""

    provider: str | None = Field(default=None, description="who is asked")

    def run(self) -> Iterable[Reading]:
        """No reading. Raises Skipped where the provider does not list its devices, ValueError for
        an unknown one, and what the provider raises."""
        if self.provider is None:
            self.keep(providers=[_told(name) for name in known()])
            return ()
        provider = load(self.provider)
        try:
            found = provider.devices()
        except Unsupported as unsupported:
            raise Skipped(str(unsupported)) from unsupported
        devices = sorted((asdict(device) for device in found), key=lambda one: one["name"])
        self.keep(supports=sorted(provider.supports), devices=devices)
        return ()


def _told(name: str) -> dict[str, Any]:
    provider = load(name)
    try:
        provider.ready()
        lacks = ""
    except (NoAccount, NoLibrary) as lack:
        lacks = str(lack)
    return {
        "provider": name,
        "queued": provider.queued,
        "supports": sorted(provider.supports),
        "lacks": lacks,
    }


if __name__ == "__main__":
    sys.exit(main(lambda _: Listing))
