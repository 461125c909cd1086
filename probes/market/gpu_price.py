"""`market.gpu_price`: what sellers ask for an hour of a GPU, by gpuhunt's catalogue.

Expected: the lowest price below the median, and spot below on demand. No figure stands here: prices
move.
"""

import re
import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BeforeValidator, Field

from probes.base import Probe, Skipped
from probes.market.catalog import Catalog, Offer, end_of_day, known, lowest
from storage.types import Reading, Signal, now


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _gpus(value: tuple[str, ...]) -> tuple[str, ...]:
    for gpu in value:
        if not re.fullmatch(r"[A-Za-z0-9-]+(:[1-9]\d*GB)?", gpu):
            raise ValueError(f'expected names such as "H100" or "A100:80GB", got {gpu!r}')
    return value


def _once(value: tuple[str, ...]) -> tuple[str, ...]:
    if twice := {name for name in value if value.count(name) > 1}:
        raise ValueError(f"{min(twice)!r} is named twice: remove one of the two")
    return value


def _address(value: str) -> str:
    if not re.fullmatch(r"(https?|file)://\S+", value):
        raise ValueError(f"expected an address of http, https or file, got {value!r}")
    return value


Names = Annotated[
    tuple[str, ...], BeforeValidator(_tuple), AfterValidator(_once), Field(min_length=1)
]


class GpuPrice(Probe):
    """Read what sellers ask for GPUs.

    Summary
        gpuhunt loads the catalogue that its makers collect from the sellers' own price lists and
        publish every hour. Nothing is bought and no account is needed; the network is.

    What the number means
        USD for an hour of one GPU: an instance's price over its GPUs, with processors and memory,
        without taxes, discounts and commitments. Target: `H100/on-demand`, `H100/spot`. `cheapest`
        is the lowest of all offers, `median` the median over the sellers of each one's lowest, so
        that a seller with many regions counts once. They are the sellers' claims: what is in the
        list may be sold out. An SXM and a PCIe card of one memory have one name there. A reading is
        of the end of the day, in UTC, that the oldest of its sellers' catalogues is of, or of now
        where that is sooner. What has no offer is absent; an offer at no price or less is left out
        and counted. A seller whose catalogue cannot be had makes the run fail: a median over fewer
        sellers is another number.

    References
        https://github.com/dstackai/gpuhunt; how catalogues are collected and dated:
        .github/workflows/catalogs.yml and .github/scripts/publish_catalog.sh there.
    """

    signals: ClassVar[tuple[Signal, ...]] = (
        Signal(
            "market.gpu_price.cheapest",
            "USD/h",
            "lower",
            "Lowest price of one GPU for an hour; the note names seller and instance",
        ),
        Signal(
            "market.gpu_price.median",
            "USD/h",
            "lower",
            "Median over the sellers of each one's lowest price of one GPU for an hour",
        ),
        Signal(
            "market.gpu_price.offers",
            "offer",
            "higher",
            "Offers that these are taken from: each instance in each region",
        ),
    )
    packages: ClassVar[tuple[str, ...]] = ("gpuhunt",)
    indifferent: ClassVar[frozenset[str]] = frozenset({"gpus", "spot", "catalog"})

    gpus: Annotated[Names, AfterValidator(_gpus)] = Field(
        default=("A100:80GB", "H100", "H200", "B200"),
        description="gpuhunt's names, with the memory where it knows several of one name",
    )
    providers: Names = Field(
        default=(
            "aws",
            "azure",
            "cloudrift",
            "gcp",
            "lambdalabs",
            "nebius",
            "oci",
            "runpod",
            "verda",
        ),
        description="the sellers, by gpuhunt's names",
    )
    spot: bool = Field(default=False, description="also what the seller may take back at any time")
    min_count: int = Field(default=1, ge=1, le=1024, description="GPUs of an instance, at least")
    catalog: Annotated[str, AfterValidator(_address)] | None = Field(
        default=None, description="where a catalogue in gpuhunt's form is; none: gpuhunt's own"
    )

    def resource(self) -> str | None:
        """It merely polls."""
        return None

    def run(self) -> Iterator[Reading]:
        """Load and look. Raises ValueError for a GPU that gpuhunt does not know, Skipped where
        nothing is offered, RuntimeError where gpuhunt or a seller's catalogue cannot be had."""
        catalog = Catalog(self.providers, self.catalog)
        self.keep(catalogues=catalog.versions)
        readings: list[Reading] = []
        for gpu in map(known, self.gpus):
            offers = catalog.offers(gpu, self.min_count)
            for how in ("on-demand", "spot") if self.spot else ("on-demand",):
                sold = [offer for offer in offers if offer.is_spot == (how == "spot")]
                readings += self._readings(f"{gpu}/{how}", sold, catalog.versions)
        if not readings:
            raise Skipped(
                f"no offer of {', '.join(self.gpus)} with {self.min_count} or more a machine from "
                f"{', '.join(self.providers)}"
            )
        yield from readings

    def _readings(
        self, target: str, offers: Sequence[Offer], versions: Mapping[str, str]
    ) -> Iterator[Reading]:
        possible = [offer for offer in offers if offer.is_possible]
        best = lowest(possible)
        if not best:
            return
        asked = {offer.provider: offer.usd for offer in best}
        self.keep(**{target: asked})
        oldest = min((versions[name] for name in asked), key=end_of_day)
        odd = len(offers) - len(possible)
        first = best[0]

        def reading(name: str, value: float, note: str) -> Reading:
            said = "; ".join(part for part in (note, f"catalogue {oldest}") if part)
            at = min(now(), end_of_day(oldest))
            return Reading(f"market.gpu_price.{name}", target, value, "vendor", at=at, note=said)

        where = f"{first.provider}: {first.name}, {first.gpus} GPU{'s' if first.gpus > 1 else ''}"
        yield reading("cheapest", first.usd, where)
        every = ", ".join(f"{name} {usd:.4g}" for name, usd in asked.items())
        yield reading("median", statistics.median(asked.values()), every)
        left_out = f"{odd} more without a possible price" if odd else ""
        yield reading("offers", len(possible), left_out)
