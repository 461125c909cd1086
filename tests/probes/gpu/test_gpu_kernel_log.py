"""Faults in the kernel's log. The messages have the form of NVIDIA's documentation and of its
users' reports: https://docs.nvidia.com/deploy/xid-errors/ ."""

import os
import socket
from pathlib import Path

import pytest

from probes.gpu import kernel_log
from probes.gpu.kernel_log import Log, understood

FIRST, SECOND = (0, 0xCB, 0), (0, 3, 0)
HOUR = 3600.0
NOW = 100 * HOUR
MESSAGES = {
    FIRST: [
        ("NVRM: Xid (PCI:0000:cb:00): 13, pid='<unknown>', name=<unknown>, Graphics Exception", 13),
        ("NVRM: Xid (PCI:0000:CB:00): 109, pid=1797828, name=pt_main_thread, Ch 00000008", 109),
        ("NVRM: Xid (PCI:0000:cb:00.0): 79, pid=1234, GPU has fallen off the bus.", 79),
    ],
    SECOND: [("NVRM: Xid (0000:03:00): 14, Channel 00000001", 14)],
}
OTHER = [
    "NVRM: GPU at PCI:0000:cb:00: GPU-b850f46d-d5ea-c752-ddf3-c6453e44d3f7",
    "nvidia-nvswitch3: SXid (PCI:0000:cb:00.0): 28002, Non-fatal, Link 46",
    "usb 1-1: a device that calls itself NVRM: Xid (PCI:0000:cb:00): 79,",
    "NVRM: Xid without a place",
]


def record(message: str, at: float, number: int = 0, level: int = 3) -> str:
    """As a read of /dev/kmsg gives it: level, number and µs since the start; fields follow."""
    return (
        f"{level},{number},{int(at * 1e6)},-;{message}\n SUBSYSTEM=pci\n DEVICE=+pci:0000:cb:00.0\n"
    )


def test_messages_are_known_by_their_gpu_and_number() -> None:
    texts = [*(text for found in MESSAGES.values() for text, _ in found), *OTHER]
    log = understood((record(text, NOW - 60) for text in texts), HOUR, NOW)
    assert log.of(FIRST) == (13, 109, 79)
    assert log.of(SECOND) == (14,)
    assert log.of((1, 0xCB, 0)) == ()
    assert {xid.ago for xid in log.xids} == {60.0}
    assert log.reach is None


@pytest.mark.parametrize(("hours", "found"), [(0.5, ()), (1.0, (79,)), (2.0, (79, 79))])
def test_only_the_last_while_counts(hours: float, found: tuple[int, ...]) -> None:
    text = MESSAGES[FIRST][2][0]
    records = [record(text, NOW - 2 * HOUR), record(text, NOW - HOUR)]
    assert understood(records, hours * HOUR, NOW).of(FIRST) == found


def test_what_a_program_writes_into_the_log_is_no_fault() -> None:
    text = MESSAGES[FIRST][2][0]
    assert understood([record(text, NOW, level=12)], HOUR, NOW).xids == ()
    assert understood([record(text, NOW, level=7)], HOUR, NOW).of(FIRST) == (79,)


@pytest.mark.parametrize(
    ("number", "hours_ago", "reach"), [(0, 0.5, None), (9, 0.5, HOUR / 2), (9, 2.0, None)]
)
def test_a_log_that_has_forgotten_a_part_says_so(
    number: int, hours_ago: float, reach: float | None
) -> None:
    records = [record("x", NOW - hours_ago * HOUR, number), record("y", NOW, number + 1)]
    assert understood(records, HOUR, NOW) == Log((), reach)


def test_a_record_is_one_read_and_the_last_is_no_end_to_wait_for() -> None:
    # a socket that keeps messages apart reads as the device does
    log, driver = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with log, driver:
        log.setblocking(False)
        for text in ("one\n", "two; µ\n"):
            driver.send(text.encode())
        driver.send(b"\xff\n")
        assert list(kernel_log.records(log.fileno())) == ["one\n", "two; µ\n", "\ufffd\n"]


def test_this_machines_own_log_is_read_where_it_may_be() -> None:
    try:
        os.close(os.open(kernel_log.LOG, os.O_RDONLY | os.O_NONBLOCK))
    except OSError:
        with pytest.raises(OSError, match="kmsg"):
            kernel_log.recent(HOUR)
    else:
        assert all(xid.ago <= HOUR for xid in kernel_log.recent(HOUR).xids)


def test_a_log_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        kernel_log.recent(HOUR, tmp_path / "none")
