"""The library's own words come through where it fails."""

import pytest
from qiskit_experiments.library.quantum_volume import QuantumVolumeAnalysis

from probes.quantum.analysis import results


def circuit(width):
    chances = [0.0] * 2 ** (width - 1) + [1.0] * 2 ** (width - 1)
    metadata = {"depth": width, "ideal_probabilities": chances}
    return {"counts": {"1" * width: 9, "0" * width: 1}, "shots": 10, "metadata": metadata}


def test_results_are_rows_with_all_that_the_analysis_says():
    analysis = QuantumVolumeAnalysis()
    analysis.set_options(plot=False)
    rows = {row["name"]: row for row in results(analysis, [circuit(2)] * 100)}
    assert rows["mean_HOP"]["value"].nominal_value == pytest.approx(0.9)
    assert rows["quantum_volume"]["value"] == 4
    assert rows["quantum_volume"]["success"]


def test_an_analysis_that_fails_says_why():
    with pytest.raises(RuntimeError, match=r"could not analyse the counts: .* the same depth"):
        results(QuantumVolumeAnalysis(), [circuit(2), circuit(3)])
