"""One instance a database, held against real processes."""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.lock import Lock, Taken, holder, path_for

HOLDS = """
import sys, time
from pathlib import Path
from monitor.lock import Lock

lock = Lock(Path(sys.argv[1]))
lock.take(config="there")
lock.say(pid=1, text="") if sys.argv[2:] else None
print("taken", flush=True)
while sys.argv[2:]:
    lock.say(pid=1, text="x" * 4000)
    lock.say(pid=1, text="")
time.sleep(600)
"""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "var" / "q.db"


def start(database: Path, *more: str) -> subprocess.Popen[str]:
    """A process that has taken the lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(database), *more], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "taken\n"
    return process


@pytest.fixture
def other(database: Path) -> Iterator[subprocess.Popen[str]]:
    with start(database) as process:
        yield process
        process.kill()


def test_a_second_instance_is_told_who_has_it(database: Path, other: subprocess.Popen[str]) -> None:
    with pytest.raises(Taken, match=rf"process {other.pid}\) has .*q\.db\.lock"):
        Lock(database).take()
    said = holder(database)
    assert (said["pid"], said["config"]) == (other.pid, "there")
    assert said["started"] > 0


def test_two_locks_of_one_process_exclude_each_other(database: Path) -> None:
    first, second = Lock(database), Lock(database)
    first.take()
    with pytest.raises(Taken, match=f"process {os.getpid()}"):
        second.take()
    first.release()
    second.take()
    second.release()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_lock_of_a_dead_process_is_free(
    database: Path, other: subprocess.Popen[str], number: signal.Signals
) -> None:
    other.send_signal(number)
    other.wait()
    assert path_for(database).read_text() != ""
    assert holder(database) == {}
    lock = Lock(database)
    lock.take()
    assert holder(database)["pid"] == os.getpid()
    lock.release()


def test_nobody_holds_a_database_that_was_never_used(database: Path) -> None:
    assert holder(database) == {}
    lock = Lock(database)
    lock.take()
    lock.release()
    lock.release()
    assert holder(database) == {}
    assert path_for(database).exists()


def test_what_it_says_is_whole_at_any_moment(database: Path) -> None:
    with start(database, "talks") as talks:
        try:
            seen = {len(holder(database)["text"]) for _ in range(10_000)}
        finally:
            talks.kill()
    assert seen == {0, 4000}


def test_who_has_taken_it_and_said_nothing_yet_holds_it_all_the_same(
    database: Path, other: subprocess.Popen[str]
) -> None:
    path_for(database).write_text("")
    assert holder(database) == {"pid": None}
    with pytest.raises(Taken, match="process unknown"):
        Lock(database).take()


@pytest.mark.parametrize("text", ["", "no JSON", "[1]", "\0\0", '{"pid": '])
def test_what_a_crash_left_in_the_file_is_no_obstacle(database: Path, text: str) -> None:
    path_for(database).parent.mkdir()
    path_for(database).write_text(text)
    lock = Lock(database)
    lock.take()
    assert holder(database)["pid"] == os.getpid()
    lock.release()


def test_it_waits_a_moment_for_one_that_only_looks(database: Path) -> None:
    looks = (
        "import fcntl, sys, time; file = open(sys.argv[1]); fcntl.flock(file, fcntl.LOCK_SH);"
        "print('looks', flush=True); time.sleep(0.1)"
    )
    path_for(database).parent.mkdir()
    path_for(database).touch()
    with subprocess.Popen(
        [sys.executable, "-c", looks, str(path_for(database))], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        lock = Lock(database)
        lock.take()
        lock.release()


def test_a_full_disk_takes_only_what_it_says(database: Path) -> None:
    lock = Lock(database)
    lock.take(text="before")
    usual = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        lock.say(pid=1, text="x" * 10_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, usual)
    assert holder(database)["text"] == "before"
    lock.say(pid=1, text="after")
    assert holder(database)["text"] == "after"
    lock.release()


def test_a_place_where_no_lock_can_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        Lock(tmp_path / "file" / "q.db").take()
    (tmp_path / "q.db.lock").mkdir()
    with pytest.raises(IsADirectoryError):
        Lock(tmp_path / "q.db").take()


def test_the_lock_is_not_inherited(database: Path) -> None:
    lock = Lock(database)
    lock.take()
    with subprocess.Popen(["sleep", "600"], close_fds=False) as child:
        try:
            lock.release()
            lock.take()
        finally:
            child.kill()
    lock.release()
