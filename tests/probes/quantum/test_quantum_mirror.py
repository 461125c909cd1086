"""The mirror canary as a whole, on real devices' calibrations."""

from math import e, sqrt
from statistics import fmean, stdev

import pytest
from pydantic import ValidationError

from probes.base import Skipped
from probes.quantum.mirror import Cell, MirrorCircuits, acceptable_depth
from probes.quantum.polarization import mean_polarization, polarization, shot_noise

SMALL = {
    "device": "fake_kingston",
    "widths": [2, 4],
    "depths": [2, 16],
    "circuits": 4,
    "shots": 500,
}


def cell(depth, *hits, shots=1000):
    """A cell of two-qubit circuits that were right so many times."""
    return Cell(2, depth, ["01"] * len(hits), [{"01": hit, "10": shots - hit} for hit in hits])


@pytest.mark.slow
def test_eight_qubits_of_fake_kingston_decay_with_depth_in_a_real_child(run_probe):
    done = run_probe("quantum.mirror", {"device": "fake_kingston", "widths": [8], "shots": 500})
    assert (done["outcome"], done["reason"]) == ("ok", "")
    *cells, depth = done["readings"]
    assert [each["target"] for each in cells] == [
        f"fake_kingston/w8-d{depth}" for depth in (2, 8, 32, 128)
    ]
    assert {each["origin"] for each in done["readings"]} == {"simulated"}
    values = [each["value"] for each in cells]
    assert values == sorted(values, reverse=True)
    assert values == pytest.approx([0.91, 0.86, 0.62, 0.18], abs=0.04)
    assert all(0.001 < each["sigma"] < 0.03 for each in cells)
    assert (depth["signal"], depth["target"]) == ("quantum.mirror.depth", "fake_kingston/w8")
    assert depth["value"] == 32
    assert done["payload"]["calibrated"] == "2026-04-15T07:15:15+00:00"
    assert {"qiskit", "qiskit-aer", "qiskit-ibm-runtime"} <= set(done["versions"])


def test_the_same_seed_gives_the_same_counts_and_another_does_not():
    first, again = MirrorCircuits(**SMALL, seed=5), MirrorCircuits(**SMALL, seed=5)
    other = MirrorCircuits(**SMALL, seed=6)
    for probe in (first, again, other):
        list(probe.run())
    assert first.payload == again.payload
    assert first.payload["facts"] != other.payload["facts"]


def test_every_polarization_can_be_computed_again_from_what_was_kept():
    probe = MirrorCircuits(**SMALL)
    found = {reading.target: reading.value for reading in probe.run()}
    parts, counted = probe.payload["facts"]["parts"], iter(probe.payload["counts"])
    cells = [{**part, **cell} for part in parts for cell in part["cells"]]
    assert len(cells) == 4
    for kept in cells:
        wide = 2 ** -kept["width"]
        kept["counts"] = [next(counted) for _ in kept["outcomes"]]
        pairs = zip(kept["outcomes"], kept["counts"], strict=True)
        right = [counts[outcome] / sum(counts.values()) for outcome, counts in pairs]
        value = (fmean(right) - wide) / (1 - wide)
        assert found[f"fake_kingston/w{kept['width']}-d{kept['depth']}"] == pytest.approx(value)
        assert len(kept["qubits"]) == kept["width"]
        assert all(sum(counts.values()) == 500 for counts in kept["counts"])
        assert all(gates["cz"] >= kept["depth"] for gates in kept["gates"])


def test_a_cell_does_not_depend_on_which_others_are_measured():
    alone = MirrorCircuits(**{**SMALL, "widths": [4]})
    both = MirrorCircuits(**SMALL)
    only = list(alone.run())
    assert [(r.target, r.value) for r in list(both.run())[3:]] == [
        (r.target, r.value) for r in only
    ]


def test_sigma_is_the_scatter_from_seed_to_seed():
    runs = [
        next(iter(MirrorCircuits(**{**SMALL, "widths": [2], "depths": [16]}, seed=seed).run()))
        for seed in range(20)
    ]
    scatter = stdev(reading.value for reading in runs)
    stated = sqrt(fmean(reading.sigma**2 for reading in runs))
    assert 0.5 < stated / scatter < 2


def test_a_width_without_a_chain_is_absent(run_probe):
    done = run_probe(
        "quantum.mirror", {"device": "fake_lima", "widths": [2, 8], "depths": [2], "circuits": 2}
    )
    assert {each["target"] for each in done["readings"]} == {"fake_lima/w2-d2", "fake_lima/w2"}
    assert done["payload"]["facts"]["absent"] == [8]


def test_a_device_without_live_couplings_is_skipped(run_probe):
    done = run_probe("quantum.mirror", {"device": "fake_kyoto"})
    assert done["outcome"] == "skipped"
    assert "fake_kyoto has no chain of 2 usable, coupled qubits" in done["reason"]
    with pytest.raises(Skipped):
        list(MirrorCircuits(device="fake_kyoto").run())


@pytest.mark.parametrize(
    ("setting", "value"),
    [("depths", [3]), ("depths", []), ("widths", [1]), ("widths", [11]), ("circuits", 1)],
)
def test_settings_that_measure_nothing_are_refused(setting, value):
    with pytest.raises(ValidationError, match=setting):
        MirrorCircuits(**{"device": "fake_kingston", setting: value})


def test_acceptable_depth_is_the_largest_whose_lower_bound_is_at_least_1_over_e():
    good, bare, bad = cell(2, 900, 900), cell(8, 540, 540), cell(32, 300, 300)
    value, sigma = bare.polarization()
    assert value > 1 / e > value - 2 * sigma
    assert acceptable_depth([good, bare, bad]) == 2
    assert acceptable_depth([good, cell(8, 700, 700), bad]) == 8


def test_acceptable_depth_is_zero_where_even_the_smallest_fails():
    assert acceptable_depth([cell(2, 300, 300), cell(8, 200, 200)]) == 0


def test_a_random_answer_has_polarization_0_and_a_right_one_1():
    assert polarization(1 / 8, 3) == 0
    assert polarization(1.0, 3) == 1


def test_sigma_is_the_spread_of_circuits_but_no_less_than_shot_noise():
    outcomes = ["01"] * 3
    spread = [{"01": hit, "00": 1000 - hit} for hit in (600, 700, 800)]
    value, sigma = mean_polarization(outcomes, spread)
    assert value == pytest.approx((0.7 - 0.25) / 0.75)
    assert sigma == pytest.approx(0.1 / 0.75 / sqrt(3))
    equal = [{"01": 700, "00": 300}] * 3
    binomial = sqrt(0.7 * 0.3 / 3000) / 0.75
    assert mean_polarization(outcomes, equal)[1] == pytest.approx(binomial, rel=1e-3)


def test_shot_noise_is_never_zero():
    assert 0 < shot_noise(1000, 1000, 2) < 0.002
    assert shot_noise(0, 1000, 2) == pytest.approx(shot_noise(1000, 1000, 2))
