"""Which nodes of a fleet are looked at again."""

from monitor.settling import Settled
from monitor.turns import where
from storage.types import Outcome, Reading, Run


def node(host: str, outcome: Outcome, *targets: str) -> Settled:
    run = Run("gemm", "gpu.gemm", outcome, "", 0.0, 1.0, host=host)
    readings = [Reading("gpu.gemm.time", target, 1.0, "measured") for target in targets]
    return Settled(1, run, readings)


def test_a_second_look_is_at_the_nodes_that_dropped_or_failed() -> None:
    failed, slow = node("a", "failed", "GPU-1"), node("b", "ok", "GPU-2", "GPU-3")
    hung, well, busy = node("c", "timeout"), node("d", "ok", "GPU-4"), node("e", "skipped")
    whole = Settled(1, failed.run, failed.readings, also=(slow, hung, well, busy))
    assert where(whole, {"GPU-3"}) == {"a", "b", "c"}
    assert where(well, {"GPU-4"}) == {"d"}
