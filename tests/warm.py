"""A process that has everything imported and forks a copy of itself for each piece of work.

Spawning a child that imports a cloud's SDK takes seconds; a test that kills a service 200 times
needs hundreds. The copy runs the real `probes.__main__`, or a service (`job_service.py`), on the
descriptors it was sent. It dies with whoever asked for it, as a spawned child would.

`python -I -S warm.py SOCKET --result FD --parent PID` asks for a child, and is what the runner
starts in a child's place.
"""

import array
import ctypes
import gc
import importlib
import json
import os
import signal
import socket
import sys
import threading
from typing import Any

PR_SET_PDEATHSIG = 1
MOST = 1 << 16


def ask(path: str, work: dict[str, object], descriptors: list[int]) -> socket.socket:
    """Have a copy made that does the work with these descriptors. The connection stays open for as
    long as the copy may live; it tells the exit status in its last byte."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.connect(path)
    rights = array.array("i", descriptors)
    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)] if descriptors else []
    connection.sendmsg([json.dumps(work).encode()], ancillary)
    return connection


def client() -> int:
    """Stand in for a child of the runner's."""
    path, _, result, _, parent = sys.argv[1:]
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):
        return 1
    asked = {"do": "child", "environment": dict(os.environ), "folder": os.getcwd()}  # noqa: PTH109 without pathlib it starts sooner
    connection = ask(path, asked, [0, 1, 2, int(result)])
    os.close(int(result))
    status = connection.recv(1)
    return status[0] if status else 1


def serve(path: str, preload: list[str]) -> None:
    """Import, then fork for whoever asks, until the process that started this is gone."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    for name in ["probes.__main__", "job_service", *preload]:
        importlib.import_module(name)
    _practise()
    gc.collect()
    gc.freeze()  # a copy that looks for garbage would copy every page
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listening.bind(path)
    listening.listen(64)
    print("ready", flush=True)
    children: set[int] = set()
    while True:
        connection, _ = listening.accept()
        asked, descriptors = _received(connection)
        if asked["do"] == "service":
            _end(children)  # a service begins where nothing of a life before is left
        child = os.fork()
        if child == 0:
            listening.close()
            status = 1
            try:
                status = _copy(connection, asked, descriptors)
            finally:
                connection.send(bytes([status]))
                os._exit(status)
        children.add(child)
        connection.close()
        for descriptor in descriptors:
            os.close(descriptor)


def _end(children: set[int]) -> None:
    """Kill all copies that there are, and wait for their end."""
    while children:
        child = children.pop()
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _received(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """The work that is asked for, and the descriptors that came with it."""
    size = array.array("i").itemsize
    text, ancillary, *_ = connection.recvmsg(MOST, socket.CMSG_SPACE(4 * size))
    descriptors = array.array("i")
    for _, _, rights in ancillary:
        descriptors.frombytes(rights)
    return json.loads(text), list(descriptors)


def _practise() -> None:
    """Have libraries load what they load when they are first used."""
    from probes.quantum.batch import Batch  # noqa: PLC0415 as above
    from probes.quantum.clouds.rest import trust  # noqa: PLC0415
    from probes.quantum.mirror import MirrorCircuits  # noqa: PLC0415
    from probes.quantum.providers.snapshot import Snapshot  # noqa: PLC0415

    trust()
    probe = MirrorCircuits(device="fake_lima", widths=(2,), depths=(2,), circuits=2, shots=10)
    Batch.from_json(probe.plan(Snapshot().calibration("fake_lima")).as_json())


def _copy(connection: socket.socket, asked: dict[str, Any], descriptors: list[int]) -> int:
    """The work of one copy; its exit status."""
    threading.Thread(target=_die_with, args=(connection,), daemon=True).start()
    os.chdir(asked["folder"])
    if asked["do"] == "service":
        import job_service  # noqa: PLC0415 a child that asks for a copy has no use for it

        return job_service.serve(asked)
    for number, descriptor in enumerate(descriptors[:3]):
        os.dup2(descriptor, number)
    os.environ.clear()
    os.environ.update(asked["environment"])
    from probes.__main__ import main  # noqa: PLC0415 as above
    from probes.base import load  # noqa: PLC0415

    sys.argv = ["probes", "--result", str(descriptors[3]), "--parent", str(os.getppid())]
    return main(load)


def _die_with(connection: socket.socket) -> None:
    """End this copy when whoever asked for it is gone."""
    connection.recv(1)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(client())
