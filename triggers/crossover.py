"""The crossover model: from which problem size on a quantum computer beats a classical one.

After Hoefler, Häner and Troyer, "Disentangling Hype from Practicality: On Realistically Achieving
Quantum Advantage", Communications of the ACM 66(5), 82-87 (2023), DOI 10.1145/3571725, arXiv
2307.00523; "the paper" below, "Methods" its last section. Pure: rates in, numbers out.

A problem takes N calls of a function on the quantum side and N^k on the classical one, of M
operations each (k = 2: quadratic speed-up). One operation is one multiplication together with its
addition, on both sides: the paper halves the datasheet's operations a second, and takes additions
for free on the quantum side. Of `binary` it is one logical gate of two bits.

The paper's own numbers disagree with each other in two places (docs/crossover.md):
its Table 1 prints 235 kop/s for binary operations on the quantum side, its Methods give
floor(10,000 / (3 + 423.5)) = 23 units of 10⁵ op/s, 2.3 Mop/s, and only that reproduces Table 2;
and its text says that a single operation with a quadratic speed-up breaks even after months, which
holds for fp16 (58 days) and not for int32 (9.9 years).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from storage.types import Signal

BUDGET = 1e6
"""The time that a computation may take, in seconds: "a little more than two weeks" (Table 2)."""
EXPONENTS = (2, 3, 4)
"""Quadratic, cubic and quartic speed-up."""

FACTORIES = 5.5
"""Magic state factories a unit, so that none waits: each takes 5.5 cycles a state (Methods)."""
FACTORY_QUBITS = 77
"""Logical qubits that one factory fills: 147,904 physical ones / (2 · 31²) (Methods)."""

CLASSICAL_DOUBLING = 2.46
"""Years in which FLOP/s per dollar double: 470 GPUs of 2006 to 2021, Hobbhahn and Besiroglu,
"Trends in GPU price-performance", Epoch AI 2022."""
CLASSICAL_DOUBLING_95 = (2.24, 2.72)
"""Its 95 % confidence interval, from the same source."""
CLASSICAL_DOUBLING_SIGMA = (CLASSICAL_DOUBLING_95[1] - CLASSICAL_DOUBLING_95[0]) / (2 * 1.96)

CLASSICAL_IO, QUANTUM_IO = 1e13, 1e9
"""Bits a second that each side takes in or gives out (Table 1): 10,000 Gbit/s, and 10,000 qubits
in 10 µs, one gate a bit."""

YEAR = 31_556_952.0
"""Seconds of a mean year of the calendar."""

SIGNALS: tuple[Signal, ...] = (
    Signal(
        "crossover.max_operations",
        "op",
        "higher",
        "Most operations a call may take for the quantum side to win within the budget of time",
    ),
    Signal(
        "crossover.break_even_seconds",
        "s",
        "lower",
        "Run time at which both sides need equally long, at the stated operations a call",
    ),
    Signal(
        "crossover.cost_ratio",
        "1",
        "lower",
        "Quantum price over GPU price of the largest problem that fits into the budget of time; "
        "below 1 the quantum side is cheaper",
    ),
    Signal(
        "crossover.year",
        "year",
        "lower",
        "Year in which the stated operations a call win, at the stated doubling times, if the "
        "quantum side stood there on the day of the reading",
    ),
)


@dataclass(frozen=True, slots=True)
class Operation:
    """One kind of operation on the quantum side. `cycles`: logical cycles that one takes.
    `qubits`: logical qubits of one unit, with the magic state factories that feed it."""

    name: str
    cycles: int
    qubits: float

    @property
    def work(self) -> float:
        """Logical-qubit-cycles of one operation: what links its rate to rQOPS."""
        return self.cycles * self.qubits


def multiply(name: str, bits: int) -> Operation:
    """A multiplication of `bits`-bit numbers: 2·bits² cycles on 5·bits logical qubits and the
    factories. Of a floating-point number the mantissa alone counts (Methods)."""
    return Operation(name, 2 * bits**2, 5 * bits + FACTORIES * FACTORY_QUBITS)


OPERATIONS: Mapping[str, Operation] = {
    "fp16": multiply("fp16", 10),
    "int32": multiply("int32", 32),
    # one Toffoli gate: two input qubits and one output qubit
    "binary": Operation("binary", 1, 3 + FACTORIES * FACTORY_QUBITS),
    # not in the paper's tables, by its method: the stored bits of the mantissa
    "bf16": multiply("bf16", 7),
    "fp32": multiply("fp32", 23),
}
PAPER_OPERATIONS = ("fp16", "int32", "binary")
"""The rows of the paper's tables."""


@dataclass(frozen=True, slots=True)
class Machine:
    """An error-corrected quantum computer: whole logical qubits, seconds of one logical cycle, and
    the share of its runs that are kept (less than 1 where results are post-selected)."""

    logical_qubits: int
    cycle: float
    acceptance: float = 1.0

    @property
    def rqops(self) -> float:
        """Logical qubits times logical cycles a second, of the runs that are kept."""
        return self.logical_qubits / self.cycle * self.acceptance

    def rate(self, operation: Operation) -> float:
        """Operations a second (r_q); 0 where not a single unit fits."""
        units = math.floor(self.logical_qubits / operation.qubits)
        return units / (operation.cycles * self.cycle) * self.acceptance


PAPER_MACHINE = Machine(logical_qubits=10_000, cycle=10e-6)
"""The paper's future machine, "that may be available in the next decades"."""


def asic_rate(gates: int) -> float:
    """Operations a second of a chip of the A100's 54.2e9 transistors made of nothing but units of
    so many gate equivalents: 10 transistors a gate, half of the area, 0.7 ns a cycle (Methods)."""
    return 54.2e9 / (gates * 10 * 2) / 0.7e-9


PAPER_CLASSICAL: Mapping[str, Mapping[str, float]] = {
    "asic": {"fp16": asic_rate(7_000), "int32": asic_rate(18_000), "binary": asic_rate(50)},
    # the A100's datasheet: (312 + 78) / 2, 19.5 / 2, and 4,992 as listed
    "gpu": {"fp16": 195e12, "int32": 9.75e12, "binary": 4992e12},
}
"""Operations a second (r_c) of the paper's two classical chips."""


def calls(r_c: float, r_q: float, k: int) -> float:
    """N*: quantum calls at which both sides need equally long, N·M/r_q = N^k·M/r_c."""
    return float((r_c / r_q) ** (1 / (k - 1)))


def max_operations(r_c: float, r_q: float, k: int, budget: float = BUDGET) -> float:
    """M_max: operations a call with which the crossover takes just `budget` seconds."""
    return budget * r_q / calls(r_c, r_q, k)


def break_even_seconds(r_c: float, r_q: float, k: int, operations: float = 1.0) -> float:
    """T*: seconds at which both sides need equally long, with so many operations a call."""
    return operations * calls(r_c, r_q, k) / r_q


def cost_ratio(
    machine: Machine,
    operation: Operation,
    r_c: float,
    *,
    usd: float,
    classical_usd: float,
    made: float,
    k: int,
) -> float:
    """R: what the quantum side costs over what the classical one costs for the same problem.

    `usd` and `classical_usd` are prices a second, `made` the quantum calls N that are made: what
    one operation costs here, over what it costs there, over the N^(k-1) calls that are saved.
    """
    of_one = usd / machine.rqops * operation.work
    return of_one / (classical_usd / r_c) / made ** (k - 1)


def pace(k: int, quantum_doubling: float, classical_doubling: float = CLASSICAL_DOUBLING) -> float:
    """Doublings of M_max a year, where r_q doubles in so many years and r_c in so many. A
    quadratic speed-up gains only if r_q doubles in less than twice the classical time."""
    return k / (k - 1) / quantum_doubling - 1 / (k - 1) / classical_doubling


def years_to_crossover(
    operations: float,
    most: float,
    k: int,
    quantum_doubling: float,
    classical_doubling: float = CLASSICAL_DOUBLING,
) -> float | None:
    """Years until M_max, `most` today, reaches `operations` a call: 0 where it has, None (never)
    where it does not grow."""
    if operations <= most:
        return 0.0
    rate = pace(k, quantum_doubling, classical_doubling)
    return math.log2(operations / most) / rate if rate > 0 else None


def sigma_of_years(years: float, k: int, quantum_doubling: float, share: float) -> float:
    """Standard uncertainty of `years_to_crossover`, to first order: of r_c's own relative
    uncertainty (`share`) and of the classical doubling time."""
    rate = pace(k, quantum_doubling)
    of_rate = share / math.log(2) / (k - 1) / rate
    slope = 1 / (k - 1) / CLASSICAL_DOUBLING**2 / rate
    return math.hypot(of_rate, years * slope * CLASSICAL_DOUBLING_SIGMA)


def year_of(moment: float) -> float:
    """Seconds since the epoch as a year with its fraction: 2026.9."""
    return 1970 + moment / YEAR
