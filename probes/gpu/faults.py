"""What a GPU and its links count of their own faults, asked of the driver (NVML).

Each function answers by name, with what this GPU tells: a counter that it lacks has no entry.
"""

from typing import Any

from probes.gpu import nvml
from probes.gpu.nvml import asked

NVLINK_REPLAYS, NVLINK_RECOVERIES, NVLINK_CRC = 161, 162, 163
"""NVML_FI_DEV_NVLINK_ERROR_DL_REPLAY, _RECOVERY and _CRC, which Blackwell no longer tells."""
NVLINK5_RECOVERIES = 215
"""NVML_FI_DEV_NVLINK_COUNT_LINK_RECOVERY_EVENTS, of the links of Blackwell."""


def field(gpu: nvml.Gpu, number: int, scope: int = 0) -> int | None:
    """One of the driver's numbered fields that count (NVML_FI_*), of a link where `scope` is its
    number; None where it is not told."""
    import pynvml

    handle = pynvml.nvmlDeviceGetHandleByIndex(gpu.index)
    found = asked(pynvml.nvmlDeviceGetFieldValues, handle, [(number, scope)])
    if found is None or found[0].nvmlReturn != pynvml.NVML_SUCCESS:
        return None
    wide = found[0].valueType != pynvml.NVML_VALUE_TYPE_UNSIGNED_INT
    return int(found[0].value.ullVal if wide else found[0].value.uiVal)


def ecc(gpu: nvml.Gpu) -> dict[str, float]:
    """Errors in memories with ECC, since the driver was loaded and in the GPU's life."""
    import pynvml

    handle = pynvml.nvmlDeviceGetHandleByIndex(gpu.index)
    kinds = {
        "corrected": pynvml.NVML_MEMORY_ERROR_TYPE_CORRECTED,
        "uncorrected": pynvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED,
    }
    spans = {"": pynvml.NVML_VOLATILE_ECC, "_lifetime": pynvml.NVML_AGGREGATE_ECC}
    return told(
        {
            f"ecc_{name}{span}": asked(pynvml.nvmlDeviceGetTotalEccErrors, handle, kind, counter)
            for name, kind in kinds.items()
            for span, counter in spans.items()
        }
    )


def memory_repairs(gpu: nvml.Gpu) -> dict[str, float]:
    """Rows of memory that were replaced by spare ones; on GPUs before Ampere, pages retired."""
    import pynvml

    handle = pynvml.nvmlDeviceGetHandleByIndex(gpu.index)
    rows = asked(pynvml.nvmlDeviceGetRemappedRows, handle)
    if rows is not None:
        names = ("remapped_rows_correctable", "remapped_rows_uncorrectable")
        flags = ("remapping_pending", "remapping_failed")
        return dict(zip((*names, *flags), map(float, rows), strict=True))
    causes = range(pynvml.NVML_PAGE_RETIREMENT_CAUSE_COUNT)
    pages = [asked(pynvml.nvmlDeviceGetRetiredPages, handle, cause) for cause in causes]
    known = [len(found) for found in pages if found is not None]
    pending = asked(pynvml.nvmlDeviceGetRetiredPagesPendingStatus, handle)
    return told(
        {"retired_pages": sum(known) if known else None, "page_retirement_pending": pending}
    )


def pcie(gpu: nvml.Gpu) -> dict[str, float]:
    """The link to the host: replays, generation and width, and what share of their maxima, which
    GPU and slot together allow, they are."""
    import pynvml

    handle = pynvml.nvmlDeviceGetHandleByIndex(gpu.index)
    width = asked(pynvml.nvmlDeviceGetCurrPcieLinkWidth, handle)
    widest = asked(pynvml.nvmlDeviceGetMaxPcieLinkWidth, handle)
    generation = asked(pynvml.nvmlDeviceGetCurrPcieLinkGeneration, handle)
    newest = asked(pynvml.nvmlDeviceGetMaxPcieLinkGeneration, handle)
    return told(
        {
            "pcie_replays": asked(pynvml.nvmlDeviceGetPcieReplayCounter, handle),
            "pcie_width": width,
            "pcie_width_share": width / widest if width is not None and widest else None,
            "pcie_generation": generation,
            "pcie_generation_share": (
                generation / newest if generation is not None and newest else None
            ),
        }
    )


def nvlink(gpu: nvml.Gpu) -> dict[str, float]:
    """Links that are up, and errors on those, summed over them; nothing on a GPU without links."""
    import pynvml

    up = _links(gpu)
    if up is None:
        return {}
    replays = pynvml.NVML_NVLINK_ERROR_DL_REPLAY
    recoveries = pynvml.NVML_NVLINK_ERROR_DL_RECOVERY
    checksums = (pynvml.NVML_NVLINK_ERROR_DL_CRC_FLIT, pynvml.NVML_NVLINK_ERROR_DL_CRC_DATA)
    return told(
        {
            "nvlinks_up": len(up),
            "nvlink_replays": _summed(gpu, up, (NVLINK_REPLAYS,), (replays,)),
            "nvlink_recoveries": _summed(
                gpu, up, (NVLINK_RECOVERIES, NVLINK5_RECOVERIES), (recoveries,)
            ),
            "nvlink_crc_errors": _summed(gpu, up, (NVLINK_CRC,), checksums),
        }
    )


def told(answers: dict[str, Any]) -> dict[str, float]:
    """Those that there are."""
    return {name: float(answer) for name, answer in answers.items() if answer is not None}


def _links(gpu: nvml.Gpu) -> list[int] | None:
    """The links that are up; None on a GPU that has none."""
    import pynvml

    handle = pynvml.nvmlDeviceGetHandleByIndex(gpu.index)
    states: list[int] = []
    for link in range(pynvml.NVML_NVLINK_MAX_LINKS):
        state = asked(pynvml.nvmlDeviceGetNvLinkState, handle, link)
        if state is None:
            break  # past this GPU's last link
        states.append(state)
    return [link for link, state in enumerate(states) if state] if states else None


def _summed(
    gpu: nvml.Gpu, links: list[int], fields: tuple[int, ...], counters: tuple[int, ...]
) -> int | None:
    """One kind of error over all links: the first field that is told, else the sum of the older
    counters; None where a link tells neither, since a part is no sum."""
    found = [_errors(gpu, link, fields, counters) for link in links]
    known = [count for count in found if count is not None]
    return sum(known) if known and len(known) == len(links) else None


def _errors(
    gpu: nvml.Gpu, link: int, fields: tuple[int, ...], counters: tuple[int, ...]
) -> int | None:
    import pynvml

    for number in fields:
        if (count := field(gpu, number, link)) is not None:
            return count
    handle = pynvml.nvmlDeviceGetHandleByIndex(gpu.index)
    question = pynvml.nvmlDeviceGetNvLinkErrorCounter
    counts = [asked(question, handle, link, counter) for counter in counters]
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
