"""What Amazon Braket says of devices and results, for the server on loopback."""

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from real_data import folder

FILES = {"iqm-garnet": "iqm-garnet-2026-05.json", "rigetti-cepheus": "rigetti-cepheus.json"}
GARNET = "arn:aws:braket:eu-north-1::device/qpu/iqm/Garnet"
CEPHEUS = "arn:aws:braket:us-west-1::device/qpu/rigetti/Cepheus-1-108Q"
FORTE = "arn:aws:braket:us-east-1::device/qpu/ionq/Forte-1"
SV1 = "arn:aws:braket:::device/quantum-simulator/amazon/sv1"
ALWAYS = [{"executionDay": "Everyday", "windowStartHour": "00:00:00", "windowEndHour": "23:59:59"}]

Document = dict[str, Any]
Play = Callable[[str, int], list[str]]
"""Outcomes of a program (OpenQASM) for so many shots: bit i of each is the program's b[i]."""


def published(name: str) -> Document:
    """A device's capabilities as Amazon publishes them."""
    found: Document = json.loads((folder("braket") / FILES[name]).read_text())
    return found


def capabilities(name: str) -> Document:
    """The same, open at any time."""
    found = published(name)
    found["service"]["executionWindows"] = ALWAYS
    return found


def forte() -> Document:
    """Capabilities of an IonQ machine, its figures of the whole device. The numbers are made up."""
    return {
        "braketSchemaHeader": {
            "name": "braket.device_schema.ionq.ionq_device_capabilities",
            "version": "1",
        },
        "service": {
            "braketSchemaHeader": {
                "name": "braket.device_schema.device_service_properties",
                "version": "1",
            },
            "executionWindows": ALWAYS,
            "shotsRange": [1, 5000],
            "deviceCost": {"price": 0.08, "unit": "shot"},
            "updatedAt": "2026-05-05T12:00:00",
        },
        "action": {
            "braket.ir.openqasm.program": {
                "actionType": "braket.ir.openqasm.program",
                "version": ["1.0"],
                "supportedOperations": ["x", "gpi", "gpi2", "zz"],
            },
            "braket.ir.openqasm.program_set": {
                "actionType": "braket.ir.openqasm.program_set",
                "version": ["1"],
                "maximumExecutables": 100,
                "maximumTotalShots": 200000,
                "minimumTotalShots": 20,
            },
        },
        "paradigm": {
            "braketSchemaHeader": {
                "name": "braket.device_schema.gate_model_qpu_paradigm_properties",
                "version": "1",
            },
            "connectivity": {"fullyConnected": True, "connectivityGraph": {}},
            "qubitCount": 6,
            "nativeGateSet": ["GPI", "GPI2", "ZZ"],
        },
        "provider": {
            "braketSchemaHeader": {
                "name": "braket.device_schema.ionq.ionq_provider_properties",
                "version": "1",
            },
            "fidelity": {
                "1Q": {"mean": 0.9998},
                "2Q": {"mean": 0.9932},
                "spam": {"mean": 0.9951},
            },
            "timing": {"T1": 100, "T2": 1, "1Q": 1.3e-4, "2Q": 9.7e-4, "readout": 2.5e-4},
        },
        "deviceParameters": {},
    }


def sv1() -> Document:
    """Capabilities of a simulator, which has no native gates and is paid by the minute."""
    return {
        "braketSchemaHeader": {
            "name": "braket.device_schema.simulators.gate_model_simulator_device_capabilities",
            "version": "1",
        },
        "service": {
            "executionWindows": ALWAYS,
            "shotsRange": [0, 100000],
            "deviceCost": {"price": 0.075, "unit": "minute"},
        },
        "action": {"braket.ir.openqasm.program": {"actionType": "braket.ir.openqasm.program"}},
        "paradigm": {"qubitCount": 34},
        "deviceParameters": {},
    }


def device(arn: str, content: Document | str, status: str = "ONLINE", queue: str = "3") -> Document:
    """A device as GetDevice answers."""
    kind, owner, name = arn.split("/")[-3:]
    return {
        "deviceArn": arn,
        "deviceName": name,
        "providerName": owner,
        "deviceType": "QPU" if kind == "qpu" else "SIMULATOR",
        "deviceStatus": status,
        "deviceCapabilities": content if isinstance(content, str) else json.dumps(content),
        "deviceQueueInfo": [
            {"queue": "QUANTUM_TASKS_QUEUE", "queueSize": queue, "queuePriority": "Normal"},
            {"queue": "QUANTUM_TASKS_QUEUE", "queueSize": "0", "queuePriority": "Priority"},
            {"queue": "JOBS_QUEUE", "queueSize": "0 (1 prioritized job(s) running)"},
        ],
    }


def zeros(source: str, shots: int) -> list[str]:
    return ["0" * len(measured(source))] * shots


def measured(source: str) -> list[int]:
    """The qubits that a program reads into its bits 0, 1 and so on."""
    return [int(qubit) for qubit in re.findall(r"b\[\d+\] = measure \$(\d+);", source)]


def executable(source: str, outcomes: Sequence[str]) -> Document:
    """What came of one program, its columns by the numbers of the qubits, as machines do it."""
    qubits = measured(source)
    order = sorted(range(len(qubits)), key=qubits.__getitem__)
    return {
        "measurements": [[int(outcome[bit]) for bit in order] for outcome in outcomes],
        "measuredQubits": sorted(qubits),
    }


def results(arn: str, request: Document, play: Play) -> Document:
    """`results.json` of a task, everything inside."""
    action = json.loads(request["action"])
    programs = action.get("programs")
    if programs is None:
        source = action["source"]
        return {
            "braketSchemaHeader": _header("gate_model_task_result"),
            **executable(source, play(source, request["shots"])),
            "taskMetadata": {
                "braketSchemaHeader": _header("task_metadata"),
                "id": arn,
                "shots": request["shots"],
                "deviceId": request["deviceArn"],
            },
            "additionalMetadata": {"action": action},
        }
    shots = request["shots"] // len(programs)
    return {
        "braketSchemaHeader": _header("program_set_task_result"),
        "programResults": [
            {
                "braketSchemaHeader": _header("program_result"),
                "executableResults": [
                    {
                        "braketSchemaHeader": _header("program_set_executable_result"),
                        "inputsIndex": 0,
                        **executable(one["source"], play(one["source"], shots)),
                    }
                ],
                "source": one,
                "additionalMetadata": {"action": one},
            }
            for one in programs
        ],
        "taskMetadata": {
            "braketSchemaHeader": _header("program_set_task_metadata"),
            "id": arn,
            "deviceId": request["deviceArn"],
            "requestedShots": request["shots"],
            "successfulShots": request["shots"],
            "programMetadata": [{"executables": [{}]} for _ in programs],
            "totalFailedExecutables": 0,
        },
    }


def _header(name: str) -> Document:
    return {"name": f"braket.task_result.{name}", "version": "1"}
