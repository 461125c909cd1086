"""What can only go wrong when a rule is judged goes wrong when the config is read."""

from monitor.crosscheck import cross_check
from triggers.rule import Rule


class Impossible(Rule):
    """A rule that is well-formed, and cannot be judged."""

    made: bool = False

    @property
    def limit(self) -> float:
        if self.made:
            raise OverflowError("its threshold is past all numbers")
        return 1.0


def test_a_rule_that_cannot_be_judged_is_a_fault_of_the_config() -> None:
    rule = Impossible(name="t", when="above", signal="gpu.gemm.throughput", threshold=1.0)
    rule = rule.model_copy(update={"made": True})
    ((problem,), warnings) = cross_check({}, {}, {"t": rule}, {})
    assert problem.key == ("trigger", "t")
    assert problem.message == "cannot be judged: its threshold is past all numbers"
    assert len(warnings) == 1
