"""qiskit-experiments' analyses, of counts that came from anywhere."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qiskit_experiments.framework import BaseAnalysis

Row = dict[str, Any]
"""One result of an analysis: its name, value, quality, and whatever else the analysis says."""


def results(analysis: "BaseAnalysis", circuits: Sequence[Row]) -> list[Row]:
    """What an analysis makes of its circuits: of each its `counts`, `shots` and `metadata`.

    Raises RuntimeError, with the library's last words, where it fails.
    """
    from qiskit_experiments.framework import AnalysisStatus, ExperimentData

    data = ExperimentData()
    data.add_data(list(circuits))
    analysis.run(data).block_for_results()
    if data.analysis_status() != AnalysisStatus.DONE:
        said = data.analysis_errors().strip().splitlines() or ["it does not say why"]
        raise RuntimeError(f"qiskit-experiments could not analyse the counts: {said[-1]}")
    rows: list[Row] = data.analysis_results(dataframe=True, columns="all").to_dict("records")
    return rows
