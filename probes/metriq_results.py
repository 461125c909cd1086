"""What the figures of each of metriq's benchmarks mean: the signals, and how results are read.

The fields are those of metriq_gym/benchmarks/ in https://github.com/unitaryfoundation/metriq-gym,
read 2026-08. What is read has no type but JSON's: somebody else has written it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from storage.types import Signal

SIGNALS = (
    Signal("metriq.eplg", "1", "lower", "Error per layered gate. Target DEVICE/nQUBITS of a chain"),
    Signal("metriq.clops", "layer/s", "higher", "Circuit layer operations per second"),
    Signal(
        "metriq.mirror_polarization",
        "1",
        "higher",
        "Polarization of mirror circuits, cut off at 0. Target DEVICE/wWIDTH-dDEPTH, both halves",
    ),
    Signal(
        "metriq.mirror_success",
        "1",
        "higher",
        "Frequency of the right outcome of mirror circuits. Target DEVICE/wWIDTH-dDEPTH",
    ),
    Signal(
        "metriq.bseq_qubits",
        "qubit",
        "higher",
        "Largest set of qubits joined by pairs that violate a Bell inequality",
    ),
    Signal("metriq.bseq_share", "1", "higher", "The share of the device's qubits in that set"),
    Signal("metriq.wit", "1", "higher", "Wormhole-inspired teleportation: <Z>, ideally 1"),
    Signal(
        "metriq.qml_kernel",
        "1",
        "higher",
        "Frequency of the all-zero outcome of a kernel circuit, ideally 1. Target DEVICE/nQUBITS",
    ),
    Signal(
        "metriq.fourier_transform",
        "1",
        "higher",
        "Fidelity of the quantum Fourier transform, normalised. Target DEVICE/nQUBITS",
    ),
    Signal(
        "metriq.qaoa_ratio",
        "1",
        "higher",
        "Approximation ratio of linear-ramp QAOA for MaxCut. Target DEVICE/nQUBITS-pLAYERS-GRAPH",
    ),
    Signal(
        "metriq.qaoa_gain",
        "1",
        "higher",
        "That ratio, rescaled so that random guessing is 0. Target DEVICE/nQUBITS-pLAYERS-GRAPH",
    ),
)

CHAINS = (10, 20, 50, 100)
"""The lengths of chains whose EPLG is compared; beside them the longest that was measured."""


class Unclear(ValueError):
    """A record that cannot be understood, and why; the reason has no detail of its own record, so
    that records with the same fault can be counted together."""


@dataclass(frozen=True, slots=True)
class Found:
    """One number of a record: the end of its signal's name, what stands behind the device in its
    target, and its standard uncertainty where one is stated."""

    signal: str
    where: str
    value: float
    sigma: float | None = None


Json = Mapping[str, Any]


def as_object(record: Json, key: str) -> Json:
    """The object at a key. Raises Unclear where there is none."""
    found = record.get(key)
    if not isinstance(found, dict):
        raise Unclear(f"its {key} are no JSON object")
    return found


def values_of(results: Json) -> Json:
    """The results with every figure as it is, or as {value, uncertainty}: early records have the
    two apart, as {values: {…}, uncertainties: {…}}."""
    values = results.get("values")
    if not isinstance(values, dict):
        return results
    sigmas = results.get("uncertainties") or {}
    return {name: {"value": v, "uncertainty": sigmas.get(name)} for name, v in values.items()}


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unclear("one of its figures is no number")
    return float(value)


def _count(params: Json, name: str) -> int:
    value = params.get(name)
    if isinstance(value, bool) or not isinstance(value, int):
        raise Unclear(f"its params have no whole number {name!r}")
    return value


def _list(given: Json, name: str) -> list[Any]:
    value = given.get(name)
    if not isinstance(value, list):
        raise Unclear(f"it has no list {name!r}")
    return value


# --- the benchmarks ----------------------------------------------------------------------------

_Read = Callable[[Json, Json], Iterator[Found]]


def _scalars(
    names: Mapping[str, str], where: Callable[[Json], str], results: Json, params: Json
) -> Iterator[Found]:
    """Figures of their own, by the ends of their signals' names."""
    for signal, name in names.items():
        given = results.get(name)
        value, sigma = given, None
        if isinstance(given, dict):
            value, sigma = given.get("value"), given.get("uncertainty")
        if value is None:
            continue
        # 0 is what is stated where no shot was right, or where a value was cut off: it is none
        yield Found(signal, where(params), _number(value), _number(sigma) if sigma else None)


def _device_alone(_: Json) -> str:
    return ""


def _qubits(params: Json) -> str:
    return f"n{_count(params, 'num_qubits')}"


def _range(params: Json) -> str:
    """The sizes that were averaged over; since metriq-gym 0.7 it is one."""
    if "min_qubits" not in params:
        return _qubits(params)
    least, most = _count(params, "min_qubits"), _count(params, "max_qubits")
    return f"n{most}" if least == most else f"n{least}-{most}"


def _layers(params: Json) -> str:
    """metriq-gym counts the layers of one half, we count both."""
    return f"w{_count(params, 'width')}-d{2 * _count(params, 'num_layers')}"


def _eplg(results: Json, _: Json) -> Iterator[Found]:
    """From the chains that were measured: `eplg_100` of a chain of 18 repeats that of 18."""
    chains = [_count({"length": one}, "length") for one in _list(results, "chain_lengths")]
    errors = _list(results, "chain_eplgs")
    if len(chains) != len(errors):
        raise Unclear("its chains and their errors differ in number")
    for chain, error in zip(chains, errors, strict=True):
        if chain in CHAINS or chain == max(chains):
            yield Found("eplg", f"n{chain}", _number(error))


def _qaoa(results: Json, params: Json) -> Iterator[Found]:
    """A ratio for each number of layers."""
    graph = str(params.get("graph_type", "")).lower()
    for signal, name in (("qaoa_ratio", "approx_ratio"), ("qaoa_gain", "effective_approx_ratio")):
        layers, ratios = _list(params, "qaoa_layers"), _list(results, name)
        if len(layers) != len(ratios):
            raise Unclear("its QAOA layers and their ratios differ in number")
        for depth, ratio in zip(layers, ratios, strict=True):
            where = f"{_qubits(params)}-p{_count({'layers': depth}, 'layers')}-{graph}"
            yield Found(signal, where, _number(ratio))


BENCHMARKS: Mapping[str, _Read] = {
    "BSEQ": partial(
        _scalars,
        {"bseq_qubits": "largest_connected_size", "bseq_share": "fraction_connected"},
        _device_alone,
    ),
    "CLOPS": partial(_scalars, {"clops": "clops_score"}, _device_alone),
    "EPLG": _eplg,
    "Linear Ramp QAOA": _qaoa,
    "Mirror Circuits": partial(
        _scalars,
        {"mirror_polarization": "polarization", "mirror_success": "success_probability"},
        _layers,
    ),
    "QML Kernel": partial(_scalars, {"qml_kernel": "accuracy_score"}, _qubits),
    "Quantum Fourier Transform": partial(_scalars, {"fourier_transform": "accuracy_score"}, _range),
    "WIT": partial(_scalars, {"wit": "expectation_value"}, _qubits),
}
"""How the results of each benchmark are read. metriq's `score` repeats one of the figures."""
