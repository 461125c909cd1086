"""A catalogue in gpuhunt's form on 127.0.0.1. Every seller's price in it is made up."""

import csv
import io
import zipfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from loopback import Answer, Loopback, Request


def version(days_ago: int = 0) -> str:
    """A catalogue's version as gpuhunt names it: its day, and the number of the run."""
    return f"{datetime.now(UTC) - timedelta(days=days_ago):%Y%m%d}-5310"


def row(
    instance: str, gpu: str, memory: float, count: int, price: Any, **more: Any
) -> dict[str, Any]:
    """One offer: an instance with `count` GPUs for `price` USD an hour. The columns are those of a
    file `PROVIDER.csv` as gpuhunt 0.1.34 publishes it."""
    usual = {
        "instance_name": instance,
        "location": "moon-1",
        "price": price,
        "cpu": 26,
        "memory": 200.0,
        "gpu_count": count,
        "gpu_name": gpu,
        "gpu_memory": memory,
        "spot": False,
        "disk_size": "",
        "gpu_vendor": "nvidia",
        "flags": "",
        "cpu_arch": "x86",
        "provider_data": "{}",
    }
    return usual | more


def packed(provider: str, rows: Sequence[Mapping[str, Any]]) -> bytes:
    """A provider's `catalog.zip`."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    packing = io.BytesIO()
    with zipfile.ZipFile(packing, "w") as archive:
        archive.writestr(f"{provider}.csv", text.getvalue())
    return packing.getvalue()


class Shop(Loopback):
    """Serves one `catalog.zip` a provider, under its version."""

    prefix = "/v3"

    def __init__(self) -> None:
        super().__init__()
        self.catalogues: dict[str, tuple[str, bytes]] = {}

    def sells(self, provider: str, *rows: Mapping[str, Any], days_ago: int = 0) -> None:
        """What a provider has from now on, by a catalogue of some days ago."""
        self.catalogues[provider] = (version(days_ago), packed(provider, rows))

    def answer(self, request: Request) -> Answer:
        provider, _, rest = request.path.strip("/").partition("/")
        told, data = self.catalogues.get(provider, ("", b""))
        files = {"version": f"{told}\n".encode(), f"{told}/catalog.zip": data}
        return Answer(raw=files[rest]) if told and rest in files else Answer(404, {})
