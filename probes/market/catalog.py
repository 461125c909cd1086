"""gpuhunt's catalogue: loaded whole or not at all, asked by its own names, its days told."""

import difflib
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Self

from storage.types import YEAR_10000

if TYPE_CHECKING:
    import gpuhunt

NEEDED = "market.gpu_price needs gpuhunt: pip install 'qrossover[market]'"
BOOKED = "gcp-dws-calendar-mode"
"""gpuhunt's mark of what Google sells for booked days alone: neither on demand nor spot."""
MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Offer:
    """What one seller asks for one instance; `usd` is for an hour of one of its GPUs."""

    provider: str
    name: str
    gpus: int
    usd: float
    is_spot: bool

    @classmethod
    def of(cls, item: "gpuhunt.CatalogItem") -> Self:
        """A row of the catalogue, whose price is that of the whole instance."""
        name = f"{item.instance_name} in {item.location}"
        usd = item.price / item.gpu_count
        return cls(item.provider, name, item.gpu_count, usd, item.spot)

    @property
    def is_possible(self) -> bool:
        """Whether anybody can mean the price."""
        return math.isfinite(self.usd) and self.usd > 0


def lowest(offers: Iterable[Offer]) -> list[Offer]:
    """The lowest offer of each seller, the lowest of all first."""
    found: dict[str, Offer] = {}
    for offer in sorted(offers, key=lambda offer: offer.usd):
        found.setdefault(offer.provider, offer)
    return list(found.values())


class Catalog:
    """The catalogues of some sellers, as gpuhunt loads them; `versions` says which, by seller.

    `address` names another place than gpuhunt's own. Raises RuntimeError where gpuhunt is missing,
    or where the catalogue of one of them cannot be had.
    """

    def __init__(self, providers: Sequence[str], address: str | None) -> None:
        try:
            import gpuhunt
        except ImportError:
            raise RuntimeError(NEEDED) from None
        if address is not None:
            os.environ["GPUHUNT_CATALOG_URL"] = address  # gpuhunt has no other door for it
        os.environ.pop("GPUHUNT_CATALOG_DIR", None)  # it would be read in place of what is loaded
        self._catalog = gpuhunt.Catalog(auto_reload=False)
        try:
            self._catalog.load()
        except gpuhunt.GPUHuntError as error:
            raise RuntimeError(
                f"gpuhunt could load no catalogue at all: {error.__cause__ or error}; it needs the "
                "network, or a catalogue that `catalog` names"
            ) from error
        found = self._catalog.catalog
        for name in providers:
            if name not in found:
                raise RuntimeError(_not_loaded(name, found))
            if not found[name].items:
                raise RuntimeError(
                    f"the catalogue {found[name].version} of {name} has no row that this gpuhunt "
                    "can read: look for a newer one, or leave it out of `providers`"
                )
        self._providers = [*providers]
        self.versions = {name: found[name].version for name in providers}

    def offers(self, gpu: str, min_count: int) -> list[Offer]:
        """All that is sold with so many of a GPU, by the name that `known` gave it."""
        name, _, size = gpu.partition(":")
        memory = float(size.removesuffix("GB")) if size else None
        items = self._catalog.query(
            provider=self._providers,
            gpu_name=name,
            min_gpu_count=min_count,
            min_gpu_memory=memory,
            max_gpu_memory=memory,
        )
        return [Offer.of(item) for item in items if BOOKED not in item.flags]


def known(gpu: str) -> str:
    """A GPU as its target names it: in gpuhunt's spelling, with the memory where that has several
    of one name. Raises ValueError where it has none, or where the memory does not fit."""
    import gpuhunt

    name, _, size = gpu.partition(":")
    found = gpuhunt.find_accelerators(names=[name])
    if not found:
        raise ValueError(f"gpuhunt knows no GPU {name!r}; {_near(name)}")
    sizes = [f"{memory}GB" for memory in sorted({each.memory for each in found})]
    spelt, is_one = found[0].name, len(sizes) == 1
    if size not in (*sizes, *([""] if is_one else [])):
        either = " or ".join(f"{spelt}:{each}" for each in sizes)
        raise ValueError(f"gpuhunt knows no {gpu!r}, it knows {either}")
    return spelt if is_one else f"{spelt}:{size}"


def end_of_day(version: str) -> float:
    """The end of the day in UTC that a version such as `20261126-5310` names, in seconds since the
    epoch; of one that names none the end of all days."""
    try:
        day = datetime.strptime(version.partition("-")[0], "%Y%m%d").replace(tzinfo=UTC)
    except ValueError:
        return YEAR_10000
    return (day + timedelta(days=1)).timestamp()


def _near(name: str) -> str:
    import gpuhunt

    names = {each.name.lower(): each.name for each in gpuhunt.KNOWN_ACCELERATORS}
    near = difflib.get_close_matches(name.lower(), names, n=MOST_NAMED, cutoff=0.5)
    if not near:
        return 'a name is such as "H100", "L40S" or "MI300X"'
    return f"near are {', '.join(names[each] for each in near)}"


def _not_loaded(name: str, found: Iterable[str]) -> str:
    return (
        f"gpuhunt has loaded no catalogue of {name!r}, only of {', '.join(sorted(found))}: see "
        "what it says on standard error, or leave that one out of `providers`"
    )
