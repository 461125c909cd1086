"""The points of a trend as they are shown: whose figures they are."""

import pytest

from monitor.trend import shown
from storage.types import Origin, Reading, Series
from triggers.forecast import YEAR
from triggers.rule import Rule

SIGNAL = "quantum.calibration.two_qubit_error"


@pytest.mark.parametrize(
    ("origins", "told"),
    [
        (("vendor", "vendor"), "derived"),
        (("vendor", "simulated"), "simulated"),
    ],
)
def test_a_median_is_worked_out_and_of_simulated_readings_is_simulated(
    origins: tuple[Origin, ...], told: Origin
) -> None:
    rule = Rule.model_validate(
        {
            "name": "t",
            "signal": SIGNAL,
            "when": "crosses",
            "side": "below",
            "threshold": 1e-4,
            "horizon": "5y",
            "fit": "all",
            "accept": ["vendor", "simulated"],
        }
    )
    polled = [
        Reading(SIGNAL, "a", 0.01 * (index + 1), origin, at=index * YEAR)
        for index, origin in enumerate(origins)
    ]
    once = Reading(SIGNAL, "b", 0.005, "vendor", at=3 * YEAR)
    points = shown(rule, Series(SIGNAL, "1", "*", (*polled, once)))
    assert [(point.note, point.origin) for point in points] == [("a", told), ("b", "vendor")]
