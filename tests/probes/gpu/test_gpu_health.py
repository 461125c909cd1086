"""`gpu.health` by its real door, with the real nvidia-ml-py on a fake driver library."""

import platform
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from probes.gpu.health import Health

Look = Callable[..., dict[str, Any]]

UUIDS = [f"GPU-00000000-0000-0000-0000-{index:012}" for index in range(3)]
HOST = f"host:{platform.node()}"
MOMENT = {
    "sm_clock": 1980,
    "memory_clock": 2619,
    "power": 121.5,
    "power_limit": 700,
    "power_share": 121.5 / 700,
    "temperature": 41,
    "utilisation": 0,
    "memory_used": 0,
    "alarming_clock_reasons": 0,
}
"""What the fake GPU tells without being told to."""
LOGGED = {"xids", "application_xids"}


@pytest.fixture
def look(run_probe: Callable[..., Any], driver: dict[str, str]) -> Look:
    """One run on fake GPUs."""

    def run(settings: dict[str, Any] | None = None, **fake: object) -> dict[str, Any]:
        extra = {f"FAKE_{name}": str(value) for name, value in fake.items()}
        document: dict[str, Any] = run_probe("gpu.health", settings or {}, **driver, **extra)
        return document

    return run


def told(run: dict[str, Any], target: str = UUIDS[0]) -> dict[str, float]:
    """The values of one target by name, without what the kernel's log may or may not tell."""
    assert run["outcome"] == "ok", run["reason"]
    found = {
        reading["signal"].removeprefix("gpu.health."): reading["value"]
        for reading in run["readings"]
        if reading["target"] == target
    }
    return {name: value for name, value in found.items() if name not in LOGGED}


def note(run: dict[str, Any], name: str) -> str:
    said: list[str] = [r["note"] for r in run["readings"] if r["signal"] == f"gpu.health.{name}"]
    return said[0]


def test_without_a_gpu_it_is_skipped(look: Look) -> None:
    run = look(GPUS=0)
    assert (run["outcome"], run["reason"]) == ("skipped", "no NVIDIA GPU here")


def test_what_a_gpu_does_not_tell_is_absent(look: Look) -> None:
    run = look(GPUS=1)
    assert told(run) == pytest.approx(MOMENT)
    assert told(run, HOST) == {"answering_gpus": 1, "failing_gpus": 0}
    families = {reading["family"] for reading in run["readings"] if reading["target"] == UUIDS[0]}
    assert families == {"NVIDIA H100 80GB HBM3"}
    less = told(look(GPUS=1, **{"0_MILLIWATTS": -1, "0_CELSIUS": -1, "0_UTILISATION": -1}))
    missing = {"power", "power_share", "temperature", "utilisation"}
    assert less.keys() == MOMENT.keys() - missing


def test_a_busy_gpu_is_looked_at_all_the_same(look: Look) -> None:
    busy = {"0_PID": 5_000_001, "0_UTILISATION": 97, "0_USED_MIB": 70_000, "0_MODE": 3}
    found = told(look(GPUS=1, **busy))
    assert (found["utilisation"], found["memory_used"]) == (0.97, 70_000 * 2**20)


def test_all_counters(look: Look) -> None:
    faults = {
        "ECC_C": 5,
        "ECC_C_EVER": 50,
        "ECC_U": 1,
        "ECC_U_EVER": 2,
        "ROWS_C": 3,
        "ROWS_U": 4,
        "ROWS_PENDING": 1,
        "ROWS_FAILED": 0,
        "NVLINKS": 12,
        "LINK_REPLAYS": 2,
        "LINK_RECOVERIES": 1,
        "LINK_CRC": 3,
        "PCIE_REPLAYS": 7,
        "PCIE_WIDTH": 8,
        "PCIE_GENERATION": 4,
        "FIELD_82": 55,
    }
    found = told(look(GPUS=1, **{f"0_{name}": value for name, value in faults.items()}))
    assert found == pytest.approx(
        {
            **MOMENT,
            "memory_temperature": 55,
            "ecc_corrected": 5,
            "ecc_corrected_lifetime": 50,
            "ecc_uncorrected": 1,
            "ecc_uncorrected_lifetime": 2,
            "remapped_rows_correctable": 3,
            "remapped_rows_uncorrectable": 4,
            "remapping_pending": 1,
            "remapping_failed": 0,
            "nvlinks_up": 12,
            "nvlink_replays": 12 * 2,
            "nvlink_recoveries": 12 * 1,
            "nvlink_crc_errors": 12 * (3 + 3),  # of flits and of data
            "pcie_replays": 7,
            "pcie_width": 8,
            "pcie_width_share": 8 / 16,
            "pcie_generation": 4,
            "pcie_generation_share": 4 / 5,
        }
    )


def test_pages_are_retired_where_rows_cannot_be_remapped(look: Look) -> None:
    found = told(look(GPUS=1, **{"0_PAGES_C": 3, "0_PAGES_U": 2, "0_PAGES_PENDING": 1}))
    assert found == pytest.approx({**MOMENT, "retired_pages": 5, "page_retirement_pending": 1})


@pytest.mark.parametrize(
    ("fake", "of_each"),
    [
        (
            {"FIELD_161": 1, "FIELD_162": 2, "FIELD_163": 3},
            {"replays": 1, "recoveries": 2, "crc_errors": 3},
        ),
        ({"FIELD_215": 5}, {"recoveries": 5}),  # Blackwell
        ({"LINK_REPLAYS": 1, "FIELD_161": 4}, {"replays": 4}),  # the newer counter goes first
        ({}, {}),
    ],
)
def test_errors_of_links_are_asked_as_each_generation_tells_them(
    look: Look, fake: dict[str, int], of_each: dict[str, int]
) -> None:
    found = told(look(GPUS=1, **{"0_NVLINKS": 18, **{f"0_{k}": v for k, v in fake.items()}}))
    errors = {name: value for name, value in found.items() if name.startswith("nvlink_")}
    assert errors == {f"nvlink_{name}": 18 * count for name, count in of_each.items()}


def test_links_that_are_down_are_no_links_that_are_not_there(look: Look) -> None:
    assert told(look(GPUS=1, **{"0_NVLINKS": 0}))["nvlinks_up"] == 0
    assert "nvlinks_up" not in told(look(GPUS=1))


@pytest.mark.parametrize(
    ("bits", "alarming", "said"),
    [
        (0x4, 0, "software power cap"),
        (0x48, 2, "hardware slowdown, hardware thermal slowdown"),
        (0x84, 1, "software power cap, power brake"),
    ],
)
def test_only_slowdowns_that_should_not_be_count(
    look: Look, bits: int, alarming: int, said: str
) -> None:
    run = look(GPUS=1, **{"0_REASONS": bits})
    assert told(run)["alarming_clock_reasons"] == alarming
    assert note(run, "alarming_clock_reasons") == said


@pytest.mark.parametrize("lost", ["LOST", "LOST_LATE"])
def test_a_lost_gpu_is_told_and_so_are_the_others(look: Look, lost: str) -> None:
    run = look(GPUS=3, **{f"1_{lost}": 1})
    assert told(run, HOST) == {"answering_gpus": 2, "failing_gpus": 1}
    assert note(run, "failing_gpus").startswith("GPU 1: ")
    assert note(run, "failing_gpus").endswith("GPU is lost")
    assert told(run, UUIDS[2]) == pytest.approx(MOMENT)
    assert told(run, UUIDS[1]) == {}


def test_where_none_answers_the_run_fails(look: Look) -> None:
    run = look(GPUS=2, **{"0_LOST": 1, "1_LOST_LATE": 1})
    assert run["outcome"] == "failed"
    assert run["reason"].startswith("GPU 0 does not answer the NVIDIA driver: GPU is lost; see")


@pytest.mark.parametrize("target", ["cuda:1", UUIDS[1]])
def test_one_gpu_alone(look: Look, target: str) -> None:
    run = look({"target": target}, GPUS=2, **{"0_LOST": 1})
    assert {reading["target"] for reading in run["readings"]} == {UUIDS[1]}
    lost = look({"target": target}, GPUS=2, **{"1_LOST": 1})
    assert lost["outcome"] == "failed"
    assert lost["reason"].startswith("GPU 1 does not answer")
    absent = look({"target": target}, GPUS=1)
    assert f"LookupError: target {target} is not on" in absent["reason"]


PLACE = (0, 0xC1, 0)
"""Where the fake GPU 0 sits on the bus."""
XIDS = """
import dataclasses, json
from probes.gpu import health, kernel_log, nvml
gpu, = nvml.gpus()
xids = tuple(kernel_log.Xid({place}, number, 60.0) for number in {numbers})
other = kernel_log.Xid((0, 0xC2, 0), 79, 60.0)
log = kernel_log.Log((*xids, other), {reach})
print(json.dumps([[r.signal, r.value, r.note] for r in health.logged(gpu, log)]))
"""


@pytest.mark.parametrize(
    ("numbers", "reach", "counted"),
    [
        ((), None, [(0, ""), (0, "")]),
        ((79, 48, 79), None, [(3, "Xid 48 (1×), 79 (2×)"), (0, "")]),
        ((13, 43, 94), None, [(1, "Xid 94 (1×)"), (2, "Xid 13 (1×), 43 (1×)")]),
        (
            (31,),
            7200.0,
            [
                (0, "the log has lost all before 2.0 h ago"),
                (1, "Xid 31 (1×); the log has lost all before 2.0 h ago"),
            ],
        ),
    ],
)
def test_faults_of_programs_are_counted_apart(
    run_python: Callable[..., Any],
    driver: dict[str, str],
    numbers: tuple[int, ...],
    reach: float | None,
    counted: list[tuple[int, str]],
) -> None:
    program = XIDS.format(place=PLACE, numbers=numbers, reach=reach)
    assert run_python(program, **driver, FAKE_GPUS="1") == [
        ["gpu.health.xids", *counted[0]],
        ["gpu.health.application_xids", *counted[1]],
    ]


def test_faults_are_absent_where_the_log_may_not_be_read(look: Look) -> None:
    run = look(GPUS=1)
    names = {reading["signal"].removeprefix("gpu.health.") for reading in run["readings"]}
    if "kernel_log" in run["payload"]:
        assert names.isdisjoint(LOGGED)
        assert run["payload"]["kernel_log"].startswith("/dev/kmsg: ")
    else:
        assert names >= LOGGED


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"target": "cpu"}, "is no GPU"),
        ({"target": "auto"}, "is no GPU"),
        ({"target": "gpu0"}, "names no device"),
        ({"xid_hours": 0}, "greater than 0"),
        ({"xid_hours": 1001}, "less than or equal to 1000"),
    ],
)
def test_settings_out_of_bounds_refuse(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Health.model_validate(settings)


def test_it_waits_for_nobody_and_its_series_do_not_depend_on_the_target() -> None:
    assert Health().resource() is None
    assert Health(target="cuda:1").setup() == Health().setup()
