"""A database that is damaged is set aside whole, and the work goes on: with the backup, or anew."""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from writing import fault_of, stored, storing

from monitor.writer import Writer

GARBAGE = bytes(range(256))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "q.db"


def whole_files(path: Path) -> int:
    """How many databases were set aside, their -wal and -shm not counted."""
    return sum(not file.name.endswith(("-wal", "-shm")) for file in aside(path))


def used(path: Path, *names: str, backup: bool = False) -> None:
    """A database that some runs are in, perhaps with a backup of all but the last."""
    writer = Writer(path)
    for name in names[:-1]:
        writer.once(storing(writer, name))
    if backup:
        writer.backup()
    writer.once(storing(writer, names[-1]))
    writer.close()


def aside(path: Path) -> list[Path]:
    """What was set aside."""
    return sorted(path.parent.glob("q.db.broken-*"))


@pytest.mark.parametrize(
    "damage", [GARBAGE * 1000, b"SQLite format 3\0" + GARBAGE * 1000], ids=["header", "pages"]
)
def test_a_damaged_file_is_replaced_by_its_backup_at_the_start(path: Path, damage: bytes) -> None:
    used(path, "first", "second", backup=True)
    path.write_bytes(damage)
    Path(f"{path}-wal").write_bytes(b"wal")
    Path(f"{path}-shm").write_bytes(b"shm")
    writer = Writer(path)
    writer.once(storing(writer, "third"))
    writer.close()
    assert stored(path) == ["first", "third"]
    names = {file.name.partition("-")[2].partition("-")[2]: file for file in aside(path)}
    assert {suffix: file.read_bytes() for suffix, file in names.items()} == {
        "": damage,
        "wal": b"wal",
        "shm": b"shm",
    }
    assert str(path) in writer.rescued
    assert names[""].name in writer.rescued
    assert "the backup of 20" in writer.rescued


def test_without_a_backup_it_begins_anew(path: Path) -> None:
    path.write_bytes(GARBAGE)
    writer = Writer(path)
    writer.once(storing(writer, "first"))
    writer.close()
    assert stored(path) == ["first"]
    assert [file.read_bytes() for file in aside(path)] == [GARBAGE]
    assert "goes on with an empty one" in writer.rescued


@pytest.mark.parametrize("deep", [False, True], ids=["header", "pages"])
def test_a_backup_that_is_damaged_too_is_set_aside_as_well(path: Path, deep: bool) -> None:
    used(path, "first", "second", "third", backup=True)
    backup = path.with_name("q.db.backup")
    whole = backup.read_bytes()
    # deep: the file opens, and only reading its tables would show it
    broken = whole[:8192] + b"\xff" * (len(whole) - 8192) if deep else GARBAGE
    backup.write_bytes(broken)
    path.write_bytes(GARBAGE)
    writer = Writer(path)
    writer.once(storing(writer, "fourth"))
    writer.close()
    assert stored(path) == ["fourth"]
    assert "an empty one" in writer.rescued
    assert [file.read_bytes() for file in path.parent.glob("q.db.backup.broken-*")] == [broken]
    assert not backup.exists()


def test_a_whole_database_is_left_alone(path: Path) -> None:
    used(path, "first", "second", backup=True)
    writer = Writer(path)
    assert writer.rescued == ""
    writer.close()
    assert stored(path) == ["first", "second"]
    assert aside(path) == []


def large(path: Path) -> Writer:
    """A writer over more than SQLite keeps in memory, so that it must read the file again."""
    writer = Writer(path)
    for number in range(40):
        writer.once(storing(writer, str(number), 1 << 18))
        if number == 9:
            writer.backup()
    writer.store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return writer


def reading_and_storing(writer: Writer, name: str) -> Callable[[], int]:
    """The work of looking at everything and storing one run more."""

    def work() -> int:
        writer.store.connection.execute("SELECT sum(length(stderr)) FROM runs").fetchall()
        return storing(writer, name, 1 << 18)()

    return work


def spoil(path: Path) -> None:
    """Overwrite a database under its writer, as a failing disk does."""
    with path.open("rb+") as file:
        file.write(GARBAGE * (path.stat().st_size // len(GARBAGE)))


async def test_damage_while_it_runs_is_put_right_and_the_work_is_done(path: Path) -> None:
    writer = large(path)
    spoil(path)
    await writer.insist(reading_and_storing(writer, "after"))
    assert (writer.fault, "was damaged" in writer.rescued) == ("", True)
    writer.close()
    assert stored(path) == [*map(str, range(10)), "after"]
    assert [file.suffix[-4:] for file in aside(path)][1:] == ["-shm", "-wal"]


async def test_every_damage_is_told_and_set_aside_for_itself(path: Path) -> None:
    writer = large(path)
    for name in ("one", "two"):
        spoil(path)
        await writer.insist(reading_and_storing(writer, name))
        writer.store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    writer.close()
    assert writer.rescued.count("was damaged") == 2
    assert whole_files(path) == 2


async def test_damage_that_cannot_be_put_right_yet_is_a_fault_until_it_can(path: Path) -> None:
    writer = large(path)
    spoil(path)
    obstacle = path.with_name("q.db.restored")
    obstacle.mkdir()
    work = asyncio.create_task(writer.insist(reading_and_storing(writer, "after")))
    fault = await fault_of(writer)
    assert "it is damaged" in fault
    assert "not replaced" in fault
    with pytest.raises(sqlite3.Error):
        writer.once(storing(writer, "hasty"))
    obstacle.rmdir()
    await work
    assert writer.fault == ""
    writer.close()
    assert stored(path) == [*map(str, range(10)), "after"]
    assert whole_files(path) == 1
