"""What a published result of a benchmark says: one record of metriq-data, understood.

metriq-data holds what people measured with metriq-gym on devices that others own: neither our
measurement nor the owner's claim. Format: README.md and scripts/etl.py of
https://github.com/unitaryfoundation/metriq-data, read 2026-08. Credit: Unitary Foundation,
CC-BY-4.0.
"""

from datetime import UTC, datetime
from typing import Any

from probes.metriq_results import BENCHMARKS, Json, Unclear, as_object, values_of
from storage.types import Origin, Reading

ALIASES = {
    ("origin", "72"): "wukong_72",
    ("origin", "WK_C102-2"): "wukong_102",
    ("origin", "origin_wukong"): "wukong_102",
}
"""Names of one device, from metriq-data's scripts/platform_catalog.json."""
PROVIDERS = {"braket": "aws"}
LOCAL = "local"
"""The provider of a simulation on somebody's own machine."""


def parse(record: Any) -> tuple[Reading, ...]:
    """The readings of one record, all of one moment. Raises Unclear."""
    if not isinstance(record, dict):
        raise Unclear("it is no JSON object")
    outcome = record.get("outcome") or "completed"
    if outcome != "completed":
        raise Unclear(f"nothing was measured: its outcome is {outcome!r}")
    read = BENCHMARKS.get(str(record.get("job_type")))
    if read is None:
        raise Unclear(f"the benchmark {record.get('job_type')!r} is not known here")
    device, origin = _device(record)
    at, zone = _moment(record.get("timestamp"))
    found = list(read(values_of(as_object(record, "results")), as_object(record, "params")))
    if not found:
        raise Unclear(f"its results have no figure of {record['job_type']!r}")
    note = f"{_source(record)}{zone}"
    try:
        return tuple(
            Reading(
                signal=f"metriq.{one.signal}",
                target=f"{device}/{one.where}" if one.where else device,
                value=one.value,
                origin=origin,
                sigma=one.sigma,
                at=at,
                note=note,
            )
            for one in found
        )
    except ValueError as error:
        raise Unclear("one of its numbers, or its time, is out of range") from error


def _source(record: Json) -> str:
    shots = as_object(record, "params").get("shots")
    text = f"published in metriq-data, metriq-gym {record.get('app_version', 'of no version')}"
    return f"{text}, {shots} shots" if shots else text


def _moment(text: Any) -> tuple[float, str]:
    """Seconds since the epoch, and what was taken for granted."""
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise Unclear("its timestamp is no date in ISO 8601") from None
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC).timestamp(), "; no time zone given, taken as UTC"
    return moment.timestamp(), ""


def _device(record: Json) -> tuple[str, Origin]:
    """The device by its usual name, and whether it is one. Early records have both names at the
    top level and no platform."""
    platform = record.get("platform") or record
    if not isinstance(platform, dict):
        raise Unclear("its platform is no JSON object")
    provider, device = platform.get("provider"), platform.get("device")
    if not (isinstance(provider, str) and isinstance(device, str) and provider and device):
        raise Unclear("it does not say its provider and device")
    provider = PROVIDERS.get(provider.lower(), provider.lower())
    if provider == LOCAL:
        return f"{LOCAL}:{device}", "simulated"
    simulator = (platform.get("device_metadata") or {}).get("simulator")
    if not isinstance(simulator, bool):
        raise Unclear("it does not say whether its device is a simulator")
    return name_of(provider, device), "simulated" if simulator else "confirmed"


def name_of(provider: str, device: str) -> str:
    """One name for a device that is listed under several: an ARN by its owner and name
    ("rigetti_cepheus-1-108q"), an alias by what it stands for."""
    if provider == "aws":
        return "_".join(device.split("/")[-2:]).lower()
    return ALIASES.get((provider, device), device)
