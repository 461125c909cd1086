"""What a probe is, and how a kind is found: `gpu.gemm` is the one Probe in `probes/gpu/gemm.py`."""

import functools
import importlib
import inspect
import json
import os
import pkgutil
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, PrivateAttr

from storage.types import Quote, Reading, Signal


class Skipped(Exception):
    """Raised by a probe that must not or cannot run now: a busy GPU, a device offline.

    The run's outcome is `skipped` with this reason; it is no failure.
    """


LEFT = os.EX_TEMPFAIL
"""Exit status of a run that was skipped while a library would not let it return: the last line on
its stderr is the reason."""


class NotInstalled(RuntimeError):
    """Raised by a probe whose library is there and not made for this machine: a failed run, of
    which the device is not the cause."""


class UnknownKind(LookupError):
    """No module of that path holds a probe."""


class Probe(BaseModel):
    """One kind of small job or poll. Fields are its settings; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    signals: ClassVar[tuple[Signal, ...]] = ()
    packages: ClassVar[tuple[str, ...]] = ()
    """Distributions whose versions are stamped on every run."""
    revision: ClassVar[int] = 1
    """Counts the ways in which this kind has measured: numbers of two of them do not compare."""
    indifferent: ClassVar[frozenset[str]] = frozenset()
    """Settings that no number depends on: prices, limits, which device is looked for."""
    deadline: ClassVar[float] = 120.0
    """Seconds after which a run is killed, unless the probe's table gives a `timeout`."""

    _payload: dict[str, Any] = PrivateAttr(default_factory=dict)

    def run(self) -> Iterable[Reading]:
        """Measure. Runs in a child process of its own; raises Skipped when it must not run now."""
        raise NotImplementedError

    def promises(self) -> tuple[Signal, ...]:
        """The signals that this instance may write."""
        return self.signals

    def setup(self) -> dict[str, Any]:
        """All that the run's numbers depend on beside their targets (JSON), known once it has run.
        Only numbers of one setup compare."""
        settings = self.model_dump(mode="json", exclude=set(self.indifferent))
        return {"revision": self.revision, **settings}

    def quote(self) -> Quote:
        """Upper bound of what one run costs. Nothing, unless a probe says otherwise."""
        return Quote()

    def resource(self) -> str | None:
        """What only one run at a time may use; None for a probe that merely polls."""
        return "host"

    def aimed(self, target: str) -> Mapping[str, Any]:  # noqa: ARG002 a kind may need it
        """The settings to change for a run on the very device of a reading: none, unless a probe
        chooses its device by itself."""
        return {}

    def keep(self, **facts: Any) -> None:
        """Store raw facts (counts, seeds, device identifiers; JSON) with the run."""
        self._payload.update(facts)

    @property
    def payload(self) -> dict[str, Any]:
        """What the run has kept so far."""
        return dict(self._payload)


def setup_text(probe: Probe) -> str:
    """A probe's setup as its readings carry it; "" where it has none."""
    setup = probe.setup()
    kind = ".".join(type(probe).__module__.split(".")[-2:])
    return json.dumps({"kind": kind, **setup}, sort_keys=True) if setup else ""


def load(kind: str) -> type[Probe]:
    """The probe class of a kind such as `gpu.gemm`.

    Raises UnknownKind where no module of that path holds a probe.
    """
    try:
        return kinds()[kind]
    except KeyError:
        known = ", ".join(kinds())
        raise UnknownKind(f"no probe kind {kind!r}; known are {known}") from None


@functools.cache
def kinds() -> Mapping[str, type[Probe]]:
    """Every kind and its class, read from the tree: `probes/GROUP/NAME.py` that defines a Probe."""
    package = importlib.import_module("probes")
    return MappingProxyType(
        {
            f"{group.name}.{module.name}": probe
            for group in pkgutil.iter_modules(package.__path__)
            if group.ispkg
            for module in pkgutil.iter_modules(
                importlib.import_module(f"probes.{group.name}").__path__
            )
            if not module.ispkg
            and (probe := _only_probe(f"probes.{group.name}.{module.name}")) is not None
        }
    )


def _only_probe(module_name: str) -> type[Probe] | None:
    module = importlib.import_module(module_name)
    own = [
        thing
        for thing in vars(module).values()
        if isinstance(thing, type)
        and issubclass(thing, Probe)
        and thing.__module__ == module_name
        and not inspect.isabstract(thing)  # what kinds share
        and not thing.__name__.startswith("_")
    ]
    if len(own) > 1:
        raise TypeError(f"{module_name} must hold one Probe, it holds {len(own)}")
    return own[0] if own else None
