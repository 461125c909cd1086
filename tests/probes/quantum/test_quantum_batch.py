"""A batch of circuits and its way through JSON."""

import json

from qiskit import QuantumCircuit

from probes.quantum.batch import Batch


def test_a_batch_survives_json_with_its_circuits():
    circuit = QuantumCircuit(2)
    circuit.sx(0)
    circuit.rz(0.25, 1)
    circuit.barrier()
    circuit.cz(0, 1)
    circuit.measure_all()
    batch = Batch([circuit, circuit.copy()], [(4, 5), (7, 6)], 100, {"cells": [1, 2]})
    back = Batch.from_json(json.loads(json.dumps(batch.as_json())))
    assert list(back.circuits) == [circuit, circuit]
    assert (list(back.chains), back.shots, dict(back.facts)) == (
        [(4, 5), (7, 6)],
        100,
        {"cells": [1, 2]},
    )


def test_the_same_batch_has_the_same_json():
    circuit = QuantumCircuit(1)
    circuit.x(0)
    one, two = (Batch([circuit], [(0,)], 10).as_json() for _ in range(2))
    assert one == two
