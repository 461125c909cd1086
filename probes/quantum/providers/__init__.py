"""Quantum clouds, one a file: `provider = "snapshot"` is the Provider in `snapshot.py`."""

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Protocol

from pydantic import AfterValidator

from probes.quantum.chain import Chain
from probes.quantum.device import Calibration
from storage.types import Origin

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

Counts = Mapping[str, int]
"""Outcomes of one circuit: bit string (first qubit rightmost) to number of shots."""


class Provider(Protocol):
    """What a provider can be asked. Its module holds exactly one class that fulfils this.

    Importing the module imports no SDK; the methods do.
    """

    origin: ClassVar[Origin]
    """Origin of the counts: `simulated` for a noise model, `measured` for hardware."""

    def check(self, device: str) -> None:
        """Raise ValueError for a device name that is wrong as far as this machine can know."""

    def calibration(self, device: str) -> Calibration:
        """The device's calibration now. Raises ValueError where the device is not known."""

    def counts(
        self,
        circuits: "Sequence[QuantumCircuit]",
        calibration: Calibration,
        chain: Chain,
        *,
        shots: int,
        seed: int,
    ) -> list[Counts]:
        """Run circuits in the device's own gates, their qubit i on the device's `chain[i]`."""


def known() -> tuple[str, ...]:
    """Names of all providers: the modules of this package."""
    return tuple(module.name for module in pkgutil.iter_modules(__path__))


def load(name: str) -> Provider:
    """The provider of that name. Raises ValueError, listing the known ones, where there is none."""
    check_name(name)
    module = importlib.import_module(f"{__name__}.{name}")
    own = [
        thing
        for thing in vars(module).values()
        if isinstance(thing, type)
        and thing.__module__ == module.__name__
        and hasattr(thing, "calibration")
    ]
    if len(own) != 1:
        raise TypeError(f"{module.__name__} must hold one Provider, it holds {len(own)}")
    provider: Provider = own[0]()
    return provider


def check_name(name: str) -> str:
    """The name itself. Raises ValueError, listing the known ones, for an unknown provider."""
    if name not in known():
        raise ValueError(f"no quantum provider {name!r}; known are {', '.join(known())}")
    return name


ProviderName = Annotated[str, AfterValidator(check_name)]
"""A setting that names a provider."""
