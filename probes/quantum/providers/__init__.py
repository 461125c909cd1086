"""Quantum clouds, one a file: `provider = "ibm"` is the one Provider in `ibm.py`.

Importing a provider's module imports no SDK; its methods do.
"""

import importlib
import pkgutil
from typing import Annotated

from pydantic import AfterValidator

from probes.quantum.provider import Provider


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
        and Provider in thing.__mro__
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
