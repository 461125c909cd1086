"""A database that is busy, full or out of reach: the work waits, says why, and nothing is lost."""

import asyncio
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from living import eventually
from writing import fault_of, stored, storing

from monitor.refusal import Refused
from monitor.writer import Writer

HOLDS_IT = """
import sqlite3, sys

connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.readline()
connection.execute("ROLLBACK")
"""
COPIES_IT = """
import sys
from pathlib import Path
from monitor.writer import Writer

writer = Writer(Path(sys.argv[1]))
while True:
    writer.backup()
    print("copied", flush=True)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "var" / "q.db"


@pytest.fixture
def writer(path: Path) -> Iterator[Writer]:
    writer = Writer(path)
    yield writer
    writer.close()


@pytest.fixture
def lock_it(path: Path) -> Iterator[Callable[[], Callable[[], None]]]:
    """Have another program lock the database; what is returned makes it let go."""
    programs = []

    def lock() -> Callable[[], None]:
        path.parent.mkdir(exist_ok=True)
        other = subprocess.Popen(
            [sys.executable, "-c", HOLDS_IT, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        programs.append(other)
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == b"locked\n"
        return other.stdin.close

    yield lock
    for other in programs:
        with other:
            other.kill()


async def test_work_is_done_in_one_transaction(writer: Writer, path: Path) -> None:
    assert await writer.insist(storing(writer, "first")) == 1

    def half() -> None:
        storing(writer, "second")()
        raise ValueError("of the work itself")

    with pytest.raises(ValueError, match="of the work itself"):
        await writer.insist(half)
    assert stored(path) == ["first"]
    assert (writer.fault, writer.rescued) == ("", "")


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO no_such_table VALUES (1)",
        "INSERT INTO samples VALUES (99, 0, 1.0, NULL, 'measured', 99, '')",
        "SELECT zeroblob(2000000000)",
    ],
)
async def test_what_waiting_does_not_cure_is_raised_at_once(
    writer: Writer, path: Path, statement: str
) -> None:
    with pytest.raises(sqlite3.Error):
        await writer.insist(lambda: writer.store.connection.execute(statement).fetchall())
    assert writer.fault == ""
    await writer.insist(storing(writer, "next"))
    assert stored(path) == ["next"]


async def test_a_locked_database_is_waited_for_while_the_loop_goes_on(
    writer: Writer, path: Path, lock_it: Callable[[], Callable[[], None]]
) -> None:
    let_go = lock_it()
    work = [asyncio.create_task(writer.insist(storing(writer, name))) for name in ("a", "b")]
    assert await fault_of(writer) == f"{path} cannot be written: database is locked"
    assert not any(task.done() for task in work)
    let_go()
    await asyncio.gather(*work)
    assert writer.fault == ""
    assert sorted(stored(path)) == ["a", "b"]


def test_a_start_waits_for_a_locked_database(
    path: Path, lock_it: Callable[[], Callable[[], None]]
) -> None:
    later = threading.Timer(0.5, lock_it())
    later.start()
    writer = Writer(path)
    later.join()
    writer.once(storing(writer, "a"))
    writer.close()
    assert stored(path) == ["a"]


async def test_a_full_disk_is_waited_for(writer: Writer, path: Path) -> None:
    await writer.insist(storing(writer, "before"))
    pages = writer.store.connection.execute("PRAGMA page_count").fetchone()[0]
    writer.store.connection.execute(f"PRAGMA max_page_count = {pages}")
    work = asyncio.create_task(writer.insist(storing(writer, "large", 1 << 20)))
    assert "database or disk is full" in await fault_of(writer)
    assert stored(path) == ["before"]
    writer.store.connection.execute("PRAGMA max_page_count = 1000000")
    await work
    assert writer.fault == ""
    assert stored(path) == ["before", "large"]


async def test_a_write_that_the_system_refuses_is_waited_for(writer: Writer, path: Path) -> None:
    """The same by the system's own limit on a file's size: an input/output error."""
    await writer.insist(storing(writer, "before"))
    usual = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 17, hard))
    try:
        work = asyncio.create_task(writer.insist(storing(writer, "large", 1 << 20)))
        await fault_of(writer)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, usual)
    await work
    assert (writer.fault, writer.rescued) == ("", "")
    assert stored(path) == ["before", "large"]


async def test_a_wait_can_be_cancelled(writer: Writer, path: Path) -> None:
    writer.store.connection.execute("PRAGMA max_page_count = 1")
    work = asyncio.create_task(writer.insist(storing(writer, "large", 1 << 20)))
    await fault_of(writer)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert stored(path) == []


def test_a_place_where_no_database_can_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "folder.db").mkdir()
    with pytest.raises(Refused, match=r"database: .*folder\.db cannot be written \(unable"):
        Writer(tmp_path / "folder.db")
    (tmp_path / "file").touch()
    with pytest.raises(Refused, match=r"q\.db cannot be written \(File exists\): put that"):
        Writer(tmp_path / "file" / "q.db")


# --- the backup ----------------------------------------------------------------------------------


async def test_a_backup_is_whole_though_writes_go_on(writer: Writer, path: Path) -> None:
    for number in range(20):
        await writer.insist(storing(writer, f"before {number}", 1 << 18))
    copying = asyncio.create_task(asyncio.to_thread(writer.backup))
    meanwhile = 0
    while not copying.done():
        await writer.insist(storing(writer, "meanwhile"))
        meanwhile += 1
        await asyncio.sleep(0)
    await copying
    copy = stored(path.with_name("q.db.backup"))
    assert copy[:20] == [f"before {number}" for number in range(20)]
    assert len(stored(path)) == 20 + meanwhile
    assert writer.fault == ""


def test_a_backup_takes_the_place_of_the_one_before(writer: Writer, path: Path) -> None:
    for name in ("first", "second"):
        writer.once(storing(writer, name))
        writer.backup()
    assert stored(path.with_name("q.db.backup")) == ["first", "second"]
    assert {file.name for file in path.parent.glob("*backup*")} == {"q.db.backup"}


def test_a_backup_that_finds_no_room_leaves_the_one_before(writer: Writer, path: Path) -> None:
    writer.once(storing(writer, "first"))
    writer.backup()
    writer.once(storing(writer, "large", 1 << 20))
    usual = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 17, hard))
    try:
        with pytest.raises(sqlite3.OperationalError):
            writer.backup()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, usual)
    assert stored(path.with_name("q.db.backup")) == ["first"]
    assert not path.with_name("q.db.backup.new").exists()


def test_kill_9_during_a_backup_leaves_one_that_is_whole(writer: Writer, path: Path) -> None:
    for number in range(40):
        writer.once(storing(writer, str(number), 1 << 18))
    writer.close()
    fresh = path.with_name("q.db.backup.new")
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", COPIES_IT, str(path)], stdout=subprocess.PIPE
        ) as copies:
            assert copies.stdout is not None
            assert copies.stdout.readline() == b"copied\n"
            eventually(lambda: fresh.exists() and fresh.stat().st_size, "a copy half done")
            copies.kill()
        assert len(stored(path.with_name("q.db.backup"))) == 40
    assert len(stored(path)) == 40
