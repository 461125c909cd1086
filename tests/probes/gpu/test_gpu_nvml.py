"""What the driver says of a GPU's state, with the real nvidia-ml-py on a fake driver library."""

from collections.abc import Callable
from typing import Any

import pytest

from probes.gpu import devices, nvml

Stamp = Callable[..., dict[str, Any]]

HEALTH = """
import json
from probes.gpu import nvml
gpu, = nvml.gpus()
print(json.dumps([nvml.driver(), nvml.health(gpu)]))
"""


@pytest.fixture
def stamp(run_python: Callable[..., Any], driver: dict[str, str]) -> Stamp:
    """The health of a fake GPU, asked in a child."""

    def ask(**fake: object) -> dict[str, Any]:
        said = {f"FAKE_0_{name}": str(value) for name, value in fake.items()}
        versions, health = run_python(HEALTH, **driver, FAKE_GPUS="1", **said)
        assert versions == {"driver": "570.86.15", "driver_cuda": 12080}
        found: dict[str, Any] = health
        return found

    return ask


def test_health_is_stamped_and_what_is_not_told_is_none(stamp: Stamp) -> None:
    assert stamp(REASONS=0x44, USED_MIB=100, PID=5, PID2=6) == {
        "sm_mhz": 1980,
        "memory_mhz": 2619,
        "celsius": 41,
        "watts": 121.5,
        "power_limit_watts": 700.0,
        "clock_reasons": 0x44,
        "uncorrected_ecc_errors": None,
        "remapped_rows": None,
        "used_bytes": 100 << 20,
        "processes": 2,
    }


def test_an_old_driver_is_asked_by_the_old_names(stamp: Stamp) -> None:
    told = stamp(OLD=1, REASONS=0x8, PID=5, USED_MIB=100)
    assert (told["clock_reasons"], told["processes"]) == (0x8, 1)
    assert told["used_bytes"] == (559 + 100) << 20  # its own with it: it does not tell them apart


def test_processes_that_are_not_told_are_not_none(stamp: Stamp) -> None:
    assert stamp(PID=-1)["processes"] is None
    assert stamp()["processes"] == 0


@pytest.mark.parametrize(
    ("bits", "note"),
    [
        (None, ""),
        (0x0, ""),
        (0x1 | 0x4, ""),
        (0x8, "clocks held down: hardware slowdown"),
        (0x44, "clocks held down: hardware thermal slowdown"),
        (0xA0, "clocks held down: software thermal slowdown, power brake"),
    ],
)
def test_only_alarming_clock_reasons_are_noted(bits: int | None, note: str) -> None:
    stamps: list[dict[str, Any]] = [
        {"clock_reasons": 0, "processes": 1},
        {"clock_reasons": bits, "processes": 1},
    ]
    assert nvml.held_down(stamps) == note
    assert devices.note([None, *stamps]) == note


def test_a_gpu_whose_users_are_not_shown_is_noted() -> None:
    stamps: list[dict[str, Any] | None] = [{"clock_reasons": 0x80, "processes": None}]
    assert devices.note(stamps) == (
        "clocks held down: power brake; the driver does not show who uses this GPU"
    )


LISTED = """
import json
from probes.gpu import nvml
present, failing = nvml.listed()
print(json.dumps([[gpu.index for gpu in present], failing]))
"""


def test_one_that_is_lost_takes_none_of_the_others_along(
    run_python: Callable[..., Any], driver: dict[str, str]
) -> None:
    answer = run_python(LISTED, **driver, FAKE_GPUS="3", FAKE_1_LOST="1")
    assert answer == [[0, 2], {"1": "GPU is lost"}]
